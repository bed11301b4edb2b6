//! A network between engines that loses, delays, duplicates and reorders datagrams, all from one
//! seed, so that every bad day can be repeated.

use bytes::Bytes;
use lwm2m_link::Transmit;
use lwm2m_time::Instant;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// The faults of the network.
#[derive(Clone, Copy, Debug)]
pub struct Conditions {
    /// Percentage of datagrams that are lost.
    pub loss: u32,
    /// Percentage of datagrams that arrive twice.
    pub duplication: u32,
    /// The shortest delay.
    pub delay: Duration,
    /// The most that is added to the delay at random. If it exceeds the gap between two datagrams,
    /// they may be reordered.
    pub jitter: Duration,
}

impl Conditions {
    /// Nothing is lost; each datagram takes 10 ms.
    pub const GOOD: Self =
        Self { loss: 0, duplication: 0, delay: Duration::from_millis(10), jitter: Duration::ZERO };

    /// Nothing is lost, and there is no delay.
    pub const INSTANT: Self = Self { delay: Duration::ZERO, ..Self::GOOD };

    /// A bad radio link: 30% lost, 10% duplicated, 20 ms to 1.5 s delay.
    pub const BAD: Self = Self {
        loss: 30,
        duplication: 10,
        delay: Duration::from_millis(20),
        jitter: Duration::from_millis(1480),
    };
}

/// A datagram on its way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InFlight {
    /// The sender.
    pub from: SocketAddr,
    /// The receiver.
    pub to: SocketAddr,
    /// Its bytes.
    pub payload: Bytes,
    /// Whether it goes between the ports for coaps; otherwise between those for coap.
    pub secured: bool,
}

impl InFlight {
    /// A datagram that an engine sends from an address.
    #[must_use]
    pub fn new(from: SocketAddr, transmit: Transmit) -> Self {
        let Transmit { to, payload, secured } = transmit;
        Self { from, to, payload, secured }
    }
}

/// The datagrams in flight, in the order of arrival.
#[derive(Debug)]
pub struct Network {
    conditions: Conditions,
    rng: ChaCha8Rng,
    // The counter tells datagrams with the same arrival time apart.
    in_flight: BTreeMap<(Instant, u64), InFlight>,
    sent: u64,
    lost: u64,
    /// Set to an empty list to record every datagram sent from then on. Default: off.
    pub capture: Option<Vec<InFlight>>,
}

impl Network {
    /// An empty network.
    #[must_use]
    pub fn new(conditions: Conditions, seed: u64) -> Self {
        let rng = ChaCha8Rng::seed_from_u64(seed);
        Self { conditions, rng, in_flight: BTreeMap::new(), sent: 0, lost: 0, capture: None }
    }

    /// Changes the faults from now on.
    pub const fn set_conditions(&mut self, conditions: Conditions) {
        self.conditions = conditions;
    }

    /// Sends a datagram, which may be lost or duplicated.
    pub fn send(&mut self, now: Instant, datagram: InFlight) {
        self.send_over(now, datagram, true);
    }

    /// Like [`send`](Self::send), but drops the datagram if the nodes are partitioned.
    pub(super) fn send_over(&mut self, now: Instant, datagram: InFlight, has_way: bool) {
        if let Some(capture) = &mut self.capture {
            capture.push(datagram.clone());
        }
        let copies = if self.chance(self.conditions.duplication) { 2 } else { 1 };
        for _ in 0..copies {
            self.sent += 1;
            if self.chance(self.conditions.loss) || !has_way {
                self.lost += 1;
            } else {
                let arrival = now + self.time_on_the_way();
                self.in_flight.insert((arrival, self.sent), datagram.clone());
            }
        }
    }

    /// When the next datagram arrives.
    #[must_use]
    pub fn next_arrival(&self) -> Option<Instant> {
        self.in_flight.keys().next().map(|(arrival, _)| *arrival)
    }

    /// Takes the next datagram that is due by `now`.
    pub fn arrive(&mut self, now: Instant) -> Option<InFlight> {
        let entry = self.in_flight.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }

    /// The number of datagrams sent, including duplicates, and how many of them were lost.
    #[must_use]
    pub const fn counts(&self) -> (u64, u64) {
        (self.sent, self.lost)
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.next_u32() % 100 < percent
    }

    fn time_on_the_way(&mut self) -> Duration {
        let jitter = u64::try_from(self.conditions.jitter.as_micros()).unwrap_or(u64::MAX);
        let extra = self.rng.next_u64() % jitter.saturating_add(1);
        self.conditions.delay + Duration::from_micros(extra)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datagram(number: u8) -> InFlight {
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let payload = Bytes::from(vec![number]);
        InFlight { from: address(1), to: address(2), payload, secured: false }
    }

    fn arrivals(seed: u64) -> Vec<u8> {
        let mut network = Network::new(Conditions::BAD, seed);
        for number in 0..200 {
            network.send(Instant::from_millis(u64::from(number) * 10), datagram(number));
        }
        let end = Instant::from_millis(60_000);
        std::iter::from_fn(|| network.arrive(end)).map(|it| it.payload[0]).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_bad_network() {
        let first = arrivals(7);
        assert_eq!(first, arrivals(7));
        assert_ne!(first, arrivals(8));
        let distinct = first.iter().collect::<std::collections::BTreeSet<_>>().len();
        assert!((110..180).contains(&distinct), "some are lost: {distinct} of 200 arrived");
        assert!(first.len() > distinct, "some come twice");
        assert!(first.windows(2).any(|pair| pair[0] > pair[1]), "some overtake others");
    }

    #[test]
    fn a_good_network_keeps_time_and_order() {
        let mut network = Network::new(Conditions::GOOD, 0);
        network.send(Instant::ZERO, datagram(1));
        assert_eq!(network.next_arrival(), Some(Instant::from_millis(10)));
        assert_eq!(network.arrive(Instant::from_millis(9)), None);
        assert_eq!(network.arrive(Instant::from_millis(10)), Some(datagram(1)));
    }
}
