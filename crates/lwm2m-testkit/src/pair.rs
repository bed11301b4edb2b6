//! Two engines, a network between them, and a clock that jumps from event to event.

use crate::network::{Conditions, InFlight, Network};
use crate::streams::{Side, Streams};
use lwm2m_link::{Engine, Input, Output};
use lwm2m_time::Instant;
use std::net::SocketAddr;
use std::time::Duration;

/// The address of the left engine.
pub const LEFT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), 5683);
/// The address of the right engine.
pub const RIGHT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2)), 5683);

/// Two engines that talk to each other in virtual time; ten minutes of protocol take no time.
#[derive(Debug)]
pub struct Pair<L: Engine, R: Engine> {
    /// The engine at [`LEFT`].
    pub left: L,
    /// The engine at [`RIGHT`].
    pub right: R,
    /// What the left engine told so far, with the time.
    pub left_events: Vec<(Instant, L::Event)>,
    /// What the right engine told so far, with the time.
    pub right_events: Vec<(Instant, R::Event)>,
    /// What lies between them.
    pub network: Network,
    /// The connections between them.
    pub streams: Streams,
    /// The time now.
    pub now: Instant,
}

impl<L: Engine, R: Engine> Pair<L, R> {
    /// Puts two engines at the ends of a network.
    #[must_use]
    pub fn new(left: L, right: R, conditions: Conditions, seed: u64) -> Self {
        Self {
            left,
            right,
            left_events: Vec::new(),
            right_events: Vec::new(),
            network: Network::new(conditions, seed),
            streams: Streams::new(seed),
            now: Instant::ZERO,
        }
    }

    /// Runs until `done` holds after a step, or `patience` of virtual time is over. Returns
    /// whether `done` held.
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
            let Some(next) = self.next_input().filter(|next| *next <= end) else {
                self.now = end;
                return false;
            };
            self.now = self.now.max(next);
            self.input();
        }
    }

    /// Runs for a span of virtual time.
    pub fn run_for(&mut self, span: Duration) {
        self.run_until(span, |_| false);
    }

    fn drain(&mut self) {
        let Self { now, network, streams, .. } = self;
        let wires = &mut Wires { now: *now, network, streams };
        wires.drain(&mut self.left, &mut self.left_events, Side::Left);
        wires.drain(&mut self.right, &mut self.right_events, Side::Right);
    }

    /// Cuts all connections; both sides are told.
    pub fn cut_connections(&mut self) {
        self.streams.cut(self.now, &mut self.left, &mut self.right);
    }

    /// Puts another engine in the place of the right one, which had no time to say good-bye.
    pub fn replace_right(&mut self, engine: R) {
        self.right = engine;
        self.streams.forget_right(self.now, &mut self.left);
    }

    fn next_input(&self) -> Option<Instant> {
        let timeouts = [self.left.poll_timeout(), self.right.poll_timeout()];
        let arrivals = [self.network.next_arrival(), self.streams.next_arrival()];
        timeouts.into_iter().chain(arrivals).flatten().min()
    }

    fn input(&mut self) {
        while let Some(datagram) = self.network.arrive(self.now) {
            if datagram.to == LEFT {
                datagram.deliver(self.now, &mut self.left);
            } else if datagram.to == RIGHT {
                datagram.deliver(self.now, &mut self.right);
            }
        }
        self.streams.deliver(self.now, &mut self.left, &mut self.right);
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= self.now);
        if due(self.left.poll_timeout()) {
            self.left.handle(self.now, Input::Timeout);
        }
        if due(self.right.poll_timeout()) {
            self.right.handle(self.now, Input::Timeout);
        }
    }
}

/// What lies between the engines.
struct Wires<'a> {
    now: Instant,
    network: &'a mut Network,
    streams: &'a mut Streams,
}

impl Wires<'_> {
    fn drain<E: Engine>(
        &mut self,
        engine: &mut E,
        events: &mut Vec<(Instant, E::Event)>,
        side: Side,
    ) {
        let from = match side {
            Side::Left => LEFT,
            Side::Right => RIGHT,
        };
        while let Some(output) = engine.poll() {
            match output {
                Output::Transmit(transmit) => {
                    self.network.send(self.now, InFlight::new(from, transmit));
                }
                Output::Stream(action) => self.streams.act(self.now, side, from, action),
                Output::Event(event) => events.push((self.now, event)),
            }
        }
    }
}
