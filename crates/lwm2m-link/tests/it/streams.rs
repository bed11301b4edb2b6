//! Sessions on connections.

use crate::harness::{Harness, KEY, address, server};
use lwm2m_coap::{CloseReason, Event, FailReason};
use lwm2m_dtls::{Cause, Config, Reason};
use lwm2m_link::{
    ConnectionId, Engine, Identity, Input, Link, LinkEvent, Output, SecurityEvent, StreamAction,
};
use lwm2m_time::Instant;

#[test]
fn request_waits_for_the_handshake_and_the_csm_follows_it() {
    let mut harness = Harness::new();
    let peer = harness.open_connection(KEY);
    let asked = harness.ask(peer);
    harness.settle();
    assert!(
        matches!(harness.told[..], [Event::Response { id, .. }] if id == asked),
        "{:?}",
        harness.told
    );
    let device = Identity::Secured(lwm2m_dtls::Identity::Psk("device".into()));
    assert_eq!(harness.asked.iter().map(|it| &it.1).collect::<Vec<_>>(), [&device]);
    assert_eq!(harness.open_connection(KEY), peer);
}

#[test]
fn failed_handshake_fails_the_request() {
    let mut harness = Harness::new();
    let peer = harness.open_connection(b"another");
    let asked = harness.ask(peer);
    harness.settle();
    let [Event::Failed { id, reason: FailReason::Closed, .. }, Event::Closed { reason, .. }] =
        &harness.told[..]
    else {
        panic!("{:?}", harness.told)
    };
    assert_eq!((*id, *reason), (asked, CloseReason::Lost));
    assert!(matches!(harness.security[..], [SecurityEvent::Failed(_)]), "{:?}", harness.security);
    harness.settle();
    assert_eq!((harness.sim[harness.device].peer_count(), harness.server().peer_count()), (0, 0));
}

#[test]
fn released_connection_ends_with_close_notify_on_both_sides() {
    let mut harness = Harness::new();
    let peer = harness.open_connection(KEY);
    harness.ask(peer);
    harness.settle();
    harness.sim.with(harness.device, |it, now| it.release_connection(now, peer));
    harness.settle();
    let [_, SecurityEvent::Ended { cause, .. }] = &harness.security[..] else {
        panic!("{:?}", harness.security)
    };
    assert!(matches!(cause, Cause::ByPeer | Cause::ByUs), "{cause:?}");
    assert_eq!((harness.sim[harness.device].peer_count(), harness.server().peer_count()), (0, 0));
}

#[test]
fn silent_peer_is_given_up() {
    let mut server = server();
    let (now, from) = (Instant::ZERO, address("192.0.2.1:1000"));
    let connection = ConnectionId::Accepted(1);
    server.handle(now, Input::Connected { connection, from, secured: true });
    server.handle(now, Input::Stream { connection, bytes: b"\x16\x03\x01\x02\x00" });
    while server.peer_count() > 0 {
        let due = server.poll_timeout().expect("a deadline");
        server.handle(due, Input::Timeout);
    }
    assert_eq!(server.poll_timeout(), None);
}

#[test]
fn connection_without_room_for_its_handshake_is_refused_and_explained() {
    let mut config = Config::default();
    config.max_handshakes = 1;
    let mut link = Link::new(lwm2m_coap::Config::default(), [0; 32]);
    link.set_security(config);
    let from = address("192.0.2.1:1");
    for number in 1..=2 {
        let connection = ConnectionId::Accepted(number);
        link.handle(Instant::ZERO, Input::Connected { connection, from, secured: true });
    }
    match [link.poll(), link.poll(), link.poll()] {
        [
            Some(Output::Event(LinkEvent::Security(SecurityEvent::Failed(failure)))),
            Some(Output::Stream(StreamAction::Close { connection: ConnectionId::Accepted(2) })),
            None,
        ] => assert_eq!(failure.reason, Reason::NoRoom),
        other => panic!("{other:?}"),
    }
}

/// A server may be silent at each step: it does not accept the connection, not answer the handshake,
/// send no CSM, or no response.
#[test]
fn a_server_that_is_silent_is_told_after_as_long_as_on_datagrams() {
    let to = address("192.0.2.2:5683");
    let csm: &[u8] = &[0x00, 0xE1];
    for (secured, bytes) in [(false, None), (true, None), (false, Some(csm))] {
        let mut link = Link::new(lwm2m_coap::Config::default(), [1; 32]);
        link.set_security(Config::default());
        let began = Instant::from_millis(5_000);
        let peer = match secured {
            true => link.open_secured_connection(began, to, crate::harness::profile(KEY)),
            false => link.open_connection(began, to),
        };
        let peer = peer.expect("room");
        for _ in 0..3 {
            link.coap().request(began, peer, lwm2m_coap::Request::get()).expect("room");
        }
        if let Some(bytes) = bytes {
            link.handle(began, Input::Stream { connection: ConnectionId::Opened(1), bytes });
        }
        let mut told = Vec::new();
        while told.is_empty() {
            let due = link.poll_timeout().expect("a deadline");
            link.handle(due, Input::Timeout);
            while let Some(output) = link.poll() {
                if let Output::Event(event) = output {
                    told.push((due.saturating_since(began), event));
                }
            }
        }
        let [(after, LinkEvent::Unanswered { peer: silent })] = told[..] else {
            panic!("{secured} {bytes:?}: {told:?}")
        };
        assert_eq!(
            (after, silent),
            (std::time::Duration::from_secs(3), peer),
            "{secured} {bytes:?}"
        );
    }
}

#[test]
fn a_server_that_falls_silent_is_told_once_and_given_up_later() {
    let mut harness = Harness::new();
    let peer = harness.open_connection(KEY);
    harness.ask(peer);
    harness.settle();
    harness.told.clear();
    harness.set_reachable(false);
    let began = harness.sim.now;
    let asked = harness.ask(peer);
    while harness.told.is_empty() && harness.wait() {}
    let [(at, silent)] = harness.unanswered[..] else { panic!("{:?}", harness.unanswered) };
    assert_eq!((at.saturating_since(began).as_secs(), silent), (3, peer));
    let [Event::Failed { id, reason: FailReason::Timeout, .. }] = harness.told[..] else {
        panic!("{:?}", harness.told)
    };
    assert_eq!((id, harness.sim.now.saturating_since(began).as_secs()), (asked, 247));
}
