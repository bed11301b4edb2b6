//! How sessions end, and what follows.

use super::bed::{Bed, certificate, data, psk, raw, server_address};
use crate::world::{TEXT, get, post};
use lwm2m_client::Event;
use lwm2m_coap::Code;
use lwm2m_link::Engine;

fn begun(bed: &Bed) -> Vec<bool> {
    let resumed = |event: &Event| match event {
        Event::SessionBegun { server: 1, resumed } => Some(*resumed),
        _ => None,
    };
    bed.events.iter().filter_map(resumed).collect()
}

#[test]
fn a_server_that_restarted_gets_a_new_session_and_registration() {
    for security in [psk(), raw(), certificate(data!("server.cert"))] {
        let mut bed = Bed::registered(security);
        bed.restart_server();
        // An Update is due after 207 s, and gives up 93 s later.
        bed.run(310);
        assert!(bed.is_registered(), "{:?}", bed.events);
        assert_eq!(begun(&bed), [true], "by the ticket");
        assert_eq!(bed.heard.last().map(|(_, request)| request.as_str()), Some("0.02 rd"));
        assert_eq!(bed.ask(get("/3/0/0").accept(TEXT)).code, Code::CONTENT);
    }
}

#[test]
fn a_server_that_says_goodbye_is_registered_with_again() {
    let mut bed = Bed::registered(psk());
    let peer = bed.peer();
    bed.heard.clear();
    bed.server.end_session(peer);
    bed.settle();
    assert!(!bed.is_registered() && bed.heard.is_empty(), "not at once");
    bed.run(6);
    assert!(bed.is_registered());
    assert_eq!(begun(&bed).len(), 1);
    assert_ne!(bed.peer(), peer);
}

#[test]
fn a_silent_server_is_tried_again_by_the_timers_of_the_account() {
    let mut bed = Bed::new(psk());
    bed.reachable = false;
    bed.start();
    bed.run(91);
    let failed = |bed: &Bed| {
        bed.events.iter().filter(|it| matches!(it, Event::RegistrationFailed { .. })).count()
    };
    assert_eq!(failed(&bed), 1);
    bed.reachable = true;
    bed.run(61);
    assert!(bed.is_registered());
    assert_eq!(failed(&bed), 1);
}

#[test]
fn a_session_outlasts_a_long_silence() {
    let mut config = super::bed::config(psk());
    config.servers[0].lifetime = 0;
    let mut bed = Bed::with(config, super::bed::Known::default());
    bed.start();
    bed.run(1_000_000);
    bed.client.update(bed.now, 1);
    bed.settle();
    assert_eq!(begun(&bed), [false]);
    let heard: Vec<_> = bed.heard.iter().map(|(_, request)| request.as_str()).collect();
    assert_eq!(heard, ["0.02 rd", "0.02 rd"], "Register, Update");
}

#[test]
fn a_restarted_device_takes_a_new_session() {
    let mut bed = Bed::registered(psk());
    let peer = bed.peer();
    bed.client.rebind(bed.now);
    bed.settle();
    assert!(bed.is_registered());
    assert_ne!(bed.peer(), peer);
    assert_eq!(begun(&bed), [true]);
}

#[test]
fn the_session_ends_with_the_client() {
    let mut bed = Bed::registered(psk());
    let peer = bed.peer();
    bed.client.shutdown(bed.now);
    bed.settle();
    assert_eq!(bed.events.last(), Some(&Event::Stopped));
    assert!(!bed.server.is_reachable(peer));
}

#[test]
fn clear_text_from_the_address_of_a_secured_server_is_ignored() {
    let mut bed = Bed::registered(psk());
    // Read /3/0/0, confirmable; then a ping.
    let read = [0x40, 1, 0x12, 0x34, 0xb1, b'3', 0x01, b'0', 0x01, b'0'];
    for datagram in [&read[..], &[0x40, 0, 0x12, 0x35]] {
        bed.client.handle_datagram(bed.now, server_address(), datagram);
        assert!(bed.take().is_none());
    }
}

#[test]
fn a_server_that_must_not_ask_is_told_so() {
    let mut bed = Bed::registered(psk());
    let peer = bed.peer();
    assert_eq!(bed.ask(post("/1/0/4")).code, Code::CHANGED);
    assert_eq!(bed.heard.last().map(|(_, request)| request.as_str()), Some("0.04 rd"));
    assert!(!bed.server.is_reachable(peer), "left alone");
}
