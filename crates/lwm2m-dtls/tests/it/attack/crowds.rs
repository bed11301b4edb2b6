//! More clients than a server lets begin a handshake in a second.

use crate::support::{KEY, Pair, SERVER, address, deliver, events, psk_config, psk_profile};
use lwm2m_dtls::{Config, Endpoint, Error, Event, TicketKey};
use std::sync::Arc;
use std::time::Duration;

fn limited(per_second: u32) -> Config {
    let mut config = psk_config();
    config.max_handshakes_per_second = per_second;
    config.ticket_key = Some(TicketKey::new([5; 16]));
    config
}

/// Lets a client of a host begin a handshake, and delivers what both sides send at once.
fn arrives(pair: &mut Pair, host: u8, port: u16) -> Endpoint {
    pair.client_address = address(&format!("192.0.2.{host}:{port}"));
    pair.client = Endpoint::new(Config::default(), [host; 32]);
    pair.connect(psk_profile(KEY));
    pair.settle();
    std::mem::replace(&mut pair.client, Endpoint::new(Config::default(), [0; 32]))
}

#[test]
fn hellos_beyond_the_rate_wait_without_state_and_come_again() {
    let mut pair = Pair::new(Config::default(), limited(10));
    let mut clients: Vec<_> =
        (1..=30).map(|host| (host, arrives(&mut pair, host, 1_000))).collect();
    assert_eq!((pair.server.session_count(), pair.server.handshake_count()), (10, 0));
    assert_eq!(pair.server.deferred(), 20);
    let sessions = |pair: &Pair| pair.server.session_count();
    for second in 1..=40 {
        let before = sessions(&pair);
        pair.now = pair.now + Duration::from_secs(1);
        for (host, client) in &mut clients {
            std::mem::swap(&mut pair.client, client);
            pair.client_address = address(&format!("192.0.2.{host}:1000"));
            pair.client.handle_timeout(pair.now);
            pair.settle();
            std::mem::swap(&mut pair.client, client);
        }
        assert!(sessions(&pair) - before <= 10, "in second {second}");
    }
    assert_eq!(sessions(&pair), 30, "nobody is left out");
    let failed = events(&mut pair.server);
    assert!(failed.iter().all(|it| matches!(it, Event::Connected { .. })), "and none is reported");
}

#[test]
fn a_host_that_floods_with_valid_cookies_leaves_room_for_others() {
    let mut pair = Pair::new(Config::default(), limited(100));
    for port in 1..=500 {
        arrives(&mut pair, 1, port);
    }
    assert_eq!(pair.server.session_count(), 50);
    (2..=20).for_each(|host| _ = arrives(&mut pair, host, 1));
    assert_eq!(pair.server.session_count(), 50 + 19);
}

#[test]
fn resumptions_and_connections_count_too() {
    let mut pair = Pair::new(Config::default(), limited(2));
    pair.connect(psk_profile(KEY));
    pair.settle();
    let connected = events(&mut pair.client).into_iter().find_map(|event| match event {
        Event::Connected { resumption, .. } => resumption,
        _ => None,
    });
    let resumption = connected.expect("what resumes the session");
    let profile = Arc::new(psk_profile(KEY));
    pair.client.resume(pair.now, address(SERVER), profile, resumption).expect("a good profile");
    pair.exchange(&mut deliver);
    assert_eq!(pair.server.deferred(), 1);
    let mut accepts = |now| pair.server.accept_stream(now, address("192.0.2.7:1"));
    assert!(accepts(pair.now).is_ok(), "another host");
    assert_eq!(accepts(pair.now), Err(Error::TooFast));
    assert!(accepts(pair.now + Duration::from_secs(1)).is_ok());
}
