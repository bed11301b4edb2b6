//! The message layer over UDP: RFC 7252 section 4.
//!
//! It knows message IDs, acknowledgements, retransmission and duplicates. To the exchange layer
//! it offers sending (reliably or not) and replying, and reports what became of each delivery;
//! tokens and options pass through it unread.

mod bounds;
mod duplicates;
mod message_id;
mod outgoing;
mod parameters;
mod peer;
mod types;

pub(crate) use types::{Content, Delivery, DeliveryOf, Expired, Refused, Source};

use crate::config::{Config, PeerParameters, TransmissionParams};
use crate::event::Transmit;
use crate::message::{MessageBuilder, MessageType};
use crate::peer::PeerId;
use crate::statistics::Statistics;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;
use duplicates::Reply;
use hashbrown::HashMap;
use lwm2m_time::{Instant, TimerTable};
use outgoing::{Outgoing, Retransmission};
use parameters::Parameters;
use peer::Peer;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use smallvec::SmallVec;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Timer {
    Retransmit(PeerId, u32),
    Acknowledge(PeerId, u16),
}

/// The message layer towards all peers.
#[derive(Debug)]
pub(crate) struct Messaging {
    config: Config,
    parameters: Parameters,
    random: ChaCha20Rng,
    /// Boxed, so that the table stays small while it is half empty and when it grows.
    peers: HashMap<PeerId, Box<Peer>>,
    timers: TimerTable<Timer>,
    /// For each peer, when to look again at what can be forgotten.
    expiries: TimerTable<PeerId>,
    /// Messages that are remembered, over all peers, and the bytes of the replies to them.
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

    /// Gives a peer parameters of its own; `false` if there is no room.
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
    pub(crate) fn params(&self, peer: PeerId) -> &TransmissionParams {
        &self.parameters(peer).transmission
    }

    // --- what came in -------------------------------------------------------------------------

    /// Whether a message came before and is still remembered.
    pub(crate) fn remembers(&self, now: Instant, peer: PeerId, message_id: u16) -> bool {
        self.peers.get(&peer).is_some_and(|peer| peer.duplicates.find(now, message_id).is_some())
    }

    /// Whether the message came before; then its reply, if it has one, is sent again.
    pub(crate) fn is_duplicate(&mut self, now: Instant, source: Source) -> bool {
        let Some(peer) = self.peers.get_mut(&source.peer) else { return false };
        let reply = match peer.duplicates.recall(now, source.message_id) {
            Ok(reply) => reply,
            Err(forgotten) => {
                self.release(forgotten);
                return false;
            }
        };
        self.statistics.duplicates += 1;
        if let (true, Some(datagram)) = (source.confirmable, reply.datagram()) {
            self.transmits.push_back(Transmit { peer: source.peer, payload: datagram.clone() });
        }
        true
    }

    /// Remembers a message that is no duplicate, so that it is not taken twice; `false` if there is
    /// no room for it.
    pub(crate) fn remember(&mut self, now: Instant, source: Source) -> bool {
        let params = self.params(source.peer);
        let (lifetime, reply) = if source.confirmable {
            (params.exchange_lifetime, Reply::Pending)
        } else {
            (params.non_lifetime, Reply::Never)
        };
        if !self.make_room(now, source.peer) {
            return false;
        }
        let Some(peer) = self.peer(now, source.peer) else { return false };
        peer.duplicates.insert(source.message_id, now + lifetime, reply);
        peer.keep_until(now + lifetime);
        self.remembered += 1;
        true
    }

    /// Starts the time after which a confirmable request that is still unanswered is
    /// acknowledged.
    pub(crate) fn expect_reply(&mut self, now: Instant, source: Source) {
        if source.confirmable {
            let timer = Timer::Acknowledge(source.peer, source.message_id);
            self.timers.set(timer, now + self.config.separate_after);
        }
    }

    /// Acknowledges a confirmable message without content; does nothing for another.
    pub(crate) fn acknowledge(&mut self, source: Source) {
        if source.confirmable {
            let datagram = empty(MessageType::Acknowledgement, source.message_id);
            self.reply_with(source, Reply::Acknowledged(datagram.clone()));
            self.transmits.push_back(Transmit { peer: source.peer, payload: datagram });
        }
    }

