//! The message layer over UDP: RFC 7252 section 4.
//!
//! This layer knows message IDs, acknowledgements, retransmission and duplicates. It sends messages
//! and replies for the exchange layer, and reports the outcome of each delivery. Tokens and options
//! pass through it unread.
//!
//! | module | what | section |
//! |---|---|---|
//! | `send` | messages and replies | 4.2, 4.3 |
//! | `receive` | acknowledgements, Resets, duplicates | 4.2 to 4.5 |
//! | `outgoing` | messages in flight and their back-off | 4.2 |
//! | `duplicates` | received message IDs and their replies | 4.5 |
//! | `message_id` | own message IDs | 4.4 |
//! | `bounds` | limits and eviction | |

mod bounds;
mod duplicates;
mod message_id;
mod outgoing;
mod parameters;
mod peer;
mod promised;
mod rebind;
mod receive;
mod send;

use crate::admit::Sender;
use crate::config::{Config, PeerParameters, TransmissionParameters};
use crate::delivery::{Delivery, DeliveryOf, Refused, Source};
use crate::event::{Transmit, Unanswered};
use crate::ids::PeerId;
use crate::statistics::Statistics;
use crate::table::shrink;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use duplicates::Reply;
use hashbrown::HashMap;
use lwm2m_time::{Instant, TimerTable};
use message_id::MessageIds;
use parameters::Parameters;
use peer::Peer;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// What the passing of time has brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Expired {
    /// A confirmable message was sent so often and never acknowledged.
    Undelivered(DeliveryOf, PeerId, u32),
    /// A confirmable message was retransmitted for the first or second time.
    Unanswered(Unanswered),
    /// The last state about a peer has expired.
    Quiet(PeerId),
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Timer {
    Retransmit(PeerId, u32),
    Acknowledge(PeerId, u16),
}

/// How many retransmissions of a message are told.
const TOLD_RETRANSMISSIONS: u32 = 2;

/// The message layer towards all peers.
#[derive(Debug)]
pub(crate) struct Messaging {
    config: Config,
    parameters: Parameters,
    random: ChaCha20Rng,
    /// Boxed, so that the table stays small when it is half empty or grows.
    peers: HashMap<PeerId, Box<Peer>>,
    timers: TimerTable<Timer>,
    /// For each peer, the next time to look for expired state.
    expiries: TimerTable<PeerId>,
    /// The remembered messages over all peers, and the bytes of their replies.
    remembered: usize,
    reply_bytes: usize,
    next_serial: u32,
    transmits: VecDeque<Transmit>,
    scratch: Vec<u8>,
    pub(crate) statistics: Statistics,
}

impl Messaging {
    pub(crate) fn new(config: Config, seed: [u8; 32]) -> Self {
        Self {
            config,
            parameters: Parameters::new(&config),
            random: ChaCha20Rng::from_seed(seed),
            peers: HashMap::new(),
            timers: TimerTable::new(),
            expiries: TimerTable::new(),
            remembered: 0,
            reply_bytes: 0,
            next_serial: 0,
            transmits: VecDeque::new(),
            scratch: Vec::new(),
            statistics: Statistics::default(),
        }
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<Transmit> {
        let transmit = self.transmits.pop_front()?;
        self.statistics.sent += 1;
        Some(transmit)
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next().into_iter().chain(self.expiries.next()).min()
    }

    pub(crate) fn peer_count(&self) -> usize {
        self.peers.len()
    }

    pub(crate) fn knows(&self, peer: PeerId) -> bool {
        self.peers.contains_key(&peer)
    }

    /// Gives a peer parameters of its own. Returns `false` without room for them.
    pub(crate) fn set_parameters(&mut self, peer: PeerId, own: Arc<PeerParameters>) -> bool {
        self.parameters.set(peer, own, self.config.max_peers)
    }

    pub(crate) fn reset_parameters(&mut self, peer: PeerId) {
        self.parameters.reset(peer);
    }

    pub(crate) fn parameters(&self, peer: PeerId) -> &PeerParameters {
        self.parameters.of(peer)
    }

    /// The timing of messages to and from a peer.
    pub(crate) fn transmission(&self, peer: PeerId) -> &TransmissionParameters {
        &self.parameters(peer).transmission
    }

    // --- time ---------------------------------------------------------------------------------

    /// Runs timers until there is something to report. Returns `None` when no timer is due.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<Expired> {
        while let Some(timer) = self.timers.pop_expired(now) {
            match timer {
                Timer::Retransmit(peer, serial) => {
                    let expired = self.retransmit(now, peer, serial);
                    if expired.is_some() {
                        return expired;
                    }
                }
                Timer::Acknowledge(peer, message_id) => {
                    let sender = Sender::default();
                    self.acknowledge(Source { peer, message_id, confirmable: true, sender });
                }
            }
        }
        while let Some(peer) = self.expiries.pop_expired(now) {
            if self.forget_expired(now, peer) {
                return Some(Expired::Quiet(peer));
            }
        }
        None
    }

