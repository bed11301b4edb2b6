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
