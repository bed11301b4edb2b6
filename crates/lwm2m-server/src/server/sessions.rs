//! Sessions of DTLS that survive a restart: their records, and which device is in which.

use super::Server;
use super::keeping::{Held, Keep};
use crate::records::{COUNTERS, SESSIONS, remove};
use lwm2m_coap::PeerId;
use lwm2m_dtls::{Identity, SessionFingerprint, SessionId};
use lwm2m_link::{Record, SessionWrites};
use std::collections::HashMap;
use std::net::SocketAddr;

impl Server {
    /// Keeps the session that a request came in, with the response that it will get: a copy of the
    /// request then does nothing after a crash, whether an attacker repeats its record or the device
    /// sends it anew.
    pub(super) fn keep_asking(
        &mut self,
        asked: Option<SessionId>,
        peers: impl IntoIterator<Item = PeerId>,
    ) {
        let Some(asked) = asked else { return };
        // The request may have moved its device to this session, and the device keeps its peer.
        let here = |peer: &PeerId| self.link.session_of(*peer) == Some(asked);
        if let Some(peer) = peers.into_iter().find(here) {
            self.keep_session(peer);
        }
    }

    /// Keeps the session of a peer as it is now.
    pub(super) fn keep_session(&mut self, peer: PeerId) {
        if !self.journal.is_kept() {
            return;
        }
        let Some(writes) = self.link.session_writes(peer) else { return };
        let SessionWrites { fingerprint, sealed, counters, limit, .. } = writes;
        let since = self.journal.promised();
        let parts = [(SESSIONS, sealed), (COUNTERS, Some(counters))];
        for (table, value) in parts.into_iter().filter(|(_, value)| value.is_some()) {
            let (key, value) = (fingerprint.0.to_vec().into(), value.map(Into::into));
            self.keep(Keep::Promised, Record { table, key, value });
        }
        if let Some((session, limit)) = limit {
            // It is never free at once: there is a store, and it has just been written to.
            self.journal.hold(since, Held::Limit(session, limit));
        }
    }

    /// Removes a session that is over, at once: a device that has ended it must not find it again
    /// after a crash, and nobody else either.
    pub(super) fn forget_session(&mut self, session: &SessionFingerprint) {
        for table in [SESSIONS, COUNTERS] {
            let name = session.0.to_vec().into();
            self.keep(Keep::Promised, remove(table, name));
        }
    }
}

/// The peers of the sessions that were restored, until it is known which devices are in which.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    by_identity: HashMap<Identity, Vec<Session>>,
}

#[derive(Debug)]
struct Session {
    peer: PeerId,
    address: SocketAddr,
    has_devices: bool,
}

impl Sessions {
    pub(super) fn add(&mut self, peer: PeerId, identity: Identity, address: SocketAddr) {
        let session = Session { peer, address, has_devices: false };
        self.by_identity.entry(identity).or_default().push(session);
    }

    /// The peer of a device: of several sessions the one at its address, or else the last one.
    pub(super) fn of(&mut self, identity: &Identity, address: SocketAddr) -> Option<PeerId> {
        let sessions = self.by_identity.get_mut(identity)?;
        let place = sessions.iter().position(|session| session.address == address);
        let last = sessions.len().checked_sub(1)?;
        let session = sessions.get_mut(place.unwrap_or(last))?;
        session.has_devices = true;
        Some(session.peer)
    }

    /// All peers, and whether devices are at each.
    pub(super) fn into_peers(self) -> impl Iterator<Item = (PeerId, bool)> {
        let sessions = self.by_identity.into_values().flatten();
        sessions.map(|session| (session.peer, session.has_devices))
    }
}
