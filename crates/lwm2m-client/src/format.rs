//! Which content formats a client of which version speaks, and which it prefers.

use crate::error::Refusal;
use bytes::Bytes;
use lwm2m_codec::{DecodeError, EncodeError, encode};
use lwm2m_core::{ContentFormat, Node, Path, Resource, Value, Version};

/// Whether a client of `version` reads and writes `format` at all.
pub(crate) fn offers(version: Version, format: ContentFormat) -> bool {
    match format {
        ContentFormat::TEXT | ContentFormat::OPAQUE | ContentFormat::TLV => true,
        ContentFormat::CBOR | ContentFormat::SENML_JSON | ContentFormat::SENML_CBOR => {
            version >= Version::V1_1
        }
        ContentFormat::LWM2M_CBOR => version >= Version::V1_2,
        _ => false,
    }
}

/// The format of an answer to a request without Accept: the simplest that carries the node.
/// One value goes as text, or as bytes if it is opaque; a tree as TLV in LwM2M 1.0, and as SenML
/// CBOR since 1.1, which discourages TLV.
const fn preferred(version: Version, node: &Node) -> ContentFormat {
    match (node, version) {
        (
            Node::Resource(Resource::Single(Value::Opaque(_)))
            | Node::ResourceInstance(Value::Opaque(_)),
            _,
        ) => ContentFormat::OPAQUE,
        (Node::Resource(Resource::Single(_)) | Node::ResourceInstance(_), _) => ContentFormat::TEXT,
        _ => preferred_tree(version),
    }
}

const fn preferred_tree(version: Version) -> ContentFormat {
    match version {
        Version::V1_0 => ContentFormat::TLV,
        _ => ContentFormat::SENML_CBOR,
    }
}

/// The format for `node`: the one asked for, or the preferred one.
pub(crate) fn choose(
    version: Version,
    accept: Option<u16>,
    node: &Node,
) -> Result<ContentFormat, Refusal> {
    asked(version, accept)?.map_or_else(|| Ok(preferred(version, node)), Ok)
}

/// The format for an object or an instance: the one asked for, or the preferred one.
pub(crate) fn choose_for_tree(
    version: Version,
    accept: Option<u16>,
) -> Result<ContentFormat, Refusal> {
    Ok(asked(version, accept)?.unwrap_or_else(|| preferred_tree(version)))
}

/// The format asked for, if any.
fn asked(version: Version, accept: Option<u16>) -> Result<Option<ContentFormat>, Refusal> {
    match accept.map(|number| ContentFormat(number).canonical()) {
        None => Ok(None),
        Some(format) if offers(version, format) => Ok(Some(format)),
        Some(_) => Err(Refusal::NotAcceptable),
    }
}

/// The payload, or why it cannot be made.
pub(crate) fn payload(format: ContentFormat, path: &Path, node: &Node) -> Result<Bytes, Refusal> {
    encode(format, path, node).map_err(|error| unencodable(&error))
}

/// The refusal for a value that cannot be encoded.
pub(crate) fn unencodable(error: &EncodeError) -> Refusal {
    match error.is_not_acceptable() {
        true => Refusal::NotAcceptable,
        false => Refusal::Internal,
    }
}

/// The format of a payload that was received.
pub(crate) fn of_payload(
    version: Version,
    content_format: Option<u16>,
) -> Result<ContentFormat, Refusal> {
    let format = ContentFormat(content_format.ok_or(Refusal::BadRequest)?).canonical();
    if offers(version, format) { Ok(format) } else { Err(Refusal::UnsupportedContentFormat) }
}

/// What a payload that cannot be decoded is answered.
pub(crate) fn undecodable(error: &DecodeError) -> Refusal {
    match error.is_unsupported_format() {
        true => Refusal::UnsupportedContentFormat,
        false => Refusal::BadRequest,
    }
}
