//! Addresses, peers and identities over one CoAP endpoint.

use crate::connections::{ConnectionConfig, Connections, Way};
use crate::engine::{Engine, StreamAction, Transmit};
use crate::sessions::{HandshakeFailure, SecurityEvent, Sessions};
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use core::fmt;
use core::hash::BuildHasher;
use core::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use hashbrown::{DefaultHashBuilder, HashMap, HashTable};
use lwm2m_coap::{BlockSize, Config, Endpoint, Event, PeerId, PeerParameters};
use lwm2m_dtls::{ClientProfile, Role, SessionId};
use lwm2m_time::Instant;

/// What a message may have besides its block: as much as RFC 7252 section 4.6 allows for.
const ROOM_FOR_OPTIONS: usize = 128;

/// What the security layer has proven about a peer.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Identity {
    /// Nothing: plain CoAP, security mode 3.
    NoSec,
    /// What the handshake has shown; of pre-shared keys the client's identity on both sides.
    Secured(lwm2m_dtls::Identity),
}

/// What carries the messages of a peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Carrier {
    /// The datagrams of the port for coap.
    Datagrams,
    /// A session on the datagrams of the port for coaps.
    Session(SessionId),
    /// A connection.
    Connection,
    /// A session on a connection.
    SecuredConnection(SessionId),
}

impl Carrier {
    const fn is_connection(self) -> bool {
        matches!(self, Self::Connection | Self::SecuredConnection(_))
    }

    const fn session(self) -> Option<SessionId> {
        match self {
            Self::Session(session) | Self::SecuredConnection(session) => Some(session),
            Self::Datagrams | Self::Connection => None,
        }
    }
}

/// Everything below an LwM2M engine: it maps remote addresses to peers and runs CoAP with them.
///
/// A peer that nobody [holds](Link::hold) is forgotten when its last CoAP state has expired, and
/// the number of peers is bounded by [`Config::max_peers`], so that datagrams from forged
/// addresses cannot fill the memory.
#[derive(Debug)]
pub struct Link {
    coap: Endpoint,
    connections: Connections,
    sessions: Option<Box<Sessions>>,
    /// What the randomness of sessions will stem from.
    seed: Option<Seed>,
    peers: HashMap<PeerId, Peer>,
    /// The peers that datagrams carry, by the hash of their addresses, which stand in `peers`.
    by_address: HashTable<PeerId>,
    hasher: DefaultHashBuilder,
    /// Peers to forget once what is to be sent to them has been polled.
    unused: BTreeSet<PeerId>,
    next_id: u64,
    max_peers: usize,
    /// Those of all peers but the ones whose records are short.
    parameters: PeerParameters,
    refused: u64,
    /// The latest time that was passed in.
    now: Instant,
}

/// A seed that is not shown.
struct Seed([u8; 32]);

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(..)")
    }
}

#[derive(Debug)]
struct Peer {
    address: SocketAddr,
    carrier: Carrier,
    /// `None` if nothing is proven; boxed, as plain peers are many and need none.
    identity: Option<Box<Identity>>,
    holds: u32,
}

/// Whether a connection speaks TLS, and on which side.
enum Secured {
    No,
    AsServer,
    AsClient(Arc<ClientProfile>),
}