    /// Retransmits a message, or gives it up.
    fn retransmit(&mut self, now: Instant, peer: PeerId, serial: u32) -> Option<Expired> {
        let max_retransmit = self.transmission(peer).max_retransmit;
        let state = self.peers.get_mut(&peer)?;
        let outgoing = state.outgoing_mut(serial)?;
        let delivery_of = outgoing.delivery_of;
        if !outgoing.confirmable.as_mut()?.again(max_retransmit) {
            self.statistics.timeouts += 1;
            self.forget(Delivery { peer, serial });
            return Some(Expired::Undelivered(delivery_of, peer, max_retransmit + 1));
        }
        if outgoing.successor.is_some() {
            // Without a free message ID the older content is retransmitted.
            if let Ok(message_id) = self.message_id(now, peer) {
                self.peers.get_mut(&peer)?.outgoing_mut(serial)?.succeed(message_id);
            }
        }
        let retransmission = self.peers.get(&peer)?.outgoing(serial)?.confirmable.as_ref()?;
        let (payload, count) = (retransmission.datagram.clone(), retransmission.count);
        self.timers.set(Timer::Retransmit(peer, serial), now + retransmission.timeout);
        self.statistics.retransmitted += 1;
        self.transmits.push_back(Transmit { peer, payload });
        let unanswered = Unanswered { peer, retransmissions: count };
        (count <= TOLD_RETRANSMISSIONS).then_some(Expired::Unanswered(unanswered))
    }

    /// Retransmits the messages to a peer now that can be retransmitted once more at least.
    pub(crate) fn hasten(&mut self, now: Instant, peer: PeerId) {
        let max_retransmit = self.transmission(peer).max_retransmit;
        let Some(state) = self.peers.get(&peer) else { return };
        for outgoing in &state.outgoing {
            let count = outgoing.confirmable.as_ref().map(|it| it.count);
            if count.is_some_and(|count| count < max_retransmit) {
                self.timers.set(Timer::Retransmit(peer, outgoing.serial), now);
            }
        }
    }

    /// Removes expired state about a peer. Returns `true` if no state is left.
    fn forget_expired(&mut self, now: Instant, peer: PeerId) -> bool {
        let Some(state) = self.peers.get_mut(&peer) else { return false };
        let forgotten = state.duplicates.forget_expired(now);
        let next = state.next_look(now);
        self.release(forgotten);
        match next {
            Some(at) => self.expiries.set(peer, at),
            None if self.peers.get(&peer).is_some_and(|state| state.outgoing.is_empty()) => {
                self.peers.remove(&peer);
                return true;
            }
            None => {}
        }
        false
    }

    /// Schedules the removal of a peer after a delivery ended.
    fn look_again(&mut self, peer: PeerId) {
        if let (None, Some(state)) = (self.expiries.at(peer), self.peers.get(&peer)) {
            self.expiries.set(peer, state.quiet_at());
        }
    }

    /// Gives memory back, if that of most peers has gone.
    pub(crate) fn shrink(&mut self) {
        shrink(&mut self.peers);
    }

    // --- state --------------------------------------------------------------------------------

    fn peer(&mut self, now: Instant, id: PeerId) -> Option<&mut Peer> {
        if !self.peers.contains_key(&id) {
            if self.peers.len() >= self.config.max_peers {
                return None;
            }
            let first_message_id = self.random.next_u32() as u16;
            self.peers.insert(id, Box::new(Peer::new(first_message_id, now)));
            self.expiries.set(id, now + self.transmission(id).non_lifetime);
        }
        self.peers.get_mut(&id).map(|peer| &mut **peer)
    }

    /// Lets message IDs begin where no life of this endpoint of late has used them.
    pub(crate) fn restore_message_ids(&mut self, now: Instant, peer: PeerId) {
        if let Some(peer) = self.peer(now, peer) {
            peer.message_ids = MessageIds::by_time(now);
        }
    }

    fn message_id(&mut self, now: Instant, peer: PeerId) -> Result<u16, Refused> {
        let lifetime = self.transmission(peer).exchange_lifetime;
        let peer = self.peer(now, peer).ok_or(Refused::Peers)?;
        peer.sends_until(now + lifetime);
        peer.message_ids.next(now, lifetime).ok_or(Refused::MessageIds)
    }

    /// Stores the reply to a message for its duplicates.
    fn reply_with(&mut self, source: Source, reply: Reply) {
        self.timers.cancel(Timer::Acknowledge(source.peer, source.message_id));
        self.store_reply(source, reply);
    }

    fn store_reply(&mut self, source: Source, reply: Reply) {
        if let Some(peer) = self.peers.get_mut(&source.peer) {
            let (before, after) = peer.duplicates.answer(source.message_id, reply);
            self.reply_bytes = self.reply_bytes + after - before;
        }
    }
}
