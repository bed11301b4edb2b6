//! Sessions on connections.

use crate::bed::{Bed, KEY, address, profile};
use lwm2m_coap::{CloseReason, Event, FailReason};
use lwm2m_dtls::{Cause, Config, Reason};
use lwm2m_link::{Engine, Identity, Link, SecurityEvent};
use lwm2m_time::Instant;

#[test]
fn request_waits_for_the_handshake_and_the_csm_follows_it() {
    let mut bed = Bed::new();
    let address = bed.server_address;
    let peer = bed.device.open_secured_connection(bed.now, address, profile(KEY)).expect("room");
    let asked = bed.ask(peer);
    bed.settle();
    assert!(matches!(bed.told[..], [Event::Response { id, .. }] if id == asked), "{:?}", bed.told);
    let device = Identity::Secured(lwm2m_dtls::Identity::Psk("device".into()));
    assert_eq!(bed.asked.iter().map(|it| &it.1).collect::<Vec<_>>(), [&device]);
    let again = bed.device.open_secured_connection(bed.now, address, profile(KEY));
    assert_eq!(again, Some(peer));
}

#[test]
fn failed_handshake_fails_the_request() {
    let mut bed = Bed::new();
    let address = bed.server_address;
    let peer = bed.device.open_secured_connection(bed.now, address, profile(b"another"));
    let asked = bed.ask(peer.expect("room"));
    bed.settle();
    let [Event::Failed { id, reason: FailReason::Closed, .. }, Event::Closed { reason, .. }] =
        &bed.told[..]
    else {
        panic!("{:?}", bed.told)
    };
    assert_eq!((*id, *reason), (asked, CloseReason::Lost));
    assert!(matches!(bed.security[..], [SecurityEvent::Failed(_)]), "{:?}", bed.security);
    bed.settle();
    assert_eq!((bed.device.peer_count(), bed.server.peer_count()), (0, 0));
}

#[test]
fn released_connection_ends_with_close_notify_on_both_sides() {
    let mut bed = Bed::new();
    let address = bed.server_address;
    let peer = bed.device.open_secured_connection(bed.now, address, profile(KEY)).expect("room");
    bed.ask(peer);
    bed.settle();
    bed.device.release_connection(bed.now, peer);
    bed.settle();
    let [_, SecurityEvent::Ended { cause, .. }] = &bed.security[..] else {
        panic!("{:?}", bed.security)
    };
    assert!(matches!(cause, Cause::ByPeer | Cause::ByUs), "{cause:?}");
    assert_eq!((bed.device.peer_count(), bed.server.peer_count()), (0, 0));
}

#[test]
fn silent_stranger_is_given_up() {
    let mut bed = Bed::new();
    let (now, from) = (bed.now, bed.device_address);
    let peer = bed.server.handle_connected(now, from, true).expect("room");
    bed.server.handle_stream(now, peer, b"\x16\x03\x01\x02\x00");
    while bed.server.peer_count() > 0 {
        let due = bed.server.poll_timeout().expect("a deadline");
        bed.server.handle_timeout(due);
        while bed.server.poll_transmit().is_some() || bed.server.poll_event().is_some() {}
        while bed.server.poll_stream().is_some() {}
        assert_eq!(bed.server.poll_transmit(), None);
    }
    assert_eq!(bed.server.poll_timeout(), None);
}

#[test]
fn who_finds_no_room_is_told_of() {
    let mut config = Config::default();
    config.max_handshakes_per_host = 1;
    let mut link = Link::new(lwm2m_coap::Config::default(), [0; 32]);
    link.set_security(config);
    let connect =
        |link: &mut Link| link.handle_connected(Instant::ZERO, address("192.0.2.1:1"), true);
    assert!(connect(&mut link).is_some() && connect(&mut link).is_none());
    match link.poll_security_event() {
        Some(SecurityEvent::Failed(failure)) => assert_eq!(failure.reason, Reason::NoRoom),
        other => panic!("{other:?}"),
    }
}
