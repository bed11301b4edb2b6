//! Requests and responses: RFC 7252 section 5, Observe (RFC 7641), block-wise transfer (RFC 7959).
//!
//! This layer knows tokens, not message IDs: it hands content to a layer below that delivers it
//! and reports what became of it, so it needs nothing of how datagrams are acknowledged, and works
//! over connections as well.
//!
//! | module | what |
//! |---|---|
//! | `client` | requests of this endpoint, with `transfer` (bodies) and `observation` |
//! | `server` | requests of peers, with `bodies` (assembled and served), `check`, `key` |
//! | `freshness` | the Echo option |
//! | `observers` | observations that peers hold on this endpoint |

mod block;
mod bodies;
mod check;
mod chunk;
mod client;
mod freshness;
mod key;
mod observation;
mod observers;
mod peer;
mod server;
mod transfer;

pub use block::{BlockSize, BlockValue};

use crate::config::Config;
use crate::event::{Event, FailReason, GoneReason};
use crate::message::{Code, Options, Token};
use crate::messaging::Refused;
use crate::peer::{Observer, PeerId, RequestId};
use crate::transport::Transport;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use bodies::Bodies;
use client::{ClientExchange, TokenUse};
use freshness::Freshness;
use hashbrown::HashMap;
use lwm2m_time::{Instant, TimerTable};
use observation::Observation;
use observers::Observing;
use peer::Peer;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use server::Waiting;

/// The content of a message that came in.
#[derive(Clone, Debug)]
pub(crate) struct Incoming<'a> {
    pub(crate) code: Code,
    pub(crate) token: Token,
    pub(crate) options: Options,
    pub(crate) payload: &'a [u8],
}

/// The exchange layer towards all peers.
#[derive(Debug)]
pub(crate) struct Exchanges {
    config: Config,
    random: ChaCha20Rng,
    peers: HashMap<PeerId, Peer>,
    next_id: u64,
    // As client.
    calls: HashMap<u64, ClientExchange>,
    tokens: HashMap<(PeerId, Token), TokenUse>,
    observations: HashMap<RequestId, Observation>,
    /// When to give up waiting for a response that is not a matter of retransmission.
    responses: TimerTable<u64>,
    /// The bytes that unfinished bodies of answers take.
    downloading: usize,
    // As server.
    /// Requests that wait for the application; the first is the oldest.
    waiting: BTreeMap<u64, Waiting>,
    observers: HashMap<Observer, Box<Observing>>,
    bodies: Bodies,
    freshness: Freshness,
    pub(crate) events: VecDeque<Event>,
    /// Peers that may have lost their last state.
    touched: Vec<PeerId>,
}

impl Exchanges {
    pub(crate) fn new(config: Config, seed: [u8; 32]) -> Self {
        let mut random = ChaCha20Rng::from_seed(seed);
        // The message layer draws from the first stream of the same seed.
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
            calls: HashMap::new(),
            tokens: HashMap::new(),
            observations: HashMap::new(),
            responses: TimerTable::new(),
            downloading: 0,
            waiting: BTreeMap::new(),
            observers: HashMap::new(),
            bodies: Bodies::new(&config),
            freshness: Freshness::new(config.freshness, key),
            events: VecDeque::new(),
            touched: Vec::new(),
        }
    }

    pub(crate) fn knows(&self, peer: PeerId) -> bool {
        self.peers.contains_key(&peer) || self.bodies.knows(peer)
    }

    /// A peer that may have lost its last state.
    pub(crate) fn poll_touched(&mut self) -> Option<PeerId> {
        self.touched.pop()
    }

    /// How many bodies were dropped before their time since this was asked last.
    pub(crate) const fn take_evicted(&mut self) -> u64 {
        self.bodies.take_evicted()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let oldest = self.waiting.first_key_value().map(|(_, waiting)| waiting.expires);
        oldest.into_iter().chain(self.responses.next()).chain(self.bodies.next()).min()
    }

    /// Does what is due.
    pub(crate) fn expire(&mut self, now: Instant, transport: &mut Transport) {
        while let Some(id) = self.responses.pop_expired(now) {
            self.end_call(now, transport, id, Err(FailReason::Timeout));
        }
        while let Some(entry) = self.waiting.first_entry() {
            if entry.get().expires > now {
                break;
            }
            let peer = entry.remove().peer;
            self.with_peer(peer, |peer| peer.waiting -= 1);
        }
        self.bodies.expire(now, &mut self.touched);
    }

    /// Forgets all about a peer; its pending requests end for this reason.
    pub(crate) fn remove_peer(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        peer: PeerId,
        reason: FailReason,
    ) {
        self.bodies.remove_peer(peer);
        let Some(state) = self.peers.get_mut(&peer) else { return };
        state.queue.clear();
        let (calls, observations) = (state.calls.clone(), state.observations.clone());
        for token in state.observed_by.clone() {
            self.forget_observer(transport, Observer { peer, token });
        }
        for id in calls {
            self.end_call(now, transport, id, Err(reason));
        }
        for id in observations {
            self.forget_observation(now, transport, id);
        }
        self.waiting.retain(|_, waiting| waiting.peer != peer);
        self.peers.remove(&peer);
    }

    /// The connection to a peer has ended or is about to: so do observations in both directions.
    pub(crate) fn end_observations(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        peer: PeerId,
    ) {
        let Some(state) = self.peers.get(&peer) else { return };
        let (observations, tokens) = (state.observations.clone(), state.observed_by.clone());
        for token in tokens {
            self.observer_gone(transport, Observer { peer, token }, GoneReason::Closed);
        }
        for id in observations {
            self.forget_observation(now, transport, id);
            self.events.push_back(Event::Failed { id, peer, reason: FailReason::Closed });
        }
    }

    /// Whether a request of either side is pending, or an observation is held.
    pub(crate) fn is_busy(&self, peer: PeerId) -> bool {
        self.peers.contains_key(&peer)
    }

    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// A token that no pending request of the peer has.
    fn fresh_token(&mut self, peer: PeerId) -> Token {
        loop {
            let token = Token::from(self.random.next_u64().to_be_bytes());
            if !self.tokens.contains_key(&(peer, token)) {
                return token;
            }
        }
    }

    /// Changes the state about a peer, which appears and disappears as needed.
    fn with_peer<T>(&mut self, peer: PeerId, change: impl FnOnce(&mut Peer) -> T) -> T {
        let state = self.peers.entry(peer).or_default();
        let result = change(state);
        if state.is_empty() {
            self.peers.remove(&peer);
            self.touched.push(peer);
        }
        result
    }
}

impl From<Refused> for FailReason {
    fn from(refused: Refused) -> Self {
        match refused {
            // A peer with a pending request is known, so this does not happen; were it to, time
            // would pass without an answer.
            Refused::Peers => Self::Timeout,
            Refused::MessageIds => Self::TooManyMessages,
            Refused::TooLong => Self::TooLong,
        }
    }
}
