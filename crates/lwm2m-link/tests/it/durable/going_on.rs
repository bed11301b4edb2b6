//! After a crash of the server its peers go on in their sessions.

use super::{AT_ONCE, World, security};
use crate::harness::{KEY, address, profile};
use lwm2m_coap::{Config, Event, Request};
use lwm2m_dtls::Error;
use lwm2m_link::{Engine, Input, Link, LinkEvent, PeerId, SecurityEvent};
use lwm2m_time::Instant;
use std::time::Duration;

/// How long CoAP remembers a message of a peer.
const EXCHANGE_LIFETIME: Duration = Duration::from_secs(247);

// proves: SEC-35
#[test]
fn a_device_does_not_notice_that_the_server_has_crashed() {
    for has_cids in [false, true] {
        let mut world = World::new(security(has_cids));
        let peer = world.connect(&profile(KEY));
        let first = world.post(peer, "first");
        assert!(world.is_answered(first, AT_ONCE));
        world.handshakes();
        for round in 0..5 {
            world.sim.restart(world.server);
            let asked = match round % 2 {
                0 => world.post(peer, &round.to_string()),
                _ => world.request(peer, Request::get()),
            };
            assert!(world.is_answered(asked, AT_ONCE), "in round {round}");
            assert_eq!(world.handshakes(), 0);
        }
        assert_eq!(world.disk.borrow().done.len(), 4);
    }
}

/// The server asks first, while its device has not been heard of since the crash, which was a while
/// ago.
#[test]
fn the_server_reaches_a_device_after_a_crash() {
    let mut world = World::new(security(true));
    let peer = world.connect(&profile(KEY));
    let first = world.post(peer, "first");
    assert!(world.is_answered(first, AT_ONCE));
    world.handshakes();
    world.sim.restart(world.server);
    world.sim.run_for(Duration::from_secs(60));
    world.sim.with(world.server, |it, now| {
        let device = PeerId(0);
        assert_eq!(it.link.peer_address(device), Some(address(World::DEVICE)));
        it.link.coap().request(now, device, Request::get()).expect("room");
    });
    // The first request waits for the write that it asks for.
    world.sim.with(world.server, |it, now| it.handle(now, Input::Timeout));
    world.sim.settle();
    let asked = |(_, event): &(Instant, _)| matches!(event, LinkEvent::Coap(Event::Request { .. }));
    assert!(world.sim.events(world.device).iter().any(asked));
    assert_eq!(world.handshakes(), 0);
}

#[test]
fn imported_sessions_take_places_as_others_do() {
    let mut world = World::new(security(true));
    let mut on_disk = Vec::new();
    for _ in 0..3 {
        world.disk.borrow_mut().sessions.clear();
        world.sim.restart(world.server);
        world.reboot();
        let peer = world.connect(&profile(KEY));
        let asked = world.post(peer, "thing");
        assert!(world.is_answered(asked, AT_ONCE));
        on_disk.extend(world.disk.borrow().sessions.values().cloned());
    }
    // At most two sessions of an identity: the oldest ends.
    let mut link = Link::new(Config::default(), [7; 32]);
    link.set_security(security(true));
    link.limit_sessions(2);
    let peers: Vec<_> = on_disk
        .iter()
        .map(|(sealed, counters)| {
            let peer = link.import_session(Instant::ZERO, sealed, counters).expect("room");
            link.hold(peer);
            peer
        })
        .collect();
    link.handle(Instant::ZERO, Input::Timeout);
    let is_reachable: Vec<_> = peers.iter().map(|peer| link.is_reachable(*peer)).collect();
    assert_eq!(is_reachable, [false, true, true]);
    let mut forgotten = 0;
    while let Some(output) = link.poll() {
        let event = SecurityEvent::Forget { session: lwm2m_link::SessionFingerprint([0; 16]) };
        if let lwm2m_link::Output::Event(LinkEvent::Security(it)) = output {
            forgotten += usize::from(std::mem::discriminant(&it) == std::mem::discriminant(&event));
        }
    }
    assert_eq!(forgotten, 1);
    // At most one peer.
    let mut link = Link::new(Config::default().max_peers(1), [7; 32]);
    let (sealed, counters) = &on_disk[0];
    let insecure = link.import_session(Instant::ZERO, sealed, counters);
    assert_eq!(insecure, Err(Error::ImportRefused));
    link.set_security(security(true));
    link.import_session(Instant::ZERO, sealed, counters).expect("room");
    let (sealed, counters) = &on_disk[1];
    let full = link.import_session(Instant::ZERO, sealed, counters);
    assert_eq!(full, Err(Error::TooManySessions));
    // Nobody holds the peer, so it is forgotten with its promises.
    assert_eq!(link.peer_count(), 1);
    link.handle(Instant::ZERO + EXCHANGE_LIFETIME, Input::Timeout);
    assert_eq!(link.peer_count(), 0);
}

#[test]
fn a_device_that_nobody_held_is_found_again_by_its_session() {
    let mut world = World::new(security(true));
    let peer = world.connect(&profile(KEY));
    let first = world.post(peer, "first");
    assert!(world.is_answered(first, AT_ONCE));
    world.handshakes();
    world.sim.restart(world.server);
    let server = world.server;
    world.sim[server].link.release(PeerId(0));
    world.sim.run_for(EXCHANGE_LIFETIME);
    assert_eq!(world.sim[server].link.peer_count(), 0);
    let asked = world.request(peer, Request::get());
    assert!(world.is_answered(asked, AT_ONCE));
    assert_eq!(world.handshakes(), 0);
    // Its end is told, so that the store removes it.
    world.sim.with(world.device, |it, _| it.end_session(peer));
    world.sim.run_for(Duration::from_secs(1));
    assert!(world.disk.borrow().sessions.is_empty());
}
