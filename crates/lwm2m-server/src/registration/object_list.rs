//! The object list of a registration (OMA LwM2M Core 6.2.1).

use lwm2m_codec::link::{self, Link, LinkError, parse_registration};
use lwm2m_codec::{NoModel, Quirk, Reading};
use lwm2m_core::{ContentFormat, Path};
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

/// The version and the instances of one object in an [`ObjectList`].
pub use lwm2m_codec::link::registration::RegisteredObject as ObjectInfo;

/// Objects that hold secrets (Security, OSCORE, COSE, MQTT Server); a list should not have them.
const UNLISTED: [u16; 4] = [0, 21, 23, 24];

/// The objects of a device, as it registered them. Devices with equal lists share one.
///
/// The links are kept as the text that the device sent, which is a fraction of what they take as
/// values; [`ObjectList::links`] parses it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ObjectList {
    /// Where the objects live: `/`, or the alternate path.
    pub root_path: String,
    /// The content formats that the client supports beyond the mandatory ones, in its order.
    pub content_formats: Vec<ContentFormat>,
    /// The objects and instances that exist: those of the links, changed by each Create and
    /// Delete since.
    pub objects: BTreeMap<u16, ObjectInfo>,
    /// The links as they were sent.
    text: Box<str>,
    /// Whether the formats or objects may differ from those in the text.
    changed: bool,
    link_count: usize,
    /// The attributes of the link that has most of them.
    max_attributes: usize,
}

impl ObjectList {
    /// Parses the payload of a Register or Update, and ignores objects that hold secrets.
    pub(crate) fn parse(payload: &[u8]) -> Result<Self, LinkError> {
        let links = parse_registration(payload)?;
        let mut objects = links.objects;
        objects.retain(|id, _| !UNLISTED.contains(id));
        Ok(Self {
            root_path: links.root_path,
            content_formats: links.content_formats,
            objects,
            // It is UTF-8: it has been parsed.
            text: String::from_utf8_lossy(payload).into(),
            changed: false,
            link_count: links.sent.len(),
            max_attributes: links.sent.iter().map(|it| it.params.len()).max().unwrap_or(0),
        })
    }

    /// The links as they were sent, in order, without those to objects that hold secrets. Parses
    /// them anew.
    #[must_use]
    pub fn links(&self) -> Vec<Link> {
        let mut links = link::parse(&self.text).unwrap_or_default();
        links.retain(|link| {
            let object = link.path_below(&self.root_path).and_then(|path| path.object_id());
            !object.is_some_and(|id| UNLISTED.contains(&id))
        });
        links
    }

    /// Where the links deviate from the standard.
    #[must_use]
    pub fn quirks(&self) -> Vec<Quirk> {
        let reading = Reading::lenient(&NoModel);
        // It was read before.
        let _ = reading.links(&self.text);
        reading.forgiven().collect()
    }

    /// The payload that this list was parsed from, unless it has changed since.
    pub(crate) const fn payload(&self) -> Option<&[u8]> {
        if self.changed { None } else { Some(self.text.as_bytes()) }
    }

    /// The bytes of the links.
    pub(crate) const fn text(&self) -> &str {
        &self.text
    }

    /// The number of links, with those to objects that hold secrets.
    pub(crate) const fn link_count(&self) -> usize {
        self.link_count
    }

    /// The largest number of attributes of one link.
    pub(crate) const fn max_attributes(&self) -> usize {
        self.max_attributes
    }

    /// This list with other content formats.
    pub(crate) fn with_formats(&self, formats: &[ContentFormat]) -> Self {
        Self { content_formats: formats.to_vec(), changed: true, ..self.clone() }
    }

    /// This list with other content formats and objects.
    pub(crate) fn with(
        self,
        content_formats: Vec<ContentFormat>,
        objects: BTreeMap<u16, ObjectInfo>,
    ) -> Self {
        Self { content_formats, objects, changed: true, ..self }
    }

    /// Whether the object instance of `path` exists.
    pub(crate) fn has_instance(&self, path: &Path) -> bool {
        let object = path.object_id().and_then(|id| self.objects.get(&id));
        object.zip(path.instance_id()).is_some_and(|(it, id)| it.instances.contains(&id))
    }

    /// Adds the instance at `path`, which the device created.
    pub(crate) fn add_instance(&mut self, path: &Path) {
        if let (Some(object), Some(instance)) = (path.object_id(), path.instance_id()) {
            self.changed |= self.objects.entry(object).or_default().instances.insert(instance);
        }
    }

    /// Removes the instance at `path`, which the device deleted.
    pub(crate) fn remove_instance(&mut self, path: &Path) {
        let object = path.object_id().and_then(|id| self.objects.get_mut(&id));
        if let (Some(object), Some(instance)) = (object, path.instance_id()) {
            self.changed |= object.instances.remove(&instance);
        }
    }
}

/// A list that has not changed has the hash of its payload, by which it is found before it is parsed.
impl Hash for ObjectList {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.as_bytes().hash(state);
        if self.changed {
            self.content_formats.hash(state);
            self.objects.hash(state);
        }
    }
}