    /// Whether neither an acknowledgement nor a reply to a message is out yet.
    pub(crate) fn is_unanswered(&self, source: Source) -> bool {
        let peer = self.peers.get(&source.peer);
        peer.is_some_and(|peer| peer.duplicates.is_unanswered(source.message_id))
    }

    /// Answers with a Reset.
    pub(crate) fn reset(&mut self, peer: PeerId, message_id: u16) {
        self.statistics.resets_sent += 1;
        let payload = empty(MessageType::Reset, message_id);
        self.transmits.push_back(Transmit { peer, payload });
    }

    /// An acknowledgement arrived. `None` if it fits nothing, or something newer took the place
    /// of what it acknowledges.
    pub(crate) fn acknowledged(
        &mut self,
        now: Instant,
        peer: PeerId,
        message_id: u16,
    ) -> Option<DeliveryOf> {
        let outgoing = self.take_unacknowledged(peer, message_id)?;
        match outgoing.successor {
            Some(newer) => {
                let Ok(message_id) = self.message_id(now, peer) else {
                    return Some(outgoing.owner);
                };
                let datagram = outgoing::with_message_id(&newer, message_id);
                let Outgoing { serial, owner, .. } = outgoing;
                self.track_confirmable(now, peer, message_id, datagram, serial, owner);
                None
            }
            None => Some(outgoing.owner),
        }
    }

    /// Whom an acknowledgement of this message ID would concern.
    pub(crate) fn owner_of(&self, peer: PeerId, message_id: u16) -> Option<DeliveryOf> {
        let outgoing = &self.peers.get(&peer)?.outgoing;
        outgoing
            .iter()
            .find(|outgoing| outgoing.message_id == message_id && outgoing.is_confirmable())
            .map(|outgoing| outgoing.owner)
    }

    /// A Reset arrived. `None` if it fits nothing.
    pub(crate) fn rejected(&mut self, peer: PeerId, message_id: u16) -> Option<DeliveryOf> {
        let state = self.peers.get_mut(&peer)?;
        let outgoing = state.take_outgoing(|outgoing| outgoing.message_id == message_id)?;
        self.timers.cancel(Timer::Retransmit(peer, outgoing.serial));
        self.look_again(peer);
        Some(outgoing.owner)
    }

    fn take_unacknowledged(&mut self, peer: PeerId, message_id: u16) -> Option<Outgoing> {
        let state = self.peers.get_mut(&peer)?;
        let outgoing = state.take_outgoing(|outgoing| {
            outgoing.message_id == message_id && outgoing.is_confirmable()
        })?;
        self.timers.cancel(Timer::Retransmit(peer, outgoing.serial));
        self.look_again(peer);
        Some(outgoing)
    }

    // --- what goes out ------------------------------------------------------------------------

