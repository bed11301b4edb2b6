//! Which content format to use where the application names none.
//!
//! For values that need structure: the first format for trees in the client's `ct`, because it
//! says what it likes; else TLV for LwM2M 1.0, where it is mandatory, and SenML CBOR since 1.1,
//! where TLV should no longer be used.
//!
//! For writing one value to a client of 1.1 or later: text, or opaque for bytes. These two alone
//! are mandatory for such clients, which choose among the others.

use crate::registration::Registration;
use lwm2m_core::{ContentFormat, Node, Resource, Value, Version};

/// The format to ask for in Read and Observe. An answer may have another one.
pub(crate) fn to_read(registration: &Registration) -> ContentFormat {
    let trees = [ContentFormat::SENML_CBOR, ContentFormat::TLV, ContentFormat::SENML_JSON];
    let offered = registration.content_formats.iter().map(|format| format.canonical());
    offered
        .into_iter()
        .find(|format| trees.contains(format))
        .unwrap_or_else(|| by_version(registration.version))
}

const fn by_version(version: Version) -> ContentFormat {
    match version {
        Version::V1_0 => ContentFormat::TLV,
        Version::V1_1 | Version::V1_2 => ContentFormat::SENML_CBOR,
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
