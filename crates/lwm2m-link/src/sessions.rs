//! Security sessions: which peer is which session of DTLS or TLS.
//!
//! A peer of a secured transport is a session: a new session is a new peer, even at the same
//! address. So a response, an acknowledgement or a Reset counts in the session of its request only
//! (RFC 7252 section 9.1), and an identity never changes.
//!
//! A held peer of a client goes on in a new session of its identity ([`Link`](crate::Link), "A new
//! session of a client").

use crate::by_identity::ByIdentity;
use crate::table::shrink;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;
use core::net::SocketAddr;
use hashbrown::HashMap;
use lwm2m_coap::PeerId;
use lwm2m_dtls::{
    Cause, ClientProfile, Endpoint, Error, Mode, Reason, Restored, Resumption, Role,
    SessionFingerprint, SessionId,
};
use lwm2m_time::Instant;

/// Servers whose sessions are kept for resumption.
const MAX_RESUMPTIONS: usize = 256;

/// What has become of a session.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SecurityEvent {
    /// A session that this side began is established.
    Established {
        /// The peer.
        peer: PeerId,
        /// Whether its keys stem from an earlier session.
        resumed: bool,
    },
    /// A handshake has failed.
    Failed(HandshakeFailure),
    /// A peer goes on from another address: its Connection ID came from there. Or a held peer goes
    /// on in a new session or connection of its identity, perhaps from the same address.
    Moved {
        /// The peer.
        peer: PeerId,
    },
    /// The store should get the [counters](crate::Link::counters) of a peer: few record numbers are
    /// left, or none after a restart. It comes before the message that asks for them, and again when
    /// it seems that a write has failed.
    CountersDue {
        /// The peer.
        peer: PeerId,
    },
    /// A session is over whose [counters](crate::Link::counters) were given out: the store removes
    /// it.
    Forget {
        /// What tells the session from others.
        session: SessionFingerprint,
    },
    /// A session has ended, and whatever was pending in it.
    Ended {
        /// The peer, which has no name any more.
        peer: PeerId,
        /// Why.
        cause: Cause,
    },
}

/// A handshake that has failed; its text is one line for a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandshakeFailure {
    /// The peer, if this side began the handshake; its requests fail next.
    pub peer: Option<PeerId>,
    /// Its address.
    pub address: SocketAddr,
    /// The mode, as far as it was known.
    pub mode: Option<Mode>,
    /// The side that we were.
    pub role: Role,
    /// Why; its text says what to do.
    pub reason: Reason,
}

impl fmt::Display for HandshakeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (address, reason) = (self.address, &self.reason);
        let side = match self.role {
            Role::Client => "server",
            Role::Server => "client",
        };
        let mode = match self.mode {
            Some(Mode::Psk) => " (pre-shared key)",
            Some(Mode::RawPublicKey) => " (raw public key)",
            Some(Mode::Certificate) => " (certificate)",
            None => "",
        };
        write!(f, "the handshake with {side} {address}{mode} failed: {reason}")
    }
}

/// The sessions of a link.
pub(crate) struct Sessions {
    pub(crate) endpoint: Endpoint,
    peers: HashMap<SessionId, PeerId>,
    /// Sessions that this side began, until they end.
    begun: BTreeMap<SessionId, Begun>,
    /// What is to be sent on streams whose handshakes are under way.
    waiting: BTreeMap<SessionId, Vec<Bytes>>,
    resumptions: BTreeMap<SocketAddr, (Arc<ClientProfile>, Arc<Resumption>)>,
    pub(crate) by_identity: ByIdentity,
    /// Handshakes of this side for peers that have a session which is not answered.
    pub(crate) renewals: BTreeMap<SessionId, PeerId>,
}

struct Begun {
    address: SocketAddr,
    profile: Arc<ClientProfile>,
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("peers", &self.peers.len()).finish_non_exhaustive()
    }
}

impl Sessions {
    pub(crate) fn new(mut config: lwm2m_dtls::Config, seed: [u8; 32]) -> Self {
        // The name of CoAP on TLS: RFC 8323 section 8.2.
        config.application_protocol = Some(Bytes::from_static(b"coap"));
        Self {
            endpoint: Endpoint::new(config, seed),
            peers: HashMap::new(),
            begun: BTreeMap::new(),
            waiting: BTreeMap::new(),
            resumptions: BTreeMap::new(),
            by_identity: ByIdentity::default(),
            renewals: BTreeMap::new(),
        }
    }

    /// A session that a client began is established; its oldest one ends if it has too many.
    pub(crate) fn accepted(&mut self, session: SessionId, identity: &lwm2m_dtls::Identity) {
        if let Some(oldest) = self.by_identity.add(identity, session) {
            // It is open, or it would not be there.
            let _ = self.endpoint.close(oldest);
        }
    }

    /// Begins a handshake on datagrams, or on a stream, with what an earlier session with the same
    /// server and profile has left.
    pub(crate) fn begin(
        &mut self,
        now: Instant,
        address: SocketAddr,
        profile: Arc<ClientProfile>,
        stream: bool,
    ) -> Result<SessionId, Error> {
        let earlier = self.resumptions.get(&address);
        let earlier = earlier.filter(|(of, _)| Arc::ptr_eq(of, &profile));
        let resumption = earlier.map(|(_, resumption)| Arc::clone(resumption));
        let (endpoint, given) = (&mut self.endpoint, Arc::clone(&profile));
        let session = match (stream, resumption) {
            (true, resumption) => endpoint.connect_stream(now, address, given, resumption),
            (false, Some(resumption)) => endpoint.resume(now, address, given, resumption),
            (false, None) => endpoint.connect(now, address, given),
        }?;
        self.begun.insert(session, Begun { address, profile });
        Ok(session)
    }

