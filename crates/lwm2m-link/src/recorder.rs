//! The flight recorder: the last messages of each peer, in bounded memory.
//!
//! A message is kept as its bytes; whoever asks for it decodes them. All peers share one number of bytes:
//! - A peer has a sixteenth of them at most.
//! - Strangers, which have no security and are not held, share a sixteenth, so that datagrams from
//!   forged addresses push out nothing else.
//! - Handshakes with the secrets of their sessions have a quarter, which the last four of a device share.
//! - When the memory is full, a peer with more than an equal share loses its own oldest message for a new
//!   one; one with less takes the place of the oldest message of all.

use crate::openings::{Openings, Secret};
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::SocketAddr;
use hashbrown::HashMap;
use lwm2m_coap::PeerId;
use lwm2m_dtls::SessionId;
use lwm2m_time::Instant;

/// The part of the memory that a peer, or all strangers, may have: one in so many.
const SHARE: usize = 16;
/// The shares that handshakes have together.
const OPENINGS: usize = 4;
/// The sessions of a device whose handshakes are kept.
const MAX_SESSIONS: usize = 4;
/// What a message takes besides its bytes, by estimate.
const OVERHEAD: usize = 256;

/// Whose messages are meant.
#[derive(Clone, Copy, Debug)]
pub enum Of<'a> {
    /// Those of a peer.
    Peer(PeerId),
    /// Those of a device that left under this name.
    Left(&'a str),
}

/// What Wireshark needs.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Capture {
    /// What went over the wire, or its plaintext, in order.
    pub packets: Vec<Recorded>,
    /// The secrets that open it.
    pub secrets: Vec<Secret>,
}

/// Which way a message went.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Way {
    /// From the peer.
    Received,
    /// To the peer.
    Sent,
}

/// What carried a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Carriage {
    /// Whether it was a piece of a stream (RFC 8323), which may hold parts of messages, or many.
    /// Otherwise it was a datagram, which is one message.
    pub is_stream: bool,
    /// Whether DTLS or TLS protected it on its way. What is kept is the plaintext.
    pub is_secured: bool,
}

/// A message that was received or sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recorded {
    /// Grows with each message of any peer.
    pub number: u64,
    /// When it was handled.
    pub at: Instant,
    /// The address of the peer.
    pub remote: SocketAddr,
    /// Which way it went.
    pub way: Way,
    /// What carried it.
    pub carriage: Carriage,
    /// The session of DTLS or TLS.
    pub session: Option<SessionId>,
    /// Whether the bytes are what went over the wire, instead of a message as CoAP has it.
    pub is_sealed: bool,
    /// The message.
    pub bytes: Bytes,
}

impl Recorded {
    pub(crate) fn memory(&self) -> usize {
        OVERHEAD + self.bytes.len()
    }
}

/// The messages of a peer.
#[derive(Debug, Default)]
struct Lane {
    messages: VecDeque<Recorded>,
    memory: usize,
    is_known: bool,
    peer: Option<PeerId>,
    /// The name of a device that left.
    name: Option<Arc<str>>,
    /// The sessions that sealed messages are of, the newest last.
    sessions: VecDeque<SessionId>,
}

impl Lane {
    /// Notes the session of a sealed message. Of a device that begins many, the handshakes of the last ones
    /// are kept.
    fn note_session(&mut self, message: &Recorded, openings: &mut Openings) {
        let Some(session) = message.session.filter(|_| message.is_sealed) else { return };
        if !self.sessions.contains(&session) {
            self.sessions.push_back(session);
        }
        if self.sessions.len() > MAX_SESSIONS
            && let Some(oldest) = self.sessions.pop_front()
        {
            openings.forget(oldest);
        }
    }
}

/// The order of the messages of all peers of a kind: the lane of each number.
#[derive(Debug, Default)]
struct Pool {
    order: BTreeMap<u64, u64>,
    memory: usize,
}

/// The last messages of all peers.
#[derive(Debug, Default)]
pub struct Recorder {
    limit: usize,
    /// The number of the next message.
    next: u64,
    next_lane: u64,
    lanes: HashMap<u64, Lane>,
    by_peer: HashMap<PeerId, u64>,
    by_name: HashMap<Arc<str>, u64>,
    known: Pool,
    strangers: Pool,
    openings: Openings,
}

