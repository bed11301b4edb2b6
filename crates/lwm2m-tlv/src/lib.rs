//! The TLV format of LwM2M: a zero-copy reader and a writer. OMA LwM2M Core 1.2, section 7.4.5.
//!
//! | module | what | section |
//! |---|---|---|
//! | [`Reader`], [`Entry`] | headers and nesting | 7.4.5 |
//! | [`Writer`] | writes entries in their shortest form | 7.4.5 |
//! | [`value`] | decodes values by data type | Appendix C |
//!
//! The format does not carry data types; they come from the object definition.
//!
//! ```
//! use lwm2m_tlv::{Kind, Reader, Writer};
//!
//! let mut writer = Writer::new();
//! writer.bytes(Kind::Resource, 0, b"Open Mobile Alliance");
//! writer.nested(Kind::MultipleResource, 6, |writer| {
//!     writer.integer(Kind::ResourceInstance, 0, 1);
//!     writer.integer(Kind::ResourceInstance, 1, 5);
//! });
//! let bytes = writer.finish()?;
//!
//! let mut reader = Reader::new(&bytes);
//! let manufacturer = reader.next().unwrap()?;
//! assert_eq!(lwm2m_tlv::value::string(manufacturer.value), Ok("Open Mobile Alliance"));
//! let sources = reader.next().unwrap()?;
//! assert_eq!((sources.kind, sources.id), (Kind::MultipleResource, 6));
//! let second = sources.children().nth(1).unwrap()?;
//! assert_eq!(second.integer(), Ok(5));
//! # Ok::<(), lwm2m_tlv::Error>(())
//! ```
#![cfg_attr(not(feature = "std"), no_std)]
#![warn(clippy::indexing_slicing)]

extern crate alloc;

mod error;
mod kind;
mod reader;
pub mod value;
mod writer;

pub use error::Error;
pub use kind::Kind;
pub use reader::{Entry, Reader};
pub use writer::Writer;
