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
mod error;
mod ids;
pub mod link;
mod lwm2m_cbor;
mod pack;
mod reading;
mod rfc3339;
mod senml;
mod text;
mod tlv;
mod tree;
mod typed;
mod writing;

pub use bytes::Bytes;
pub use error::{DecodeCause, DecodeError, EncodeError};
pub use lwm2m_core::model::NoModel;
pub use lwm2m_core::{
    ContentFormat, DataType, Model, Node, ObjectInstance, ObjectVersion, Path, Resource, Value,
};
pub use lwm2m_senml::Error as SenmlError;
pub use lwm2m_tlv::Error as TlvError;
pub use pack::PackWriter;
pub use reading::{Quirk, Reading};
pub use writing::Writing;

use alloc::vec::Vec;
use tree::{Sink, Target, Tree};

/// A value with its path and its time.
#[derive(Clone, PartialEq, Debug)]
pub struct Timed {
    /// The time in seconds. Values of 2^28 and more are relative to 1970-01-01T00:00:00Z, smaller ones
    /// to now (RFC 8428 section 4.5.3). `None` means now.
    pub time: Option<f64>,
    /// The path of the resource or resource instance.
    pub path: Path,
    /// The value.
    pub value: Value,
}

impl Timed {
    /// Whether this value is older than `other`.
    #[must_use]
    pub fn is_older_than(&self, other: &Self) -> bool {
        tree::age(self.time) < tree::age(other.time)
    }
}

/// Whether `format` can carry a node at `path`, as far as the path alone tells.
#[must_use]
pub const fn supports(format: ContentFormat, path: &Path) -> bool {
    match format {
        ContentFormat::TEXT | ContentFormat::OPAQUE | ContentFormat::CBOR => path.depth() >= 3,
        ContentFormat::TLV | ContentFormat::JSON => path.depth() >= 1,
        ContentFormat::SENML_JSON | ContentFormat::SENML_CBOR | ContentFormat::LWM2M_CBOR => true,
        _ => false,
    }
}

/// Whether `format` consists of records with names and values.
const fn is_senml(format: ContentFormat) -> bool {
    matches!(format, ContentFormat::SENML_JSON | ContentFormat::SENML_CBOR | ContentFormat::JSON)
}

/// Whether `format` can carry nodes at all.
const fn is_known(format: ContentFormat) -> bool {
    supports(format, &Path::resource(0, 0, 0))
}

/// Encodes `node` at `path`. Paths in the payload are absolute.
///
/// # Errors
/// The format cannot carry the node, or the node is of another kind than the path.
pub fn encode(format: ContentFormat, path: &Path, node: &Node) -> Result<Bytes, EncodeError> {
    Writing::default().encode(format, path, node)
}

/// Decodes the node at `path`, leniently. The number of IDs in the path determines the kind of the node.
/// Of several values of a path, the newest is used.
///
/// `model` provides data types and multiplicity where the format does not carry them; where it does,
/// they are checked. A resource that the model does not know has the type of the format, or else
/// Opaque in TLV and String in text. The format numbers before registration (1541 to 1543) are
/// accepted. [`Reading`] reports tolerated deviations, or decodes strictly.
///
/// # Errors
/// The format is not supported, or the payload is malformed, contradicts the model, or has values
/// outside of `path`.
pub fn decode(
    format: ContentFormat,
    path: &Path,
    payload: &[u8],
    model: &dyn Model,
) -> Result<Node, DecodeError> {
    Reading::lenient(model).decode(format, path, payload)
}

/// Decodes the values at or below `path` with their times, in the order of the payload, leniently.
///
/// # Errors
/// As [`decode`], except that a path may have several values.
pub fn decode_timed(
    format: ContentFormat,
    path: &Path,
    payload: &[u8],
    model: &dyn Model,
) -> Result<Vec<Timed>, DecodeError> {
    Reading::lenient(model).decode_timed(format, path, payload)
}

