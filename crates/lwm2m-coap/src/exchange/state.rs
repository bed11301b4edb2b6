//! The state of the exchange layer.

use super::bodies::Bodies;
use super::client_exchange::{ClientExchange, TokenUse};
use super::freshness::Freshness;
use super::observation::Observation;
use super::observer::ObserverState;
use super::peer::Peer;
use super::server_exchange::ServerExchange;
use super::streamed::Streaming;
use crate::config::Config;
use crate::event::Event;
use crate::ids::{Observer, PeerId, RequestId};
use crate::message::Token;
use crate::table::shrink;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use hashbrown::HashMap;
use lwm2m_time::{Instant, TimerTable};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// The exchange layer towards all peers.
#[derive(Debug)]
pub(crate) struct Exchanges {
    pub(super) config: Config,
    random: ChaCha20Rng,
    pub(super) peers: HashMap<PeerId, Peer>,
    next_id: u64,
    // Client role.
    pub(super) requests: HashMap<u64, ClientExchange>,
    pub(super) tokens: HashMap<(PeerId, Token), TokenUse>,
    pub(super) observations: HashMap<RequestId, Observation>,
    /// Deadlines of responses whose request is not retransmitted any more.
    pub(super) responses: TimerTable<u64>,
    /// The bytes of incomplete response bodies.
    pub(super) downloading: usize,
    // Server role.
    /// Requests that wait for the application, the oldest first.
    pub(super) waiting: BTreeMap<u64, ServerExchange>,
    pub(super) observers: HashMap<Observer, Box<ObserverState>>,
    pub(super) bodies: Bodies,
    pub(crate) streaming: Streaming,
    pub(super) freshness: Freshness,
    pub(crate) events: VecDeque<Event>,
    /// Peers that may have lost their last state.
    pub(super) touched: Vec<PeerId>,
}

impl Exchanges {
    pub(crate) fn new(config: Config, seed: [u8; 32]) -> Self {
        let mut random = ChaCha20Rng::from_seed(seed);
        // The message layer uses stream 0 of the same seed.
        random.set_stream(1);
        let mut keys = ChaCha20Rng::from_seed(seed);
        keys.set_stream(2);
        let mut key = [0; 32];
        keys.fill_bytes(&mut key);
        Self {
            config,
            random,
            peers: HashMap::new(),
            next_id: 0,
            requests: HashMap::new(),
            tokens: HashMap::new(),
            observations: HashMap::new(),
            responses: TimerTable::new(),
            downloading: 0,
            waiting: BTreeMap::new(),
            observers: HashMap::new(),
            bodies: Bodies::new(&config),
            streaming: Streaming::default(),
            freshness: Freshness::new(config.freshness, key),
            events: VecDeque::new(),
            touched: Vec::new(),
        }
    }

    pub(crate) fn knows(&self, peer: PeerId) -> bool {
        self.peers.contains_key(&peer) || self.bodies.knows(peer)
    }

    /// Returns a peer that may have lost its last state.
    pub(crate) fn poll_touched(&mut self) -> Option<PeerId> {
        self.touched.pop()
    }

    /// The number of bodies evicted since the last call.
    pub(crate) const fn take_evicted(&mut self) -> u64 {
        self.bodies.take_evicted()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let oldest = self.waiting.first_key_value().map(|(_, waiting)| waiting.expires);
        oldest.into_iter().chain(self.responses.next()).chain(self.bodies.next()).min()
    }

    /// Whether a request is pending or an observation exists, in either direction.
    pub(crate) fn is_busy(&self, peer: PeerId) -> bool {
        self.peers.contains_key(&peer)
    }

    pub(super) fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// The token of an observation.
    pub(crate) fn observation_token(&self, id: RequestId) -> Option<Token> {
        self.observations.get(&id).map(|observation| observation.token)
    }

    /// Draws a token that is not in use towards the peer.
    pub(super) fn fresh_token(&mut self, peer: PeerId) -> Token {
        loop {
            let token = Token::from(self.random.next_u64().to_be_bytes());
            if !self.tokens.contains_key(&(peer, token)) {
                return token;
            }
        }
    }

    /// Gives memory back, if that of most peers has gone.
    pub(crate) fn shrink(&mut self) {
        shrink(&mut self.peers);
        shrink(&mut self.requests);
        shrink(&mut self.tokens);
        shrink(&mut self.observations);
        shrink(&mut self.observers);
        self.bodies.shrink();
    }

    /// Changes the state about a peer. Creates and removes the state as needed.
    pub(super) fn with_peer<T>(&mut self, peer: PeerId, change: impl FnOnce(&mut Peer) -> T) -> T {
        let state = self.peers.entry(peer).or_default();
        let result = change(state);
        if state.is_empty() {
            self.peers.remove(&peer);
            self.touched.push(peer);
        }
        result
    }
}