impl Recorder {
    /// A recorder that takes so many bytes of memory, by estimate; 0 records nothing.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        let openings = Openings::new(limit / SHARE * OPENINGS, limit / SHARE);
        Self { limit, next: 1, openings, ..Self::default() }
    }

    /// The bytes of memory that it takes at most, by estimate.
    #[must_use]
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// The bytes of memory that it takes, by estimate.
    #[must_use]
    pub const fn memory(&self) -> usize {
        self.known.memory + self.strangers.memory + self.openings.memory()
    }

    /// The messages of a peer, or of a device that left, the oldest first.
    pub fn messages(&self, of: Of<'_>) -> impl DoubleEndedIterator<Item = &Recorded> {
        self.all(of).filter(|it| !it.is_sealed)
    }

    /// What Wireshark needs of a peer, or of a device that left: of sessions whose handshakes and keys are
    /// recorded what went over the wire, and the plaintext of others.
    #[must_use]
    pub fn capture(&self, of: Of<'_>) -> Capture {
        let sessions: BTreeSet<_> = self.all(of).filter_map(|it| it.session).collect();
        let openings = sessions.iter().filter_map(|id| Some((*id, self.openings.whole(*id)?)));
        let openings: BTreeMap<_, _> = openings.collect();
        let is_shown = |it: &&Recorded| {
            it.is_sealed == it.session.is_some_and(|id| openings.contains_key(&id))
        };
        let beginnings = openings.values().flat_map(|opening| &opening.records);
        let mut packets: Vec<_> =
            self.all(of).filter(is_shown).chain(beginnings).cloned().collect();
        packets.sort_unstable_by_key(|it| it.number);
        let secrets = openings.values().flat_map(|opening| opening.secrets.clone()).collect();
        Capture { packets, secrets }
    }

    fn all(&self, of: Of<'_>) -> impl DoubleEndedIterator<Item = &Recorded> {
        let id = match of {
            Of::Peer(peer) => self.by_peer.get(&peer),
            Of::Left(name) => self.by_name.get(name),
        };
        let lane = id.and_then(|id| self.lanes.get(id));
        lane.into_iter().flat_map(|lane| &lane.messages)
    }

    /// Keeps what belongs to the handshake of a session.
    pub(crate) fn record_opening(&mut self, session: SessionId, record: Recorded) {
        let record = Recorded { number: self.next, ..record };
        self.next += 1;
        self.openings.add(session, record);
    }

    /// The secrets and handshakes of sessions.
    pub(crate) const fn openings(&mut self) -> &mut Openings {
        &mut self.openings
    }

    /// Keeps a message, whose number does not count.
    pub(crate) fn record(&mut self, peer: PeerId, is_known: bool, message: Recorded) {
        let share = self.limit / SHARE;
        if message.memory() > share {
            self.openings.lose(&message);
            return;
        }
        let id = self.lane_of(peer, is_known);
        let message = Recorded { number: self.next, ..message };
        self.next += 1;
        let (memory, number) = (message.memory(), message.number);
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        lane.note_session(&message, &mut self.openings);
        lane.messages.push_back(message);
        lane.memory += memory;
        let is_known = lane.is_known;
        let pool = self.pool(is_known);
        pool.order.insert(number, id);
        pool.memory += memory;
        self.make_room(id, is_known);
    }

    fn pool(&mut self, is_known: bool) -> &mut Pool {
        if is_known { &mut self.known } else { &mut self.strangers }
    }

    fn lane_of(&mut self, peer: PeerId, is_known: bool) -> u64 {
        if let Some(id) = self.by_peer.get(&peer) {
            return *id;
        }
        self.next_lane += 1;
        let lane = Lane { is_known, peer: Some(peer), ..Lane::default() };
        self.lanes.insert(self.next_lane, lane);
        self.by_peer.insert(peer, self.next_lane);
        self.next_lane
    }

    /// Forgets messages until all bounds hold after one of a lane was added.
    fn make_room(&mut self, id: u64, is_known: bool) {
        let share = self.limit / SHARE;
        let (most, own) = match is_known {
            true => (self.limit - share * (1 + OPENINGS), share),
            false => (share, share),
        };
        let fair = most / self.lanes.len().max(1);
        loop {
            let lane = self.lanes.get(&id);
            let (memory, messages) = lane.map_or((0, 0), |it| (it.memory, it.messages.len()));
            let is_full = self.pool(is_known).memory > most;
            let oldest = match (memory > own, is_full) {
                (true, _) => Some(id),
                // The message that has just come stays.
                (false, true) if memory > fair && messages > 1 => Some(id),
                (false, true) => self.pool(is_known).order.values().next().copied(),
                (false, false) => return,
            };
            let Some(oldest) = oldest else { return };
            self.forget_oldest_of(oldest);
        }
    }

    fn forget_oldest_of(&mut self, id: u64) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        let Some(message) = lane.messages.pop_front() else { return };
        lane.memory -= message.memory();
        let (is_known, is_empty) = (lane.is_known, lane.messages.is_empty());
        self.openings.lose(&message);
        let pool = self.pool(is_known);
        pool.order.remove(&message.number);
        pool.memory -= message.memory();
        if is_empty {
            self.remove(id);
        }
    }

    /// Removes a lane with what is in it.
    fn remove(&mut self, id: u64) -> VecDeque<Recorded> {
        let Some(lane) = self.lanes.remove(&id) else { return VecDeque::new() };
        lane.peer.into_iter().for_each(|peer| _ = self.by_peer.remove(&peer));
        lane.name.into_iter().for_each(|name| _ = self.by_name.remove(&name));
        let pool = self.pool(lane.is_known);
        pool.memory -= lane.memory;
        lane.messages.iter().for_each(|message| _ = pool.order.remove(&message.number));
        lane.messages
    }

    /// A peer is no stranger any more.
    pub(crate) fn know(&mut self, peer: PeerId) {
        let id = self.by_peer.get(&peer).copied();
        let is_stranger = |id: &u64| self.lanes.get(id).is_some_and(|lane| !lane.is_known);
        let Some(id) = id.filter(is_stranger) else { return };
        let messages = self.remove(id);
        self.insert(peer, messages);
    }

    /// Puts messages back as those of a known peer.
    fn insert(&mut self, peer: PeerId, messages: impl IntoIterator<Item = Recorded>) {
        let id = self.lane_of(peer, true);
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        for message in messages {
            let memory = message.memory();
            lane.memory += memory;
            self.known.memory += memory;
            self.known.order.insert(message.number, id);
            lane.note_session(&message, &mut self.openings);
            lane.messages.push_back(message);
        }
        match lane.messages.is_empty() {
            true => _ = self.remove(id),
            false => self.make_room(id, true),
        }
    }

    /// What the peer `from` said was said by `keep`.
    pub(crate) fn join(&mut self, keep: PeerId, from: PeerId) {
        let ids = [keep, from].map(|peer| self.by_peer.get(&peer).copied());
        self.merge(keep, ids);
    }

    /// A device leaves: what was said with it is found by its name from now on.
    pub(crate) fn leave(&mut self, peer: PeerId, name: &Arc<str>) {
        let Some(id) = self.by_peer.remove(&peer) else { return };
        let before = self.by_name.insert(Arc::clone(name), id);
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.peer = None;
            lane.name = Some(Arc::clone(name));
        }
        if let Some(before) = before.filter(|before| *before != id) {
            self.remove(before);
            self.by_name.insert(Arc::clone(name), id);
        }
    }

    /// A device that left under this name is there again.
    pub(crate) fn come_back(&mut self, peer: PeerId, name: &str) {
        let left = self.by_name.get(name).copied();
        if left.is_some() {
            let own = self.by_peer.get(&peer).copied();
            self.merge(peer, [left, own]);
        }
    }

    /// Makes lanes those of a known peer, in the order of their messages.
    fn merge(&mut self, peer: PeerId, lanes: [Option<u64>; 2]) {
        let all = lanes.into_iter().flatten().flat_map(|id| self.remove(id));
        let mut all: Vec<_> = all.collect();
        all.sort_unstable_by_key(|message| message.number);
        self.insert(peer, all);
    }

    /// A peer is forgotten, and what was said with it.
    pub(crate) fn forget(&mut self, peer: PeerId) {
        if let Some(id) = self.by_peer.get(&peer).copied() {
            self.remove(id);
        }
    }
}

#[cfg(test)]
mod tests;
