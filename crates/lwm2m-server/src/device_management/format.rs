//! The content format to use where the application names none, and the next one if the device
//! refuses it with 4.06 or 4.15.
//!
//! Values that need structure take the most compact format in the client's `ct` that names types.
//! The order of `ct` is ignored, because some clients sort it. A client without such a format in `ct`
//! gets TLV if it speaks LwM2M 1.0, where TLV is mandatory, and SenML CBOR since 1.1, which
//! discourages TLV.
//!
//! A single value is written to a client of 1.1 or later as text, or as opaque if it is bytes:
//! these two are the only formats that such clients must support. Without `ct` it is also read so.
//!
//! A refused Read is repeated without Accept, which every client answers in a format of its own
//! (OMA LwM2M Core 1.2, section 7.4). A refused payload is repeated in the next format. What was
//! refused is not tried again while the device is registered, unless everything was.

use crate::registration::Registration;
use lwm2m_coap::{Code, Options};
use lwm2m_core::{ContentFormat, DataType, Model, Node, Path, Resource, Value, Version};

/// Formats that can carry any values below an object, the best first.
const TREES: [ContentFormat; 4] = [
    ContentFormat::SENML_CBOR,
    ContentFormat::LWM2M_CBOR,
    ContentFormat::SENML_JSON,
    ContentFormat::TLV,
];

/// The formats that a device has refused since it registered.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct RefusedFormats {
    /// Of answers.
    accept: Vec<ContentFormat>,
    /// Of payloads in requests.
    content: Vec<ContentFormat>,
}

impl RefusedFormats {
    /// Notes that a request with these formats was answered 4.06 or 4.15.
    pub(crate) fn note(&mut self, code: Code, sent: FormatsSent) {
        let FormatsSent { accept, content } = sent;
        let (refused, format) = match (code, accept, content) {
            (Code::NOT_ACCEPTABLE, Some(accept), _) => (&mut self.accept, accept),
            (Code::NOT_ACCEPTABLE | Code::UNSUPPORTED_CONTENT_FORMAT, _, Some(content)) => {
                (&mut self.content, content)
            }
            // Some clients answer a Read 4.15.
            (Code::UNSUPPORTED_CONTENT_FORMAT, Some(accept), None) => (&mut self.accept, accept),
            _ => return,
        };
        if !refused.contains(&format) {
            refused.push(format);
        }
    }
}

/// The formats that a request had.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FormatsSent {
    accept: Option<ContentFormat>,
    content: Option<ContentFormat>,
}

impl FormatsSent {
    pub(crate) fn of(options: &Options) -> Self {
        Self {
            accept: options.accept().map(ContentFormat),
            content: options.content_format().map(ContentFormat),
        }
    }
}

/// Chooses formats for a device.
pub(crate) struct Formats<'d> {
    pub(crate) registration: &'d Registration,
    pub(crate) refused: &'d RefusedFormats,
    pub(crate) model: &'d dyn Model,
}

/// The first of `candidates` that was not refused, or else the first.
fn pick(
    refused: &[ContentFormat],
    candidates: impl IntoIterator<Item = ContentFormat>,
) -> ContentFormat {
    let mut candidates = candidates.into_iter();
    let first = candidates.next().unwrap_or(ContentFormat::UNSPECIFIED);
    if !refused.contains(&first) {
        return first;
    }
    candidates.find(|format| !refused.contains(format)).unwrap_or(first)
}

