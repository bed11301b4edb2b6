//! Which content format to use where the application names none.
//!
//! For values that need structure: of the formats in the client's `ct` the most compact one that
//! names types (`ct` tells what is supported; its order means nothing, some clients sort it). TLV
//! if `ct` has none that fits. A client without `ct` is asked in TLV if it speaks LwM2M 1.0, where
//! that is mandatory, and in SenML CBOR since 1.1, where TLV should no longer be used.
//!
//! For writing one value to a client of 1.1 or later: text, or opaque for bytes. These two alone
//! are mandatory for such clients, which choose among the others.

use crate::registration::Registration;
use lwm2m_core::{ContentFormat, Node, Path, Resource, Value, Version};

/// What can carry any values below an object, the best first.
const TREES: [ContentFormat; 4] = [
    ContentFormat::SENML_CBOR,
    ContentFormat::LWM2M_CBOR,
    ContentFormat::SENML_JSON,
    ContentFormat::TLV,
];

/// The format to ask for in Read and Observe. An answer may have another one.
pub(crate) fn to_read(registration: &Registration) -> ContentFormat {
    let offered = &registration.content_formats;
    let best = TREES.into_iter().find(|tree| offered.iter().any(|it| it.canonical() == *tree));
    match best {
        Some(format) => format,
        None if registration.version > Version::V1_0 && offered.is_empty() => {
            ContentFormat::SENML_CBOR
        }
        None => ContentFormat::TLV,
    }
}

/// The format to ask for in Read-Composite: as [`to_read`], of those that can carry several objects.
pub(crate) fn to_fetch(registration: &Registration) -> ContentFormat {
    match to_read(registration) {
        format if lwm2m_codec::supports(format, &Path::ROOT) => format,
        _ => ContentFormat::SENML_CBOR,
    }
}

/// The format of the paths or changes of a composite operation: plain SenML, which every client
/// with composite operations reads; SenML-ETCH where something is removed.
pub(crate) fn to_compose(registration: &Registration, removes: bool) -> ContentFormat {
    let offered = |format| registration.content_formats.contains(&format);
    let [cbor, json] = match removes {
        true => [ContentFormat::SENML_ETCH_CBOR, ContentFormat::SENML_ETCH_JSON],
        false => [ContentFormat::SENML_CBOR, ContentFormat::SENML_JSON],
    };
    if !offered(cbor) && offered(json) { json } else { cbor }
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

/// The format to create an instance in. TLV alone can leave the id to the client in all versions,
/// and carry the id of an instance without values.
pub(crate) fn to_create(
    registration: &Registration,
    instance: Option<u16>,
    node: &Node,
) -> ContentFormat {
    let empty = matches!(node, Node::ObjectInstance(values) if values.resources.is_empty());
    if instance.is_none() || empty { ContentFormat::TLV } else { to_read(registration) }
}
