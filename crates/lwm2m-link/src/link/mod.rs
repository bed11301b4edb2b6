//! Addresses, peers and identities over one CoAP endpoint.

mod carried;
mod continuing;
mod driven;
mod durable;
mod rebind;
mod recording;
mod renewing;
mod secured;
mod settling;
mod strangers;

pub use durable::SessionWrites;
pub use rebind::RebindError;

use crate::connections::{ConnectionConfig, Connections};
use crate::engine::{ConnectionId, Outputs};
use crate::sessions::{SecurityEvent, Sessions};
use crate::table;
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use core::fmt;
use core::hash::BuildHasher;
use core::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use core::ops::{Deref, DerefMut};
use hashbrown::{DefaultHashBuilder, HashMap, HashTable};
use lwm2m_coap::{Config, Endpoint, Event, PeerId, PeerParameters, Statistics};
use lwm2m_dtls::{ClientProfile, SessionId};
use lwm2m_time::Instant;

/// What the security layer has proven about a peer.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Identity {
    /// Nothing: plain CoAP, security mode 3.
    NoSec,
    /// What the handshake has shown; of pre-shared keys the client's identity on both sides.
    Secured(lwm2m_dtls::Identity),
}

impl Identity {
    /// What the handshake has shown; `None` without security.
    #[must_use]
    pub const fn secured(&self) -> Option<&lwm2m_dtls::Identity> {
        match self {
            Self::NoSec => None,
            Self::Secured(proven) => Some(proven),
        }
    }
}

/// What a link tells the engine above, in the order in which it happened.
#[derive(Clone, Debug)]
pub enum LinkEvent {
    /// An event of CoAP. [`Event::PeerIdle`] never comes: the link handles it.
    Coap(Event),
    /// What became of a session. It comes before the failures of the requests that it explains.
    Security(SecurityEvent),
    /// A message to a peer, or a flight of a handshake that this side began, had no answer and was
    /// sent again for the first time. On a connection a request had no response for as long.
    Unanswered {
        /// The peer.
        peer: PeerId,
    },
}

/// What carries the messages of a peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Carrier {
    /// The datagrams of the port for coap.
    Datagrams,
    /// A session on the datagrams of the port for coaps.
    Session(SessionId),
    /// A connection, with or without a session of TLS.
    Connection(ConnectionId),
}

/// Everything below an LwM2M engine: it maps remote addresses to peers and runs CoAP with them.
///
/// The link forgets a peer that is not [held](Link::hold) when the last CoAP state about it has
/// expired. [`Config::max_peers`] bounds the number of peers of each kind: without security, in
/// sessions, on connections. Of strangers, which have no security and are not held, there are a
/// sixteenth of that at most, and the oldest gives way to a new one: datagrams from forged addresses
/// neither fill the memory nor keep anybody out.
///
/// # A new session of a client
/// A device without a Connection ID that sleeps, or whose address changes, makes a new session. A
/// held peer goes on in it, with its requests and observations ([`Link::rebind`]), if the session
/// has the same identity:
/// - at once, if it resumes an earlier one: the client has the master secret of that session;
/// - after a full handshake, from the first datagram on that answers a request of the peer or
///   notifies of one of its observations. A client that has restarted knows none of their tokens.
///
/// Until then the peer cannot be reached if its own session has ended. [`SecurityEvent::Moved`]
/// tells that it goes on. Sessions that this side began are not continued.
///
/// # A server that has lost its session
/// A server that has restarted, or that a device without a Connection ID has left by another
/// address, drops the records of a session. When a message of a peer, whose session this side began,
/// was retransmitted twice without an answer, the link makes a new session beside the old one, by
/// resumption if the server still can. Once it is established, the peer goes on in it. Until then,
/// and if the handshake fails, nothing changes, so that lost or forged packets end no session.
#[derive(Debug)]
pub struct Link {
    coap: Endpoint,
    connections: Connections,
    sessions: Option<Box<Sessions>>,
    /// The seed of the sessions' randomness, until there are sessions.
    seed: Option<Seed>,
    peers: HashMap<PeerId, Peer>,
    /// The peers that datagrams carry, by the hash of their addresses, which stand in `peers`.
    by_address: HashTable<PeerId>,
    hasher: DefaultHashBuilder,
    /// The peers on datagrams that are not held, the oldest first.
    strangers: BTreeSet<PeerId>,
    /// Peers to forget, unless they are held or CoAP still knows them.
    unused: BTreeSet<PeerId>,
    outputs: Outputs<LinkEvent>,
    recording: Option<Box<recording::Recording>>,
    next_id: u64,
    max_peers: usize,
    /// Default CoAP parameters; peers with small DTLS records have their own.
    parameters: PeerParameters,
    refused: u64,
    evicted: u64,
    refused_connections: u64,
    /// Sessions that clients have established: by a full handshake, and by resumption.
    accepted: (u64, u64),
    /// The latest time that was passed in.
    now: Instant,
}

