//! Sessions on datagrams.

use crate::harness::{Harness, KEY, address};
use lwm2m_coap::{Event, FailReason};
use lwm2m_dtls::Reason;
use lwm2m_link::{Engine, Identity, Link, SecurityEvent};
use lwm2m_testkit::sim::network::InFlight;

/// What was sent since this was called last.
fn sent(harness: &mut Harness) -> Vec<InFlight> {
    harness.sim.network.capture.replace(Vec::new()).unwrap_or_default()
}

fn device() -> Identity {
    Identity::Secured(lwm2m_dtls::Identity::Psk("device".into()))
}

#[test]
fn request_waits_for_the_handshake_and_the_server_knows_who_asks() {
    let mut harness = Harness::new();
    let peer = harness.connect(KEY);
    let asked = harness.ask(peer);
    harness.settle();
    assert!(
        matches!(harness.told[..], [Event::Response { id, .. }] if id == asked),
        "{:?}",
        harness.told
    );
    assert_eq!(harness.asked.iter().map(|it| &it.1).collect::<Vec<_>>(), [&device()]);
    assert_eq!(harness.sim[harness.device].statistics().retransmitted, 0);
    assert!(matches!(harness.security[..], [SecurityEvent::Established { resumed: false, .. }]));
}

#[test]
fn time_of_a_request_does_not_run_during_the_handshake() {
    let mut harness = Harness::new();
    harness.set_reachable(false);
    let peer = harness.connect(KEY);
    harness.ask(peer);
    for _ in 0..3 {
        assert!(harness.wait());
    }
    harness.set_reachable(true);
    assert!(harness.wait());
    harness.settle();
    assert!(matches!(harness.told[..], [Event::Response { .. }]), "{:?}", harness.told);
    assert_eq!(harness.sim[harness.device].statistics().retransmitted, 0);
}

#[test]
fn failed_handshake_fails_the_request_and_is_explained() {
    let mut harness = Harness::new();
    let peer = harness.connect(b"another key");
    let asked = harness.ask(peer);
    while harness.told.is_empty() {
        harness.settle();
        assert!(!harness.told.is_empty() || harness.wait(), "it has no end");
    }
    assert!(
        matches!(harness.told[..], [Event::Failed { id, reason: FailReason::Closed, .. }] if id == asked)
    );
    let [SecurityEvent::Failed(failure)] = &harness.security[..] else {
        panic!("{:?}", harness.security)
    };
    assert_eq!((failure.peer, failure.address), (Some(peer), harness.server_address));
    assert!(failure.to_string().contains("192.0.2.2:5684 (pre-shared key) failed: "), "{failure}");
    assert!(!harness.sim[harness.device].is_reachable(peer));
    assert!(harness.asked.is_empty());
}

#[test]
fn port_for_dtls_never_falls_back_and_strangers_leave_no_peer() {
    let mut harness = Harness::new();
    let (server, from) = (harness.server, harness.sim.address(harness.device));
    let get = [0x40, 1, 0x12, 0x34];
    harness.sim.inject(server, from, true, &get);
    assert!(sent(&mut harness).is_empty() && harness.server().peer_count() == 0);
    harness.set_reachable(false);
    harness.connect(KEY);
    let hello = sent(&mut harness).remove(0);
    harness.sim.inject(server, address("198.51.100.1:9"), true, &hello.payload);
    let answer = sent(&mut harness).remove(0);
    assert!(answer.payload.len() <= hello.payload.len() && answer.secured);
    assert_eq!((harness.server().peer_count(), harness.server().poll_timeout()), (0, None));
    // Nor does the port for coap speak DTLS.
    harness.sim.inject(server, from, false, &hello.payload);
    assert!(sent(&mut harness).is_empty());
}

