//! The last messages of devices.

use super::Server;
use crate::devices::DeviceKey;
use lwm2m_link::Recorded;
use std::sync::Arc;

/// The last messages of a device.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Messages {
    /// The messages, the oldest first.
    pub list: Vec<Recorded>,
    /// Whether another device is reached at the same address, as behind a gateway, so that its messages
    /// are among these.
    pub is_shared: bool,
}

impl Server {
    /// The last messages of a device: the newest `limit` of those with numbers above `after`. `None` if
    /// messages are not recorded ([`Config::recorder_bytes`](crate::Config::recorder_bytes)).
    #[must_use]
    pub fn messages(&self, endpoint: &str, after: u64, limit: usize) -> Option<Messages> {
        let recorder = self.link.recorder()?;
        let device = self.devices.key_of(endpoint).and_then(|key| self.devices.get(key));
        let is_shared = device.is_some_and(|device| device.shares_peer);
        let newest = |all: &mut dyn DoubleEndedIterator<Item = &Recorded>| {
            let new = all.rev().take_while(|it| it.number > after).take(limit);
            let mut list: Vec<_> = new.cloned().collect();
            list.reverse();
            list
        };
        let list = match device.and_then(|device| device.peer) {
            Some(peer) => newest(&mut recorder.messages_of(peer)),
            None => newest(&mut recorder.messages_of_left(endpoint)),
        };
        Some(Messages { list, is_shared })
    }

    /// Before a device is removed: keeps what was said with it under its name.
    pub(super) fn record_leaving(&mut self, key: DeviceKey) {
        let Some(device) = self.devices.get(key).filter(|device| !device.shares_peer) else {
            return;
        };
        let name = Arc::clone(&device.registration.endpoint);
        device.peer.into_iter().for_each(|peer| self.link.record_leaving(peer, &name));
    }
}
