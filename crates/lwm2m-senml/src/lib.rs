//! SenML (RFC 8428) in JSON and CBOR: zero-copy readers, resolution of base fields, and writers.
//!
//! | module | what | section of RFC 8428 |
//! |---|---|---|
//! | [`Record`], [`Value`] | fields of a record | 4 |
//! | [`resolve`], [`Resolver`] | base fields applied | 4.6 |
//! | [`json`] | application/senml+json | 5 |
//! | [`cbor`] | application/senml+cbor | 6 |
//!
//! Readers return one record at a time and keep none. A record in memory is larger than in a pack, so
//! the caller decides how many to keep.
//!
//! The field `vlo`, an object link, is an extension of LwM2M. A null `v`, which removes what the
//! record names, is from RFC 8790.
//!
//! ```
//! use lwm2m_senml::{Record, Value, json, resolve};
//!
//! let pack = br#"[{"bn":"/3/0/","n":"9","v":100}, {"n":"13","v":1367491215}]"#;
//! let records = json::Reader::new(pack).collect::<Result<Vec<_>, _>>()?;
//! assert_eq!(records[0].value, Some(Value::Integer(100)));
//! let second = resolve(records).nth(1).unwrap()?;
//! assert_eq!(second.name.to_string(), "/3/0/13");
//!
//! let record = Record {
//!     name: Some("/3303/0/5700".into()),
//!     value: Some(Value::Float(21.5)),
//!     ..Record::default()
//! };
//! assert_eq!(json::write(&[record])?, r#"[{"n":"/3303/0/5700","v":21.5}]"#);
//! # Ok::<(), lwm2m_senml::Error>(())
//! ```
#![cfg_attr(not(feature = "std"), no_std)]
#![warn(clippy::indexing_slicing)]

extern crate alloc;

mod base64;
pub mod cbor;
mod error;
pub mod json;
mod record;
mod resolve;

pub use error::Error;
pub use record::{Number, Record, Value};
pub use resolve::{MAX_NAME, Name, Resolved, Resolver, resolve};
