//! How sessions end, and what follows.

use super::harness::{Harness, certificate, data, psk, raw, server_address};
use crate::harness::{TEXT, get, post};
use lwm2m_client::Event;
use lwm2m_coap::Code;

fn begun(harness: &Harness) -> Vec<bool> {
    let resumed = |event: &Event| match event {
        Event::SessionBegun { server: 1, resumed } => Some(*resumed),
        _ => None,
    };
    harness.events.iter().filter_map(resumed).collect()
}

#[test]
fn a_server_that_restarted_gets_a_new_session_and_registration() {
    for security in [psk(), raw(), certificate(data!("server.cert"))] {
        let mut harness = Harness::registered(security);
        harness.sim.restart(harness.server);
        // An Update is due after 207 s; a new session is tried when it was sent three times.
        harness.run(207 + 25);
        assert!(harness.is_registered(), "{:?}", harness.events);
        assert_eq!(begun(&harness), [true], "by the ticket");
        assert_eq!(harness.heard.last().map(|(_, request)| request.as_str()), Some("0.02 rd"));
        assert_eq!(harness.ask(get("/3/0/0").accept(TEXT)).code, Code::CONTENT);
    }
}

#[test]
fn a_server_that_says_goodbye_is_registered_with_again() {
    let mut harness = Harness::registered(psk());
    let peer = harness.peer();
    harness.heard.clear();
    harness.sim[harness.server].link.end_session(peer);
    harness.settle();
    assert!(!harness.is_registered() && harness.heard.is_empty(), "not at once");
    harness.run(6);
    assert!(harness.is_registered());
    assert_eq!(begun(&harness).len(), 1);
    assert_ne!(harness.peer(), peer);
}

#[test]
fn a_silent_server_is_tried_again_by_the_timers_of_the_account() {
    let mut harness = Harness::new(psk());
    harness.set_reachable(false);
    harness.start();
    harness.run(91);
    let failed = |harness: &Harness| {
        harness.events.iter().filter(|it| matches!(it, Event::RegistrationFailed { .. })).count()
    };
    assert_eq!(failed(&harness), 1);
    harness.set_reachable(true);
    harness.run(61);
    assert!(harness.is_registered());
    assert_eq!(failed(&harness), 1);
}

#[test]
fn a_session_outlasts_a_long_silence() {
    let mut config = super::harness::config(psk());
    config.servers[0].lifetime = 0;
    let mut harness = Harness::with(config, super::harness::Known::default());
    harness.start();
    harness.run(1_000_000);
    harness.sim.with(harness.client, |it, now| it.update_registration(now, 1));
    harness.settle();
    assert_eq!(begun(&harness), [false]);
    let heard: Vec<_> = harness.heard.iter().map(|(_, request)| request.as_str()).collect();
    assert_eq!(heard, ["0.02 rd", "0.02 rd"], "Register, Update");
}

#[test]
fn a_restarted_device_takes_a_new_session() {
    let mut harness = Harness::registered(psk());
    let peer = harness.peer();
    harness.sim.with(harness.client, |it, now| it.rebind(now));
    harness.settle();
    assert!(harness.is_registered());
    assert_ne!(harness.peer(), peer);
    assert_eq!(begun(&harness), [true]);
}

#[test]
fn the_session_ends_with_the_client() {
    let mut harness = Harness::registered(psk());
    let peer = harness.peer();
    harness.sim.with(harness.client, |it, now| it.shutdown(now));
    harness.settle();
    assert_eq!(harness.events.last(), Some(&Event::Stopped));
    assert!(!harness.sim[harness.server].link.is_reachable(peer));
}

#[test]
fn clear_text_from_the_address_of_a_secured_server_is_ignored() {
    let mut harness = Harness::registered(psk());
    // Read /3/0/0, confirmable; then a ping.
    let read = [0x40, 1, 0x12, 0x34, 0xb1, b'3', 0x01, b'0', 0x01, b'0'];
    for datagram in [&read[..], &[0x40, 0, 0x12, 0x35]] {
        harness.sim.inject(harness.client, server_address(), false, datagram);
        assert!(harness.take().is_none());
    }
}

#[test]
fn a_server_that_must_not_ask_is_told_so() {
    let mut harness = Harness::registered(psk());
    let peer = harness.peer();
    assert_eq!(harness.ask(post("/1/0/4")).code, Code::CHANGED);
    assert_eq!(harness.heard.last().map(|(_, request)| request.as_str()), Some("0.04 rd"));
    assert!(!harness.sim[harness.server].link.is_reachable(peer), "left alone");
}
