//! The connections between two engines: bytes arrive in order, cut anywhere, from one seed.

use bytes::Bytes;
use lwm2m_link::{Engine, PeerId, StreamAction};
use lwm2m_time::Instant;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// The port that speaks TLS.
pub const SECURED_PORT: u16 = 5684;
/// The largest piece that arrives at once.
const PIECE: usize = 200;
/// The time on the way.
const DELAY: Duration = Duration::from_millis(10);

/// A side of a pair.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    Left,
    Right,
}

impl Side {
    const fn other(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }
}

/// What happens to whoever connects, and to what is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// Connections come about, and bytes arrive.
    Good,
    /// Nobody listens: a connection fails at once.
    Refused,
    /// Nothing arrives any more, and nobody is told.
    Silent,
}

/// The connections, and what is on its way in them.
#[derive(Debug)]
pub struct Streams {
    /// What happens from now on.
    pub fate: Fate,
    /// How many connections have come about.
    pub accepted: usize,
    /// Whether a bit of what is sent next is turned over.
    pub damage: bool,
    rng: ChaCha8Rng,
    connections: Vec<Ends>,
    in_flight: BTreeMap<(Instant, u64), Parcel>,
    sent: u64,
}

/// The names of a connection at its sides, while it has one there.
#[derive(Clone, Copy, Default, Debug)]
struct Ends {
    left: Option<PeerId>,
    right: Option<PeerId>,
}

#[derive(Debug)]
struct Parcel {
    connection: usize,
    to: Side,
    item: Item,
}

#[derive(Debug)]
enum Item {
    Connect { from: SocketAddr, secured: bool },
    Bytes(Bytes),
    End,
}

impl Ends {
    const fn at(&mut self, side: Side) -> &mut Option<PeerId> {
        match side {
            Side::Left => &mut self.left,
            Side::Right => &mut self.right,
        }
    }
}

impl Streams {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            fate: Fate::Good,
            accepted: 0,
            damage: false,
            rng: ChaCha8Rng::seed_from_u64(seed),
            connections: Vec::new(),
            in_flight: BTreeMap::new(),
            sent: 0,
        }
    }

    pub(crate) fn next_arrival(&self) -> Option<Instant> {
        self.in_flight.keys().next().map(|(arrival, _)| *arrival)
    }

    /// Takes what the engine of a side wants done.
    pub(crate) fn act(&mut self, now: Instant, side: Side, from: SocketAddr, action: StreamAction) {
        match action {
            StreamAction::Open { peer, to } => {
                let mut ends = Ends::default();
                *ends.at(side) = Some(peer);
                self.connections.push(ends);
                let secured = to.port() == SECURED_PORT;
                self.send(
                    now,
                    self.connections.len() - 1,
                    side.other(),
                    Item::Connect { from, secured },
                );
            }
            StreamAction::Write { peer, mut payload } => {
                let Some(connection) = self.find(side, peer) else { return };
                if std::mem::take(&mut self.damage) {
                    let mut damaged = payload.to_vec();
                    damaged.last_mut().into_iter().for_each(|byte| *byte ^= 1);
                    payload = damaged.into();
                }
                while !payload.is_empty() {
                    let most = PIECE.min(payload.len());
                    let length = 1 + usize::try_from(self.rng.next_u32()).unwrap_or(0) % most;
                    let piece = payload.split_to(length);
                    self.send(now, connection, side.other(), Item::Bytes(piece));
                }
            }
            StreamAction::Close { peer } => {
                let Some(connection) = self.find(side, peer) else { return };
                *self.connections[connection].at(side) = None;
                self.send(now, connection, side.other(), Item::End);
            }
        }
    }

    fn find(&mut self, side: Side, peer: PeerId) -> Option<usize> {
        self.connections.iter_mut().position(|ends| *ends.at(side) == Some(peer))
    }

    fn send(&mut self, now: Instant, connection: usize, to: Side, item: Item) {
        if self.fate != Fate::Silent {
            self.sent += 1;
            let parcel = Parcel { connection, to, item };
            self.in_flight.insert((now + DELAY, self.sent), parcel);
        }
    }

    /// Hands what has arrived by `now` to the engines.
    pub(crate) fn deliver<L: Engine, R: Engine>(
        &mut self,
        now: Instant,
        left: &mut L,
        right: &mut R,
    ) {
        while let Some(entry) = self.in_flight.first_entry().filter(|it| it.key().0 <= now) {
            let parcel = entry.remove();
            match parcel.to {
                Side::Left => self.arrive(now, parcel, left),
                Side::Right => self.arrive(now, parcel, right),
            }
        }
    }

    fn arrive<E: Engine>(&mut self, now: Instant, parcel: Parcel, engine: &mut E) {
        let Parcel { connection, to, item } = parcel;
        let known = *self.connections[connection].at(to);
        match (item, known) {
            (Item::Connect { from, secured }, _) => {
                let accepts = self.fate == Fate::Good;
                let peer = accepts.then(|| engine.handle_connected(now, from, secured)).flatten();
                *self.connections[connection].at(to) = peer;
                match peer {
                    Some(_) => self.accepted += 1,
                    None => self.send(now, connection, to.other(), Item::End),
                }
            }
            (Item::Bytes(bytes), Some(peer)) => engine.handle_stream(now, peer, &bytes),
            (Item::End, Some(peer)) => {
                *self.connections[connection].at(to) = None;
                engine.handle_disconnected(now, peer);
            }
            (Item::Bytes(_) | Item::End, None) => {}
        }
    }

    /// Ends all connections at both sides; what was on its way is lost.
    pub(crate) fn cut<L: Engine, R: Engine>(&mut self, now: Instant, left: &mut L, right: &mut R) {
        self.in_flight.clear();
        for ends in &mut self.connections {
            ends.left.take().into_iter().for_each(|peer| left.handle_disconnected(now, peer));
            ends.right.take().into_iter().for_each(|peer| right.handle_disconnected(now, peer));
        }
    }

    /// The right engine is another one: it knows of no connection, and says so to whoever is left.
    pub(crate) fn forget_right<L: Engine>(&mut self, now: Instant, left: &mut L) {
        self.in_flight.clear();
        for ends in &mut self.connections {
            ends.right = None;
            ends.left.take().into_iter().for_each(|peer| left.handle_disconnected(now, peer));
        }
    }
}
