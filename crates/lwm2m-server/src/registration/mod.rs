//! What a device has told about itself by Register and Update (OMA LwM2M Core 6.2).

mod id;
mod memory;
mod object_list;

pub use id::RegistrationId;
pub use object_list::{ObjectInfo, ObjectList};

use crate::rd::parse::UpdateParameters;
use lwm2m_core::{BindingMode, ObjectVersion, Path, Version};
use lwm2m_link::Identity;
use lwm2m_objects::{DeviceModel, Registry, default_version};
use lwm2m_time::Instant;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// The registration of a device.
#[derive(Clone, PartialEq, Debug)]
pub struct Registration {
    /// The id in the location `/rd/{id}`.
    pub id: RegistrationId,
    /// The endpoint name.
    pub endpoint: Arc<str>,
    /// How long it lasts after the latest Register or Update; zero means for ever.
    pub lifetime: Duration,
    /// The version of LwM2M that the client speaks.
    pub version: Version,
    /// The transports that the client offers.
    pub binding: BindingMode,
    /// Whether the client announced queue mode: that it sleeps, and listens only for a while after
    /// it has sent something.
    pub queue_mode: bool,
    /// The number for SMS (MSISDN).
    pub sms: Option<String>,
    /// The objects of the device.
    pub list: Arc<ObjectList>,
    /// Parameters of the Register that LwM2M does not define; flags have an empty value.
    pub additional: BTreeMap<String, String>,
    /// The address that requests go to: that of the latest Register or Update, or the address
    /// that the DTLS session has moved to since.
    pub address: SocketAddr,
    /// What the security layer has proven about the client.
    pub identity: Identity,
    /// When the client registered.
    pub registered_at: Instant,
    /// When the latest Register or Update came.
    pub updated_at: Instant,
}

/// What an Update said; `None` where it was silent.
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
    /// The new object list, which replaces the old one.
    pub list: Option<Arc<ObjectList>>,
    /// The address from which requests reached the client before, if it has moved.
    pub moved_from: Option<SocketAddr>,
}

impl Registration {
    /// The version of an object that the client supports: as listed, else the one that its LwM2M
    /// version implies.
    #[must_use]
    pub fn object_version(&self, object: u16) -> ObjectVersion {
        let listed = self.list.objects.get(&object).and_then(|info| info.version);
        listed.unwrap_or_else(|| default_version(self.version, object))
    }

    /// The definitions that hold for all listed objects of this device.
    #[must_use]
    pub fn model<'r>(&self, registry: &'r Registry) -> DeviceModel<'r> {
        let versions = self.list.objects.keys().map(|id| (*id, self.object_version(*id)));
        registry.model(&versions.collect::<Vec<_>>())
    }

    /// The definitions that matter below `path`, which is at least an object.
    pub(crate) fn model_at<'r>(&self, registry: &'r Registry, path: &Path) -> DeviceModel<'r> {
        match path.object_id() {
            Some(id) => registry.model(&[(id, self.object_version(id))]),
            None => self.model(registry),
        }
    }

    /// When the registration ends without another Update; `None` if it never does.
    #[must_use]
    pub fn expires_at(&self) -> Option<Instant> {
        (!self.lifetime.is_zero()).then(|| self.updated_at + self.lifetime)
    }

    /// Takes over the parameters of an Update.
    pub(crate) fn apply(&mut self, parameters: &UpdateParameters) {
        let UpdateParameters { lifetime, binding, queue_mode, sms } = parameters;
        self.lifetime = lifetime.unwrap_or(self.lifetime);
        self.binding = binding.unwrap_or(self.binding);
        self.queue_mode = queue_mode.unwrap_or(self.queue_mode);
        if sms.is_some() {
            self.sms.clone_from(sms);
        }
    }
}
