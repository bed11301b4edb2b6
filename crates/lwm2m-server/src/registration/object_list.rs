//! The object list of a registration (OMA LwM2M Core 6.2.1).

use lwm2m_codec::link::{Link, RegistrationLinks};
use lwm2m_core::{ContentFormat, Path};
use std::collections::BTreeMap;

/// The version and the instances of one object in an [`ObjectList`].
pub use lwm2m_codec::link::registration::RegisteredObject as ObjectInfo;

/// Objects that hold secrets (Security, OSCORE, COSE, MQTT Server); a list should not have them.
const UNLISTED: [u16; 4] = [0, 21, 23, 24];

/// The objects of a device, as it registered them. Devices with equal lists share one.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ObjectList {
    /// Where the objects live: `/`, or the alternate path.
    pub root_path: String,
    /// The content formats that the client supports beyond the mandatory ones, in its order.
    pub content_formats: Vec<ContentFormat>,
    /// The links as they were sent, without those to objects that hold secrets.
    pub links: Vec<Link>,
    /// The objects and instances that exist: those of the links, changed by each Create and
    /// Delete since.
    pub objects: BTreeMap<u16, ObjectInfo>,
}

impl ObjectList {
    /// Keeps what `links` say, except for objects that hold secrets.
    pub(crate) fn new(links: RegistrationLinks) -> Self {
        let RegistrationLinks { root_path, content_formats, sent: mut links, mut objects, .. } =
            links;
        let secret = |link: &Link| {
            let object = link.path_below(&root_path).and_then(|path| path.object_id());
            object.is_some_and(|id| UNLISTED.contains(&id))
        };
        links.retain(|link| !secret(link));
        objects.retain(|id, _| !UNLISTED.contains(id));
        Self { root_path, content_formats, links, objects }
    }

    /// Frees the room that parsing left, which is most of a link without parameters.
    pub(crate) fn shrink_to_fit(&mut self) {
        self.links.iter_mut().for_each(|link| link.params.shrink_to_fit());
        self.links.shrink_to_fit();
    }

    /// Whether the object instance of `path` exists.
    pub(crate) fn has_instance(&self, path: &Path) -> bool {
        let object = path.object_id().and_then(|id| self.objects.get(&id));
        object.zip(path.instance_id()).is_some_and(|(it, id)| it.instances.contains(&id))
    }

    /// Adds the instance at `path`, which the device created.
    pub(crate) fn add_instance(&mut self, path: &Path) {
        if let (Some(object), Some(instance)) = (path.object_id(), path.instance_id()) {
            self.objects.entry(object).or_default().instances.insert(instance);
        }
    }

    /// Removes the instance at `path`, which the device deleted.
    pub(crate) fn remove_instance(&mut self, path: &Path) {
        let object = path.object_id().and_then(|id| self.objects.get_mut(&id));
        if let (Some(object), Some(instance)) = (object, path.instance_id()) {
            object.instances.remove(&instance);
        }
    }
}
