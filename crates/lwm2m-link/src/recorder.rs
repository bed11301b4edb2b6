//! The flight recorder: the last messages of each peer, in bounded memory.
//!
//! A message is kept as its bytes, and read by who asks for it. All peers share one number of bytes:
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
mod tests {
    use super::*;
    use alloc::string::String;
    use alloc::{format, vec};

    const PEER: SocketAddr =
        SocketAddr::new(core::net::IpAddr::V4(core::net::Ipv4Addr::LOCALHOST), 1);
    const LIMIT: usize = 1 << 20;

    fn message(text: &[u8]) -> Recorded {
        Recorded {
            number: 0,
            at: Instant::ZERO,
            remote: PEER,
            way: Way::Received,
            carriage: Carriage { is_stream: false, is_secured: false },
            session: None,
            is_sealed: false,
            bytes: Bytes::copy_from_slice(text),
        }
    }

    fn texts(recorder: &Recorder, peer: u64) -> Vec<Bytes> {
        recorder.messages(Of::Peer(PeerId(peer))).map(|it| it.bytes.clone()).collect()
    }

    /// What must hold at any time.
    fn check(recorder: &Recorder) {
        let of = |is_known| recorder.lanes.values().filter(move |lane| lane.is_known == is_known);
        for (pool, is_known) in [(&recorder.known, true), (&recorder.strangers, false)] {
            assert_eq!(pool.memory, of(is_known).map(|lane| lane.memory).sum::<usize>());
            assert_eq!(pool.order.len(), of(is_known).map(|lane| lane.messages.len()).sum());
        }
        assert!(recorder.memory() <= recorder.limit);
        assert!(recorder.openings.memory() <= recorder.limit / SHARE * OPENINGS);
        assert!(recorder.strangers.memory <= recorder.limit / SHARE);
        for lane in recorder.lanes.values() {
            assert!(!lane.messages.is_empty() && lane.memory <= recorder.limit / SHARE);
            assert!(lane.messages.iter().is_sorted_by_key(|it| it.number));
        }
        assert_eq!(recorder.by_peer.len() + recorder.by_name.len(), recorder.lanes.len());
    }

    #[test]
    fn a_flood_of_strangers_pushes_out_strangers_alone() {
        let mut recorder = Recorder::new(LIMIT);
        recorder.record(PeerId(0), true, message(b"known"));
        for stranger in 1..20_000 {
            recorder.record(PeerId(stranger), false, message(&[7; 300]));
        }
        check(&recorder);
        assert_eq!(texts(&recorder, 0), [&b"known"[..]]);
        assert!(texts(&recorder, 1).is_empty() && !texts(&recorder, 19_999).is_empty());
    }

    #[test]
    fn a_device_that_floods_loses_its_own_messages() {
        let mut recorder = Recorder::new(LIMIT);
        // So many that the memory is full of their messages.
        let others = (LIMIT / (OVERHEAD + 40)) as u64;
        (1..others).for_each(|peer| recorder.record(PeerId(peer), true, message(&[1; 40])));
        let before: Vec<_> = (1..others).filter(|it| !texts(&recorder, *it).is_empty()).collect();
        for number in 0..10_000_u32 {
            recorder.record(PeerId(0), true, message(&number.to_be_bytes()));
        }
        check(&recorder);
        let after: Vec<_> = (1..others).filter(|it| !texts(&recorder, *it).is_empty()).collect();
        assert!(before.len() - after.len() <= 2, "{} of {}", after.len(), before.len());
        assert_eq!(texts(&recorder, 0).last().unwrap()[..], 9_999_u32.to_be_bytes());
    }

    #[test]
    fn one_device_alone_has_a_share_and_the_last_messages() {
        let mut recorder = Recorder::new(LIMIT);
        for number in 0..10_000_u32 {
            recorder.record(PeerId(0), true, message(&number.to_be_bytes()));
        }
        check(&recorder);
        let texts = texts(&recorder, 0);
        let share = LIMIT / SHARE / (OVERHEAD + 4);
        assert_eq!(texts.len(), share);
        assert_eq!(texts[0][..], (10_000 - share as u32).to_be_bytes());
        recorder.record(PeerId(1), true, message(&[0; LIMIT / SHARE]));
        assert!(
            recorder.messages(Of::Peer(PeerId(1))).next().is_none(),
            "it is longer than a share"
        );
    }

    #[test]
    fn what_a_device_said_stays_with_it() {
        let mut recorder = Recorder::new(LIMIT);
        let name: Arc<str> = Arc::from("device");
        recorder.record(PeerId(1), false, message(b"register"));
        recorder.know(PeerId(1));
        assert_eq!(recorder.strangers.memory, 0);
        recorder.record(PeerId(2), false, message(b"update"));
        recorder.record(PeerId(1), true, message(b"late"));
        recorder.join(PeerId(1), PeerId(2));
        check(&recorder);
        assert_eq!(texts(&recorder, 1), [&b"register"[..], b"update", b"late"]);
        recorder.leave(PeerId(1), &name);
        recorder.forget(PeerId(1));
        recorder.record(PeerId(1), false, message(b"of somebody else"));
        check(&recorder);
        assert_eq!(recorder.messages(Of::Left("device")).count(), 3);
        recorder.record(PeerId(3), false, message(b"again"));
        recorder.come_back(PeerId(3), "device");
        check(&recorder);
        assert_eq!(texts(&recorder, 3), [&b"register"[..], b"update", b"late", b"again"]);
        assert_eq!(recorder.messages(Of::Left("device")).count(), 0);
        recorder.leave(PeerId(3), &name);
        recorder.record(PeerId(4), true, message(b"other"));
        recorder.leave(PeerId(4), &name);
        check(&recorder);
        assert_eq!(recorder.messages(Of::Left("device")).count(), 1);
    }

