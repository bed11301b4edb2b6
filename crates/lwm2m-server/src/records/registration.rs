//! Registrations as records.

use crate::registration::{ObjectInfo, ObjectList, Registration, RegistrationId};
use lwm2m_core::{BindingMode, ContentFormat};
use lwm2m_link::Identity;
use lwm2m_time::Instant;
use minicbor::{Decode, Encode};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A registration without its endpoint name, which is the key.
#[derive(Encode, Decode)]
#[cbor(map)]
pub(crate) struct KeptRegistration<'b> {
    #[n(0)]
    id: &'b str,
    /// Seconds.
    #[n(1)]
    lifetime: u64,
    #[n(2)]
    version: &'b str,
    #[n(3)]
    binding: String,
    #[n(4)]
    queue_mode: bool,
    #[n(5)]
    sms: Option<&'b str>,
    /// The links as they were sent.
    #[n(6)]
    links: &'b str,
    /// The content formats and objects, if they are not those of the links.
    #[n(7)]
    changed: Option<KeptList>,
    #[n(8)]
    additional: Option<BTreeMap<&'b str, &'b str>>,
    #[n(9)]
    address: String,
    /// What was proven about the client.
    #[cbor(n(10), with = "minicbor::bytes")]
    identity: Option<Vec<u8>>,
    /// Microseconds of Unix time, as the next one.
    #[n(11)]
    registered_at: u64,
    #[n(12)]
    updated_at: u64,
    /// Whether it cannot be reached by datagrams at its address: it was on a connection.
    #[n(13)]
    connected: Option<bool>,
}

/// Content formats, and objects with their versions and instances.
#[derive(Encode, Decode)]
struct KeptList {
    #[n(0)]
    formats: Vec<u16>,
    #[n(1)]
    objects: BTreeMap<u16, KeptObject>,
}

#[derive(Encode, Decode)]
struct KeptObject {
    #[n(0)]
    version: Option<String>,
    #[n(1)]
    instances: Vec<u16>,
}

impl<'b> KeptRegistration<'b> {
    pub(crate) fn of(registration: &'b Registration, connected: bool) -> Self {
        let Registration { list, additional, .. } = registration;
        let text = |(name, value): (&'b String, &'b String)| (name.as_str(), value.as_str());
        let additional = additional.iter().map(text);
        Self {
            id: registration.id.as_str(),
            lifetime: registration.lifetime.as_secs(),
            version: registration.version.as_str(),
            binding: registration.binding.to_string(),
            queue_mode: registration.queue_mode,
            sms: registration.sms.as_deref(),
            links: list.text(),
            changed: list.payload().is_none().then(|| KeptList::of(list)),
            additional: (!registration.additional.is_empty()).then(|| additional.collect()),
            address: registration.address.to_string(),
            identity: registration.identity.secured().map(lwm2m_dtls::Identity::to_bytes),
            registered_at: registration.registered_at.as_micros(),
            updated_at: registration.updated_at.as_micros(),
            connected: connected.then_some(true),
        }
    }

    /// Whether it cannot be reached by datagrams at its address.
    pub(crate) fn was_connected(&self) -> bool {
        self.connected.unwrap_or_default()
    }

    /// The registration; `None` if a field has no legal value.
    pub(crate) fn registration(&self, endpoint: &str) -> Option<Registration> {
        let mut list = ObjectList::parse(self.links.as_bytes()).ok()?;
        if let Some(changed) = &self.changed {
            list = list.with(changed.formats(), changed.objects()?);
        }
        let proven = |bytes: &Vec<u8>| lwm2m_dtls::Identity::from_bytes(bytes);
        let identity = match &self.identity {
            None => Identity::NoSec,
            Some(bytes) => Identity::Secured(proven(bytes)?),
        };
        let owned = |(name, value): (&&str, &&str)| ((*name).to_owned(), (*value).to_owned());
        let version = self.version.parse().ok()?;
        Some(Registration {
            id: RegistrationId::from_bytes(self.id.as_bytes())?,
            endpoint: endpoint.into(),
            lifetime: Duration::from_secs(self.lifetime),
            version,
            binding: BindingMode::parse(&self.binding, lwm2m_core::Version::V1_2).ok()?.0,
            queue_mode: self.queue_mode,
            sms: self.sms.map(str::to_owned),
            list: Arc::new(list),
            additional: self.additional.iter().flatten().map(owned).collect(),
            address: self.address.parse().ok()?,
            identity,
            registered_at: Instant::from_micros(self.registered_at),
            updated_at: Instant::from_micros(self.updated_at),
        })
    }
}

impl KeptList {
    fn of(list: &ObjectList) -> Self {
        let object = |info: &ObjectInfo| KeptObject {
            version: info.version.map(|version| version.to_string()),
            instances: info.instances.iter().copied().collect(),
        };
        Self {
            formats: list.content_formats.iter().map(|format| format.0).collect(),
            objects: list.objects.iter().map(|(id, info)| (*id, object(info))).collect(),
        }
    }

    fn formats(&self) -> Vec<ContentFormat> {
        self.formats.iter().copied().map(ContentFormat).collect()
    }

    fn objects(&self) -> Option<BTreeMap<u16, ObjectInfo>> {
        let object = |(id, kept): (&u16, &KeptObject)| {
            let version = kept.version.as_ref().map(|text| text.parse()).transpose().ok()?;
            let instances = kept.instances.iter().copied().collect();
            Some((*id, ObjectInfo { version, instances }))
        };
        self.objects.iter().map(object).collect()
    }
}