impl Link {
    /// A link without peers. `seed` must be unpredictable outside of tests.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        Self {
            max_peers: config.max_peers,
            parameters: PeerParameters {
                transmission: config.transmission,
                preferred_block_size: config.preferred_block_size,
            },
            coap: Endpoint::new(config, seed),
            connections: Connections::default(),
            sessions: None,
            // Message ids go out in the clear and keys must not follow from them.
            seed: Some(Seed(seed.map(|byte| byte ^ 0x36))),
            peers: HashMap::new(),
            by_address: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            unused: BTreeSet::new(),
            next_id: 0,
            refused: 0,
            now: Instant::ZERO,
        }
    }

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

    /// Sets the deadlines of connections that begin from now on, and the bound on their number.
    pub const fn set_connection_config(&mut self, config: ConnectionConfig) {
        self.connections.config = config;
    }

    /// The peer at the other end of a connection to an address, which is opened unless it is known.
    /// Requests may follow at once; should the connection not come about, they fail. `None` while
    /// there are too many peers or connections.
    #[must_use]
    pub fn open_connection(&mut self, now: Instant, address: SocketAddr) -> Option<PeerId> {
        match self.connections.opened_to(address) {
            Some(peer) => Some(peer),
            None => self.begin_connection(now, Way::To(address), Secured::No),
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
        match self.connections.opened_to(address) {
            Some(peer) => Some(peer),
            None => self.begin_connection(now, Way::To(address), Secured::AsClient(profile)),
        }
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
        self.settle_sessions();
        Some(peer)
    }

    /// Ends the session of a peer, and with it all that is pending.
    pub fn end_session(&mut self, peer: PeerId) {
        let session = self.peers.get(&peer).and_then(|it| it.carrier.session());
        if let (Some(session), Some(sessions)) = (session, &mut self.sessions) {
            // It may have ended meanwhile.
            let _ = sessions.endpoint.close(session);
            self.settle_sessions();
        }
    }

    /// Ends all sessions with peers of which this holds, for example because their credentials
    /// are withdrawn.
    pub fn end_sessions_of(&mut self, is_meant: impl Fn(&lwm2m_dtls::Identity) -> bool) {
        let Some(sessions) = &mut self.sessions else { return };
        sessions.endpoint.close_where(is_meant);
        self.settle_sessions();
    }

    /// What has become of sessions. An engine looks here before it polls the events of CoAP, so
    /// that it knows why requests have failed.
    pub fn poll_security_event(&mut self) -> Option<SecurityEvent> {
        self.sessions.as_mut()?.events.pop_front()
    }

    /// Asks the peer to close the connection when nothing is pending on it any more; after
    /// [`ConnectionConfig::release`] it is closed in any case.
    pub fn release_connection(&mut self, now: Instant, peer: PeerId) {
        self.coap.release(peer);
        self.connections.released(now, peer);
    }

    /// Whether the peer is on a connection.
    #[must_use]
    pub fn is_connected(&self, peer: PeerId) -> bool {
        self.connections.has(peer)
    }

    /// Whether something can be sent to the peer: not if its connection or session is over.
    #[must_use]
    pub fn is_reachable(&self, peer: PeerId) -> bool {
        self.peers.get(&peer).is_some_and(|it| match it.carrier {
            Carrier::Datagrams => true,
            Carrier::Connection => self.connections.has(peer),
            Carrier::Session(session) | Carrier::SecuredConnection(session) => {
                self.sessions.as_ref().is_some_and(|sessions| sessions.is_named(session))
            }
        })
    }

    /// The peer at an address, known or new; `None` while the table of peers is full.
    #[must_use]
    pub fn connect(&mut self, address: SocketAddr) -> Option<PeerId> {
        self.peer_at(address)
    }

    /// Keeps a peer known until it is [released](Link::release) as often as it was held.
    pub fn hold(&mut self, peer: PeerId) {
        if let Some(peer) = self.peers.get_mut(&peer) {
            peer.holds = peer.holds.saturating_add(1);
        }
    }

    /// Undoes one [`Link::hold`].
    pub fn release(&mut self, peer: PeerId) {
        if let Some(state) = self.peers.get_mut(&peer) {
            state.holds = state.holds.saturating_sub(1);
            self.unused.insert(peer);
        }
    }

    /// The address of a peer.
    #[must_use]
    pub fn peer_address(&self, peer: PeerId) -> Option<SocketAddr> {
        self.peers.get(&peer).map(|peer| peer.address)
    }

    /// What is proven about a peer.
    #[must_use]
    pub fn identity(&self, peer: PeerId) -> Option<&Identity> {
        const NO_SEC: &Identity = &Identity::NoSec;
        self.peers.get(&peer).map(|peer| peer.identity.as_deref().unwrap_or(NO_SEC))
    }

    /// The CoAP endpoint, for requests, responses and notifications.
    pub const fn coap(&mut self) -> &mut Endpoint {
        &mut self.coap
    }

    /// How many peers are known.
    #[must_use]
    pub fn peer_count(&self) -> usize {
        self.peers.len()
    }

    /// How many datagrams were dropped because the table of peers was full.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    fn peer_at(&mut self, address: SocketAddr) -> Option<PeerId> {
        let address = canonical(address);
        let hash = self.hash(address);
        let is_at = |peer: &PeerId| self.peers.get(peer).is_some_and(|it| it.address == address);
        if let Some(peer) = self.by_address.find(hash, is_at) {
            return Some(*peer);
        }
        if self.peers.len() >= self.max_peers {
            return None;
        }
        let peer = self.new_peer(address, Carrier::Datagrams);
        let (peers, hasher) = (&self.peers, &self.hasher);
        let hash_of = |peer: &PeerId| peers.get(peer).map_or(0, |it| hasher.hash_one(it.address));
        self.by_address.insert_unique(hash, peer, hash_of);
        Some(peer)
    }

    fn hash(&self, address: SocketAddr) -> u64 {
        self.hasher.hash_one(address)
    }

    fn new_peer(&mut self, address: SocketAddr, carrier: Carrier) -> PeerId {
        let peer = PeerId(self.next_id);
        self.next_id += 1;
        self.peers.insert(peer, Peer { address, carrier, identity: None, holds: 0 });
        peer
    }

    fn begin_connection(&mut self, now: Instant, way: Way, secured: Secured) -> Option<PeerId> {
        self.now = self.now.max(now);
        if self.peers.len() >= self.max_peers || !self.connections.has_room(way) {
            return None;
        }
        let address = canonical(way.address());
        let session = match (secured, &mut self.sessions) {
            (Secured::No, _) => None,
            (_, None) => return None,
            (Secured::AsServer, Some(sessions)) => {
                let accepted = sessions.endpoint.accept_stream(now, address);
                if accepted.is_err() {
                    // Which is told.
                    self.settle_sessions();
                }
                Some(accepted.ok()?)
            }
            (Secured::AsClient(profile), Some(sessions)) => {
                Some(sessions.begin(now, address, profile, true).ok()?)
            }
        };
        let carrier = session.map_or(Carrier::Connection, Carrier::SecuredConnection);
        let peer = self.new_peer(address, carrier);
        if let (Some(session), Some(sessions)) = (session, &mut self.sessions) {
            sessions.name(session, peer);
        }
        if self.coap.connected(now, peer).is_err() {
            self.end_session(peer);
            self.peers.remove(&peer);
            return None;
        }
        self.connections.begin(now, peer, way);
        Some(peer)
    }

    /// Passes on what sessions have led to; their bytes first, as their names may end.
    fn settle_sessions(&mut self) {
        loop {
            self.write_streams();
            let event = self.sessions.as_mut().and_then(|it| it.endpoint.poll_event());
            let Some(event) = event else { return };
            self.on_session_event(event);
        }
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
                    sessions.events.push_back(SecurityEvent::Established { peer, resumed });
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
                    sessions.events.push_back(SecurityEvent::Moved { peer });
                }
            }
            lwm2m_dtls::Event::Closed { session, cause, .. } => {
                if let Some(peer) = sessions.forget(session) {
                    sessions.events.push_back(SecurityEvent::Ended { peer, cause });
                    self.lose(peer);
                }
            }
            lwm2m_dtls::Event::Failed { session, peer: address, mode, role, reason } => {
                session.into_iter().for_each(|session| sessions.failed(session));
                let peer = session.and_then(|session| sessions.forget(session));
                let asked = peer.filter(|_| role == Role::Client);
                let failure = HandshakeFailure { peer: asked, address, mode, role, reason };
                sessions.events.push_back(SecurityEvent::Failed(failure));
                peer.into_iter().for_each(|peer| self.lose(peer));
            }
            _ => {}
        }
    }

    /// The peer that is a session, known or new, and whether it is on a connection.
    fn peer_in(&mut self, session: SessionId) -> Option<(PeerId, bool)> {
        let sessions = self.sessions.as_mut()?;
        if let Some(peer) = sessions.peer(session) {
            return Some((peer, self.peers.get(&peer)?.carrier.is_connection()));
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
            let own = PeerParameters { preferred_block_size: size, ..self.parameters };
            // Without room for it long messages are lost, and short ones arrive.
            let _ = self.coap.set_parameters(peer, Arc::new(own));
        }
    }

    /// The session of a peer is over.
    fn lose(&mut self, peer: PeerId) {
        match self.peers.get(&peer).map(|it| it.carrier.is_connection()) {
            Some(true) => self.end_connection(peer),
            Some(false) => self.coap.lose(self.now, peer),
            None => {}
        }
        self.unused.insert(peer);
    }

    /// A connection is over. From now on another one to the same address may be opened.
    fn end_connection(&mut self, peer: PeerId) {
        self.coap.disconnected(self.now, peer);
        self.connections.end(peer);
    }

    /// Says close_notify where CoAP has ended the connection.
    fn close_ended(&mut self) {
        for peer in self.connections.ending() {
            self.end_session(peer);
        }
    }

    /// Hands what sessions want written to their connections.
    fn write_streams(&mut self) {
        let Some(sessions) = &mut self.sessions else { return };
        while let Some((session, bytes)) = sessions.endpoint.poll_stream() {
            if let Some(peer) = sessions.peer(session) {
                self.connections.write(peer, bytes);
            }
        }
    }

    fn forget_if_unused(&mut self, peer: PeerId) {
        let unused = self.peers.get(&peer).is_some_and(|state| state.holds == 0);
        if unused
            && self.coap.is_idle(peer)
            && let Some(state) = self.peers.remove(&peer)
        {
            // The next peer at this address has another name.
            self.coap.reset_parameters(peer);
            self.forget_carrier(peer, &state);
        }
    }

    fn forget_carrier(&mut self, peer: PeerId, state: &Peer) {
        match (state.carrier, &mut self.sessions) {
            (Carrier::Datagrams, _) => {
                let hash = self.hash(state.address);
                if let Ok(entry) = self.by_address.find_entry(hash, |known| *known == peer) {
                    entry.remove();
                }
            }
            (Carrier::Session(session), Some(sessions)) => {
                // A client may come back in its session, under another name; a server need not
                // keep one that we do not use.
                let ours = sessions.is_ours(session);
                sessions.forget(session);
                if ours {
                    // It may have ended before.
                    let _ = sessions.endpoint.close(session);
                    self.settle_sessions();
                }
            }
            _ => {}
        }
    }
}