impl Formats<'_> {
    fn offers(&self, format: ContentFormat) -> bool {
        let offered = &self.registration.list.content_formats;
        offered.iter().any(|it| it.canonical() == format)
    }

    fn is_old(&self) -> bool {
        self.registration.version == Version::V1_0
    }

    /// Formats for trees that the device announced, the best first.
    fn offered(&self) -> impl Iterator<Item = ContentFormat> {
        TREES.into_iter().filter(|format| self.offers(*format))
    }

    /// Formats for trees, in the order in which the device can be expected to have them.
    fn trees(&self) -> impl Iterator<Item = ContentFormat> {
        let usual = match self.registration.version {
            Version::V1_0 => &[ContentFormat::TLV, ContentFormat::JSON][..],
            Version::V1_1 => {
                &[ContentFormat::SENML_CBOR, ContentFormat::SENML_JSON, ContentFormat::TLV]
            }
            _ => &[
                ContentFormat::SENML_CBOR,
                ContentFormat::LWM2M_CBOR,
                ContentFormat::SENML_JSON,
                ContentFormat::TLV,
            ],
        };
        self.offered().chain(usual.iter().copied())
    }

    /// The format to ask for in Read and Observe. The answer may come in another one.
    pub(crate) fn to_read(&self, path: &Path) -> ContentFormat {
        let best = match self.offered().next() {
            Some(best) => best,
            None if self.is_old() => ContentFormat::TLV,
            None => self.to_read_unannounced(path),
        };
        pick(&self.refused.accept, [best, ContentFormat::UNSPECIFIED])
    }

    /// The format to ask a client for that announced none: one that every client has, for a single
    /// value.
    fn to_read_unannounced(&self, path: &Path) -> ContentFormat {
        let (Some(object), Some(resource)) = (path.object_id(), path.resource_id()) else {
            return ContentFormat::SENML_CBOR;
        };
        match self.model.resource(object, resource) {
            None => ContentFormat::UNSPECIFIED,
            Some(known) if known.multiple && path.depth() == 3 => ContentFormat::SENML_CBOR,
            Some(known) if known.data_type == DataType::Opaque => ContentFormat::OPAQUE,
            Some(_) => ContentFormat::TEXT,
        }
    }

    /// The format to ask for in Read-Composite: one that can carry several objects.
    pub(crate) fn to_fetch(&self) -> ContentFormat {
        let best = self.trees().find(|format| lwm2m_codec::supports(*format, &Path::ROOT));
        let best = best.unwrap_or(ContentFormat::SENML_CBOR);
        pick(&self.refused.accept, [best, ContentFormat::UNSPECIFIED])
    }

    /// The format of the paths or changes of a composite operation: SenML, which every client with
    /// composite operations reads, or SenML-ETCH if the changes remove something.
    pub(crate) fn to_compose(&self, removes: bool) -> ContentFormat {
        const PLAIN: [ContentFormat; 2] = [ContentFormat::SENML_CBOR, ContentFormat::SENML_JSON];
        const ETCH: [ContentFormat; 2] =
            [ContentFormat::SENML_ETCH_CBOR, ContentFormat::SENML_ETCH_JSON];
        let [cbor, json] = if removes { ETCH } else { PLAIN };
        let ordered =
            if self.offers(json) && !self.offers(cbor) { [json, cbor] } else { [cbor, json] };
        let etch = (!removes && self.registration.version >= Version::V1_2).then_some(ETCH);
        pick(&self.refused.content, ordered.into_iter().chain(etch.into_iter().flatten()))
    }

    /// The format to write `node` in.
    pub(crate) fn to_write(&self, node: &Node) -> ContentFormat {
        let single = match node {
            Node::Resource(Resource::Single(value)) | Node::ResourceInstance(value) => Some(value),
            _ => None,
        };
        let mandatory = single.filter(|_| !self.is_old()).map(|value| match value {
            Value::Opaque(_) => ContentFormat::OPAQUE,
            _ => ContentFormat::TEXT,
        });
        pick(&self.refused.content, mandatory.into_iter().chain(self.trees()))
    }

    /// The format to create an instance in. Only TLV can leave the id to the client in all versions,
    /// and carry the id of an instance without values.
    pub(crate) fn to_create(&self, instance: Option<u16>, node: &Node) -> ContentFormat {
        let empty = matches!(node, Node::ObjectInstance(values) if values.resources.is_empty());
        let tlv = (instance.is_none() || empty).then_some(ContentFormat::TLV);
        let others = self.trees().filter(|_| !empty);
        pick(&self.refused.content, tlv.into_iter().chain(others))
    }
}
