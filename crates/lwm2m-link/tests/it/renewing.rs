//! A session that is not answered, and the address that a session has.

use crate::harness::{Harness, KEY, address, server_security};
use lwm2m_coap::{Code, Config, Event, FailReason, Request, RequestId, Response};
use lwm2m_link::{Link, PeerId, SecurityEvent};
use lwm2m_testkit::CoapPeer;
use lwm2m_time::Instant;
use std::time::Duration;

/// A device with a session.
fn connected() -> (Harness, PeerId) {
    let mut harness = Harness::new();
    let peer = harness.connect(KEY);
    harness.ask(peer);
    harness.settle();
    assert_eq!(harness.told.len(), 1);
    harness.told.clear();
    (harness, peer)
}

fn outcome(harness: &Harness, asked: RequestId) -> Option<Result<(), FailReason>> {
    harness.told.iter().find_map(|event| match event {
        Event::Response { id, .. } if *id == asked => Some(Ok(())),
        Event::Failed { id, reason, .. } if *id == asked => Some(Err(*reason)),
        _ => None,
    })
}

/// Waits for the outcome of a request.
fn wait_for(harness: &mut Harness, asked: RequestId) -> (Result<(), FailReason>, Duration) {
    let start = harness.sim.now;
    loop {
        harness.settle();
        if let Some(outcome) = outcome(harness, asked) {
            return (outcome, harness.sim.now - start);
        }
        assert!(harness.wait(), "it has no end");
    }
}

fn established(harness: &Harness) -> Vec<bool> {
    let resumed = |event: &SecurityEvent| match event {
        SecurityEvent::Established { resumed, .. } => Some(*resumed),
        _ => None,
    };
    harness.security.iter().filter_map(resumed).collect()
}

/// Before the third retransmission of CoAP.
const SOON: Duration = Duration::from_secs(21);

// proves: SEC-31
#[test]
fn a_request_goes_on_in_a_new_session_when_the_server_has_lost_the_old_one() {
    let (mut harness, peer) = connected();
    let answer = |_: &Request| Response::new(Code::CONTENT);
    let mut restarted = Link::new(Config::default(), [4; 32]);
    restarted.set_security(server_security());
    harness.sim[harness.server] = CoapPeer::new(restarted, answer);
    let asked = harness.ask(peer);
    let (outcome, time) = wait_for(&mut harness, asked);
    assert_eq!(outcome, Ok(()));
    assert!(time < SOON, "{time:?}");
    assert_eq!(established(&harness), [false, false]);
    assert!(!harness.security.iter().any(|it| matches!(it, SecurityEvent::Ended { .. })));
    // The session is an ordinary one.
    let asked = harness.ask(peer);
    assert_eq!(wait_for(&mut harness, asked).0, Ok(()));
    assert_eq!(established(&harness).len(), 2);
}

#[test]
fn a_session_survives_lost_packets_and_handshakes_that_fail() {
    let (mut harness, peer) = connected();
    harness.set_reachable(false);
    let asked = harness.ask(peer);
    let start = harness.sim.now;
    while harness.sim.now - start < Duration::from_secs(10) {
        assert!(harness.wait());
    }
    let device = harness.device;
    assert!(harness.sim[device].is_reachable(peer), "nothing has changed");
    // Anybody can say that there was a fatal alert.
    let forged = [21, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 115];
    harness.sim.inject(device, harness.server_address, true, &forged);
    harness.set_reachable(true);
    harness.settle();
    assert!(harness.sim[device].is_reachable(peer));
    assert_eq!(wait_for(&mut harness, asked).0, Ok(()));
    let ended = |it: &SecurityEvent| matches!(it, SecurityEvent::Ended { .. });
    assert!(!harness.security.iter().any(ended), "{:?}", harness.security);
}

#[test]
fn a_server_that_stays_away_costs_a_bounded_number_of_handshakes() {
    let (mut harness, peer) = connected();
    harness.set_reachable(false);
    harness.sim.network.capture = Some(Vec::new());
    let asked = harness.ask(peer);
    let (outcome, _) = wait_for(&mut harness, asked);
    assert_eq!(outcome, Err(FailReason::Unacknowledged { sent: 5 }));
    let sent = harness.sim.network.capture.replace(Vec::new()).unwrap();
    let hellos = sent.iter().filter(|it| it.payload[0] == 22).count();
    assert!((1..=8).contains(&hellos), "{hellos} of one handshake");
    harness.sim.with(harness.device, |it: &mut Link, _| it.end_session(peer));
    harness.settle();
    while harness.wait() {}
    let device = harness.device;
    assert!(!harness.sim[device].is_reachable(peer));
}

#[test]
fn a_peer_that_does_not_answer_is_told_at_the_first_retransmission() {
    let (mut harness, peer) = connected();
    harness.set_reachable(false);
    let start = harness.sim.now;
    let asked = harness.ask(peer);
    let _ = wait_for(&mut harness, asked);
    let [(at, told)] = harness.unanswered[..] else { panic!("{:?}", harness.unanswered) };
    assert_eq!(told, peer);
    assert!((2.0..=3.0).contains(&(at - start).as_secs_f64()));
}

#[test]
fn a_handshake_that_nobody_answers_is_told_at_the_first_retransmission() {
    let mut harness = Harness::new();
    harness.set_reachable(false);
    let peer = harness.connect(KEY);
    let asked = harness.ask(peer);
    let (outcome, _) = wait_for(&mut harness, asked);
    assert_eq!(outcome, Err(FailReason::Closed));
    assert_eq!(harness.unanswered, [(Instant::from_millis(1_000), peer)]);
    let [SecurityEvent::Failed(failure)] = &harness.security[..] else {
        panic!("{:?}", harness.security)
    };
    assert!(failure.to_string().contains("sent 7 times"), "{failure}");
}

#[test]
fn the_address_of_a_session_is_that_of_the_newest_record() {
    let (mut harness, peer) = connected();
    for port in 2_000..2_010 {
        let here = address(&format!("192.0.2.1:{port}"));
        let device = harness.device;
        harness.sim.rebind(device, here);
        // One way only: the server cannot confirm the address.
        harness.sim.network.capture = Some(Vec::new());
        harness.ask(peer);
        harness.settle();
        let (server_peer, _) = *harness.asked.last().unwrap();
        assert_eq!(harness.server().peer_address(server_peer), Some(here));
    }
}
