//! What the link has the recorder keep.

use super::{Carrier, Link};
use crate::recorder::{Carriage, Recorded, Recorder, Way};
use alloc::boxed::Box;
use alloc::sync::Arc;
use bytes::Bytes;
use lwm2m_coap::PeerId;

impl Link {
    /// Records the last messages of all peers in so many bytes of memory; 0 records nothing, which is the
    /// default.
    pub fn set_recorder(&mut self, bytes: usize) {
        self.recorder = (bytes > 0).then(|| Box::new(Recorder::new(bytes)));
    }

    /// The last messages of the peers; `None` if they are not recorded.
    #[must_use]
    pub fn recorder(&self) -> Option<&Recorder> {
        self.recorder.as_deref()
    }

    /// Before a device leaves: lets what was said with it be found by its name.
    pub fn record_leaving(&mut self, peer: PeerId, name: &Arc<str>) {
        self.recorder.iter_mut().for_each(|it| it.leave(peer, name));
    }

    /// Lets what was said with a device of this name, before it left, be of the peer that it is now.
    pub fn record_return(&mut self, peer: PeerId, name: &str) {
        self.recorder.iter_mut().for_each(|it| it.come_back(peer, name));
    }

    pub(super) fn record_received(&mut self, peer: PeerId, bytes: &[u8], is_stream: bool) {
        if self.recorder.is_some() {
            self.record(peer, Way::Received, is_stream, Bytes::copy_from_slice(bytes));
        }
    }

    pub(super) fn record_sent(&mut self, peer: PeerId, bytes: &Bytes) {
        if self.recorder.is_some() {
            let is_stream = self.connection_of(peer).is_some();
            self.record(peer, Way::Sent, is_stream, bytes.clone());
        }
    }

    fn record(&mut self, peer: PeerId, way: Way, is_stream: bool, bytes: Bytes) {
        let (Some(recorder), Some(state)) = (&mut self.recorder, self.peers.get(&peer)) else {
            return;
        };
        let is_secured = match state.carrier {
            Carrier::Datagrams => false,
            Carrier::Session(_) => true,
            Carrier::Connection(connection) => {
                self.connections.carried(connection).is_some_and(|it| it.session.is_some())
            }
        };
        let carriage = Carriage { is_stream, is_secured };
        let is_known = state.holds > 0 || state.identity.is_some();
        let (at, remote) = (self.now, state.address);
        recorder.record(peer, is_known, Recorded { number: 0, at, remote, way, carriage, bytes });
    }
}
