//! A simulation: any number of engines, a network between them, and a clock that jumps from input
//! to input, so that ten minutes of protocol take no time.
//!
//! Everything follows from the seed: a bad day can be repeated. Engines can crash and start anew,
//! lose sight of each other, move to other addresses, have clocks of their own, and keep records on
//! disks.
//!
//! ```
//! use lwm2m_coap::{Config, Event, Request};
//! use lwm2m_link::{Link, LinkEvent};
//! use lwm2m_testkit::{Conditions, Sim};
//!
//! let (left, right) = ("192.0.2.1:5683".parse()?, "192.0.2.2:5683".parse()?);
//! let mut sim = Sim::new(Conditions::GOOD, 1);
//! let client = sim.add(left, |_| Link::new(Config::default(), [1; 32]));
//! let server = sim.add(right, |_| Link::new(Config::default(), [2; 32]));
//! sim.with(client, |link, now| {
//!     let peer = link.connect(right).expect("room for a peer");
//!     link.coap().request(now, peer, Request::get()).expect("room for a request");
//! });
//! sim.settle();
//! assert!(matches!(sim.events(server), [(_, LinkEvent::Coap(Event::Request { .. }))]));
//! # Ok::<(), std::net::AddrParseError>(())
//! ```

mod clock;
mod coap_peer;
pub mod disk;
mod faults;
mod host;
pub mod network;
pub mod streams;

pub use self::coap_peer::CoapPeer;

use self::clock::Clock;
use self::disk::{Disk, Outcome};
use self::host::{Host, Hosted};
use self::network::{Conditions, InFlight, Network};
use self::streams::{Arrival, Item, Streams};
use lwm2m_link::{Engine, Input, Output, Record, StreamAction};
use lwm2m_time::Instant;
use std::any::Any;
use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::ops::{Index, IndexMut};
use std::time::Duration;

/// The name of an engine in its [`Sim`].
pub struct Node<E> {
    place: usize,
    engine: PhantomData<fn() -> E>,
}

impl<E> Clone for Node<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Node<E> {}

impl<E> fmt::Debug for Node<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Node").field(&self.place).finish()
    }
}

/// Engines that talk to each other in virtual time.
///
/// - an engine: `sim[node]`, and [`with`](Self::with) for what needs the time
/// - running: [`run_until`](Self::run_until), [`run_for`](Self::run_for),
///   [`settle`](Self::settle), [`step`](Self::step)
/// - results: [`events`](Self::events), [`Network::capture`], [`Network::counts`]
/// - faults: [`Network::set_conditions`], [`sever`](Self::sever), [`heal`](Self::heal),
///   [`rebind`](Self::rebind), [`crash`](Self::crash), [`restart`](Self::restart),
///   [`set_clock_rate`](Self::set_clock_rate), [`jump_clock`](Self::jump_clock),
///   [`cut_connections`](Self::cut_connections), [`Streams::fate`], [`Disk::is_full`]
pub struct Sim {
    /// The time now.
    pub now: Instant,
    /// The datagrams between the engines.
    pub network: Network,
    /// The connections between the engines.
    pub streams: Streams,
    places: Vec<Place>,
    seed: u64,
    /// Pairs of partitioned nodes, the smaller index first.
    severed: BTreeSet<(usize, usize)>,
    /// The engines that may have output.
    touched: BTreeSet<usize>,
}

/// An engine at its address.
struct Place {
    host: Box<dyn Host>,
    address: SocketAddr,
    clock: Clock,
    disk: Option<Disk>,
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim").field("now", &self.now).finish_non_exhaustive()
    }
}

impl Sim {
    /// A simulation without engines. Randomness comes from `seed`.
    #[must_use]
    pub fn new(conditions: Conditions, seed: u64) -> Self {
        Self {
            now: Instant::ZERO,
            network: Network::new(conditions, seed),
            streams: Streams::new(seed),
            places: Vec::new(),
            seed,
            severed: BTreeSet::new(),
            touched: BTreeSet::new(),
        }
    }

    /// Adds an engine, which `make` makes now and at each [`restart`](Self::restart); `make` is
    /// given how often it was called before.
    pub fn add<E>(
        &mut self,
        address: SocketAddr,
        mut make: impl FnMut(u8) -> E + 'static,
    ) -> Node<E>
    where
        E: Engine<Event: 'static> + 'static,
    {
        self.place(address, None, move |starts, _| make(starts))
    }

