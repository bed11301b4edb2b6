//! Sessions on datagrams that survive a crash, with the store of an engine.

use super::{Identity, Link};
use alloc::sync::Arc;
use alloc::vec::Vec;
use lwm2m_coap::PeerId;
use lwm2m_dtls::{ClientProfile, Error, Restored, SessionCounters, SessionFingerprint, SessionId};
use lwm2m_time::Instant;

/// What an engine writes to keep a session as it is now.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct SessionWrites {
    /// The key of both values.
    pub fingerprint: SessionFingerprint,
    /// The session, sealed, unless the store has it.
    pub sealed: Option<Vec<u8>>,
    /// Its counters.
    pub counters: Vec<u8>,
    /// What [`Link::limit_written`] has to be told when both are durable; `None` if it knows.
    pub limit: Option<(SessionId, u64)>,
}

/// # Sessions that survive a crash
/// They need [`lwm2m_dtls::Config::durable_sessions`]. An engine that promises something to a peer
/// [tells CoAP](lwm2m_coap::Endpoint::promise) the answer that it will give. With what it promises it
/// writes the [counters](Self::counters) of the session, under their fingerprint, and the
/// [session](Self::session_record) if they say that the store does not have it. So after a restart
/// the record of the request is dropped when it is repeated, and when the device sends the request
/// again in a new record, it gets the same answer and nothing is done twice.
///
/// - When the counters are durable and their limit was not before, the engine says so by
///   [`limit_written`](Self::limit_written). Such a write must not get lost on its way to the store.
/// - [`SecurityEvent::CountersDue`](crate::SecurityEvent::CountersDue) asks for counters.
/// - [`SecurityEvent::Forget`](crate::SecurityEvent::Forget) tells that both values are to be removed.
/// - After a restart, [`import_session`](Self::import_session) goes on with a session.
///
/// Values must be written in the order in which they were made. A store that goes back to an older
/// copy must not give its sessions back: their record numbers would be used twice.
impl Link {
    /// The counters of the session of a peer; see
    /// [`Endpoint::counters`](lwm2m_dtls::Endpoint::counters). Of a request, take those of the peer
    /// that it came from, and before a [rebind](Self::rebind) gives it another session.
    pub fn counters(&mut self, peer: PeerId) -> Option<SessionCounters> {
        let session = self.session_of(peer)?;
        let mut counters = self.sessions.as_mut()?.endpoint.counters(session)?;
        counters.note = self.coap.promises(peer);
        Some(counters)
    }

    /// The session of a peer, sealed; it stays the same as long as the session lasts. `None` if the
    /// peer has no session that can be kept, or if its credential is gone.
    pub fn session_record(&mut self, peer: PeerId) -> Option<Vec<u8>> {
        let session = self.session_of(peer)?;
        self.sessions.as_mut()?.seal(session)
    }

    /// What to write to keep the session of a peer: its [counters](Self::counters), and the
    /// [session](Self::session_record) if the store does not have it. `None` if the peer has no session
    /// that can be kept.
    pub fn session_writes(&mut self, peer: PeerId) -> Option<SessionWrites> {
        let counters = self.counters(peer)?;
        Some(SessionWrites {
            fingerprint: counters.fingerprint,
            sealed: if counters.is_recorded { None } else { self.session_record(peer) },
            counters: counters.encode(),
            limit: (!counters.is_limit_written).then_some((counters.session, counters.limit)),
        })
    }

    /// Notes that [counters](Self::counters) of a session with this limit are durable, and so is the
    /// session. Sends what has waited for that.
    pub fn limit_written(&mut self, now: Instant, session: SessionId, limit: u64) {
        self.now = self.now.max(now);
        if let Some(sessions) = &mut self.sessions {
            sessions.endpoint.limit_written(now, session, limit);
            self.settle();
        }
    }

    /// Goes on with a session that a client began before a restart, with the newest counters that
    /// are durable. [Hold](Self::hold) the peer at once: one that is not held is forgotten with the
    /// next input, until something comes in its session.
    ///
    /// # Errors
    /// As of [`Endpoint::restore`](lwm2m_dtls::Endpoint::restore); [`Error::TooManySessions`] also if
    /// there are too many peers, and [`Error::ImportRefused`] without
    /// [security](Self::set_security). Remove the session from the store then.
    pub fn import_session(
        &mut self,
        now: Instant,
        sealed: &[u8],
        counters: &[u8],
    ) -> Result<PeerId, Error> {
        let restored = self.room_to_import(now)?.endpoint.restore(sealed, counters)?;
        let session = restored.session;
        let peer = self.go_on_with(&restored)?;
        if let (Some(Identity::Secured(identity)), Some(sessions)) =
            (self.peers.get(&peer).and_then(|it| it.identity.as_deref()), &mut self.sessions)
        {
            sessions.accepted(session, identity);
        }
        Ok(peer)
    }

    /// As [`import_session`](Self::import_session) for a session that this side began with a
    /// profile. If the server has lost it, the peer goes on in a new session, by resumption if the
    /// server can.
    ///
    /// # Errors
    /// As of [`import_session`](Self::import_session).
    pub fn import_begun_session(
        &mut self,
        now: Instant,
        sealed: &[u8],
        counters: &[u8],
        profile: Arc<ClientProfile>,
    ) -> Result<PeerId, Error> {
        let restored = self.room_to_import(now)?.restore_begun(sealed, counters, profile)?;
        let peer = self.go_on_with(&restored)?;
        self.coap.restore_message_ids(self.now, peer);
        Ok(peer)
    }

    fn room_to_import(&mut self, now: Instant) -> Result<&mut crate::sessions::Sessions, Error> {
        self.now = self.now.max(now);
        if !self.has_room_for_session() {
            return Err(Error::TooManySessions);
        }
        self.sessions.as_deref_mut().ok_or(Error::ImportRefused)
    }

    /// Makes a peer of an imported session.
    fn go_on_with(&mut self, restored: &Restored) -> Result<PeerId, Error> {
        let (peer, _) = self.peer_in(restored.session).ok_or(Error::TooManySessions)?;
        self.coap.restore_promises(self.now, peer, &restored.note);
        self.unused.insert(peer);
        Ok(peer)
    }
}
