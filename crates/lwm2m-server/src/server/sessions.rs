//! Sessions of DTLS that survive a restart: their records, and which device is in which.

use super::Server;
use super::keeping::{Held, Keep};
use crate::records;
use lwm2m_coap::PeerId;
use lwm2m_dtls::{Identity, SessionCounters, SessionFingerprint};
use lwm2m_link::Record;
use std::collections::HashMap;
use std::net::SocketAddr;

/// What is to be kept of the session of a request, if the request changes anything: its record number
/// must be durable with the change, or an attacker could have it carried out again after a crash.
#[derive(Debug)]
pub(super) struct Asking {
    counters: SessionCounters,
    /// The session itself, unless the store has it.
    sealed: Option<Vec<u8>>,
}

impl Server {
    /// The session of a peer as it is now; a request may move the peer to another one.
    pub(super) fn asking_of(&mut self, peer: PeerId) -> Option<Asking> {
        if !self.journal.is_kept() {
            return None;
        }
        let counters = self.link.counters(peer)?;
        let sealed = match counters.is_recorded {
            true => None,
            false => self.link.session_record(peer),
        };
        Some(Asking { counters, sealed })
    }

    /// Keeps the session of the request that is being handled, before what the request changes.
    pub(super) fn keep_asking(&mut self) {
        if let Some(asking) = self.asking.take() {
            self.keep_session_as(asking);
        }
    }

    /// Keeps the session of a peer as it is now.
    pub(super) fn keep_session(&mut self, peer: PeerId) {
        if let Some(asking) = self.asking_of(peer) {
            self.keep_session_as(asking);
        }
    }

    fn keep_session_as(&mut self, asking: Asking) {
        let Asking { counters, sealed } = asking;
        let since = self.journal.promised();
        let name = |fingerprint: SessionFingerprint| fingerprint.0.to_vec().into();
        let sealed = sealed.map(|sealed| (records::SESSIONS, sealed));
        let counted = (records::COUNTERS, counters.encode());
        for (table, value) in sealed.into_iter().chain([counted]) {
            let key = name(counters.fingerprint);
            self.keep(Keep::Promised, Record { table, key, value: Some(value.into()) });
        }
        if !counters.is_limit_written {
            let limit = Held::Limit(counters.session, counters.limit);
            // It is never free at once: there is a store, and it has just been written to.
            self.journal.hold(since, limit);
        }
    }

    /// Removes a session that is over.
    pub(super) fn forget_session(&mut self, session: &SessionFingerprint) {
        for table in [records::SESSIONS, records::COUNTERS] {
            let name = session.0.to_vec().into();
            self.keep(Keep::Noted, records::remove(table, name));
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
