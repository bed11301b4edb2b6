//! The sessions of a link: what secures peers on datagrams and connections.

use super::{Carrier, Identity, Link, LinkEvent, Secured, Seed, canonical};
use crate::engine::{StreamAction, Transmit};
use crate::sessions::{HandshakeFailure, SecurityEvent, Sessions};
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::net::SocketAddr;
use lwm2m_coap::{BlockSize, PeerId};
use lwm2m_dtls::{ClientProfile, Role, SessionId};
use lwm2m_time::Instant;

/// What a message may have besides its block: as much as RFC 7252 section 4.6 allows for.
const ROOM_FOR_OPTIONS: usize = 128;

impl Link {
    /// Lets the ports for coaps and coaps+tcp speak DTLS and TLS; once, before the first peer.
    pub fn set_security(&mut self, config: lwm2m_dtls::Config) {
        if let Some(Seed(seed)) = self.seed.take() {
            self.sessions = Some(Box::new(Sessions::new(config, seed)));
        }
    }

    /// Lets a client identity have so many sessions at a time: the oldest ends when it begins one
    /// more. Without this there is no such bound. Comes after [`Link::set_security`].
    pub fn limit_sessions(&mut self, per_identity: usize) {
        if let Some(sessions) = &mut self.sessions {
            sessions.by_identity.max = Some(per_identity.max(1));
        }
    }

    /// As [`Link::open_connection`], with TLS on it: requests wait for the end of the handshake.
    /// `None` also if the profile cannot be used, or there is no [security](Self::set_security).
    #[must_use]
    pub fn open_secured_connection(
        &mut self,
        now: Instant,
        address: SocketAddr,
        profile: Arc<ClientProfile>,
    ) -> Option<PeerId> {
        self.open(now, address, Secured::AsClient(profile))
    }

    /// A new session with the server at an address, in which an earlier one is resumed if there
    /// was one with this very profile. Requests wait for the end of the handshake and fail if it
    /// fails; what the server says becomes a [`SecurityEvent`] as well. `None` while there are too
    /// many peers, if the profile cannot be used, or without [security](Self::set_security).
    #[must_use]
    pub fn connect_secured(
        &mut self,
        now: Instant,
        address: SocketAddr,
        profile: Arc<ClientProfile>,
    ) -> Option<PeerId> {
        self.now = self.now.max(now);
        if self.peers.len() >= self.max_peers {
            return None;
        }
        let address = canonical(address);
        let fragment_limit = profile.max_fragment_length.map(|code| 256 << code.min(4));
        let session = self.sessions.as_mut()?.begin(now, address, profile, false).ok()?;
        let peer = self.new_peer(address, Carrier::Session(session));
        self.coap.suspend(peer);
        if let Some(limit) = fragment_limit {
            // Requests are cut before the server agrees to what is asked for.
            self.limit_blocks(peer, limit);
        }
        self.sessions.as_mut()?.name(session, peer);
        self.settle();
        Some(peer)
    }

    /// Ends the session of a peer, and with it all that is pending.
    pub fn end_session(&mut self, peer: PeerId) {
        let session = self.session_of(peer);
        if let (Some(session), Some(sessions)) = (session, &mut self.sessions) {
            // It may have ended meanwhile.
            let _ = sessions.endpoint.close(session);
            self.settle();
        }
    }

    /// Ends all sessions whose identities `is_meant` selects, for example because their
    /// credentials are withdrawn.
    pub fn end_sessions_of(&mut self, is_meant: impl Fn(&lwm2m_dtls::Identity) -> bool) {
        let Some(sessions) = &mut self.sessions else { return };
        sessions.endpoint.close_where(is_meant);
        self.settle();
    }

    fn session_of(&self, peer: PeerId) -> Option<SessionId> {
        match self.peers.get(&peer)?.carrier {
            Carrier::Datagrams => None,
            Carrier::Session(session) => Some(session),
            Carrier::Connection(connection) => self.connections.carried(connection)?.session,
        }
    }

    /// Takes what sessions have to send and to tell; the bytes of a session first, as the event of
    /// its end takes its name away.
    pub(super) fn settle_sessions(&mut self) {
        loop {
            self.send_records();
            let event = self.sessions.as_mut().and_then(|it| it.endpoint.poll_event());
            let Some(event) = event else { return };
            self.on_session_event(event);
            self.settle_coap();
        }
    }