/// The CoAP endpoint of a [`Link`]. When it is dropped, the link takes what the endpoint has to
/// send and to tell.
#[derive(Debug)]
pub struct Coap<'a>(&'a mut Link);

impl Deref for Coap<'_> {
    type Target = Endpoint;

    fn deref(&self) -> &Endpoint {
        &self.0.coap
    }
}

impl DerefMut for Coap<'_> {
    fn deref_mut(&mut self) -> &mut Endpoint {
        &mut self.0.coap
    }
}

impl Drop for Coap<'_> {
    fn drop(&mut self) {
        self.0.settle();
    }
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
            parameters: config.peer_parameters(),
            coap: Endpoint::new(config, seed),
            connections: Connections::default(),
            sessions: None,
            // Message ids go out in the clear and keys must not follow from them.
            seed: Some(Seed(seed.map(|byte| byte ^ 0x36))),
            peers: HashMap::new(),
            by_address: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            strangers: BTreeSet::new(),
            unused: BTreeSet::new(),
            outputs: Outputs::default(),
            recording: None,
            next_id: 0,
            refused: 0,
            evicted: 0,
            refused_connections: 0,
            accepted: (0, 0),
            now: Instant::ZERO,
        }
    }

    /// Sets the deadlines of connections that begin from now on, and the bound on their number.
    pub const fn set_connection_config(&mut self, config: ConnectionConfig) {
        self.connections.config = config;
    }

    /// The peer at the other end of a connection to an address, which is opened unless there is
    /// one. Requests may follow at once; if the connection cannot be opened, they fail. `None`
    /// while there are too many peers or connections.
    #[must_use]
    pub fn open_connection(&mut self, now: Instant, address: SocketAddr) -> Option<PeerId> {
        self.open(now, address, Secured::No)
    }

    /// Asks the peer to close the connection when nothing is pending on it any more; after
    /// [`ConnectionConfig::release`] it is closed in any case.
    pub fn release_connection(&mut self, now: Instant, peer: PeerId) {
        self.coap.release(peer);
        if let Some(connection) = self.connection_of(peer) {
            self.connections.released(now, connection);
        }
        self.settle();
    }

    /// Whether the peer is on a connection.
    #[must_use]
    pub fn is_connected(&self, peer: PeerId) -> bool {
        self.connection_of(peer).is_some_and(|connection| self.connections.has(connection))
    }

    /// Whether the peer is on connections, also if its connection is over.
    #[must_use]
    pub fn uses_connections(&self, peer: PeerId) -> bool {
        self.connection_of(peer).is_some()
    }

    /// Whether something can be sent to the peer: not if its connection or session is over.
    #[must_use]
    pub fn is_reachable(&self, peer: PeerId) -> bool {
        self.peers.get(&peer).is_some_and(|it| match it.carrier {
            Carrier::Datagrams => true,
            Carrier::Connection(connection) => self.connections.has(connection),
            Carrier::Session(session) => {
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
        if let Some(state) = self.peers.get_mut(&peer) {
            state.holds = state.holds.saturating_add(1);
            self.strangers.remove(&peer);
            self.recorder_mut().into_iter().for_each(|it| it.know(peer));
        }
    }

    /// Undoes one [`Link::hold`].
    pub fn release(&mut self, peer: PeerId) {
        if let Some(state) = self.peers.get_mut(&peer) {
            state.holds = state.holds.saturating_sub(1);
            self.note_stranger(peer);
            self.unused.insert(peer);
            self.settle();
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
    pub const fn coap(&mut self) -> Coap<'_> {
        Coap(self)
    }

    /// The counters of CoAP.
    #[must_use]
    pub const fn statistics(&self) -> &Statistics {
        self.coap.statistics()
    }

    /// The latest time that was passed in.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    #[cfg(test)]
    pub(crate) const fn connections(&self) -> &Connections {
        &self.connections
    }

    /// How many peers are known.
    #[must_use]
    pub fn peer_count(&self) -> usize {
        self.peers.len()
    }

    fn peer_at(&mut self, address: SocketAddr) -> Option<PeerId> {
        let address = canonical(address);
        let hash = self.hash(address);
        let is_at = |peer: &PeerId| self.peers.get(peer).is_some_and(|it| it.address == address);
        if let Some(peer) = self.by_address.find(hash, is_at) {
            return Some(*peer);
        }
        if !self.make_room_for_stranger() {
            return None;
        }
        let peer = self.new_peer(address, Carrier::Datagrams);
        self.enter_address(peer, address);
        self.strangers.insert(peer);
        Some(peer)
    }

    fn enter_address(&mut self, peer: PeerId, address: SocketAddr) {
        let (peers, hasher) = (&self.peers, &self.hasher);
        let hash_of = |peer: &PeerId| peers.get(peer).map_or(0, |it| hasher.hash_one(it.address));
        self.by_address.insert_unique(hasher.hash_one(address), peer, hash_of);
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

    fn forget_if_unused(&mut self, peer: PeerId) {
        let unused = self.peers.get(&peer).is_some_and(|state| state.holds == 0);
        if unused
            && self.coap.is_idle(peer)
            && let Some(state) = self.peers.remove(&peer)
        {
            self.recorder_mut().into_iter().for_each(|it| it.forget(peer));
            // The next peer at this address has another name.
            self.coap.reset_parameters(peer);
            self.forget_carrier(peer, &state);
            self.shrink();
        }
    }

    /// Gives memory back, if that of most peers has gone.
    fn shrink(&mut self) {
        table::shrink(&mut self.peers);
        let (peers, hasher) = (&self.peers, &self.hasher);
        let hash_of = |peer: &PeerId| peers.get(peer).map_or(0, |it| hasher.hash_one(it.address));
        table::shrink_by(&mut self.by_address, hash_of);
        if let Some(sessions) = &mut self.sessions {
            sessions.shrink();
        }
    }

    fn forget_carrier(&mut self, peer: PeerId, state: &Peer) {
        if let (Some(Identity::Secured(identity)), Some(sessions)) =
            (state.identity.as_deref(), &mut self.sessions)
        {
            sessions.by_identity.reconnect(identity, peer);
        }
        match (state.carrier, &mut self.sessions) {
            (Carrier::Datagrams, _) => {
                self.strangers.remove(&peer);
                let hash = self.hash(state.address);
                if let Ok(entry) = self.by_address.find_entry(hash, |known| *known == peer) {
                    entry.remove();
                }
            }
            (Carrier::Session(session), Some(sessions)) => {
                // A client may come back in its session, under another name; a server need not
                // keep a session that this side began and does not use.
                let ours = sessions.is_ours(session);
                sessions.forget(session);
                sessions.abandon_renewal(peer);
                if ours {
                    // It may have ended before.
                    let _ = sessions.endpoint.close(session);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Engine, Input, Output, Transmit};

    fn transmit(link: &mut Link) -> Option<Transmit> {
        match link.poll()? {
            Output::Transmit(transmit) => Some(transmit),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn stranger_is_answered_and_then_forgotten() {
        let mut link = Link::new(Config::default(), [0; 32]);
        let stranger = SocketAddr::from(([192, 0, 2, 7], 5683));
        link.handle(Instant::ZERO, Input::datagram(stranger, &[0x40, 0, 0x12, 0x34]));
        let reset = transmit(&mut link).unwrap();
        assert_eq!((reset.to, &reset.payload[..]), (stranger, &[0x70, 0, 0x12, 0x34][..]));
        assert!(link.poll().is_none());
        assert_eq!(link.peer_count(), 0);
    }

    #[test]
    fn link_local_stranger_is_answered_on_its_own_link() {
        let mut link = Link::new(Config::default(), [0; 32]);
        let [on_two, on_three] =
            [2, 3].map(|scope| SocketAddrV6::new("fe80::1".parse().unwrap(), 5683, 9, scope));
        for stranger in [on_two, on_three] {
            let ping = [0x40, 0, 0x12, 0x34];
            link.handle(Instant::ZERO, Input::datagram(stranger.into(), &ping));
        }
        for stranger in [on_two, on_three] {
            let SocketAddr::V6(to) = transmit(&mut link).unwrap().to else { panic!() };
            assert_eq!((to.ip(), to.scope_id()), (stranger.ip(), stranger.scope_id()));
        }
    }

    #[test]
    fn held_peer_stays_until_it_is_released() {
        let mut link = Link::new(Config::default(), [0; 32]);
        let peer = link.connect(SocketAddr::from(([192, 0, 2, 7], 5683))).unwrap();
        link.hold(peer);
        assert!(link.poll().is_none());
        assert_eq!(link.peer_count(), 1);
        link.release(peer);
        assert!(link.poll().is_none());
        assert_eq!(link.peer_count(), 0);
    }
}
