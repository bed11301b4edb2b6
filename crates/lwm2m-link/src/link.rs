//! Addresses, peers and identities over one CoAP endpoint.

use crate::connections::{ConnectionConfig, Connections};
use crate::engine::{Engine, StreamAction, Transmit};
use alloc::collections::BTreeSet;
use core::hash::BuildHasher;
use core::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use hashbrown::{DefaultHashBuilder, HashMap, HashTable};
use lwm2m_coap::{Config, Endpoint, Event, PeerId};
use lwm2m_time::Instant;

/// What the security layer has proven about a peer.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Identity {
    /// Nothing: plain CoAP, security mode 3.
    NoSec,
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
    peers: HashMap<PeerId, Peer>,
    /// The peers that datagrams carry, by the hash of their addresses, which stand in `peers`.
    by_address: HashTable<PeerId>,
    hasher: DefaultHashBuilder,
    /// Peers to forget once what is to be sent to them has been polled.
    unused: BTreeSet<PeerId>,
    next_id: u64,
    max_peers: usize,
    refused: u64,
}

#[derive(Debug)]
struct Peer {
    address: SocketAddr,
    /// A connection carries it, datagrams do not.
    connected: bool,
    identity: Identity,
    holds: u32,
}

impl Link {
    /// A link without peers. `seed` must be unpredictable outside of tests.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        Self {
            max_peers: config.max_peers,
            coap: Endpoint::new(config, seed),
            connections: Connections::default(),
            peers: HashMap::new(),
            by_address: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            unused: BTreeSet::new(),
            next_id: 0,
            refused: 0,
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
            None => self.begin_connection(now, address, Some(address)),
        }
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

    /// Whether something can be sent to the peer: not if it was on a connection that is over.
    #[must_use]
    pub fn is_reachable(&self, peer: PeerId) -> bool {
        self.peers.get(&peer).is_some_and(|it| !it.connected || self.connections.has(peer))
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
        self.peers.get(&peer).map(|peer| &peer.identity)
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
        let peer = self.new_peer(address, false);
        let (peers, hasher) = (&self.peers, &self.hasher);
        let hash_of = |peer: &PeerId| peers.get(peer).map_or(0, |it| hasher.hash_one(it.address));
        self.by_address.insert_unique(hash, peer, hash_of);
        Some(peer)
    }

    fn hash(&self, address: SocketAddr) -> u64 {
        self.hasher.hash_one(address)
    }

    fn new_peer(&mut self, address: SocketAddr, connected: bool) -> PeerId {
        let peer = PeerId(self.next_id);
        self.next_id += 1;
        self.peers.insert(peer, Peer { address, connected, identity: Identity::NoSec, holds: 0 });
        peer
    }

    fn begin_connection(
        &mut self,
        now: Instant,
        address: SocketAddr,
        to: Option<SocketAddr>,
    ) -> Option<PeerId> {
        if self.peers.len() >= self.max_peers || self.connections.is_full() {
            return None;
        }
        let peer = self.new_peer(canonical(address), true);
        if self.coap.connected(now, peer).is_err() {
            self.peers.remove(&peer);
            return None;
        }
        self.connections.begin(now, peer, to);
        Some(peer)
    }

    fn forget_if_unused(&mut self, peer: PeerId) {
        let unused = self.peers.get(&peer).is_some_and(|state| state.holds == 0);
        if unused
            && self.coap.is_idle(peer)
            && let Some(state) = self.peers.remove(&peer)
        {
            // The next peer at this address has another name.
            self.coap.reset_parameters(peer);
            if state.connected {
                return;
            }
            let hash = self.hash(state.address);
            if let Ok(entry) = self.by_address.find_entry(hash, |known| *known == peer) {
                entry.remove();
            }
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
        match self.peer_at(from) {
            Some(peer) => self.coap.handle_datagram(now, peer, datagram),
            None => self.refused += 1,
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.coap.handle_timeout(now);
        self.connections.handle_timeout(now, &mut self.coap);
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        while let Some(transmit) = self.coap.poll_transmit() {
            match self.peers.get(&transmit.peer) {
                Some(peer) if peer.connected => {
                    self.connections.write(transmit.peer, transmit.payload);
                }
                Some(peer) => {
                    return Some(Transmit { to: peer.address, payload: transmit.payload });
                }
                // A peer that was forgotten meanwhile has nowhere to send to.
                None => {}
            }
        }
        self.unused.extend(self.connections.take_ended());
        while let Some(peer) = self.unused.pop_first() {
            self.forget_if_unused(peer);
        }
        None
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.coap.poll_timeout().into_iter().chain(self.connections.poll_timeout()).min()
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

    fn handle_connected(&mut self, now: Instant, from: SocketAddr) -> Option<PeerId> {
        self.begin_connection(now, from, None)
    }

    fn handle_stream(&mut self, now: Instant, peer: PeerId, bytes: &[u8]) {
        self.connections.heard(now, peer);
        self.coap.handle_stream(now, peer, bytes);
    }

    fn handle_disconnected(&mut self, now: Instant, peer: PeerId) {
        self.coap.disconnected(now, peer);
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