    /// Begins another session beside an established one that this side began.
    pub(crate) fn renew(&mut self, now: Instant, peer: PeerId, session: SessionId) {
        let Some(Begun { address, profile }) = self.begun.get(&session) else { return };
        let (address, profile) = (*address, Arc::clone(profile));
        if self.endpoint.identity(session).is_none() || self.is_renewed(peer) {
            return;
        }
        // Without room for a handshake the old session is all there is.
        if let Ok(session) = self.begin(now, address, profile, false) {
            self.renewals.insert(session, peer);
        }
    }

    /// Whether a new session of a peer is under way.
    pub(crate) fn is_renewed(&self, peer: PeerId) -> bool {
        self.renewals.values().any(|it| *it == peer)
    }

    /// Ends the handshake for a peer that does not need another session any more.
    pub(crate) fn abandon_renewal(&mut self, peer: PeerId) {
        let renewal = self.renewals.iter().find(|(_, it)| **it == peer);
        if let Some(session) = renewal.map(|(session, _)| *session) {
            self.renewals.remove(&session);
            self.begun.remove(&session);
            // It is under way, or has just failed.
            let _ = self.endpoint.close(session);
        }
    }

    /// A session that this side began is established.
    pub(crate) fn established(&mut self, session: SessionId, resumption: Option<Arc<Resumption>>) {
        let Some(begun) = self.begun.get(&session) else { return };
        if self.resumptions.len() >= MAX_RESUMPTIONS {
            self.resumptions.pop_first();
        }
        if let Some(resumption) = resumption {
            self.resumptions.insert(begun.address, (Arc::clone(&begun.profile), resumption));
        }
    }

    /// A handshake has failed: perhaps for what was to be resumed.
    pub(crate) fn failed(&mut self, session: SessionId) {
        // One beside another session fails for want of an answer.
        if self.renewals.remove(&session).is_none()
            && let Some(begun) = self.begun.get(&session)
        {
            self.resumptions.remove(&begun.address);
        }
    }

    /// Seals a session for a store; see [`Link::session_record`](crate::Link::session_record).
    pub(crate) fn seal(&mut self, session: SessionId) -> Option<Vec<u8>> {
        let Some(Begun { address, profile }) = self.begun.get(&session) else {
            return self.endpoint.seal_session(session).ok();
        };
        let resumption = self.resumptions.get(address);
        let resumption = resumption.filter(|(of, _)| Arc::ptr_eq(of, profile));
        let resumption = resumption.map(|(_, resumption)| &**resumption);
        self.endpoint.seal_client_session(session, profile, resumption).ok()
    }

    /// Goes on with a session that this side began before a restart.
    pub(crate) fn restore_begun(
        &mut self,
        sealed: &[u8],
        counters: &[u8],
        profile: Arc<ClientProfile>,
    ) -> Result<Restored, Error> {
        let mut restored = self.endpoint.restore_client(sealed, counters, &profile)?;
        let session = restored.session;
        if let Some(address) = self.endpoint.peer(session) {
            self.begun.insert(session, Begun { address, profile });
            self.established(session, restored.resumption.take().map(Arc::new));
        }
        Ok(restored)
    }

    pub(crate) fn name(&mut self, session: SessionId, peer: PeerId) {
        self.peers.insert(session, peer);
    }

    pub(crate) fn peer(&self, session: SessionId) -> Option<PeerId> {
        self.peers.get(&session).copied()
    }

    pub(crate) fn is_named(&self, session: SessionId) -> bool {
        self.peers.contains_key(&session)
    }

    /// The peer of a session is forgotten, or the session over.
    pub(crate) fn forget(&mut self, session: SessionId) -> Option<PeerId> {
        self.begun.remove(&session);
        self.waiting.remove(&session);
        self.peers.remove(&session)
    }

    /// Gives memory back, if that of most peers has gone.
    pub(crate) fn shrink(&mut self) {
        shrink(&mut self.peers);
        self.by_identity.shrink();
    }

    /// Whether this side began the session.
    pub(crate) fn is_ours(&self, session: SessionId) -> bool {
        self.begun.contains_key(&session)
    }

    /// Sends in a session. On a stream bytes wait for the end of the handshake; on datagrams
    /// nothing is sent before.
    pub(crate) fn send(&mut self, now: Instant, session: SessionId, payload: Bytes, stream: bool) {
        match self.endpoint.send(now, session, &payload) {
            Err(Error::NotEstablished) if stream => {
                self.waiting.entry(session).or_default().push(payload);
            }
            // What cannot be sent is as good as lost on the way.
            _ => {}
        }
    }

    /// Sends what has waited for the end of the handshake.
    pub(crate) fn send_waiting(&mut self, now: Instant, session: SessionId) {
        for payload in self.waiting.remove(&session).unwrap_or_default() {
            self.send(now, session, payload, true);
        }
    }
}
