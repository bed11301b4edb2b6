//! LwM2M payloads of every content format to and from typed nodes.
//!
//! | format | number | can carry | section of OMA LwM2M Core |
//! |---|---|---|---|
//! | text | 0 | one value | 7.4.1 |
//! | opaque | 42 | one Opaque value | 7.4.2 |
//! | CBOR | 60 | one value | 7.4.3 |
//! | SenML JSON, SenML CBOR | 110, 112 | anything | 7.4.6, 7.4.7 |
//! | TLV | 11542 | anything below one object | 7.4.5 |
//!
//! The CoRE Link Format (40) of Register and Discover is in [`link`].
#![cfg_attr(not(feature = "std"), no_std)]
#![warn(clippy::indexing_slicing)]

extern crate alloc;

mod error;
pub mod link;

pub use error::{DecodeError, EncodeError};

use alloc::vec::Vec;
use bytes::Bytes;
use lwm2m_core::{ContentFormat, Model, Node, ObjectInstance, Path, Value};

/// A value with its path and the time it was taken at.
#[derive(Clone, PartialEq, Debug)]
pub struct Timed {
    /// Seconds: since 1970-01-01T00:00:00Z if 2^28 or more, else relative to now (RFC 8428 4.5.3);
    /// nothing stands for now.
    pub time: Option<f64>,
    /// The resource or resource instance.
    pub path: Path,
    /// Its value.
    pub value: Value,
}

/// Whether `format` can carry what lives at `path`, as far as the path alone tells.
#[must_use]
pub fn supports(format: ContentFormat, path: &Path) -> bool {
    let _ = path;
    let _ = format;
    false
}

/// Encodes `node`, which is what lives at `path`. Paths within the payload are absolute.
///
/// # Errors
/// The format cannot carry the node, or the node does not go with the path.
pub fn encode(format: ContentFormat, path: &Path, node: &Node) -> Result<Bytes, EncodeError> {
    let _ = (path, node);
    Err(EncodeError::UnsupportedFormat(format))
}

/// Decodes what lives at `path`: the returned node is of the kind that goes with the number of
/// ids of the path. Of several values of one path in time, the newest is taken.
///
/// `model` gives types and multiplicity where the format cannot tell. A resource that it does not
/// know keeps the type that the format tells; it is Opaque in TLV and String in text.
///
/// # Errors
/// The format is not supported, or the payload is malformed, does not go with the model, or holds
/// values outside of `path`.
pub fn decode(
    format: ContentFormat,
    path: &Path,
    payload: &[u8],
    model: &dyn Model,
) -> Result<Node, DecodeError> {
    let _ = (path, payload, model);
    Err(DecodeError::UnsupportedFormat(format))
}

/// Decodes the values at or below `path` in the order of the payload, with their times.
///
/// # Errors
/// As [`decode`].
pub fn decode_timed(
    format: ContentFormat,
    path: &Path,
    payload: &[u8],
    model: &dyn Model,
) -> Result<Vec<Timed>, DecodeError> {
    let _ = (path, payload, model);
    Err(DecodeError::UnsupportedFormat(format))
}

/// Encodes the payload of Create on `/object`; without `instance` the client chooses the id.
///
/// # Errors
/// As [`encode`].
pub fn encode_create(
    format: ContentFormat,
    object: u16,
    instance: Option<u16>,
    values: &ObjectInstance,
) -> Result<Bytes, EncodeError> {
    let _ = (object, instance, values);
    Err(EncodeError::UnsupportedFormat(format))
}

/// Decodes the payload of Create on `/object`: the id of the new instance, if the server chose
/// one, and its resources.
///
/// # Errors
/// As [`decode`]; also for a payload with more than one instance.
pub fn decode_create(
    format: ContentFormat,
    object: u16,
    payload: &[u8],
    model: &dyn Model,
) -> Result<(Option<u16>, ObjectInstance), DecodeError> {
    let _ = (object, payload, model);
    Err(DecodeError::UnsupportedFormat(format))
}