impl Reading<'_> {
    /// As [`decode()`].
    ///
    /// # Errors
    /// As [`decode()`].
    pub fn decode(
        &self,
        format: ContentFormat,
        path: &Path,
        payload: &[u8],
    ) -> Result<Node, DecodeError> {
        let target = Target { path: *path, reading: self };
        let mut tree = Tree::default();
        decode_into(format, target, payload, &mut tree)?;
        tree.into_node(&target).map_err(|cause| cause.at(payload.len()))
    }

    /// As [`decode_timed`].
    ///
    /// # Errors
    /// As [`decode_timed`].
    pub fn decode_timed(
        &self,
        format: ContentFormat,
        path: &Path,
        payload: &[u8],
    ) -> Result<Vec<Timed>, DecodeError> {
        let mut values = Vec::with_capacity(1 + payload.len() / 16);
        decode_into(format, Target { path: *path, reading: self }, payload, &mut values)?;
        Ok(values)
    }

    /// As [`decode_create`].
    ///
    /// # Errors
    /// As [`decode_create`].
    pub fn decode_create(
        &self,
        format: ContentFormat,
        object: u16,
        payload: &[u8],
    ) -> Result<(Option<u16>, ObjectInstance), DecodeError> {
        let path = Path::object(object);
        let target = Target { path, reading: self };
        let format = known(format, self)?;
        let mut tree = Tree::default();
        let id = match format {
            ContentFormat::TLV => tlv::decode_create(target, payload, &mut tree)?,
            ContentFormat::LWM2M_CBOR => lwm2m_cbor::decode_create(target, payload, &mut tree)?,
            _ if is_senml(format) => senml::decode_create(format, target, payload, &mut tree)?,
            _ => return Err(DecodeCause::UnsuitableFormat { format, path }.at(0)),
        };
        let instance = Target { path: Path::instance(object, id.unwrap_or(0)), ..target };
        match tree.into_node(&instance).map_err(|cause| cause.at(payload.len()))? {
            Node::ObjectInstance(values) => Ok((id, values)),
            _ => Err(DecodeCause::NoValue { path }.at(payload.len())),
        }
    }
}

/// The supported format of a number.
fn known(format: ContentFormat, reading: &Reading<'_>) -> Result<ContentFormat, DecodeError> {
    let canonical = format.canonical();
    if !is_known(canonical) {
        return Err(DecodeError::unsupported(canonical));
    }
    let forgiven = reading.forgive_if(canonical != format, Quirk::LegacyNumber);
    forgiven.map(|()| canonical).map_err(|cause| cause.at(0))
}

fn decode_into(
    format: ContentFormat,
    target: Target<'_>,
    payload: &[u8],
    sink: &mut dyn Sink,
) -> Result<(), DecodeError> {
    let (format, path) = (known(format, target.reading)?, target.path);
    if !supports(format, &path) {
        return Err(DecodeCause::UnsuitableFormat { format, path }.at(0));
    }
    match format {
        ContentFormat::TLV => tlv::decode(target, payload, sink),
        ContentFormat::LWM2M_CBOR => lwm2m_cbor::decode(target, payload, sink),
        _ if is_senml(format) => senml::decode(format, target, payload, sink),
        _ => {
            let value = decode_value(format, target, payload)?;
            sink.value(path, None, value).map_err(|cause| cause.at(0))
        }
    }
}

/// Decodes a format that carries one value.
fn decode_value(
    format: ContentFormat,
    target: Target<'_>,
    payload: &[u8],
) -> Result<Value, DecodeError> {
    let (path, reading) = (target.path, target.reading);
    if path.depth() == 3 && target.is_multiple() {
        return Err(DecodeCause::UnsuitableFormat { format, path }.at(0));
    }
    let (_, data_type) = target.admit(&path).map_err(|cause| cause.at(0))?;
    let value = match format {
        ContentFormat::TEXT => text::decode_text(reading, path, data_type, payload),
        ContentFormat::OPAQUE => text::decode_opaque(path, data_type, payload),
        _ => return cbor::decode(reading, path, data_type, payload),
    };
    value.map_err(|cause| cause.at(0))
}

/// Encodes the payload of Create on `/object` (OMA LwM2M Core 1.2, section 6.3.4). Without `instance`
/// the client chooses the ID.
///
/// Without `instance`, TLV has no Object Instance TLV. SenML has 65535 as instance ID in the names,
/// which OMA defines for LwM2M CBOR only: prefer TLV then.
///
/// # Errors
/// As [`encode`].
pub fn encode_create(
    format: ContentFormat,
    object: u16,
    instance: Option<u16>,
    values: &ObjectInstance,
) -> Result<Bytes, EncodeError> {
    Writing::default().encode_create(format, object, instance, values)
}

/// Decodes the payload of Create on `/object`: the ID of the new instance, if the server chose one,
/// and its resources.
///
/// In SenML, names are `/o/i/r`. Without an ID, they are `/o/65535/r`, `/o/r`, or `r` without a
/// leading slash.
///
/// # Errors
/// As [`decode`]. Also if the payload has more than one instance.
pub fn decode_create(
    format: ContentFormat,
    object: u16,
    payload: &[u8],
    model: &dyn Model,
) -> Result<(Option<u16>, ObjectInstance), DecodeError> {
    Reading::lenient(model).decode_create(format, object, payload)
}
