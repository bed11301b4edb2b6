//! Sessions on datagrams.

use crate::bed::{Bed, KEY, address};
use lwm2m_coap::{Event, FailReason};
use lwm2m_dtls::Reason;
use lwm2m_link::{Engine, Identity, SecurityEvent};

fn device() -> Identity {
    Identity::Secured(lwm2m_dtls::Identity::Psk("device".into()))
}

#[test]
fn request_waits_for_the_handshake_and_the_server_knows_who_asks() {
    let mut bed = Bed::new();
    let peer = bed.connect(KEY);
    let asked = bed.ask(peer);
    bed.settle();
    assert!(matches!(bed.told[..], [Event::Response { id, .. }] if id == asked), "{:?}", bed.told);
    assert_eq!(bed.asked.iter().map(|it| &it.1).collect::<Vec<_>>(), [&device()]);
    assert_eq!(bed.device.coap().statistics().retransmitted, 0);
    assert!(matches!(bed.security[..], [SecurityEvent::Established { resumed: false, .. }]));
}

#[test]
fn time_of_a_request_does_not_run_during_the_handshake() {
    let mut bed = Bed::new();
    let peer = bed.connect(KEY);
    bed.ask(peer);
    for _ in 0..4 {
        bed.step(false);
        assert!(bed.wait());
    }
    bed.settle();
    assert!(matches!(bed.told[..], [Event::Response { .. }]), "{:?}", bed.told);
    assert_eq!(bed.device.coap().statistics().retransmitted, 0);
}

#[test]
fn failed_handshake_fails_the_request_and_is_explained() {
    let mut bed = Bed::new();
    let peer = bed.connect(b"another key");
    let asked = bed.ask(peer);
    while bed.told.is_empty() {
        bed.settle();
        assert!(!bed.told.is_empty() || bed.wait(), "it has no end");
    }
    assert!(
        matches!(bed.told[..], [Event::Failed { id, reason: FailReason::Closed, .. }] if id == asked)
    );
    let [SecurityEvent::Failed(failure)] = &bed.security[..] else { panic!("{:?}", bed.security) };
    assert_eq!((failure.peer, failure.address), (Some(peer), bed.server_address));
    assert!(failure.to_string().contains("192.0.2.2:5684 (pre-shared key) failed: "), "{failure}");
    assert!(!bed.device.is_reachable(peer));
    assert!(bed.asked.is_empty());
}

#[test]
fn port_for_dtls_never_falls_back_and_strangers_leave_no_peer() {
    let mut bed = Bed::new();
    let (now, from) = (bed.now, bed.device_address);
    bed.server.handle_secured_datagram(now, from, &[0x40, 1, 0x12, 0x34]);
    assert_eq!((bed.server.poll_transmit(), bed.server.peer_count()), (None, 0));
    bed.connect(KEY);
    let hello = bed.device.poll_transmit().expect("a hello");
    bed.server.handle_secured_datagram(now, address("198.51.100.1:9"), &hello.payload);
    let answer = bed.server.poll_transmit().expect("a HelloVerifyRequest");
    assert!(answer.payload.len() <= hello.payload.len() && answer.secured);
    assert_eq!((bed.server.peer_count(), bed.server.poll_timeout()), (0, None));
    // Nor does the port for coap speak DTLS.
    bed.server.handle_datagram(now, from, &hello.payload);
    assert_eq!(bed.server.poll_transmit(), None);
}

#[test]
fn new_session_is_a_new_peer_and_does_not_answer_for_the_old_one() {
    let mut bed = Bed::new();
    let first = bed.connect(KEY);
    bed.ask(first);
    bed.settle();
    let asked = bed.ask(first);
    // The request is lost, and the device begins anew.
    bed.step(false);
    bed.told.clear();
    let second = bed.connect(KEY);
    assert_ne!(first, second);
    bed.ask(second);
    bed.settle();
    let ours = |event: &Event| matches!(event, Event::Failed { id, reason: FailReason::Closed, .. } if *id == asked);
    assert!(bed.told.iter().any(ours), "{:?}", bed.told);
    assert!(!bed.device.is_reachable(first) && bed.device.is_reachable(second));
    let peers: Vec<_> = bed.asked.iter().map(|(peer, _)| *peer).collect();
    assert!(matches!(peers[..], [a, b] if a != b), "{peers:?}");
}

#[test]
fn session_is_resumed_with_the_same_profile_only() {
    let mut bed = Bed::new();
    let profile = crate::bed::profile(KEY);
    for expected in [false, true] {
        let address = bed.server_address;
        let peer = bed.device.connect_secured(bed.now, address, profile.clone()).expect("room");
        bed.ask(peer);
        bed.settle();
        let last = bed.security.iter().rfind(|it| matches!(it, SecurityEvent::Established { .. }));
        let Some(SecurityEvent::Established { resumed, .. }) = last else { panic!("none") };
        assert_eq!(*resumed, expected);
    }
    let other = bed.connect(KEY);
    bed.ask(other);
    bed.settle();
    let last = bed.security.iter().rfind(|it| matches!(it, SecurityEvent::Established { .. }));
    assert!(matches!(last, Some(SecurityEvent::Established { resumed: false, .. })));
}

#[test]
fn forgotten_peer_comes_back_in_its_session() {
    let mut bed = Bed::new();
    let peer = bed.connect(KEY);
    bed.ask(peer);
    bed.settle();
    while bed.server.peer_count() > 0 {
        assert!(bed.wait(), "it is never forgotten");
        bed.settle();
    }
    bed.ask(peer);
    bed.settle();
    assert_eq!(bed.asked.len(), 2);
    assert_eq!(bed.asked[1].1, device());
    assert_eq!(bed.security.len(), 1, "{:?}", bed.security);
}

#[test]
fn released_session_is_closed_on_both_sides() {
    let mut bed = Bed::new();
    let peer = bed.connect(KEY);
    bed.ask(peer);
    bed.settle();
    let there = bed.asked[0].0;
    bed.server.hold(there);
    bed.device.release(peer);
    while bed.device.peer_count() > 0 {
        assert!(bed.wait(), "it is never forgotten");
        bed.settle();
    }
    bed.settle();
    assert!(!bed.server.is_reachable(there));
    let mut bed = Bed::new();
    let peer = bed.connect(KEY);
    bed.ask(peer);
    bed.settle();
    bed.server.end_sessions_of(|identity| device() == Identity::Secured(identity.clone()));
    bed.settle();
    assert!(!bed.device.is_reachable(peer));
    assert!(
        !matches!(bed.security.last(), Some(SecurityEvent::Failed(failure)) if failure.reason == Reason::Timeout)
    );
}

#[test]
fn peer_with_a_connection_id_keeps_its_name_at_another_address() {
    let mut bed = Bed::new();
    let peer = bed.connect(KEY);
    bed.ask(peer);
    bed.settle();
    bed.device_address = address("192.0.2.99:2000");
    // The answer goes there at once; that the peer is there is sure when it speaks again.
    for answers in 2..=3 {
        bed.ask(peer);
        bed.settle();
        assert_eq!(bed.told.len(), answers, "{:?}", bed.told);
    }
    let peers: Vec<_> = bed.asked.iter().map(|(peer, _)| *peer).collect();
    assert!(matches!(peers[..], [a, b, c] if a == b && b == c), "{peers:?}");
    assert_eq!(bed.server.peer_address(peers[0]), Some(bed.device_address));
}
