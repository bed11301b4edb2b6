//! The connections between engines: bytes arrive in order, split at random places, from one seed.

use bytes::Bytes;
use lwm2m_link::{ConnectionId, StreamAction};
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

/// What happens to connections and to what is sent on them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// Connections are established, and bytes arrive.
    Good,
    /// There is no listener: a connection fails at once.
    Refused,
    /// Nothing arrives any more, and neither side is told.
    Silent,
}

/// The connections and the bytes in flight.
#[derive(Debug)]
pub struct Streams {
    /// The fate of connections from now on. Default: [`Fate::Good`].
    pub fate: Fate,
    /// The number of connections established so far.
    pub accepted: u64,
    /// Whether to flip a bit of the next bytes sent.
    pub damage: bool,
    /// The delay. Default: 10 ms.
    pub delay: Duration,
    rng: ChaCha8Rng,
    connections: Vec<Connection>,
    in_flight: BTreeMap<(Instant, u64), Arrival>,
    /// Arrivals held back until the partition ends.
    stalled: Vec<(u64, Arrival)>,
    sent: u64,
    latest: u64,
}

/// A connection of two nodes: the side that opened it, and the side that accepts it.
#[derive(Debug)]
struct Connection {
    sides: [Side; 2],
    silent: bool,
}

#[derive(Debug)]
struct Side {
    place: usize,
    /// The engine's id of the connection while it is open.
    name: Option<ConnectionId>,
}

/// What arrives at a side of a connection.
#[derive(Debug)]
pub(super) struct Arrival {
    connection: usize,
    side: usize,
    pub(super) item: Item,
}

#[derive(Debug)]
pub(super) enum Item {
    Connect { from: SocketAddr, secured: bool },
    Bytes(Bytes),
    End,
}

