//! How much memory a registration takes, by estimate.
//!
//! The device decides on the number and length of all its parts, so that they are weighed and not
//! just counted.

use super::{ObjectInfo, Registration};
use lwm2m_codec::link::{Link, RegistrationLinks};
use lwm2m_core::ContentFormat;
use lwm2m_dtls::Identity as Proven;
use lwm2m_link::Identity;
use std::collections::BTreeMap;

/// The structure itself, its places in the tables, and the state of its peer.
const BASE: usize = size_of::<Registration>() + 512;
/// What an allocator needs beyond the bytes asked for, with rounding.
const ALLOCATION: usize = 24;
/// An entry of a map in nodes that are half full, beyond what the entry points to.
const MAP_ENTRY: usize = 16;

impl Registration {
    /// The bytes that this takes.
    pub(crate) fn memory_estimate(&self) -> usize {
        self.memory_estimate_after(None, None)
    }

    /// The bytes that this will take with another number for SMS or another list.
    pub(crate) fn memory_estimate_after(
        &self,
        sms: Option<&String>,
        list: Option<&RegistrationLinks>,
    ) -> usize {
        let entry = 2 * size_of::<(String, String)>() + MAP_ENTRY;
        let additional = self.additional.iter();
        let additional = additional.map(|(name, value)| entry + text(name) + text(value));
        let list = list.map_or_else(
            || of_list(&self.links, &self.objects, &self.content_formats, &self.root_path),
            |list| of_list(&list.sent, &list.objects, &list.content_formats, &list.root_path),
        );
        let sms = sms.or(self.sms.as_ref()).map_or(0, text) + of_identity(&self.identity);
        BASE + 2 * text(&self.endpoint) + sms + additional.sum::<usize>() + list
    }
}

/// What the identity has beside the structure; the session has the same.
fn of_identity(identity: &Identity) -> usize {
    match identity {
        Identity::Secured(Proven::Psk(bytes) | Proven::RawPublicKey(bytes)) => {
            ALLOCATION + bytes.len()
        }
        Identity::Secured(Proven::Certificate(names)) => {
            let name = names.common_name.as_ref().map_or(0, text);
            size_of_val(&**names)
                + ALLOCATION
                + name
                + names.dns_names.iter().map(text).sum::<usize>()
        }
        _ => 0,
    }
}

fn of_list(
    links: &[Link],
    objects: &BTreeMap<u16, ObjectInfo>,
    formats: &[ContentFormat],
    root_path: &str,
) -> usize {
    let links: usize = links.iter().map(of_link).sum();
    let objects: usize = objects.values().map(of_object).sum();
    links + objects + size_of_val(formats) + root_path.len()
}

fn of_object(object: &ObjectInfo) -> usize {
    let instances = match object.instances.len() {
        0 => 0,
        count => 2 * ALLOCATION + count * 2 * size_of::<u16>(),
    };
    2 * size_of::<(u16, ObjectInfo)>() + MAP_ENTRY + instances
}

fn of_link(link: &Link) -> usize {
    let params = link.params.iter();
    let params = params.map(|(name, value)| text(name) + value.as_ref().map_or(0, text));
    let room = link.params.capacity() * size_of::<(String, Option<String>)>();
    size_of::<Link>() + text(&link.target) + room + params.sum::<usize>()
}

fn text(text: &String) -> usize {
    ALLOCATION + text.capacity()
}
