//! SenML written value by value, without a node: OMA LwM2M Core 1.2, sections 7.4.6 and 7.4.7.

use crate::error::EncodeError;
use crate::senml::{Writer, base_name, push_ids};
use crate::typed::scalar;
use alloc::string::String;
use bytes::Bytes;
use lwm2m_core::{ContentFormat, Path, Resource, Value};

/// Writes the values of an object or an object instance one by one, in ascending order of their paths,
/// as SenML JSON (110) or SenML CBOR (112). The pack equals that of [`encode()`](crate::encode) for the
/// whole node.
///
/// ```
/// use lwm2m_codec::PackWriter;
/// use lwm2m_core::{ContentFormat, Path};
///
/// let mut pack = PackWriter::new(ContentFormat::SENML_JSON, &Path::instance(3, 0)).unwrap();
/// pack.value(&Path::resource(3, 0, 9), &100_i64.into())?;
/// assert_eq!(&pack.finish()[..], br#"[{"bn":"/3/0/","n":"9","v":100}]"#);
/// # Ok::<(), lwm2m_codec::EncodeError>(())
/// ```
#[derive(Debug)]
pub struct PackWriter {
    format: ContentFormat,
    writer: Writer,
    /// The base name, for the first record.
    base_name: Option<String>,
    depth: usize,
    name: String,
}

impl PackWriter {
    /// Creates a pack for the node at `path`. Returns `None` if the path is not that of an object or
    /// object instance, or if the format is not SenML: TLV and LwM2M CBOR write lengths first.
    #[must_use]
    pub fn new(format: ContentFormat, path: &Path) -> Option<Self> {
        let senml = matches!(format, ContentFormat::SENML_JSON | ContentFormat::SENML_CBOR);
        let tree = matches!(path.depth(), 1 | 2);
        (senml && tree).then(|| Self {
            format,
            writer: Writer::streaming(format),
            base_name: Some(base_name("", path.ids())),
            depth: path.depth(),
            name: String::with_capacity(24),
        })
    }

    /// Writes a resource with all of its values.
    ///
    /// # Errors
    /// As [`value`](Self::value).
    pub fn resource(&mut self, path: &Path, resource: &Resource) -> Result<(), EncodeError> {
        match resource {
            Resource::Single(value) => self.value(path, value),
            Resource::Multiple(values) => values.iter().try_for_each(|(id, value)| {
                let wrong = |_| EncodeError::WrongNode { path: *path };
                self.value(&path.child(*id).map_err(wrong)?, value)
            }),
        }
    }

    /// Writes the value of a resource or resource instance.
    ///
    /// # Errors
    /// The value is a number that is not finite. The pack is then incomplete.
    pub fn value(&mut self, path: &Path, value: &Value) -> Result<(), EncodeError> {
        self.name.clear();
        push_ids(&mut self.name, path, self.depth);
        let base_name = self.base_name.take();
        let written = self.writer.named(base_name.as_deref(), &self.name, Some(&scalar(value)));
        written.map_err(|_| EncodeError::NotFinite { format: self.format, path: *path })
    }

    /// Returns the pack.
    #[must_use]
    pub fn finish(self) -> Bytes {
        self.writer.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use lwm2m_core::{Node, Object, ObjectInstance};

    /// Encodes a node value by value, and as a whole.
    fn both(format: ContentFormat, path: &Path, node: &Node) -> (Bytes, Bytes) {
        let mut pack = PackWriter::new(format, path).unwrap();
        for (leaf, value) in node.leaves(path) {
            pack.value(&leaf, value).unwrap();
        }
        (pack.finish(), crate::encode(format, path, node).unwrap())
    }

    #[test]
    fn the_bytes_are_those_of_the_whole_node() {
        // Counts at the limits of CBOR heads.
        for count in [0_u16, 1, 23, 24, 255, 256, 300] {
            let values =
                |id| (id, ObjectInstance::default().with(5700, 21.5).with_multiple(1, [(0, "a")]));
            let object = Object { instances: (0..count).map(values).collect::<BTreeMap<_, _>>() };
            for format in [ContentFormat::SENML_JSON, ContentFormat::SENML_CBOR] {
                let (streamed, whole) =
                    both(format, &Path::object(3303), &Node::Object(object.clone()));
                assert_eq!(streamed, whole, "{format} {count}");
                if let Some(values) = object.instances.get(&0) {
                    let node = Node::ObjectInstance(values.clone());
                    let (streamed, whole) = both(format, &Path::instance(3303, 0), &node);
                    assert_eq!(streamed, whole, "{format}");
                }
            }
        }
    }

    #[test]
    fn other_formats_and_paths_need_the_whole_node() {
        let instance = Path::instance(3, 0);
        for format in [ContentFormat::TLV, ContentFormat::LWM2M_CBOR, ContentFormat::TEXT] {
            assert!(PackWriter::new(format, &instance).is_none());
        }
        assert!(PackWriter::new(ContentFormat::SENML_CBOR, &Path::resource(3, 0, 9)).is_none());
    }
}
