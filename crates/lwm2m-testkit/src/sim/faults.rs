//! What can go wrong in a simulation: partitions, address translators, crashes, clocks.

use super::disk::Disk;
use super::{Node, Sim};
use lwm2m_link::Input;
use std::net::SocketAddr;
use std::time::Duration;

impl Sim {
    /// Lets neither datagrams nor bytes of connections pass between two nodes until
    /// [`heal`](Self::heal). Datagrams are lost; connections stall, as TCP does.
    pub fn sever<A, B>(&mut self, a: Node<A>, b: Node<B>) {
        self.severed.insert((a.place.min(b.place), a.place.max(b.place)));
    }

    /// Ends all partitions.
    pub fn heal(&mut self) {
        self.severed.clear();
        self.streams.resume(self.now);
    }

    /// Gives a node another address, as an address translator does that forgot its mapping. What
    /// is sent to the old one is lost; the node is not told, and its connections fall silent.
    pub fn rebind<E>(&mut self, node: Node<E>, address: SocketAddr) {
        self.places[node.place].address = address;
        self.streams.silence(node.place);
    }

    /// Drops an engine with its state and unsent output. Its connections end. Its disk keeps all
    /// that was committed, and of the other writes a random number of the oldest.
    pub fn crash<E>(&mut self, node: Node<E>) {
        let place = &mut self.places[node.place];
        place.host.stop();
        place.disk.iter_mut().for_each(Disk::crash);
        self.streams.end_at(self.now, node.place);
    }

    /// Restarts an engine; crashes it first if it runs.
    pub fn restart<E>(&mut self, node: Node<E>) {
        self.crash(node);
        let place = &mut self.places[node.place];
        place.host.start(place.disk.as_ref().map(Disk::records).unwrap_or_default());
        self.touched.insert(node.place);
    }

    /// Makes the clock of a node run fast or slow from now on: 1,000,000 is the speed of
    /// [`now`](Self::now).
    pub fn set_clock_rate<E>(&mut self, node: Node<E>, parts_per_million: u32) {
        self.places[node.place].clock.set_rate(self.now, parts_per_million);
    }

    /// Makes the clock of a node jump ahead, as after its machine has slept.
    pub fn jump_clock<E>(&mut self, node: Node<E>, by: Duration) {
        self.places[node.place].clock.jump(self.now, by);
    }

    /// Ends all connections. Both sides learn it at once; bytes in flight are lost.
    pub fn cut_connections(&mut self) {
        for (place, connection) in self.streams.cut() {
            self.handle(place, Input::Disconnected { connection });
        }
    }

    /// Hands a datagram to a node as if it came from `from`.
    pub fn inject<E>(&mut self, node: Node<E>, from: SocketAddr, secured: bool, bytes: &[u8]) {
        self.handle(node.place, Input::Datagram { from, secured, bytes });
        self.drain();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Conditions;
    use bytes::Bytes;
    use lwm2m_link::{Engine, Journal, Output, Outputs, Record, Table, Transmit};
    use lwm2m_time::Instant;
    use std::collections::BTreeSet;
    use std::net::{IpAddr, Ipv4Addr};

    const LEDGER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 1);
    const TELLER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)), 1);

    /// Keeps each number that it receives, then answers with it.
    struct Ledger {
        numbers: BTreeSet<u8>,
        journal: Journal<u8>,
        outputs: Outputs<u8>,
    }

    impl Ledger {
        fn restore(records: &[Record]) -> Self {
            let numbers = records.iter().map(|record| record.key[0]).collect();
            Self { numbers, journal: Journal::new(true), outputs: Outputs::default() }
        }

        fn keep(&mut self, number: u8) {
            self.numbers.insert(number);
            let (key, value) = (vec![number].into(), Some(Bytes::new()));
            let since = self.journal.promised();
            self.journal.promise(&mut self.outputs, Record { table: Table(1), key, value });
            self.journal.hold(since, number);
        }
    }

    impl Engine for Ledger {
        type Event = u8;

        fn handle(&mut self, _: Instant, input: Input<'_>) {
            match input {
                Input::Datagram { bytes, .. } => self.keep(bytes[0]),
                Input::Written(lsn) => self.journal.written(lsn),
                Input::WriteFailed(lsn) => {
                    self.outputs.extend(self.journal.failed(lsn).map(|_| u8::MAX));
                }
                _ => {}
            }
            while let Some(number) = self.journal.released() {
                let payload = vec![number].into();
                self.outputs.transmit(Transmit { to: TELLER, payload, secured: false });
            }
        }

        fn poll(&mut self) -> Option<Output<u8>> {
            self.outputs.poll()
        }

        fn poll_timeout(&self) -> Option<Instant> {
            None
        }
    }

    fn ledger(seed: u64) -> (Sim, Node<Ledger>) {
        let mut sim = Sim::new(Conditions::INSTANT, seed);
        sim.network.capture = Some(Vec::new());
        let node = sim.add_with_disk(LEDGER, |_, records| Ledger::restore(&records));
        (sim, node)
    }

    fn acknowledged(sim: &Sim) -> BTreeSet<u8> {
        sim.network.capture.iter().flatten().map(|datagram| datagram.payload[0]).collect()
    }

    #[test]
    fn crashes_lose_nothing_that_was_acknowledged() {
        let mut lost = 0;
        for seed in 0..300 {
            let (mut sim, node) = ledger(seed);
            for number in 0..40 {
                sim.inject(node, TELLER, false, &[number]);
                sim.run_for(Duration::from_micros(500));
            }
            let before = sim[node].numbers.clone();
            sim.restart(node);
            let after = sim[node].numbers.clone();
            let acknowledged = acknowledged(&sim);
            assert!(after.is_superset(&acknowledged), "{seed}: {after:?} {acknowledged:?}");
            assert!(before.iter().zip(&after).all(|(a, b)| a == b), "{seed}: {after:?}");
            lost += before.len() - after.len();
        }
        assert!(lost > 300, "what was not acknowledged may be lost: {lost}");
    }

    #[test]
    fn full_disk_is_told_and_recovers() {
        let (mut sim, node) = ledger(1);
        sim.disk(node).is_full = true;
        sim.inject(node, TELLER, false, &[1]);
        sim.settle();
        assert_eq!(sim.take_events(node).len(), 1);
        assert_eq!(acknowledged(&sim).len(), 0);
        assert!(!sim[node].journal.can_promise());
        sim.disk(node).is_full = false;
        sim.run_for(Duration::from_secs(2));
        assert!(sim[node].journal.can_promise());
        sim.inject(node, TELLER, false, &[2]);
        sim.settle();
        assert_eq!(acknowledged(&sim), [2].into());
        assert_eq!(sim.disk(node).records().len(), 2);
    }
}