    /// As [`add`](Self::add), with a disk for what the engine wants kept; `make` is given all its
    /// records, in the order of tables and keys. Without a disk they are dropped, and no write is
    /// ever acknowledged.
    pub fn add_with_disk<E>(
        &mut self,
        address: SocketAddr,
        make: impl FnMut(u8, Vec<Record>) -> E + 'static,
    ) -> Node<E>
    where
        E: Engine<Event: 'static> + 'static,
    {
        let seed = self.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ self.places.len() as u64;
        self.place(address, Some(Disk::new(seed)), make)
    }

    fn place<E>(
        &mut self,
        address: SocketAddr,
        disk: Option<Disk>,
        make: impl FnMut(u8, Vec<Record>) -> E + 'static,
    ) -> Node<E>
    where
        E: Engine<Event: 'static> + 'static,
    {
        let place = self.places.len();
        let host = Box::new(Hosted::new(make));
        self.places.push(Place { host, address, clock: Clock::new(), disk });
        self.touched.insert(place);
        Node { place, engine: PhantomData }
    }

    /// Adds an engine that cannot be restarted.
    pub fn add_engine<E>(&mut self, address: SocketAddr, engine: E) -> Node<E>
    where
        E: Engine<Event: 'static> + 'static,
    {
        let mut engine = Some(engine);
        self.add(address, move |_| engine.take().expect("the engine is not started anew"))
    }

    /// Calls an engine with the time of its clock, and sends its output.
    pub fn with<E: Engine<Event: 'static> + 'static, T>(
        &mut self,
        node: Node<E>,
        call: impl FnOnce(&mut E, Instant) -> T,
    ) -> T {
        let now = self.places[node.place].clock.local(self.now);
        let result = call(&mut self[node], now);
        self.drain();
        result
    }

    /// The disk of a node: what is kept, and its faults.
    ///
    /// # Panics
    /// The node was added without a disk.
    pub fn disk<E>(&mut self, node: Node<E>) -> &mut Disk {
        self.places[node.place].disk.as_mut().expect("a node with a disk")
    }

    /// The address of a node.
    #[must_use]
    pub fn address<E>(&self, node: Node<E>) -> SocketAddr {
        self.places[node.place].address
    }

    /// All events of an engine so far, with their times. The list survives crashes.
    #[must_use]
    pub fn events<E: Engine<Event: 'static> + 'static>(
        &self,
        node: Node<E>,
    ) -> &[(Instant, E::Event)] {
        &self.hosted(node).events
    }

    /// Takes the events of an engine since the last call.
    pub fn take_events<E: Engine<Event: 'static> + 'static>(
        &mut self,
        node: Node<E>,
    ) -> Vec<(Instant, E::Event)> {
        self.drain();
        std::mem::take(&mut self.hosted_mut(node).events)
    }

    /// Runs until `done` returns `true`, for at most `patience` of virtual time. Returns whether it
    /// did.
    pub fn run_until(
        &mut self,
        patience: Duration,
        mut done: impl FnMut(&mut Self) -> bool,
    ) -> bool {
        let end = self.now + patience;
        loop {
            self.drain();
            if done(self) {
                return true;
            }
            if !self.step(end) {
                return false;
            }
        }
    }

    /// Runs for a span of virtual time.
    pub fn run_for(&mut self, span: Duration) {
        self.run_until(span, |_| false);
    }

    /// Runs until nothing is in flight, neither between nodes nor on the way to a disk, except to
    /// one that is full. Timers that are due by then fire.
    pub fn settle(&mut self) {
        loop {
            self.drain();
            let commits = self.disks().filter_map(Disk::due_unless_failed).min();
            let Some(next) = self.next_arrival().into_iter().chain(commits).min() else { break };
            self.step(next);
        }
    }

    /// Advances to the next inputs and handles them; if there are none until `end`, advances to
    /// `end` and returns `false`.
    pub fn step(&mut self, end: Instant) -> bool {
        self.drain();
        let timeouts = (0..self.places.len()).filter_map(|place| self.timeout(place));
        let commits = self.disks().filter_map(Disk::due);
        let next = timeouts.chain(commits).chain(self.next_arrival()).min();
        let Some(next) = next.filter(|next| *next <= end) else {
            self.now = self.now.max(end);
            return false;
        };
        self.now = self.now.max(next);
        self.handle_inputs();
        self.drain();
        true
    }

    fn next_arrival(&self) -> Option<Instant> {
        [self.network.next_arrival(), self.streams.next_arrival()].into_iter().flatten().min()
    }

    fn disks(&self) -> impl Iterator<Item = &Disk> {
        self.places.iter().filter_map(|place| place.disk.as_ref())
    }

    fn timeout(&self, place: usize) -> Option<Instant> {
        let Place { host, clock, .. } = &self.places[place];
        host.poll_timeout().map(|local| clock.global(local))
    }