impl Streams {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            fate: Fate::Good,
            accepted: 0,
            damage: false,
            delay: Duration::from_millis(10),
            rng: ChaCha8Rng::seed_from_u64(seed),
            connections: Vec::new(),
            in_flight: BTreeMap::new(),
            stalled: Vec::new(),
            sent: 0,
            latest: 0,
        }
    }

    pub(super) fn next_arrival(&self) -> Option<Instant> {
        self.in_flight.keys().next().map(|(arrival, _)| *arrival)
    }

    /// Carries out an engine's action; `to` is the node that it connects to, if any.
    pub(super) fn act(
        &mut self,
        now: Instant,
        place: usize,
        from: SocketAddr,
        action: StreamAction,
        to: Option<usize>,
    ) {
        if let StreamAction::Open { connection, to: address } = action {
            return self.open(now, place, connection, (from, address), to);
        }
        let Some((connection, side)) = self.find(place, action.connection()) else { return };
        match action {
            StreamAction::Open { .. } => {}
            StreamAction::Write { payload, .. } => {
                self.write(now, connection, 1 - side, payload);
            }
            StreamAction::Close { .. } => {
                self.connections[connection].sides[side].name = None;
                self.send(now, connection, 1 - side, Item::End);
            }
        }
    }

    fn open(
        &mut self,
        now: Instant,
        place: usize,
        name: ConnectionId,
        (from, address): (SocketAddr, SocketAddr),
        to: Option<usize>,
    ) {
        let opener = Side { place, name: Some(name) };
        let acceptor = Side { place: to.unwrap_or(place), name: None };
        self.connections.push(Connection { sides: [opener, acceptor], silent: false });
        let connection = self.connections.len() - 1;
        match to {
            Some(_) => {
                let secured = address.port() == SECURED_PORT;
                self.send(now, connection, 1, Item::Connect { from, secured });
            }
            None => self.send(now, connection, 0, Item::End),
        }
    }

    fn write(&mut self, now: Instant, connection: usize, side: usize, mut payload: Bytes) {
        if std::mem::take(&mut self.damage) {
            let mut damaged = payload.to_vec();
            damaged.last_mut().into_iter().for_each(|byte| *byte ^= 1);
            payload = damaged.into();
        }
        while !payload.is_empty() {
            let most = PIECE.min(payload.len());
            let length = 1 + usize::try_from(self.rng.next_u32()).unwrap_or(0) % most;
            let piece = payload.split_to(length);
            self.send(now, connection, side, Item::Bytes(piece));
        }
    }

    fn find(&self, place: usize, name: ConnectionId) -> Option<(usize, usize)> {
        let is = |side: &Side| side.place == place && side.name == Some(name);
        let found = self.connections.iter().enumerate().rev();
        found.filter_map(|(number, it)| Some((number, it.sides.iter().position(is)?))).next()
    }

    fn send(&mut self, now: Instant, connection: usize, side: usize, item: Item) {
        if self.fate != Fate::Silent && !self.connections[connection].silent {
            self.sent += 1;
            let arrival = Arrival { connection, side, item };
            self.in_flight.insert((now + self.delay, self.sent), arrival);
        }
    }

    /// Takes the next arrival that is due by `now`.
    pub(super) fn arrive(&mut self, now: Instant) -> Option<Arrival> {
        let entry = self.in_flight.first_entry().filter(|it| it.key().0 <= now)?;
        self.latest = entry.key().1;
        Some(entry.remove())
    }

    /// The sender and the receiver of an arrival.
    pub(super) fn ends(&self, arrival: &Arrival) -> [usize; 2] {
        let sides = &self.connections[arrival.connection].sides;
        [sides[1 - arrival.side].place, sides[arrival.side].place]
    }

    /// Holds an arrival back until [`resume`](Self::resume).
    pub(super) fn stall(&mut self, arrival: Arrival) {
        self.stalled.push((self.latest, arrival));
    }

    /// Releases the arrivals held back, before any that were sent later.
    pub(super) fn resume(&mut self, now: Instant) {
        let stalled = std::mem::take(&mut self.stalled).into_iter();
        self.in_flight.extend(stalled.map(|(number, arrival)| ((now, number), arrival)));
    }

    /// Names a connection that a node accepts, unless it is refused.
    pub(super) fn accept(
        &mut self,
        now: Instant,
        arrival: &Arrival,
        is_up: bool,
    ) -> Option<ConnectionId> {
        if self.fate != Fate::Good || !is_up {
            self.send(now, arrival.connection, 1 - arrival.side, Item::End);
            return None;
        }
        self.accepted += 1;
        let name = ConnectionId::Accepted(self.accepted);
        self.side(arrival).name = Some(name);
        Some(name)
    }

    /// The name of the connection at the side where bytes arrived. Where it is over, the other
    /// side is told, as TCP does by a reset.
    pub(super) fn name(&mut self, now: Instant, arrival: &Arrival) -> Option<ConnectionId> {
        let name = self.side(arrival).name;
        if name.is_none() {
            self.send(now, arrival.connection, 1 - arrival.side, Item::End);
        }
        name
    }

    /// Ends the connection at the side where its end arrived.
    pub(super) fn end(&mut self, arrival: &Arrival) -> Option<ConnectionId> {
        self.side(arrival).name.take()
    }

    fn side(&mut self, arrival: &Arrival) -> &mut Side {
        &mut self.connections[arrival.connection].sides[arrival.side]
    }

    /// Drops all further bytes of the node's connections without telling either side.
    pub(super) fn silence(&mut self, place: usize) {
        for connection in &mut self.connections {
            connection.silent |= connection.sides.iter().any(|side| side.place == place);
        }
        let connections = &self.connections;
        self.in_flight.retain(|_, arrival| !connections[arrival.connection].silent);
    }

    /// Ends the connections of a crashed node; the other sides learn it.
    pub(super) fn end_at(&mut self, now: Instant, place: usize) {
        for number in 0..self.connections.len() {
            for side in 0..2 {
                let it = &mut self.connections[number].sides[side];
                if it.place == place && it.name.take().is_some() {
                    self.send(now, number, 1 - side, Item::End);
                }
            }
        }
    }

    /// Ends all connections, and returns their names at the nodes.
    pub(super) fn cut(&mut self) -> Vec<(usize, ConnectionId)> {
        self.in_flight.clear();
        self.stalled.clear();
        let sides = self.connections.iter_mut().flat_map(|it| &mut it.sides);
        sides.filter_map(|side| Some((side.place, side.name.take()?))).collect()
    }
}
