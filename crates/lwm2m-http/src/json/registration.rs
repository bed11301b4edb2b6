//! Registrations, and the links of Register and Discover, in the dialect's JSON.

use lwm2m_codec::link::Link;
use lwm2m_link::Identity;
use lwm2m_net::Clock;
use lwm2m_server::{Registration, Update};
use lwm2m_time::Instant;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::time::UNIX_EPOCH;

/// A registration.
#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub struct RegistrationJson<'a> {
    endpoint: &'a str,
    registration_id: &'a str,
    registration_date: u64,
    last_update: u64,
    address: String,
    sms_number: Option<&'a str>,
    #[serde(rename = "lwM2mVersion")]
    version: &'static str,
    lifetime: u64,
    binding_mode: String,
    root_path: &'a str,
    object_links: Vec<LinkJson<'a>>,
    secure: bool,
    additional_registration_attributes: &'a BTreeMap<String, String>,
    #[serde(rename = "queuemode")]
    queue_mode: bool,
    available_instances: BTreeMap<u16, &'a BTreeSet<u16>>,
}

impl<'a> RegistrationJson<'a> {
    /// The JSON of `registration`, whose times were read from `clock`.
    #[must_use]
    pub fn new(registration: &'a Registration, clock: Clock) -> Self {
        let objects = registration.list.objects.iter();
        Self {
            endpoint: &registration.endpoint,
            registration_id: registration.id.as_str(),
            registration_date: milliseconds(clock, registration.registered_at),
            last_update: milliseconds(clock, registration.updated_at),
            address: registration.address.to_string(),
            sms_number: registration.sms.as_deref(),
            version: registration.version.as_str(),
            lifetime: registration.lifetime.as_secs(),
            binding_mode: registration.binding.to_string(),
            root_path: &registration.list.root_path,
            object_links: links(&registration.list.links),
            secure: secure(registration),
            additional_registration_attributes: &registration.additional,
            queue_mode: registration.queue_mode,
            available_instances: objects
                .filter(|(_, object)| !object.instances.is_empty())
                .map(|(id, object)| (*id, &object.instances))
                .collect(),
        }
    }
}

/// What an Update changed; the data of the event UPDATED holds it beside the registration.
#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub struct UpdateJson<'a> {
    registration_id: &'a str,
    address: String,
    sms_number: Option<&'a str>,
    lifetime: Option<u64>,
    alternate_path: Option<&'a str>,
    object_links: Option<Vec<LinkJson<'a>>>,
    secure: bool,
    additional_attributes: BTreeMap<String, String>,
}

impl<'a> UpdateJson<'a> {
    /// The JSON of `update`, which led to `registration`.
    #[must_use]
    pub fn new(registration: &'a Registration, update: &'a Update) -> Self {
        Self {
            registration_id: registration.id.as_str(),
            address: registration.address.to_string(),
            sms_number: update.sms.as_deref(),
            lifetime: update.lifetime.map(|lifetime| lifetime.as_secs()),
            alternate_path: None,
            object_links: update.list.as_ref().map(|list| links(&list.links)),
            secure: secure(registration),
            additional_attributes: BTreeMap::new(),
        }
    }
}

fn secure(registration: &Registration) -> bool {
    !matches!(registration.identity, Identity::NoSec)
}

fn milliseconds(clock: Clock, instant: Instant) -> u64 {
    let since = clock.to_wall(instant).duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A link: its target and its parameters as link-format text, so that quotes stay.
#[derive(Serialize, Debug, PartialEq, Eq)]
pub struct LinkJson<'a> {
    url: &'a str,
    attributes: BTreeMap<&'a str, Option<String>>,
}

/// The JSON of links.
#[must_use]
pub fn links(links: &[Link]) -> Vec<LinkJson<'_>> {
    links.iter().map(LinkJson::new).collect()
}

impl<'a> LinkJson<'a> {
    fn new(link: &'a Link) -> Self {
        let params = link.params.iter();
        let attributes =
            params.map(|(name, value)| (name.as_str(), quoted(name, value.as_deref())));
        Self { url: &link.target, attributes: attributes.collect() }
    }
}

/// The value of a parameter as it stands in a link.
fn quoted(name: &str, value: Option<&str>) -> Option<String> {
    // The codec knows which values are quoted.
    let text = Link::new("").with(name, value?).to_string();
    text.split_once('=').map(|(_, value)| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn parameters_of_links_are_link_format_text() {
        let parsed = [
            Link::new("/").with("rt", "oma.lwm2m").with("ct", "60 110"),
            Link::new("/3").with("ver", "1.2"),
            Link { target: "/3/0".to_owned(), params: vec![("obs".to_owned(), None)] },
        ];
        let golden = json!([
            {"url": "/", "attributes": {"ct": "\"60 110\"", "rt": "\"oma.lwm2m\""}},
            {"url": "/3", "attributes": {"ver": "1.2"}},
            {"url": "/3/0", "attributes": {"obs": null}},
        ]);
        assert_eq!(serde_json::to_value(links(&parsed)).unwrap(), golden);
    }
}