    /// Sends the records of sessions.
    fn send_records(&mut self) {
        let Some(sessions) = &mut self.sessions else { return };
        while let Some((session, payload)) = sessions.endpoint.poll_stream() {
            let peer = sessions.peer(session).and_then(|peer| self.peers.get(&peer));
            if let Some(Carrier::Connection(connection)) = peer.map(|it| it.carrier) {
                self.outputs.stream(StreamAction::Write { connection, payload });
            }
        }
        while let Some(sent) = sessions.endpoint.poll_transmit() {
            let payload = sent.payload;
            self.outputs.transmit(Transmit { to: sent.peer, payload, secured: true });
        }
    }

    fn tell(&mut self, event: SecurityEvent) {
        self.outputs.push_back(LinkEvent::Security(event));
    }

    fn on_session_event(&mut self, event: lwm2m_dtls::Event) {
        let now = self.now;
        let Some(sessions) = &mut self.sessions else { return };
        match event {
            lwm2m_dtls::Event::Connected {
                session, identity, role, resumed, resumption, ..
            } => {
                sessions.established(session, resumption);
                sessions.send_waiting(now, session);
                if role == Role::Server {
                    sessions.accepted(session, &identity);
                }
                let Some(peer) = sessions.peer(session) else { return };
                if role == Role::Client {
                    self.tell(SecurityEvent::Established { peer, resumed });
                }
                if let Some(state) = self.peers.get_mut(&peer) {
                    state.identity = Some(Box::new(Identity::Secured(identity)));
                }
                self.fit_blocks(peer, session);
                self.coap.resume(now, peer);
            }
            lwm2m_dtls::Event::Data { session, data } => match self.peer_in(session) {
                Some((peer, true)) => self.coap.handle_stream(now, peer, &data),
                Some((peer, false)) => self.coap.handle_datagram(now, peer, &data),
                None => self.refused += 1,
            },
            lwm2m_dtls::Event::Moved { session, peer: address } => {
                let peer = sessions.peer(session);
                if let Some((peer, state)) =
                    peer.and_then(|it| Some((it, self.peers.get_mut(&it)?)))
                {
                    state.address = address;
                    self.tell(SecurityEvent::Moved { peer });
                }
            }
            lwm2m_dtls::Event::Closed { session, cause, .. } => {
                if let Some(peer) = sessions.forget(session) {
                    self.tell(SecurityEvent::Ended { peer, cause });
                    self.lose(peer);
                }
            }
            lwm2m_dtls::Event::Failed { session, peer: address, mode, role, reason } => {
                session.into_iter().for_each(|session| sessions.failed(session));
                let peer = session.and_then(|session| sessions.forget(session));
                let asked = peer.filter(|_| role == Role::Client);
                let failure = HandshakeFailure { peer: asked, address, mode, role, reason };
                self.tell(SecurityEvent::Failed(failure));
                peer.into_iter().for_each(|peer| self.lose(peer));
            }
            _ => {}
        }
    }

    /// The peer that is a session, known or new, and whether it is on a connection.
    fn peer_in(&mut self, session: SessionId) -> Option<(PeerId, bool)> {
        let sessions = self.sessions.as_mut()?;
        if let Some(peer) = sessions.peer(session) {
            let carrier = self.peers.get(&peer)?.carrier;
            return Some((peer, matches!(carrier, Carrier::Connection(_))));
        }
        if self.peers.len() >= self.max_peers {
            return None;
        }
        let address = sessions.endpoint.peer(session)?;
        let identity = Identity::Secured(sessions.endpoint.identity(session)?.clone());
        let peer = self.new_peer(address, Carrier::Session(session));
        if let Some(state) = self.peers.get_mut(&peer) {
            state.identity = Some(Box::new(identity));
        }
        self.sessions.as_mut()?.name(session, peer);
        self.fit_blocks(peer, session);
        Some((peer, false))
    }

    /// Lets blocks be so small that messages fit the records of a session on datagrams.
    fn fit_blocks(&mut self, peer: PeerId, session: SessionId) {
        let limit = self.sessions.as_ref().and_then(|it| it.endpoint.max_data(session));
        if let Some(limit) = limit {
            self.limit_blocks(peer, limit);
        }
    }

    fn limit_blocks(&mut self, peer: PeerId, limit: usize) {
        let fits = |size: &BlockSize| size.bytes() + ROOM_FOR_OPTIONS <= limit;
        let sizes = (0..=6).rev().filter_map(BlockSize::from_szx);
        let size = sizes.into_iter().find(fits).unwrap_or(BlockSize::B16);
        if size < self.parameters.preferred_block_size {
            let own = self.parameters.preferred_block_size(size);
            // Without room for it long messages are lost, and short ones arrive.
            let _ = self.coap.set_parameters(peer, Arc::new(own));
        }
    }
}
