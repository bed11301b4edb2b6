//! A registration: what a device has told about itself (OMA LwM2M Core 6.2).

mod memory;
pub(crate) mod parse;

use self::parse::UpdateParameters;
use lwm2m_codec::link::{Link, RegistrationLinks};
use lwm2m_core::{BindingMode, ContentFormat, ObjectVersion, Path, Version};
use lwm2m_link::Identity;
use lwm2m_objects::{DeviceModel, Registry, default_version};
use lwm2m_time::Instant;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// What a registration says of one object.
pub use lwm2m_codec::link::registration::RegisteredObject as ObjectInfo;

/// Objects that hold secrets (Security, OSCORE, COSE, MQTT Server) and do not belong into a list.
const UNLISTED: [u16; 4] = [0, 21, 23, 24];

/// A list to keep: without the objects that hold secrets, and without the room that parsing left,
/// which is most of a link without parameters.
pub(crate) fn to_keep(mut list: RegistrationLinks) -> RegistrationLinks {
    let secret = |link: &Link| {
        let object = link.path_below(&list.root_path).and_then(|path| path.object_id());
        object.is_some_and(|id| UNLISTED.contains(&id))
    };
    list.sent.retain(|link| !secret(link));
    list.sent.iter_mut().for_each(|link| link.params.shrink_to_fit());
    list.sent.shrink_to_fit();
    list.objects.retain(|id, _| !UNLISTED.contains(id));
    list
}

/// A registered device.
#[derive(Clone, PartialEq, Debug)]
pub struct Registration {
    /// The id in the location `/rd/{id}`: unguessable, never used again.
    pub id: String,
    /// The endpoint name.
    pub endpoint: String,
    /// How long it lasts after the latest Register or Update; zero means for ever.
    pub lifetime: Duration,
    /// The version of LwM2M that the client speaks.
    pub version: Version,
    /// The transports that the client offers.
    pub binding: BindingMode,
    /// Whether the client sleeps and wants requests only after it has sent something.
    pub queue_mode: bool,
    /// The number for SMS (MSISDN).
    pub sms: Option<String>,
    /// Where the objects live: `/`, or the alternate path.
    pub root_path: String,
    /// The content formats that the client says it supports beyond the mandatory ones, in its
    /// order.
    pub content_formats: Vec<ContentFormat>,
    /// The links as they were sent, without those to objects that hold secrets.
    pub links: Vec<Link>,
    /// The objects and instances of the links, kept up to date by Create and Delete.
    pub objects: BTreeMap<u16, ObjectInfo>,
    /// Parameters of the Register that LwM2M does not define; flags have an empty value.
    pub additional: BTreeMap<String, String>,
    /// The address of the latest Register or Update, to which requests go.
    pub address: SocketAddr,
    /// What is proven about the client.
    pub identity: Identity,
    /// When the client registered.
    pub registered_at: Instant,
    /// When the latest Register or Update came.
    pub updated_at: Instant,
}

/// What an Update said; nothing where it was silent.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Update {
    /// The new lifetime.
    pub lifetime: Option<Duration>,
    /// The new binding mode.
    pub binding: Option<BindingMode>,
    /// Whether the client is in queue mode from now on.
    pub queue_mode: Option<bool>,
    /// The new number for SMS.
    pub sms: Option<String>,
    /// The new list of links, which replaces the old one.
    pub links: Option<Vec<Link>>,
    /// The address from which requests reached the client before, if it has moved.
    pub moved_from: Option<SocketAddr>,
}

impl Registration {
    /// The version of an object that the client supports: as listed, else the one that its LwM2M
    /// version implies.
    #[must_use]
    pub fn object_version(&self, object: u16) -> ObjectVersion {
        let listed = self.objects.get(&object).and_then(|info| info.version);
        listed.unwrap_or_else(|| default_version(self.version, object))
    }

    /// The definitions that hold for all listed objects of this device.
    #[must_use]
    pub fn model<'r>(&self, registry: &'r Registry) -> DeviceModel<'r> {
        let versions = self.objects.keys().map(|id| (*id, self.object_version(*id)));
        registry.model(&versions.collect::<Vec<_>>())
    }

    /// The definitions that matter below `path`, which is at least an object.
    pub(crate) fn model_at<'r>(&self, registry: &'r Registry, path: &Path) -> DeviceModel<'r> {
        match path.object_id() {
            Some(id) => registry.model(&[(id, self.object_version(id))]),
            None => self.model(registry),
        }
    }

    /// Takes over what an Update says.
    pub(crate) fn apply(
        &mut self,
        parameters: UpdateParameters,
        list: Option<RegistrationLinks>,
        moved_from: Option<SocketAddr>,
    ) -> Update {
        let UpdateParameters { lifetime, binding, queue_mode, sms } = parameters;
        self.lifetime = lifetime.unwrap_or(self.lifetime);
        self.binding = binding.unwrap_or(self.binding);
        self.queue_mode = queue_mode.unwrap_or(self.queue_mode);
        if sms.is_some() {
            self.sms.clone_from(&sms);
        }
        let links = list.map(|list| {
            self.set_links(list);
            self.links.clone()
        });
        Update { lifetime, binding, queue_mode, sms, links, moved_from }
    }

    /// Takes over a list of links, in place of the one before.
    pub(crate) fn set_links(&mut self, list: RegistrationLinks) {
        let RegistrationLinks { root_path, content_formats, sent, objects, .. } = list;
        self.links = sent;
        self.objects = objects;
        // Leshan's client names its formats in Register alone.
        if !content_formats.is_empty() {
            self.content_formats = content_formats;
        }
        self.root_path = root_path;
    }

    /// Notes that the instance at `path` has been created, before the client's Update tells.
    pub(crate) fn add_instance(&mut self, path: &Path) {
        if let (Some(object), Some(instance)) = (path.object_id(), path.instance_id()) {
            self.objects.entry(object).or_default().instances.insert(instance);
        }
    }

    /// Notes that the instance at `path` has been deleted, before the client's Update tells.
    pub(crate) fn remove_instance(&mut self, path: &Path) {
        let object = path.object_id().and_then(|id| self.objects.get_mut(&id));
        if let (Some(object), Some(instance)) = (object, path.instance_id()) {
            object.instances.remove(&instance);
        }
    }
}
