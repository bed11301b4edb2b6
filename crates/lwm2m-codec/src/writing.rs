//! Encoding, with an optional alternate path in names.

use crate::error::EncodeError;
use crate::formats::{is_known, is_senml, supports};
use crate::{cbor, lwm2m_cbor, senml, text, tlv};
use bytes::Bytes;
use lwm2m_core::{ContentFormat, Node, ObjectInstance, Path, Resource, Value};

/// Encodes `node` at `path`. Paths in the payload are absolute.
///
/// # Errors
/// The format cannot carry the node, or the node is of another kind than the path.
pub fn encode(format: ContentFormat, path: &Path, node: &Node) -> Result<Bytes, EncodeError> {
    Writing::default().encode(format, path, node)
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

/// Encodes payloads with the alternate path of a device.
///
/// On the interfaces for management and reporting, names of SenML and SenML-ETCH begin with the
/// alternate path (OMA LwM2M Core 1.2, section 7.4.6). Names in bootstrap and the keys of LwM2M CBOR
/// never do.
///
/// ```
/// use lwm2m_codec::Writing;
/// use lwm2m_core::{ContentFormat, Path};
///
/// let paths = [Path::resource(3, 0, 0)];
/// let pack = Writing::below("/lwm2m").encode_paths(ContentFormat::SENML_JSON, &paths)?;
/// assert_eq!(&pack[..], br#"[{"n":"/lwm2m/3/0/0"}]"#);
/// # Ok::<(), lwm2m_codec::EncodeError>(())
/// ```
#[derive(Clone, Copy, Default, Debug)]
pub struct Writing<'r> {
    pub(crate) root: &'r str,
}

impl<'r> Writing<'r> {
    /// Sets the alternate path. Empty or `/`: no alternate path.
    #[must_use]
    pub fn below(root: &'r str) -> Self {
        Self { root: root.trim_end_matches('/') }
    }

    /// As [`encode()`](crate::encode).
    ///
    /// # Errors
    /// As [`encode()`](crate::encode).
    pub fn encode(
        &self,
        format: ContentFormat,
        path: &Path,
        node: &Node,
    ) -> Result<Bytes, EncodeError> {
        if node.depth() != path.depth() {
            return Err(EncodeError::WrongNode { path: *path });
        }
        match (format, node) {
            _ if is_senml(format) && supports(format, path) => {
                senml::encode(self.root, format, path, node)
            }
            (ContentFormat::TLV, _) => tlv::encode(path, node),
            (ContentFormat::LWM2M_CBOR, _) => lwm2m_cbor::encode(path, node),
            (_, Node::Resource(Resource::Single(value)) | Node::ResourceInstance(value)) => {
                encode_value(format, path, value)
            }
            _ if is_known(format) => Err(EncodeError::UnsuitableFormat { format, path: *path }),
            _ => Err(EncodeError::UnsupportedFormat(format)),
        }
    }

    /// As [`encode_create()`](crate::encode_create).
    ///
    /// # Errors
    /// As [`encode()`](crate::encode).
    pub fn encode_create(
        &self,
        format: ContentFormat,
        object: u16,
        instance: Option<u16>,
        values: &ObjectInstance,
    ) -> Result<Bytes, EncodeError> {
        let path = Path::object(object);
        match format {
            ContentFormat::TLV => tlv::encode_create(&path, instance, values),
            ContentFormat::LWM2M_CBOR => lwm2m_cbor::encode_create(path, instance, values),
            _ if is_senml(format) => {
                senml::encode_create(self.root, format, path, instance, values)
            }
            _ if is_known(format) => Err(EncodeError::UnsuitableFormat { format, path }),
            _ => Err(EncodeError::UnsupportedFormat(format)),
        }
    }
}

/// Encodes a value in a format that carries one value.
fn encode_value(format: ContentFormat, path: &Path, value: &Value) -> Result<Bytes, EncodeError> {
    match format {
        ContentFormat::TEXT => text::encode_text(path, value),
        ContentFormat::OPAQUE => text::encode_opaque(path, value),
        ContentFormat::CBOR => Ok(cbor::encode(value)),
        _ => Err(EncodeError::UnsupportedFormat(format)),
    }
}
