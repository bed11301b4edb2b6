//! A new session of the same identity continues the old one.

use super::register::{register, server};
use super::sleeper::Sleeper;
use super::{Harness, SERVER, psk, psk_credential, psk_store};
use lwm2m_coap::Request;
use lwm2m_core::Path;
use lwm2m_server::{Event, Operation, OperationId, Server, SubmitError, Target};
use lwm2m_testkit::Node;
use std::net::SocketAddr;
use std::time::Duration;

fn read() -> Operation {
    Operation::Read { path: Path::resource(3, 0, 9), format: None }
}

fn observe() -> Operation {
    Operation::Observe { path: Path::resource(3, 0, 9), format: None }
}

/// A server, and a registered device that it observes.
struct Pair {
    harness: Harness<Server>,
    device: Node<Sleeper>,
    port: u16,
}

impl Pair {
    fn new(stream: bool) -> Self {
        let mut harness = server(psk_store());
        harness.sim.streams.delay = Duration::ZERO;
        let profile = psk(b"id-a", b"key a").expect("a profile");
        let sleeper = Sleeper::new(SERVER, profile, 9, stream);
        let device = harness.sim.add_engine(Self::address(1), sleeper);
        let mut pair = Self { harness, device, port: 1 };
        pair.wake(false, false);
        pair.harness.sim.with(device, |it, now| it.ask(now, register(Some("a"))));
        pair.harness.sim.settle();
        pair.submit(observe()).expect("registered");
        pair.harness.events();
        pair
    }

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([198, 51, 100, 77], port))
    }

    fn wake(&mut self, resume: bool, moves: bool) {
        if moves {
            self.port += 1;
            self.harness.sim.rebind(self.device, Self::address(self.port));
        }
        self.harness.sim.with(self.device, |it, now| it.wake(now, resume));
        self.harness.sim.settle();
        assert_eq!(self.harness.sim[self.device].resumed, resume);
    }

    fn submit(&mut self, operation: Operation) -> Result<OperationId, SubmitError> {
        let submit = |it: &mut Server, now| it.submit(now, "a", operation);
        let submitted = self.harness.sim.with(self.harness.server, submit);
        self.harness.sim.settle();
        submitted
    }

    fn notify(&mut self) {
        self.harness.sim.with(self.device, |it, now| it.notify(now));
        self.harness.sim.settle();
    }

    /// Whether an event of the server since the last call is such.
    fn has_told(&mut self, is: impl Fn(&Event) -> bool) -> bool {
        self.harness.events().iter().any(is)
    }

    fn reads(&mut self) {
        let id = self.submit(read()).expect("reachable");
        assert!(self.has_told(|it| {
            matches!(it, Event::Completed { id: of, result: Ok(_), .. } if *of == id)
        }));
    }

    fn is_notified(&mut self) {
        self.notify();
        assert!(self.has_told(|it| matches!(it, Event::Notification { result: Ok(_), .. })));
        assert_eq!(self.harness.sim[self.harness.server].observations("a").count(), 1);
    }
}

const ALL: [(bool, bool); 4] = [(false, false), (false, true), (true, false), (true, true)];

// proves: SEC-29
#[test]
fn a_resumed_session_goes_on_at_once() {
    for (stream, moves) in ALL {
        let mut pair = Pair::new(stream);
        for _ in 0..3 {
            pair.harness.sim.run_for(Duration::from_secs(3_600));
            pair.wake(true, moves);
            pair.reads();
            pair.is_notified();
            pair.is_notified();
            let registration = pair.harness.sim[pair.harness.server].registration("a").unwrap();
            assert_eq!(registration.address.port(), pair.port, "{stream} {moves}");
        }
        let cancel = Operation::CancelObservation { target: Target::Path(Path::resource(3, 0, 9)) };
        pair.submit(cancel).expect("observed");
        assert!(pair.has_told(|it| matches!(it, Event::Completed { result: Ok(_), .. })));
    }
}

