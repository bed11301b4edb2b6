//! What was forgiven devices.

use super::Server;
use crate::devices::DeviceKey;
use crate::quirks::{Counts, Forgiven};
use lwm2m_codec::Quirk;

impl Server {
    /// What was forgiven a device; `None` if it is not registered.
    #[must_use]
    pub fn quirks(&self, endpoint: &str) -> Option<Forgiven> {
        let device = self.devices.get(self.devices.key_of(endpoint)?)?;
        let values = device.quirks.iter().flat_map(|counts| counts.iter()).collect();
        Some(Forgiven { values, links: device.registration.list.quirks() })
    }

    /// How many messages of all devices had each deviation since the server was started.
    pub fn all_quirks(&self) -> impl Iterator<Item = (Quirk, u32)> + '_ {
        self.quirks.iter()
    }

    /// Counts what was forgiven a device in a message.
    pub(super) fn note_quirks(&mut self, key: DeviceKey, forgiven: &[Quirk]) {
        if forgiven.is_empty() {
            return;
        }
        self.quirks.add(forgiven);
        if let Some(device) = self.devices.get_mut(key) {
            device.quirks.get_or_insert_default().add(forgiven);
        }
    }

    /// Takes over what was forgiven a device when it registers anew.
    pub(super) fn keep_quirks(&self, earlier: DeviceKey) -> Option<Box<Counts>> {
        self.devices.get(earlier)?.quirks.clone()
    }
}
