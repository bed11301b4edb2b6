//! Which content format to use where the application names none.
//!
//! For values that need structure: the first format for trees in the client's `ct`, which lists
//! what it supports and in which order; TLV if it lists others alone. A client without `ct` is
//! asked in TLV if it speaks LwM2M 1.0, where that is mandatory, and in SenML CBOR since 1.1, where
//! TLV should no longer be used.
//!
//! For writing one value to a client of 1.1 or later: text, or opaque for bytes. These two alone
//! are mandatory for such clients, which choose among the others.

use crate::registration::Registration;
use lwm2m_core::{ContentFormat, Node, Resource, Value, Version};

/// What can carry any values below an object.
const TREES: [ContentFormat; 4] = [
    ContentFormat::SENML_CBOR,
    ContentFormat::LWM2M_CBOR,
    ContentFormat::TLV,
    ContentFormat::SENML_JSON,
];

/// The format to ask for in Read and Observe. An answer may have another one.
pub(crate) fn to_read(registration: &Registration) -> ContentFormat {
    let mut offered = registration.content_formats.iter().map(|format| format.canonical());
    match offered.find(|format| TREES.contains(format)) {
        Some(format) => format,
        None if registration.version > Version::V1_0 && registration.content_formats.is_empty() => {
            ContentFormat::SENML_CBOR
        }
        None => ContentFormat::TLV,
    }
}

/// The format to write `node` in.
pub(crate) fn to_write(registration: &Registration, node: &Node) -> ContentFormat {
    match node {
        Node::Resource(Resource::Single(value)) | Node::ResourceInstance(value)
            if registration.version > Version::V1_0 =>
        {
            match value {
                Value::Opaque(_) => ContentFormat::OPAQUE,
                _ => ContentFormat::TEXT,
            }
        }
        _ => to_read(registration),
    }
}

/// The format to create an instance in. TLV alone can leave its id to the client in all versions.
pub(crate) fn to_create(registration: &Registration, instance: Option<u16>) -> ContentFormat {
    match instance {
        Some(_) => to_read(registration),
        None => ContentFormat::TLV,
    }
}
