//! Registrations, and the links of Register and Discover, in the dialect's JSON.

use super::milliseconds;
use lwm2m_codec::link::{Link, ParamValue};
use lwm2m_core::BindingMode;
use lwm2m_link::Identity;
use lwm2m_net::Clock;
use lwm2m_server::{ObjectInfo, ObjectList, Registration, Update};
use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};
use serde_json::value::{RawValue, to_raw_value};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::Arc;

/// A registration.
#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub struct RegistrationJson<'a> {
    endpoint: &'a str,
    registration_id: &'a str,
    registration_date: u64,
    last_update: u64,
    address: SocketAddr,
    sms_number: Option<&'a str>,
    #[serde(rename = "lwM2mVersion")]
    version: &'static str,
    lifetime: u64,
    #[serde(serialize_with = "text")]
    binding_mode: BindingMode,
    root_path: &'a str,
    #[serde(skip_serializing_if = "Part::is_absent")]
    object_links: Part<'a, ListLinks<'a>>,
    secure: bool,
    additional_registration_attributes: &'a BTreeMap<String, String>,
    #[serde(rename = "queuemode")]
    queue_mode: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    sleeping: Option<bool>,
    #[serde(skip_serializing_if = "Part::is_absent")]
    available_instances: Part<'a, Instances<'a>>,
}

impl<'a> RegistrationJson<'a> {
    /// The JSON of `registration`, whose times were read from `clock`. Its device is awake.
    #[must_use]
    pub fn new(registration: &'a Registration, clock: Clock) -> Self {
        Self {
            endpoint: &registration.endpoint,
            registration_id: registration.id.as_str(),
            registration_date: milliseconds(clock, registration.registered_at),
            last_update: milliseconds(clock, registration.updated_at),
            address: registration.address,
            sms_number: registration.sms.as_deref(),
            version: registration.version.as_str(),
            lifetime: registration.lifetime.as_secs(),
            binding_mode: registration.binding,
            root_path: &registration.list.root_path,
            object_links: Part::Tree(ListLinks(&registration.list)),
            secure: secure(registration),
            additional_registration_attributes: &registration.additional,
            queue_mode: registration.queue_mode,
            sleeping: registration.queue_mode.then_some(false),
            available_instances: Part::Tree(Instances(&registration.list.objects)),
        }
    }
}

impl<'a> RegistrationJson<'a> {
    /// The same JSON of a device that sleeps, if `is_asleep`. Says so of devices in queue mode alone.
    #[must_use]
    pub fn asleep(self, is_asleep: bool) -> Self {
        Self { sleeping: self.sleeping.map(|_| is_asleep), ..self }
    }

    /// The same JSON, with the parts that have been written for the object list of the
    /// registration.
    pub(crate) fn sharing(self, list: &'a ObjectListJson) -> Self {
        Self {
            object_links: Part::Written(&list.links),
            available_instances: Part::Written(&list.instances),
            ..self
        }
    }

    /// The same JSON without the parts that the object list determines.
    pub(crate) fn without_list(self) -> Self {
        Self { object_links: Part::Absent, available_instances: Part::Absent, ..self }
    }
}

/// A part of a registration that its object list determines.
#[derive(Serialize, Debug)]
#[serde(untagged)]
enum Part<'a, T> {
    Tree(T),
    Written(&'a RawValue),
    Absent,
}

impl<T> Part<'_, T> {
    const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

/// The links of an object list, parsed while they are written.
#[derive(Debug)]
struct ListLinks<'a>(&'a ObjectList);

impl Serialize for ListLinks<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        LinksJson(&self.0.links()).serialize(serializer)
    }
}

/// What an object list determines in the JSON of a registration, written once for all devices that
/// share the list, as devices of one kind do.
#[derive(Debug)]
pub(crate) struct ObjectListJson {
    list: Arc<ObjectList>,
    links: Box<RawValue>,
    instances: Box<RawValue>,
}

impl ObjectListJson {
    /// Writes what `list` determines. JSON of our own types cannot fail, so it is always there.
    fn new(list: &Arc<ObjectList>) -> Option<Self> {
        Some(Self {
            list: Arc::clone(list),
            links: to_raw_value(&ListLinks(list)).ok()?,
            instances: to_raw_value(&Instances(&list.objects)).ok()?,
        })
    }

