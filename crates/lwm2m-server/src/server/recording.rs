//! The last messages of devices.

use super::Server;
use crate::devices::DeviceKey;
use crate::operation::Target;
use lwm2m_coap::Token;
use lwm2m_link::{Capture, Of, Recorded};
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
    /// What is observed, by the tokens of notifications: the requests may not be recorded any more.
    pub observed: Vec<(Token, Target)>,
}

impl Server {
    /// The last messages of a device: the newest `limit` of those with numbers above `after`. `None` if
    /// messages are not recorded ([`Config::recorder_bytes`](crate::Config::recorder_bytes)).
    #[must_use]
    pub fn messages(&mut self, endpoint: &str, after: u64, limit: usize) -> Option<Messages> {
        let observed = self.observed_by_token(endpoint);
        let recorder = self.link.recorder()?;
        let (of, is_shared) = self.recorded_as(endpoint);
        let new = recorder.messages(of).rev().take_while(|it| it.number > after).take(limit);
        let mut list: Vec<_> = new.cloned().collect();
        list.reverse();
        Some(Messages { list, is_shared, observed })
    }

    fn observed_by_token(&mut self, endpoint: &str) -> Vec<(Token, Target)> {
        let device = self.devices.key_of(endpoint).and_then(|key| self.devices.get(key));
        let observed = device.into_iter().flat_map(|device| &device.observed);
        let coap = self.link.coap();
        let by_token = observed.filter_map(|(target, observed)| {
            Some((coap.observation_token(observed.request()?)?, target.clone()))
        });
        by_token.collect()
    }

    /// What Wireshark needs of a device, and whether there is something of other devices in it, see
    /// [`Messages::is_shared`]. It has the keys of sessions. `None` if messages are not recorded.
    #[must_use]
    pub fn capture(&self, endpoint: &str) -> Option<(Capture, bool)> {
        let (of, is_shared) = self.recorded_as(endpoint);
        Some((self.link.recorder()?.capture(of), is_shared))
    }

    fn recorded_as<'n>(&self, endpoint: &'n str) -> (Of<'n>, bool) {
        let device = self.devices.key_of(endpoint).and_then(|key| self.devices.get(key));
        let peer = device.and_then(|device| device.peer);
        (peer.map_or(Of::Left(endpoint), Of::Peer), device.is_some_and(|it| it.shares_peer))
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