#[test]
fn new_session_is_a_new_peer_and_does_not_answer_for_the_old_one() {
    let mut harness = Harness::new();
    let first = harness.connect(KEY);
    harness.ask(first);
    harness.settle();
    // The request is lost, and the device begins anew.
    harness.set_reachable(false);
    let asked = harness.ask(first);
    harness.set_reachable(true);
    harness.told.clear();
    let second = harness.connect(KEY);
    assert_ne!(first, second);
    harness.ask(second);
    harness.settle();
    let ours = |event: &Event| matches!(event, Event::Failed { id, reason: FailReason::Closed, .. } if *id == asked);
    assert!(harness.told.iter().any(ours), "{:?}", harness.told);
    assert!(
        !harness.sim[harness.device].is_reachable(first)
            && harness.sim[harness.device].is_reachable(second)
    );
    let peers: Vec<_> = harness.asked.iter().map(|(peer, _)| *peer).collect();
    assert!(matches!(peers[..], [a, b] if a != b), "{peers:?}");
}

#[test]
fn session_is_resumed_with_the_same_profile_only() {
    let mut harness = Harness::new();
    let profile = crate::harness::profile(KEY);
    for expected in [false, true] {
        let (to, profile) = (harness.server_address, profile.clone());
        let connect = |it: &mut Link, now| it.connect_secured(now, to, profile);
        let peer = harness.sim.with(harness.device, connect).expect("room");
        harness.ask(peer);
        harness.settle();
        let last =
            harness.security.iter().rfind(|it| matches!(it, SecurityEvent::Established { .. }));
        let Some(SecurityEvent::Established { resumed, .. }) = last else { panic!("none") };
        assert_eq!(*resumed, expected);
    }
    let other = harness.connect(KEY);
    harness.ask(other);
    harness.settle();
    let last = harness.security.iter().rfind(|it| matches!(it, SecurityEvent::Established { .. }));
    assert!(matches!(last, Some(SecurityEvent::Established { resumed: false, .. })));
}

#[test]
fn forgotten_peer_comes_back_in_its_session() {
    let mut harness = Harness::new();
    let peer = harness.connect(KEY);
    harness.ask(peer);
    harness.settle();
    while harness.server().peer_count() > 0 {
        assert!(harness.wait(), "it is never forgotten");
        harness.settle();
    }
    harness.ask(peer);
    harness.settle();
    assert_eq!(harness.asked.len(), 2);
    assert_eq!(harness.asked[1].1, device());
    assert_eq!(harness.security.len(), 1, "{:?}", harness.security);
}

#[test]
fn released_session_is_closed_on_both_sides() {
    let mut harness = Harness::new();
    let peer = harness.connect(KEY);
    harness.ask(peer);
    harness.settle();
    let there = harness.asked[0].0;
    harness.server().hold(there);
    harness.sim[harness.device].release(peer);
    while harness.sim[harness.device].peer_count() > 0 {
        assert!(harness.wait(), "it is never forgotten");
        harness.settle();
    }
    harness.settle();
    assert!(!harness.server().is_reachable(there));
    let mut harness = Harness::new();
    let peer = harness.connect(KEY);
    harness.ask(peer);
    harness.settle();
    harness.server().end_sessions_of(|identity| device() == Identity::Secured(identity.clone()));
    harness.settle();
    assert!(!harness.sim[harness.device].is_reachable(peer));
    assert!(!matches!(
        harness.security.last(),
        Some(SecurityEvent::Failed(failure)) if matches!(failure.reason, Reason::Unanswered { .. })
    ));
}

#[test]
fn peer_with_a_connection_id_keeps_its_name_at_another_address() {
    let mut harness = Harness::new();
    let peer = harness.connect(KEY);
    harness.ask(peer);
    harness.settle();
    let moved = address("192.0.2.99:2000");
    harness.sim.rebind(harness.device, moved);
    // The answer goes there at once; that the peer is there is sure when it speaks again.
    for answers in 2..=3 {
        harness.ask(peer);
        harness.settle();
        assert_eq!(harness.told.len(), answers, "{:?}", harness.told);
    }
    let peers: Vec<_> = harness.asked.iter().map(|(peer, _)| *peer).collect();
    assert!(matches!(peers[..], [a, b, c] if a == b && b == c), "{peers:?}");
    assert_eq!(harness.server().peer_address(peers[0]), Some(moved));
}
