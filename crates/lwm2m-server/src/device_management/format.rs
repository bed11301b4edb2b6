//! The content format to use where the application names none.
//!
//! Values that need structure take the most compact format in the client's `ct` that names types.
//! The order of `ct` is ignored, because some clients sort it. If `ct` has no such format it is
//! TLV. A client without `ct` gets TLV if it speaks LwM2M 1.0, where TLV is mandatory, and SenML
//! CBOR since 1.1, which discourages TLV.
//!
//! A single value is written to a client of 1.1 or later as text, or as opaque if it is bytes:
//! these two are the only formats that such clients must support.

use crate::registration::Registration;
use lwm2m_core::{ContentFormat, Node, Path, Resource, Value, Version};

/// Formats that can carry any values below an object, the best first.
const TREES: [ContentFormat; 4] = [
    ContentFormat::SENML_CBOR,
    ContentFormat::LWM2M_CBOR,
    ContentFormat::SENML_JSON,
    ContentFormat::TLV,
];

/// The format to ask for in Read and Observe. The answer may come in another one.
pub(crate) fn to_read(registration: &Registration) -> ContentFormat {
    let offered = &registration.list.content_formats;
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

/// The format of the paths or changes of a composite operation: SenML, which every client with
/// composite operations reads, or SenML-ETCH if the changes remove something.
pub(crate) fn to_compose(registration: &Registration, removes: bool) -> ContentFormat {
    let offered = |format| registration.list.content_formats.contains(&format);
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

/// The format to create an instance in. Only TLV can leave the id to the client in all versions,
/// and carry the id of an instance without values.
pub(crate) fn to_create(
    registration: &Registration,
    instance: Option<u16>,
    node: &Node,
) -> ContentFormat {
    let empty = matches!(node, Node::ObjectInstance(values) if values.resources.is_empty());
    if instance.is_none() || empty { ContentFormat::TLV } else { to_read(registration) }
}
