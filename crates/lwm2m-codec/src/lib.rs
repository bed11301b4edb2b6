//! Decodes LwM2M payloads of all content formats to typed nodes, and encodes nodes.
//!
//! | format | number | carries | section of OMA LwM2M Core 1.2 |
//! |---|---|---|---|
//! | text | 0 | one value | 7.4.1 |
//! | opaque | 42 | one Opaque value | 7.4.2 |
//! | CBOR | 60 | one value | 7.4.3 |
//! | SenML JSON, SenML CBOR | 110, 112 | anything | 7.4.6, 7.4.7 |
//! | TLV | 11542 | anything below one object | 7.4.5 |
//! | OMA JSON | 11543 | anything below one object | 6.4.4 of 1.0 |
//! | LwM2M CBOR | 11544 | anything | 7.4.4 |
//!
//! [`link`] reads and writes the CoRE Link Format (40) of Register and Discover. [`composite`] reads and
//! writes the bodies of composite operations, including SenML-ETCH (320, 322).
//!
//! ```
//! use lwm2m_codec::{ContentFormat, NoModel, Node, ObjectInstance, Path, decode, encode};
//!
//! let path = Path::instance(3, 0);
//! let device = Node::ObjectInstance(ObjectInstance::default().with(9, 100_i64));
//! let payload = encode(ContentFormat::SENML_JSON, &path, &device)?;
//! assert_eq!(&payload[..], br#"[{"bn":"/3/0/","n":"9","v":100}]"#);
//! assert_eq!(decode(ContentFormat::SENML_JSON, &path, &payload, &NoModel)?, device);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg_attr(not(feature = "std"), no_std)]
#![warn(clippy::indexing_slicing)]

extern crate alloc;

mod cbor;
pub mod composite;
mod decoding;
mod error;
mod formats;
mod ids;
pub mod link;
mod lwm2m_cbor;
mod pack;
mod quirk;
mod reading;
mod rfc3339;
mod senml;
mod text;
mod tlv;
mod tree;
mod typed;
mod writing;

pub use bytes::Bytes;
pub use decoding::{decode, decode_create, decode_timed};
pub use error::{DecodeCause, DecodeError, EncodeError};
pub use formats::supports;
pub use lwm2m_core::model::NoModel;
pub use lwm2m_core::{
    ContentFormat, DataType, Model, Node, ObjectInstance, ObjectVersion, Path, Resource, Value,
};
pub use lwm2m_senml::Error as SenmlError;
pub use lwm2m_tlv::Error as TlvError;
pub use pack::PackWriter;
pub use quirk::Quirk;
pub use reading::{LeftOut, Reading};
pub use tree::Timed;
pub use writing::{Writing, encode, encode_create};
