//! The sessions of a link: what secures peers on datagrams and connections.

use super::{Carrier, Identity, Link, LinkEvent, Secured, Seed, canonical};
use crate::engine::{StreamAction, Transmit};
use crate::recorder::Way;
use crate::sessions::{HandshakeFailure, SecurityEvent, Sessions};
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::net::SocketAddr;
use lwm2m_coap::{BlockSize, PeerId};
use lwm2m_dtls::{Cause, ClientProfile, Endpoint, Role, SessionId};
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
        if !self.has_room_for_session() {
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
            sessions.abandon_renewal(peer);
            // It may have ended meanwhile.
            let _ = sessions.endpoint.close(session);
            self.settle();
        }
    }

    /// Ends all sessions whose identities `is_meant` selects, for example because their
    /// credentials are withdrawn. Returns how many there were.
    pub fn end_sessions_of(&mut self, is_meant: impl Fn(&lwm2m_dtls::Identity) -> bool) -> usize {
        let Some(sessions) = &mut self.sessions else { return 0 };
        let cut_off = sessions.by_identity.all_cut_off(&is_meant);
        let closed = sessions.endpoint.close_where(is_meant);
        cut_off.into_iter().for_each(|peer| self.give_up(peer, Cause::ByUs));
        self.settle();
        closed
    }

    /// Ends all sessions of an identity, which are found without a look at those of others. Returns how
    /// many there were.
    pub fn end_sessions_with(&mut self, identity: &lwm2m_dtls::Identity) -> usize {
        let Some(sessions) = &mut self.sessions else { return 0 };
        let cut_off = sessions.by_identity.is_cut_off(identity);
        let open = sessions.by_identity.sessions(identity).to_vec();
        for session in &open {
            // It is open as long as it is listed.
            let _ = sessions.endpoint.close(*session);
        }
        cut_off.into_iter().for_each(|peer| self.give_up(peer, Cause::ByUs));
        self.settle();
        open.len()
    }

    /// Whether there is room for one more peer in a session on datagrams.
    pub(super) fn has_room_for_session(&self) -> bool {
        self.peers.len() - self.by_address.len() < self.max_peers + self.connections.len()
    }

    /// The session of a peer; `None` in the clear.
    #[must_use]
    pub fn session_of(&self, peer: PeerId) -> Option<SessionId> {
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
        while let Some((session, payload)) = self.endpoint().and_then(Endpoint::poll_stream) {
            let peer = self.sessions.as_ref().and_then(|it| it.peer(session));
            let carrier = peer.and_then(|peer| Some((peer, self.peers.get(&peer)?.carrier)));
            if let Some((peer, Carrier::Connection(connection))) = carrier {
                self.record_stream(peer, session, Way::Sent, &payload);
                self.outputs.stream(StreamAction::Write { connection, payload });
            }
        }
        while let Some(sent) = self.endpoint().and_then(Endpoint::poll_transmit) {
            let (to, payload) = (sent.peer, sent.payload);
            self.record_datagram(to, &payload);
            self.outputs.transmit(Transmit { to, payload, secured: true });
        }
    }

    fn endpoint(&mut self) -> Option<&mut Endpoint> {
        self.sessions.as_mut().map(|it| &mut it.endpoint)
    }

    pub(super) fn tell(&mut self, event: SecurityEvent) {
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
                self.record_secrets(session);
                self.record_established(session);
                self.on_connected(session, identity, role, resumed);
            }
            lwm2m_dtls::Event::Data { session, data } => match self.peer_in(session) {
                Some((peer, true)) => {
                    self.record_received(peer, &data, true);
                    self.coap.handle_stream(now, peer, &data);
                }
                Some((peer, false)) => {
                    let peer = self.recognise(peer, &data);
                    self.follow(peer, session);
                    self.record_genuine(peer);
                    self.record_received(peer, &data, false);
                    self.coap.handle_datagram(now, peer, &data);
                }
                None => self.refused += 1,
            },
            lwm2m_dtls::Event::Unanswered { session, .. } => {
                let peer = sessions.peer(session);
                let told = peer.map(|peer| LinkEvent::Unanswered { peer });
                told.into_iter().for_each(|event| self.outputs.push_back(event));
            }
            lwm2m_dtls::Event::Moved { session, .. } => {
                let peer = sessions.peer(session);
                peer.into_iter().for_each(|peer| self.follow(peer, session));
            }
            lwm2m_dtls::Event::CountersDue { session } => {
                let peer = self.peer_in(session).map(|(peer, _)| peer);
                peer.into_iter().for_each(|peer| self.tell(SecurityEvent::CountersDue { peer }));
            }
            lwm2m_dtls::Event::Closed { session, cause, identity, kept, .. } => {
                let is_ours = sessions.is_ours(session);
                sessions.by_identity.remove(&identity, session);
                match sessions.forget(session) {
                    Some(peer) if cause == Cause::Replaced && sessions.is_renewed(peer) => {}
                    Some(peer) if is_ours => self.give_up(peer, cause),
                    Some(peer) => self.cut_off(peer, &identity, cause),
                    None => {}
                }
                kept.into_iter().for_each(|session| self.tell(SecurityEvent::Forget { session }));
            }
            lwm2m_dtls::Event::Failed { session, peer: address, mode, role, reason } => {
                if let Some(session) = session {
                    sessions.failed(session);
                }
                let peer = session.and_then(|session| sessions.forget(session));
                session.into_iter().for_each(|session| self.record_failed(session));
                let asked = peer.filter(|_| role == Role::Client);
                let failure = HandshakeFailure { peer: asked, address, mode, role, reason };
                self.tell(SecurityEvent::Failed(failure));
                peer.into_iter().for_each(|peer| self.lose(peer));
            }
            _ => {}
        }
    }

    /// A session is established.
    fn on_connected(
        &mut self,
        session: SessionId,
        identity: lwm2m_dtls::Identity,
        role: Role,
        resumed: bool,
    ) {
        let Some(sessions) = &mut self.sessions else { return };
        match (role, resumed) {
            (Role::Server, false) => self.accepted.0 += 1,
            (Role::Server, true) => self.accepted.1 += 1,
            (Role::Client, _) => {}
        }
        let renewed = sessions.renewals.remove(&session);
        if renewed.is_some_and(|peer| !self.renewed(peer, session)) {
            return;
        }
        if let Some(peer) = self.sessions.as_ref().and_then(|it| it.peer(session)) {
            if role == Role::Client {
                self.tell(SecurityEvent::Established { peer, resumed });
            }
            if let Some(state) = self.peers.get_mut(&peer) {
                state.identity = Some(Box::new(Identity::Secured(identity.clone())));
            }
            self.fit_blocks(peer, session);
            self.coap.resume(self.now, peer);
            if renewed.is_some() {
                self.coap.hasten(self.now, peer);
            }
        }
        if role == Role::Server && resumed {
            self.go_on_in(session, &identity);
        }
        if let (Role::Server, Some(sessions)) = (role, &mut self.sessions) {
            sessions.accepted(session, &identity);
        }
    }

    /// The peer that is a session, known or new, and whether it is on a connection.
    pub(super) fn peer_in(&mut self, session: SessionId) -> Option<(PeerId, bool)> {
        let sessions = self.sessions.as_mut()?;
        if let Some(peer) = sessions.peer(session) {
            let carrier = self.peers.get(&peer)?.carrier;
            return Some((peer, matches!(carrier, Carrier::Connection(_))));
        }
        if !self.has_room_for_session() {
            return None;
        }
        let sessions = self.sessions.as_ref()?;
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

    /// Notes the address that a peer on datagrams has by its newest record.
    fn follow(&mut self, peer: PeerId, session: SessionId) {
        let address = self.sessions.as_ref().and_then(|it| it.endpoint.path(session));
        let (Some(address), Some(state)) = (address, self.peers.get_mut(&peer)) else { return };
        if core::mem::replace(&mut state.address, address) != address {
            self.tell(SecurityEvent::Moved { peer });
        }
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