    /// Writes the parts of `list` to `last`, unless that has them already.
    pub(crate) fn of<'a>(last: &'a mut Option<Self>, list: &Arc<ObjectList>) -> Option<&'a Self> {
        if !last.as_ref().is_some_and(|written| Arc::ptr_eq(&written.list, list)) {
            *last = Self::new(list);
        }
        last.as_ref()
    }
}

/// The instances of each object that has some.
#[derive(Debug)]
struct Instances<'a>(&'a BTreeMap<u16, ObjectInfo>);

impl Serialize for Instances<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let objects = self.0.iter().map(|(id, object)| (id, &object.instances));
        serializer.collect_map(objects.filter(|(_, instances)| !instances.is_empty()))
    }
}

/// What an Update changed; the data of the event UPDATED holds it beside the registration.
#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub struct UpdateJson<'a> {
    registration_id: &'a str,
    address: SocketAddr,
    sms_number: Option<&'a str>,
    lifetime: Option<u64>,
    alternate_path: Option<&'a str>,
    object_links: Option<Part<'a, ListLinks<'a>>>,
    secure: bool,
    additional_attributes: BTreeMap<String, String>,
}

impl<'a> UpdateJson<'a> {
    /// The JSON of `update`, which led to `registration`.
    #[must_use]
    pub fn new(registration: &'a Registration, update: &'a Update) -> Self {
        Self {
            registration_id: registration.id.as_str(),
            address: registration.address,
            sms_number: update.sms.as_deref(),
            lifetime: update.lifetime.map(|lifetime| lifetime.as_secs()),
            alternate_path: None,
            object_links: update.list.as_ref().map(|list| Part::Tree(ListLinks(list))),
            secure: secure(registration),
            additional_attributes: BTreeMap::new(),
        }
    }

    /// The same JSON, with the links that have been written for its object list.
    pub(crate) fn sharing(self, list: &'a ObjectListJson) -> Self {
        Self { object_links: self.object_links.map(|_| Part::Written(&list.links)), ..self }
    }
}

fn secure(registration: &Registration) -> bool {
    !matches!(registration.identity, Identity::NoSec)
}

fn text<S: Serializer>(it: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(it)
}

/// Links: their targets, and their parameters as link-format text, so that quotes stay.
#[derive(Clone, Copy, Debug)]
pub struct LinksJson<'a>(pub &'a [Link]);

impl Serialize for LinksJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(LinkJson))
    }
}

struct LinkJson<'a>(&'a Link);

impl Serialize for LinkJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut json = serializer.serialize_struct("Link", 2)?;
        json.serialize_field("url", &self.0.target)?;
        // Of a parameter that comes twice, the last value counts.
        let params = self.0.params.iter();
        let params = params.map(|(name, value)| (name.as_str(), quoted(name, value.as_ref())));
        json.serialize_field("attributes", &params.collect::<BTreeMap<_, _>>())?;
        json.end()
    }
}

/// The value of a parameter as it stands in a link.
fn quoted(name: &str, value: Option<&ParamValue>) -> Option<String> {
    // The codec knows which values are quoted.
    let params = vec![(name.to_owned(), Some(value?.clone()))];
    let text = Link { target: String::new(), params }.to_string();
    text.split_once('=').map(|(_, value)| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use lwm2m_codec::link;
    use serde_json::json;

    #[test]
    fn parameters_of_links_are_link_format_text() {
        let parsed = [
            Link::new("/").with("rt", "oma.lwm2m").with("ct", "60 110"),
            Link::new("/3").with("ver", "1.2"),
            Link { target: "/3/0".to_owned(), params: vec![("obs".to_owned(), None)] },
            link::parse("</4>;number=7;text=\"7\"").unwrap().remove(0),
        ];
        let golden = json!([
            {"url": "/", "attributes": {"ct": "\"60 110\"", "rt": "\"oma.lwm2m\""}},
            {"url": "/3", "attributes": {"ver": "1.2"}},
            {"url": "/3/0", "attributes": {"obs": null}},
            {"url": "/4", "attributes": {"number": "7", "text": "\"7\""}},
        ]);
        assert_eq!(serde_json::to_value(LinksJson(&parsed)).unwrap(), golden);
    }
}
