//! The connections between two engines: bytes arrive in order, cut anywhere, from one seed.

use bytes::Bytes;
use lwm2m_link::{ConnectionId, Engine, Input, StreamAction};
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

/// What happens to connections and to what is sent on them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// Connections come about, and bytes arrive.
    Good,
    /// There is no listener: a connection fails at once.
    Refused,
    /// Nothing arrives any more, and neither side is told.
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
    left: Option<ConnectionId>,
    right: Option<ConnectionId>,
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
    const fn at(&mut self, side: Side) -> &mut Option<ConnectionId> {
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
            StreamAction::Open { connection: id, to } => {
                let mut ends = Ends::default();
                *ends.at(side) = Some(id);
                self.connections.push(ends);
                let secured = to.port() == SECURED_PORT;
                self.send(
                    now,
                    self.connections.len() - 1,
                    side.other(),
                    Item::Connect { from, secured },
                );
            }
            StreamAction::Write { connection: id, mut payload } => {
                let Some(connection) = self.find(side, id) else { return };
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
            StreamAction::Close { connection: id } => {
                let Some(connection) = self.find(side, id) else { return };
                *self.connections[connection].at(side) = None;
                self.send(now, connection, side.other(), Item::End);
            }
        }
    }

    fn find(&mut self, side: Side, id: ConnectionId) -> Option<usize> {
        self.connections.iter_mut().position(|ends| *ends.at(side) == Some(id))
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
            (Item::Connect { .. }, _) if self.fate != Fate::Good => {
                self.send(now, connection, to.other(), Item::End);
            }
            (Item::Connect { from, secured }, _) => {
                self.accepted += 1;
                let id = ConnectionId::Accepted(self.accepted as u64);
                *self.connections[connection].at(to) = Some(id);
                engine.handle(now, Input::Connected { connection: id, from, secured });
            }
            (Item::Bytes(bytes), Some(connection)) => {
                engine.handle(now, Input::Stream { connection, bytes: &bytes });
            }
            (Item::End, Some(id)) => {
                *self.connections[connection].at(to) = None;
                engine.handle(now, Input::Disconnected { connection: id });
            }
            (Item::Bytes(_) | Item::End, None) => {}
        }
    }

    /// Ends all connections at both sides; what was on its way is lost.
    pub(crate) fn cut<L: Engine, R: Engine>(&mut self, now: Instant, left: &mut L, right: &mut R) {
        self.in_flight.clear();
        for ends in &mut self.connections {
            disconnect(now, left, ends.left.take());
            disconnect(now, right, ends.right.take());
        }
    }

    /// The right engine is a new one, which knows of no connection: the left one is told so.
    pub(crate) fn forget_right<L: Engine>(&mut self, now: Instant, left: &mut L) {
        self.in_flight.clear();
        for ends in &mut self.connections {
            ends.right = None;
            disconnect(now, left, ends.left.take());
        }
    }
}

fn disconnect<E: Engine>(now: Instant, engine: &mut E, connection: Option<ConnectionId>) {
    if let Some(connection) = connection {
        engine.handle(now, Input::Disconnected { connection });
    }
}