#[test]
fn a_request_that_is_under_way_goes_on_in_the_resumed_session() {
    for (stream, moves) in ALL {
        let mut pair = Pair::new(stream);
        pair.harness.sim[pair.device].silent = true;
        let id = pair.submit(read()).expect("reachable");
        pair.harness.sim[pair.device].silent = false;
        pair.wake(true, moves);
        pair.harness.sim.run_for(Duration::from_secs(30));
        let ended =
            |it: &Event| matches!(it, Event::Completed { id: of, result: Ok(_), .. } if *of == id);
        // CoAP ends a request with its connection, or the connection it came by is still there.
        assert!(pair.has_told(ended), "{stream} {moves}");
    }
}

// proves: SEC-29
#[test]
fn after_a_full_handshake_a_known_token_shows_that_the_device_goes_on() {
    for moves in [false, true] {
        let mut pair = Pair::new(false);
        for _ in 0..3 {
            pair.harness.sim.run_for(Duration::from_secs(3_600));
            pair.wake(false, moves);
            if !moves {
                assert_eq!(pair.submit(read()), Err(SubmitError::NotConnected));
            }
            pair.is_notified();
            pair.reads();
        }
    }
}

/// Whoever has the keys may have lost the registration: a request does not show that it is there.
#[test]
fn after_a_full_handshake_another_message_shows_nothing() {
    let mut pair = Pair::new(false);
    pair.wake(false, false);
    let request = Request::get().path(["elsewhere"]);
    pair.harness.sim.with(pair.device, |it, now| it.ask(now, request));
    pair.harness.sim.settle();
    assert_eq!(pair.submit(read()), Err(SubmitError::NotConnected));
    pair.is_notified();
    pair.reads();
}

// proves: SEC-30
#[test]
fn another_identity_continues_nothing() {
    for resume in [false, true] {
        let mut pair = Pair::new(false);
        let mut other = Sleeper::new(SERVER, psk(b"id-b", b"key b").unwrap(), 10, false);
        other.observer = pair.harness.sim[pair.device].observer;
        let other = pair.harness.sim.add_engine(Pair::address(2), other);
        for resume in [false, resume] {
            // At the address of the first device, as behind an address translator.
            pair.harness.sim.rebind(pair.device, Pair::address(3));
            pair.harness.sim.rebind(other, Pair::address(1));
            pair.harness.sim.with(other, |it, now| it.wake(now, resume));
            pair.harness.sim.settle();
        }
        assert_eq!(pair.submit(read()), Err(SubmitError::NotConnected));
        assert!(!pair.has_told(|it| matches!(it, Event::Moved(_) | Event::Notification { .. })));
        // The first device is not lost: it goes on when it comes.
        pair.port = 3;
        pair.wake(true, true);
        pair.reads();
        pair.is_notified();
    }
}

// proves: SEC-32
#[test]
fn what_is_removed_is_not_continued() {
    for (stream, put_again) in [(false, false), (false, true), (true, true)] {
        let mut pair = Pair::new(stream);
        let server = pair.harness.server;
        assert!(pair.harness.sim.with(server, |it, now| it.remove_credential(now, "a")));
        if put_again {
            let same = psk_credential(b"id-a", b"key a");
            let put = |it: &mut Server, now| it.put_credential(now, "a", same);
            pair.harness.sim.with(server, put).expect("a good credential");
        }
        pair.harness.sim.with(pair.device, |it, now| it.wake(now, true));
        pair.harness.sim.settle();
        assert!(!pair.harness.sim[pair.device].resumed, "a full handshake, or none");
        assert_eq!(pair.submit(read()), Err(SubmitError::UnknownEndpoint));
        if !put_again {
            pair.harness.sim.run_for(Duration::from_secs(600));
            assert_eq!(pair.harness.sim[server].peer_count(), 0, "nothing is left");
        }
    }
}
