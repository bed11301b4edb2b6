//! How much memory registrations and object lists take, by estimate.
//!
//! The device decides on the number and length of the parts, so each of them is counted.

use super::{ObjectInfo, ObjectList, Registration};
use crate::device::Device;
use lwm2m_dtls::Identity as Proven;
use lwm2m_link::Identity;

/// What an allocator needs beyond the bytes asked for, with rounding.
const ALLOCATION: usize = 24;
/// An entry of a map in nodes that are half full, beyond what the entry points to.
const MAP_ENTRY: usize = 16;
/// The three indices and the timer of a device, with the room that they keep free.
const INDICES: usize = 120;
/// A plain peer in the layers below.
const PEER: usize = 128;
/// A DTLS session in the layers below.
const SESSION: usize = 512;
/// What each device takes.
const BASE: usize = size_of::<Registration>() + size_of::<Device>() + INDICES + PEER;

impl Registration {
    /// The bytes that this device takes, without its object list, which it may share.
    pub(crate) fn memory_estimate(&self) -> usize {
        let entry = 2 * size_of::<(String, String)>() + MAP_ENTRY;
        let additional = self.additional.iter();
        let additional = additional.map(|(name, value)| entry + text(name) + text(value));
        BASE + ALLOCATION
            + text(&self.endpoint)
            + self.sms.as_deref().map_or(0, text)
            + of_identity(&self.identity)
            + additional.sum::<usize>()
    }
}

impl ObjectList {
    /// The bytes that this list takes.
    pub(crate) fn memory_estimate(&self) -> usize {
        let objects: usize = self.objects.values().map(of_object).sum();
        let formats = size_of_val(&*self.content_formats);
        let texts = text(&self.root_path) + text(self.text());
        size_of::<Self>() + ALLOCATION + texts + formats + objects
    }
}

/// The session of an identity, and what the identity has beside its structure, which both share.
fn of_identity(identity: &Identity) -> usize {
    match identity {
        Identity::Secured(Proven::Psk(bytes) | Proven::RawPublicKey(bytes)) => {
            SESSION + ALLOCATION + bytes.len()
        }
        Identity::Secured(Proven::Certificate(names)) => {
            let name = names.common_name.as_deref().map_or(0, text);
            let names_of = names.dns_names.iter().map(|name| text(name));
            SESSION + size_of_val(&**names) + ALLOCATION + name + names_of.sum::<usize>()
        }
        _ => 0,
    }
}

fn of_object(object: &ObjectInfo) -> usize {
    let instances = match object.instances.len() {
        0 => 0,
        count => 2 * ALLOCATION + count * 2 * size_of::<u16>(),
    };
    2 * size_of::<(u16, ObjectInfo)>() + MAP_ENTRY + instances
}

fn text(text: &str) -> usize {
    ALLOCATION + text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use lwm2m_core::{BindingMode, Version};
    use lwm2m_dtls::CertificateIdentity;
    use lwm2m_time::Instant;
    use std::collections::BTreeMap;
    use std::sync::Arc;

    fn registration() -> Registration {
        Registration {
            id: crate::registration::RegistrationId::from_bytes(b"abcdefghijklmnop").unwrap(),
            endpoint: "a".into(),
            lifetime: std::time::Duration::ZERO,
            version: Version::V1_1,
            binding: BindingMode::default(),
            queue_mode: false,
            sms: None,
            list: Arc::new(ObjectList::parse(b"</3/0>").unwrap()),
            additional: BTreeMap::new(),
            address: ([198, 51, 100, 7], 5683).into(),
            identity: Identity::NoSec,
            registered_at: Instant::ZERO,
            updated_at: Instant::ZERO,
        }
    }

    /// How much more a registration takes after a change.
    fn growth(change: impl FnOnce(&mut Registration)) -> usize {
        let mut changed = registration();
        change(&mut changed);
        changed.memory_estimate() - registration().memory_estimate()
    }

    fn certificate(common_name: Option<String>, dns_names: Vec<String>) -> Identity {
        let names = CertificateIdentity { common_name, dns_names, sha256: [0; 32] };
        Identity::Secured(Proven::Certificate(Arc::new(names)))
    }

    #[test]
    fn whatever_a_device_tells_of_itself_is_counted() {
        const LONG: usize = 10_000;
        let text = || "x".repeat(LONG);
        let bytes = || bytes::Bytes::from(vec![7; LONG]);
        let many = |it: &mut Registration| {
            let one = |number| (format!("{number:0100}"), "y".repeat(100));
            it.additional = (0..LONG / 200).map(one).collect();
        };
        let names = vec!["z".repeat(100); LONG / 100];
        for (what, grown) in [
            ("endpoint", growth(|it| it.endpoint = text().into())),
            ("sms", growth(|it| it.sms = Some(text()))),
            ("name", growth(|it| _ = it.additional.insert(text(), String::new()))),
            ("value", growth(|it| _ = it.additional.insert(String::new(), text()))),
            ("parameters", growth(many)),
            ("key", growth(|it| it.identity = Identity::Secured(Proven::RawPublicKey(bytes())))),
            ("psk", growth(|it| it.identity = Identity::Secured(Proven::Psk(bytes())))),
            ("subject", growth(|it| it.identity = certificate(Some(text()), Vec::new()))),
            ("dns names", growth(|it| it.identity = certificate(None, names))),
        ] {
            // The endpoint name has been one byte long.
            assert!((LONG - 1..3 * LONG).contains(&grown), "{what}: {grown}");
        }
        let session = growth(|it| it.identity = Identity::Secured(Proven::Psk("x".into())));
        assert!((SESSION..2 * SESSION).contains(&session), "{session}");
    }

    #[test]
    fn whatever_is_in_an_object_list_is_counted() {
        let estimate = |text: &str| ObjectList::parse(text.as_bytes()).unwrap().memory_estimate();
        let smallest = estimate("</3/0>");
        let attribute = format!("</3/0>;x=\"{}\"", "y".repeat(10_000));
        let root = "r".repeat(10_000);
        let root = format!("</{root}>;rt=\"oma.lwm2m\",</{root}/3/0>");
        // An object and an instance take at least their ids.
        let objects: Vec<_> = (10..1_010).map(|id| format!("</{id}>")).collect();
        let instances: Vec<_> = (0..1_000).map(|id| format!("</3/{id}>")).collect();
        let formats: Vec<_> = (0..1_000).map(|id| id.to_string()).collect();
        let formats = format!("</>;ct=\"{}\",</3/0>", formats.join(" "));
        for (what, list, least) in [
            ("attribute", attribute.clone(), attribute.len()),
            ("root", root.clone(), root.len() + 10_000),
            ("objects", objects.join(","), objects.join(",").len() + 2_000),
            ("instances", instances.join(","), instances.join(",").len() + 2_000),
            ("formats", formats.clone(), formats.len() + 2_000),
        ] {
            let grown = estimate(&list) - smallest;
            let least = least - 10;
            assert!((least..least + 200_000).contains(&grown), "{what}: {grown}, {least}");
        }
    }
}