/// An IPv4 address is the same peer however the socket writes it; an IPv6 address keeps its scope,
/// without which a link-local one cannot be answered.
fn canonical(address: SocketAddr) -> SocketAddr {
    let SocketAddr::V6(v6) = address else { return address };
    let port = v6.port();
    match v6.ip().to_ipv4_mapped() {
        Some(ip) => SocketAddrV4::new(ip, port).into(),
        None => SocketAddrV6::new(*v6.ip(), port, 0, v6.scope_id()).into(),
    }
}

/// A datagram from an unknown address is dropped while the table of peers is full.
impl Engine for Link {
    type Event = Event;

    fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        self.now = self.now.max(now);
        match self.peer_at(from) {
            Some(peer) => self.coap.handle_datagram(now, peer, datagram),
            None => self.refused += 1,
        }
    }

    fn handle_secured_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        self.now = self.now.max(now);
        if let Some(sessions) = &mut self.sessions {
            sessions.endpoint.handle_datagram(now, canonical(from), datagram);
            self.settle_sessions();
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.now = self.now.max(now);
        if let Some(sessions) = &mut self.sessions {
            sessions.endpoint.handle_timeout(now);
            self.settle_sessions();
        }
        self.coap.handle_timeout(now);
        self.connections.handle_timeout(now, &mut self.coap);
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        while let Some(lwm2m_coap::Transmit { peer, payload }) = self.coap.poll_transmit() {
            // A peer that was forgotten meanwhile has nowhere to send to.
            let Some(state) = self.peers.get(&peer) else { continue };
            match (state.carrier, &mut self.sessions) {
                (Carrier::Connection, _) => self.connections.write(peer, payload),
                (Carrier::Datagrams, _) => {
                    return Some(Transmit { to: state.address, payload, secured: false });
                }
                (Carrier::Session(session), Some(sessions)) => {
                    sessions.send(self.now, session, payload, false);
                }
                (Carrier::SecuredConnection(session), Some(sessions)) => {
                    sessions.send(self.now, session, payload, true);
                }
                _ => {}
            }
        }
        self.write_streams();
        self.close_ended();
        self.unused.extend(self.connections.take_ended());
        while let Some(peer) = self.unused.pop_first() {
            self.forget_if_unused(peer);
        }
        let sent = self.sessions.as_mut()?.endpoint.poll_transmit()?;
        Some(Transmit { to: sent.peer, payload: sent.payload, secured: true })
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let sessions = self.sessions.as_ref().and_then(|it| it.endpoint.poll_timeout());
        let below = self.connections.poll_timeout().into_iter().chain(sessions);
        self.coap.poll_timeout().into_iter().chain(below).min()
    }

    fn poll_event(&mut self) -> Option<Event> {
        loop {
            match self.coap.poll_event()? {
                Event::PeerIdle { peer } => {
                    // A Reset may still have to go to it.
                    self.unused.insert(peer);
                }
                Event::Closed { peer, reason } => {
                    self.connections.end(peer);
                    return Some(Event::Closed { peer, reason });
                }
                event => return Some(event),
            }
        }
    }

    fn handle_connected(
        &mut self,
        now: Instant,
        from: SocketAddr,
        secured: bool,
    ) -> Option<PeerId> {
        let secured = if secured { Secured::AsServer } else { Secured::No };
        self.begin_connection(now, Way::From(canonical(from)), secured)
    }

    fn handle_stream(&mut self, now: Instant, peer: PeerId, bytes: &[u8]) {
        self.now = self.now.max(now);
        match (self.peers.get(&peer).map(|it| it.carrier), &mut self.sessions) {
            (Some(Carrier::SecuredConnection(session)), Some(sessions)) => {
                sessions.endpoint.handle_stream(now, session, bytes);
                self.settle_sessions();
            }
            _ => self.coap.handle_stream(now, peer, bytes),
        }
        self.connections.heard(now, peer, self.coap.has_greeted(peer));
    }

    fn handle_disconnected(&mut self, now: Instant, peer: PeerId) {
        self.now = self.now.max(now);
        let session = self.peers.get(&peer).and_then(|it| it.carrier.session());
        if let (Some(session), Some(sessions)) = (session, &mut self.sessions) {
            sessions.endpoint.handle_stream_end(now, session);
            self.settle_sessions();
        }
        self.end_connection(peer);
    }

    fn poll_stream(&mut self) -> Option<StreamAction> {
        self.connections.poll_action()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stranger_is_answered_and_then_forgotten() {
        let mut link = Link::new(Config::default(), [0; 32]);
        let stranger = SocketAddr::from(([192, 0, 2, 7], 5683));
        link.handle_datagram(Instant::ZERO, stranger, &[0x40, 0, 0x12, 0x34]);
        assert_eq!(link.poll_event(), None);
        let reset = link.poll_transmit().unwrap();
        assert_eq!((reset.to, &reset.payload[..]), (stranger, &[0x70, 0, 0x12, 0x34][..]));
        assert_eq!(link.poll_transmit(), None);
        assert_eq!(link.peer_count(), 0);
    }

    #[test]
    fn link_local_stranger_is_answered_on_its_own_link() {
        let mut link = Link::new(Config::default(), [0; 32]);
        let [on_two, on_three] =
            [2, 3].map(|scope| SocketAddrV6::new("fe80::1".parse().unwrap(), 5683, 9, scope));
        for stranger in [on_two, on_three] {
            link.handle_datagram(Instant::ZERO, stranger.into(), &[0x40, 0, 0x12, 0x34]);
        }
        for stranger in [on_two, on_three] {
            let SocketAddr::V6(to) = link.poll_transmit().unwrap().to else { panic!() };
            assert_eq!((to.ip(), to.scope_id()), (stranger.ip(), stranger.scope_id()));
        }
    }

    #[test]
    fn held_peer_stays_until_it_is_released() {
        let mut link = Link::new(Config::default(), [0; 32]);
        let peer = link.connect(SocketAddr::from(([192, 0, 2, 7], 5683))).unwrap();
        link.hold(peer);
        assert_eq!(link.poll_transmit(), None);
        assert_eq!(link.peer_count(), 1);
        link.release(peer);
        assert_eq!(link.poll_transmit(), None);
        assert_eq!(link.peer_count(), 0);
    }
}