    const SESSION: SessionId = SessionId(7);

    fn sealed(text: &[u8], session: SessionId, is_stream: bool) -> Recorded {
        let carriage = Carriage { is_stream, is_secured: true };
        Recorded { carriage, session: Some(session), is_sealed: true, ..message(text) }
    }

    /// The plaintext of a sealed message.
    fn opened(text: &[u8], session: SessionId) -> Recorded {
        Recorded { is_sealed: false, ..sealed(text, session, false) }
    }

    /// The handshake of a session, and its secret.
    fn begin(recorder: &mut Recorder, session: SessionId, length: usize) {
        let label = String::from("CLIENT_RANDOM");
        let secret = Secret { label, client_random: [1; 32], secret: vec![2; 48].into() };
        recorder.record_opening(session, sealed(&vec![b'h'; length], session, false));
        recorder.openings().add_secrets(session, vec![secret]);
        recorder.openings().establish(session);
    }

    /// A message in a session, sealed and in the clear.
    fn say(recorder: &mut Recorder, peer: u64, session: SessionId) {
        recorder.record(PeerId(peer), true, sealed(b"sealed", session, false));
        recorder.record(PeerId(peer), true, opened(b"opened", session));
    }

    /// The first byte of what is in a capture: h, s or o.
    fn captured(recorder: &Recorder, peer: u64) -> String {
        let packets = recorder.capture(Of::Peer(PeerId(peer))).packets;
        packets.iter().map(|it| char::from(it.bytes[0])).collect()
    }

    #[test]
    fn a_session_is_captured_as_it_went_over_the_wire() {
        let mut recorder = Recorder::new(LIMIT);
        begin(&mut recorder, SESSION, 100);
        say(&mut recorder, 1, SESSION);
        // One that was restored has no handshake.
        say(&mut recorder, 1, SessionId(8));
        check(&recorder);
        assert_eq!(captured(&recorder, 1), "hso");
        let secrets = recorder.capture(Of::Peer(PeerId(1))).secrets;
        let line = format!("CLIENT_RANDOM {} {}\n", "01".repeat(32), "02".repeat(48));
        assert_eq!((secrets.len(), &**secrets[0].line()), (1, &*line));
        assert!(!format!("{secrets:?}").contains('2'), "secrets are not shown");
        assert_eq!(texts(&recorder, 1), [&b"opened"[..], b"opened"], "the log has no sealed ones");
        assert_eq!(captured(&recorder, 2), "");
    }

    #[test]
    fn handshakes_that_lead_to_nothing_push_out_no_session() {
        let mut recorder = Recorder::new(LIMIT);
        begin(&mut recorder, SESSION, 1_000);
        for stranger in 100..2_000 {
            let session = SessionId(stranger);
            recorder.record_opening(session, sealed(&[b'h'; 1_000], session, false));
        }
        say(&mut recorder, 1, SESSION);
        check(&recorder);
        assert_eq!(captured(&recorder, 1), "hs");
    }

    #[test]
    fn a_device_that_makes_sessions_for_ever_pushes_out_its_own() {
        let mut recorder = Recorder::new(LIMIT);
        begin(&mut recorder, SESSION, 1_000);
        say(&mut recorder, 1, SESSION);
        for session in 100..2_000 {
            begin(&mut recorder, SessionId(session), 1_000);
            say(&mut recorder, 2, SessionId(session));
        }
        check(&recorder);
        assert_eq!(captured(&recorder, 1), "hs");
        assert_eq!(captured(&recorder, 2).matches('h').count(), MAX_SESSIONS);
    }

    #[test]
    fn a_handshake_that_is_too_long_or_broken_opens_nothing() {
        let mut recorder = Recorder::new(LIMIT);
        begin(&mut recorder, SESSION, 30 << 10);
        say(&mut recorder, 1, SESSION);
        assert_eq!(captured(&recorder, 1), "o");
        // Of a stream that has lost a piece, nothing after it can be opened.
        begin(&mut recorder, SessionId(8), 100);
        recorder.record(PeerId(2), true, sealed(&[b's'; LIMIT / SHARE], SessionId(8), true));
        say(&mut recorder, 2, SessionId(8));
        assert_eq!(captured(&recorder, 2), "o");
        check(&recorder);
    }

    #[test]
    fn a_recorder_without_memory_records_nothing() {
        let mut recorder = Recorder::new(0);
        recorder.record(PeerId(0), true, message(b""));
        assert!(recorder.lanes.is_empty() && recorder.by_peer.is_empty());
    }
}