    fn handle_inputs(&mut self) {
        while let Some(datagram) = self.network.arrive(self.now) {
            let InFlight { from, to, secured, payload } = &datagram;
            let at = |place: &Place| place.address == *to;
            if let Some(place) = self.places.iter().position(at) {
                let input = Input::Datagram { from: *from, secured: *secured, bytes: payload };
                self.handle(place, input);
            }
        }
        while let Some(arrival) = self.streams.arrive(self.now) {
            self.handle_stream(arrival);
        }
        for place in 0..self.places.len() {
            self.handle_disk(place);
            if self.timeout(place).is_some_and(|due| due <= self.now) {
                self.handle(place, Input::Timeout);
            }
        }
    }

    fn handle_disk(&mut self, place: usize) {
        let now = self.now;
        match self.places[place].disk.as_mut().and_then(|disk| disk.advance(now)) {
            Some(Outcome::Written(lsn)) => self.handle(place, Input::Written(lsn)),
            Some(Outcome::Failed(lsn)) => self.handle(place, Input::WriteFailed(lsn)),
            None => {}
        }
    }

    fn handle_stream(&mut self, arrival: Arrival) {
        let [from, to] = self.streams.ends(&arrival);
        if self.are_severed(from, to) {
            return self.streams.stall(arrival);
        }
        let is_up = self.places[to].host.is_up();
        match arrival.item {
            Item::Connect { from, secured } => {
                if let Some(connection) = self.streams.accept(self.now, &arrival, is_up) {
                    self.handle(to, Input::Connected { connection, from, secured });
                }
            }
            Item::Bytes(ref bytes) => {
                if let Some(connection) = self.streams.name(self.now, &arrival) {
                    self.handle(to, Input::Stream { connection, bytes });
                }
            }
            Item::End => {
                if let Some(connection) = self.streams.end(&arrival) {
                    self.handle(to, Input::Disconnected { connection });
                }
            }
        }
    }

    fn handle(&mut self, place: usize, input: Input<'_>) {
        let Place { host, clock, .. } = &mut self.places[place];
        host.handle(clock.local(self.now), input);
        self.touched.insert(place);
    }

    /// Sends the output of the engines.
    fn drain(&mut self) {
        while let Some(place) = self.touched.pop_first() {
            let mut writes = Vec::new();
            while let Some(output) = self.places[place].host.poll(self.now) {
                let from = self.places[place].address;
                match output {
                    Output::Transmit(transmit) => {
                        let to = self.places.iter().position(|it| it.address == transmit.to);
                        let has_way = !to.is_some_and(|to| self.are_severed(place, to));
                        let datagram = InFlight::new(from, transmit);
                        self.network.send_over(self.now, datagram, has_way);
                    }
                    Output::Stream(action) => {
                        let to = self.listener(&action);
                        self.streams.act(self.now, place, from, action, to);
                    }
                    Output::Write(write) => writes.push(write),
                    Output::Event(never) => match never {},
                }
            }
            if let Some(disk) = self.places[place].disk.as_mut().filter(|_| !writes.is_empty()) {
                disk.push(self.now, writes);
            }
        }
    }

    /// The node that an action connects to: one port of a host speaks TLS, another does not.
    fn listener(&self, action: &StreamAction) -> Option<usize> {
        let StreamAction::Open { to, .. } = action else { return None };
        self.places.iter().position(|place| place.address.ip() == to.ip())
    }

    fn are_severed(&self, a: usize, b: usize) -> bool {
        self.severed.contains(&(a.min(b), a.max(b)))
    }

    fn hosted<E: Engine<Event: 'static> + 'static>(&self, node: Node<E>) -> &Hosted<E> {
        let host: &dyn Any = &*self.places[node.place].host;
        host.downcast_ref().expect("a node of this simulation")
    }

    fn hosted_mut<E: Engine<Event: 'static> + 'static>(&mut self, node: Node<E>) -> &mut Hosted<E> {
        let host: &mut dyn Any = &mut *self.places[node.place].host;
        host.downcast_mut().expect("a node of this simulation")
    }
}

impl<E: Engine<Event: 'static> + 'static> Index<Node<E>> for Sim {
    type Output = E;

    fn index(&self, node: Node<E>) -> &E {
        self.hosted(node).engine.as_ref().expect("the engine has crashed")
    }
}

impl<E: Engine<Event: 'static> + 'static> IndexMut<Node<E>> for Sim {
    fn index_mut(&mut self, node: Node<E>) -> &mut E {
        self.touched.insert(node.place);
        self.hosted_mut(node).engine.as_mut().expect("the engine has crashed")
    }
}