    /// Sends a message; a reliable one is sent again until it is acknowledged.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        peer: PeerId,
        reliable: bool,
        content: Content<'_>,
        owner: DeliveryOf,
    ) -> Result<Delivery, Refused> {
        let message_id = self.message_id(now, peer)?;
        let serial = self.next_serial;
        self.next_serial = serial.wrapping_add(1);
        if reliable {
            let datagram = self.encode(MessageType::Confirmable, message_id, content);
            self.track_confirmable(now, peer, message_id, datagram, serial, owner);
        } else {
            let payload = self.encode(MessageType::NonConfirmable, message_id, content);
            self.transmits.push_back(Transmit { peer, payload });
            if let Some(state) = self.peers.get_mut(&peer) {
                let state = &mut state.outgoing;
                state.push(Outgoing {
                    message_id,
                    serial,
                    owner,
                    confirmable: None,
                    successor: None,
                });
            }
        }
        Ok(Delivery { peer, serial })
    }

    /// Sends the reply to a message: on its acknowledgement if that is not out yet, else as a
    /// message of its own.
    pub(crate) fn reply(
        &mut self,
        now: Instant,
        source: Source,
        content: Content<'_>,
    ) -> Result<(), Refused> {
        if !source.confirmable {
            let message_id = self.message_id(now, source.peer)?;
            let payload = self.encode(MessageType::NonConfirmable, message_id, content);
            self.transmits.push_back(Transmit { peer: source.peer, payload });
            return Ok(());
        }
        if !self.is_unanswered(source) {
            return self.send(now, source.peer, true, content, DeliveryOf::Response).map(|_| ());
        }
        let datagram = self.encode(MessageType::Acknowledgement, source.message_id, content);
        self.reply_with(source, Reply::Acknowledged(datagram.clone()));
        self.transmits.push_back(Transmit { peer: source.peer, payload: datagram });
        Ok(())
    }

    /// Replies to a message that is not remembered. A non-confirmable one gets no reply.
    pub(crate) fn reply_unremembered(&mut self, source: Source, content: Content<'_>) {
        if source.confirmable {
            let payload = self.encode(MessageType::Acknowledgement, source.message_id, content);
            self.transmits.push_back(Transmit { peer: source.peer, payload });
        }
    }

    /// Puts newer content in the place of a reliable message that is still under way: the next
    /// retransmission carries it, under a new message ID. `false` if it is not under way.
    pub(crate) fn replace(&mut self, delivery: Delivery, content: Content<'_>) -> bool {
        let datagram = self.encode(MessageType::Confirmable, 0, content);
        let outgoing = self
            .peers
            .get_mut(&delivery.peer)
            .and_then(|peer| peer.outgoing_mut(delivery.serial))
            .filter(|outgoing| outgoing.is_confirmable());
        match outgoing {
            Some(outgoing) => {
                outgoing.successor = Some(datagram);
                true
            }
            None => false,
        }
    }

    /// The outcome of a delivery is of no interest any more: it is not sent again.
    pub(crate) fn forget(&mut self, delivery: Delivery) {
        if let Some(peer) = self.peers.get_mut(&delivery.peer) {
            peer.take_outgoing(|outgoing| outgoing.serial == delivery.serial);
            self.timers.cancel(Timer::Retransmit(delivery.peer, delivery.serial));
            self.look_again(delivery.peer);
        }
    }

    /// Forgets all about a peer, datagrams that wait for being sent included.
    pub(crate) fn remove_peer(&mut self, peer: PeerId) {
        self.transmits.retain(|transmit| transmit.peer != peer);
        self.expiries.cancel(peer);
        let Some(state) = self.peers.remove(&peer) else { return };
        for outgoing in &state.outgoing {
            self.timers.cancel(Timer::Retransmit(peer, outgoing.serial));
        }
        for message_id in state.duplicates.unanswered() {
            self.timers.cancel(Timer::Acknowledge(peer, message_id));
        }
        self.release(state.duplicates.totals());
    }

    // --- time ---------------------------------------------------------------------------------

    /// Does what is due, until there is something to tell; `None` when nothing more is due.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<Expired> {
        while let Some(timer) = self.timers.pop_expired(now) {
            match timer {
                Timer::Retransmit(peer, serial) => {
                    if let Some(owner) = self.retransmit(now, peer, serial) {
                        return Some(Expired::Undelivered(owner, peer));
                    }
                }
                Timer::Acknowledge(peer, message_id) => {
                    self.acknowledge(Source { peer, message_id, confirmable: true });
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

    /// Sends a message again; its owner when that was done often enough.
    fn retransmit(&mut self, now: Instant, peer: PeerId, serial: u32) -> Option<DeliveryOf> {
        let max_retransmit = self.params(peer).max_retransmit;
        let state = self.peers.get_mut(&peer)?;
        let outgoing = state.outgoing_mut(serial)?;
        let owner = outgoing.owner;
        if !outgoing.confirmable.as_mut()?.again(max_retransmit) {
            self.statistics.timeouts += 1;
            self.forget(Delivery { peer, serial });
            return Some(owner);
        }
        if outgoing.successor.is_some() {
            // Without a free message ID the older content goes out once more.
            if let Ok(message_id) = self.message_id(now, peer) {
                self.peers.get_mut(&peer)?.outgoing_mut(serial)?.succeed(message_id);
            }
        }
        let retransmission = self.peers.get(&peer)?.outgoing(serial)?.confirmable.as_ref()?;
        let payload = retransmission.datagram.clone();
        self.timers.set(Timer::Retransmit(peer, serial), now + retransmission.timeout);
        self.statistics.retransmitted += 1;
        self.transmits.push_back(Transmit { peer, payload });
        None
    }

    /// Forgets what has expired about a peer; `true` if that was the last.
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

    /// A delivery ended: it may have been the last that kept the peer known.
    fn look_again(&mut self, peer: PeerId) {
        if let (None, Some(state)) = (self.expiries.at(peer), self.peers.get(&peer)) {
            self.expiries.set(peer, state.quiet_at());
        }
    }

    // --- state --------------------------------------------------------------------------------

    fn peer(&mut self, now: Instant, id: PeerId) -> Option<&mut Peer> {
        if !self.peers.contains_key(&id) {
            if self.peers.len() >= self.config.max_peers {
                return None;
            }
            let first_message_id = self.random.next_u32() as u16;
            self.peers.insert(id, Box::new(Peer::new(first_message_id, now)));
            self.expiries.set(id, now + self.params(id).non_lifetime);
        }
        self.peers.get_mut(&id).map(|peer| &mut **peer)
    }

    fn message_id(&mut self, now: Instant, peer: PeerId) -> Result<u16, Refused> {
        let lifetime = self.params(peer).exchange_lifetime;
        let peer = self.peer(now, peer).ok_or(Refused::Peers)?;
        peer.keep_until(now + lifetime);
        peer.message_ids.next(now, lifetime).ok_or(Refused::MessageIds)
    }

    /// Keeps the reply to a message for its duplicates.
    fn reply_with(&mut self, source: Source, reply: Reply) {
        self.timers.cancel(Timer::Acknowledge(source.peer, source.message_id));
        if let Some(peer) = self.peers.get_mut(&source.peer) {
            let (before, after) = peer.duplicates.answer(source.message_id, reply);
            self.reply_bytes = self.reply_bytes + after - before;
        }
    }

    fn track_confirmable(
        &mut self,
        now: Instant,
        peer: PeerId,
        message_id: u16,
        datagram: Bytes,
        serial: u32,
        owner: DeliveryOf,
    ) {
        let timeout = self.first_timeout(peer);
        self.timers.set(Timer::Retransmit(peer, serial), now + timeout);
        self.transmits.push_back(Transmit { peer, payload: datagram.clone() });
        if let Some(state) = self.peers.get_mut(&peer) {
            let confirmable = Some(Retransmission { datagram, timeout, count: 0 });
            state.outgoing.push(Outgoing {
                message_id,
                serial,
                owner,
                confirmable,
                successor: None,
            });
        }
    }

    /// ACK_TIMEOUT, stretched by a random factor up to ACK_RANDOM_FACTOR.
    fn first_timeout(&mut self, peer: PeerId) -> Duration {
        let params = self.params(peer);
        let stretch = u64::from(params.ack_random_factor.saturating_sub(1_000));
        let shortest = params.ack_timeout.as_micros() as u64;
        let spread = shortest.saturating_mul(stretch) / 1_000;
        let extra = (u128::from(self.random.next_u64()) * (u128::from(spread) + 1)) >> 64;
        Duration::from_micros(shortest.saturating_add(extra as u64))
    }

    fn encode(&mut self, kind: MessageType, message_id: u16, content: Content<'_>) -> Bytes {
        self.scratch.clear();
        MessageBuilder::new(&mut self.scratch, kind, content.code, message_id, content.token)
            .options(content.options)
            .payload(content.payload);
        shared(&self.scratch)
    }
}

/// A datagram that is sent and kept at the same time. A short one, as most are, takes a single
/// allocation; `Bytes` itself makes a second one when it is first cloned.
fn shared(datagram: &[u8]) -> Bytes {
    const SHORT: usize = 64;
    match datagram.len() {
        0..=SHORT => Bytes::from_owner(SmallVec::<[u8; SHORT]>::from_slice(datagram)),
        _ => Bytes::copy_from_slice(datagram),
    }
}

/// An empty message.
fn empty(kind: MessageType, message_id: u16) -> Bytes {
    let [high, low] = message_id.to_be_bytes();
    Bytes::copy_from_slice(&[0x40 | ((kind as u8) << 4), 0, high, low])
}
