//! Strangers, sessions and connections have separate places.

use crate::harness::{Harness, KEY, address, server};
use lwm2m_coap::{Code, Config, Event, Request, Response};
use lwm2m_link::{Engine, Input, Link, LinkEvent};
use lwm2m_testkit::CoapPeer;
use lwm2m_time::Instant;
use std::net::SocketAddr;

const NOW: Instant = Instant::from_millis(1_000);
/// A confirmable GET without token and options.
const GET: [u8; 4] = [0x40, 1, 0, 1];

fn stranger(number: u32) -> SocketAddr {
    let [_, a, b, c] = number.to_be_bytes();
    ([10, a, b, c], 5_683).into()
}

/// A flood of requests that nobody answers.
fn flood(link: &mut Link, number: u32) {
    for number in 0..number {
        link.handle(NOW, Input::datagram(stranger(number), &GET));
        while link.poll().is_some() {}
    }
}

#[test]
fn strangers_give_way_to_strangers_and_to_nobody_else() {
    let mut link = Link::new(Config::default().max_peers(160), [0; 32]);
    let held = link.connect(address("192.0.2.9:1")).unwrap();
    link.hold(held);
    flood(&mut link, 1_000);
    assert_eq!(link.peer_count(), 1 + 10);
    assert_eq!((link.evicted(), link.refused()), (990, 0));
    assert!(link.is_reachable(held));
    // The newest are still there.
    let newest = link.connect(stranger(999)).unwrap();
    assert_eq!(link.peer_count(), 11);
    // A stranger that the application gets to know is safe from then on.
    link.hold(newest);
    flood(&mut link, 100);
    assert_eq!(link.peer_address(newest), Some(stranger(999)));
    link.release(newest);
    flood(&mut link, 100);
    assert_eq!(link.peer_address(newest), None);
}

#[test]
fn a_flood_of_strangers_keeps_out_no_session_and_no_connection() {
    let mut harness = Harness::new();
    let answer = |_: &Request| Response::new(Code::CONTENT);
    let mut peer = CoapPeer::new(server(), answer);
    peer.link = {
        let mut link = Link::new(Config::default().max_peers(32), [3; 32]);
        link.set_security(crate::harness::server_security());
        link
    };
    harness.sim[harness.server] = peer;
    flood(harness.server(), 1_000);
    let session = harness.connect(KEY);
    let connection = harness.open_connection(KEY);
    for peer in [session, connection] {
        let asked = harness.ask(peer);
        harness.settle();
        let answered = |it: &Event| matches!(it, Event::Response { id, .. } if *id == asked);
        assert!(harness.told.iter().any(answered), "{:?}", harness.told);
    }
    flood(harness.server(), 1_000);
    let asked = harness.ask(session);
    harness.settle();
    assert!(harness.told.iter().any(|it| matches!(it, Event::Response { id, .. } if *id == asked)));
}

#[test]
fn pings_of_strangers_cost_no_place() {
    let mut link = Link::new(Config::default().max_peers(160), [0; 32]);
    for number in 0..1_000 {
        link.handle(NOW, Input::datagram(stranger(number), &[0x40, 0, 0, 1]));
        assert_eq!(link.peer_count(), 0);
    }
    assert_eq!(link.evicted(), 0);
    let told = |it| matches!(it, lwm2m_link::Output::Event(LinkEvent::Coap(_)));
    assert!(!std::iter::from_fn(|| link.poll()).any(told));
}
