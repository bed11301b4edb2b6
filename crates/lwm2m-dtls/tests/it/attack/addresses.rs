//! A session follows only its peer to a new address: RFC 9146 section 6, RFC 9853.

use super::{second_client, with_ids};
use crate::durable::durable;
use crate::support::{
    KEY, Pair, SERVER, address, connected, events, psk_config, psk_profile, received,
};
use lwm2m_dtls::{ClientProfile, Config, Endpoint, Event};
use lwm2m_time::Instant;
use std::time::Duration;

/// The profile of a client that does not know RFC 9853.
fn without_checks() -> ClientProfile {
    let mut profile = psk_profile(KEY);
    profile.return_routability_check = false;
    profile
}

#[test]
pub(crate) fn a_device_cannot_take_the_address_of_another_and_evict_it() {
    let mut pair = Pair::new(Config::default(), with_ids(psk_config()));
    let mut profile = psk_profile(KEY);
    profile.connection_id = false;
    let victim = pair.connect(profile);
    pair.settle();
    let of_victim = connected(&mut pair.server);
    let (mut rogue, to_server, of_rogue) =
        second_client(&mut pair, "203.0.113.66:666", Config::default());
    for _ in 0..4 {
        rogue.send(pair.now, to_server, b"from the address of the victim").expect("established");
        let spoofed = rogue.poll_transmit().expect("a record").payload;
        pair.server.handle_datagram(pair.now, pair.client_address, &spoofed);
        pair.server.send(pair.now, of_rogue, b"so it seems").expect("established");
    }
    let said = events(&mut pair.server);
    assert!(!said.iter().any(|event| matches!(event, Event::Closed { .. })), "{said:?}");
    while pair.server.poll_transmit().is_some() {}
    pair.client.send(pair.now, victim, b"still here").expect("established");
    pair.settle();
    assert_eq!(received(&mut pair.server), [b"still here"]);
    pair.server.send(pair.now, of_victim, b"so are we").expect("established");
    let sent = pair.server.poll_transmit().expect("a record");
    assert_eq!(sent.peer, pair.client_address);
}

// proves: CID-06
#[test]
pub(crate) fn a_new_address_gets_little_until_it_has_answered() {
    let mut pair = Pair::new(Config::default(), with_ids(psk_config()));
    let session = pair.connect(without_checks());
    pair.settle();
    connected(&mut pair.client);
    let to_client = connected(&mut pair.server);
    let (old, new) = (pair.client_address, address("198.51.100.7:4000"));
    let update = |pair: &mut Pair, text: &[u8]| {
        pair.client.send(pair.now, session, text).expect("established");
        let sent = pair.client.poll_transmit().expect("a record").payload.to_vec();
        pair.server.handle_datagram(pair.now, new, &sent);
        sent
    };
    let answer = |pair: &mut Pair| {
        pair.server.send(pair.now, to_client, &[1; 64]).expect("established");
        pair.server.poll_transmit().expect("a record")
    };
    let record = update(&mut pair, b"an Update");
    assert!(matches!(events(&mut pair.server).as_slice(), [Event::Data { .. }]));
    // The answer reaches the client, but only a little may be sent to the address.
    let first = answer(&mut pair);
    assert_eq!(first.peer, new);
    let mut spent = first.payload.len();
    for _ in 0..100 {
        let sent = answer(&mut pair);
        if sent.peer == new {
            spent += sent.payload.len();
        }
    }
    assert!((1024..=4096 + 3 * record.len()).contains(&spent), "{spent} bytes");
    assert_eq!(pair.server.peer(to_client), Some(old));
    // Replays and forgeries from other addresses change nothing.
    let attacker = address("203.0.113.66:666");
    let mut altered = record.clone();
    altered[10] = 200;
    for datagram in [&record, &altered] {
        pair.server.handle_datagram(pair.now, attacker, datagram);
        assert_ne!(answer(&mut pair).peer, attacker);
    }
    // A peer that goes on from the address after we sent something there has confirmed it.
    update(&mut pair, b"another");
    match events(&mut pair.server).as_slice() {
        [Event::Moved { session, peer }, Event::Data { .. }] => {
            assert_eq!((*session, *peer), (to_client, new));
        }
        other => panic!("{other:?}"),
    }
    assert!((0..100).all(|_| answer(&mut pair).peer == new));
    assert_eq!(pair.server.peer(to_client), Some(new));
}

// proves: CID-06
#[test]
pub(crate) fn a_new_address_is_asked_for_what_only_it_can_know() {
    let mut pair = Pair::new(Config::default(), durable(with_ids(psk_config())));
    let session = pair.connect(psk_profile(KEY));
    pair.settle();
    connected(&mut pair.client);
    let to_client = connected(&mut pair.server);
    let (old, new) = (pair.client_address, address("198.51.100.7:4000"));

    // A device that lies about its address does not receive the cookie.
    for second in 0..10 {
        pair.now = Instant::ZERO + Duration::from_secs(second);
        pair.client.send(pair.now, session, b"spoofed").expect("established");
        let spoofed = pair.client.poll_transmit().expect("a record").payload;
        pair.server.handle_datagram(pair.now, new, &spoofed);
        let check = pair.server.poll_transmit().expect("a check");
        assert_eq!((check.peer, check.payload[0]), (new, 27));
        pair.server.send(pair.now, to_client, b"data").expect("established");
        while pair.server.poll_transmit().is_some() {}
    }
    assert_eq!(pair.server.peer(to_client), Some(old));
    assert_eq!(received(&mut pair.server).len(), 10);

    // An answer from another address, an old one and a malformed one do not count.
    pair.now = Instant::ZERO + Duration::from_secs(20);
    pair.client.send(pair.now, session, b"here").expect("established");
    let record = pair.client.poll_transmit().expect("a record").payload;
    pair.server.handle_datagram(pair.now, new, &record);
    let check = pair.server.poll_transmit().expect("a check").payload;
    pair.client.handle_datagram(pair.now, address(SERVER), &check);
    let answer = pair.client.poll_transmit().expect("an answer").payload;
    assert!(pair.client.poll_transmit().is_none() && pair.client.poll_event().is_none());
    let mut server = Endpoint::new(durable(with_ids(psk_config())), [9; 32]);
    let counters = pair.server.counters(to_client).expect("established").encode();
    let sealed = pair.server.seal_session(to_client).expect("established");
    let copied = server.restore(&sealed, &counters).expect("as it was written").session;
    server.handle_datagram(pair.now, new, &answer);
    assert_eq!(server.peer(copied), Some(old), "it asked for nothing");
    // The right answer from the right address counts, in time or late.
    pair.server.handle_datagram(pair.now, new, &answer);
    let said = events(&mut pair.server);
    let moved = |event: &Event| matches!(event, Event::Moved { peer, .. } if *peer == new);
    assert!(said.iter().any(moved), "{said:?}");
    assert_eq!(pair.server.peer(to_client), Some(new));
    pair.client_address = new;
    pair.server.send(pair.now, to_client, &[1; 1000]).expect("established");
    pair.settle();
    assert_eq!(received(&mut pair.client), [[1; 1000]]);
    assert_eq!(pair.server.poll_transmit(), None);
}

#[test]
pub(crate) fn a_client_that_goes_on_where_it_was_takes_a_stolen_downlink_back() {
    let mut pair = Pair::new(Config::default(), with_ids(psk_config()));
    let session = pair.connect(psk_profile(KEY));
    pair.settle();
    let to_client = connected(&mut pair.server);
    pair.client.send(pair.now, session, b"overtaken").expect("established");
    let copied = pair.client.poll_transmit().expect("a record").payload;
    pair.server.handle_datagram(pair.now, address("203.0.113.66:666"), &copied);
    pair.server.handle_datagram(pair.now, pair.client_address, &copied);
    pair.client.send(pair.now, session, b"again").expect("established");
    pair.settle();
    pair.server.send(pair.now, to_client, b"answer").expect("established");
    assert_eq!(pair.server.poll_transmit().expect("a record").peer, pair.client_address);
}

/// An attacker that delays a record and forwards it later gains nothing, with checks or without.
#[test]
pub(crate) fn a_record_that_comes_late_draws_nothing_to_its_sender() {
    for profile in [psk_profile(KEY), without_checks()] {
        let mut pair = Pair::new(Config::default(), with_ids(psk_config()));
        let session = pair.connect(profile);
        pair.settle();
        let to_client = connected(&mut pair.server);
        let records: Vec<_> = [b"held", b"sent"]
            .map(|data| {
                pair.client.send(pair.now, session, data).expect("established");
                pair.client.poll_transmit().expect("a record").payload
            })
            .into();
        let attacker = address("203.0.113.66:666");
        for (from, record) in [(pair.client_address, &records[1]), (attacker, &records[0])] {
            pair.server.handle_datagram(pair.now, from, record);
        }
        assert_eq!(received(&mut pair.server), [b"sent", b"held"]);
        pair.server.send(pair.now, to_client, b"an answer").expect("established");
        while let Some(sent) = pair.server.poll_transmit() {
            assert_eq!(sent.peer, pair.client_address);
        }
    }
}

/// A cookie sent to one address does not confirm another. Otherwise a peer could take the cookie to
/// where it is, and direct a flood to where it is not.
#[test]
pub(crate) fn the_answer_to_an_earlier_check_is_none() {
    let mut pair = Pair::new(Config::default(), with_ids(psk_config()));
    let session = pair.connect(psk_profile(KEY));
    pair.settle();
    connected(&mut pair.client);
    let to_client = connected(&mut pair.server);
    let (own, other) = (address("198.51.100.7:4000"), address("203.0.113.9:9"));
    let mut answers = Vec::new();
    for from in [own, other] {
        pair.now = pair.now + Duration::from_secs(2);
        pair.client.send(pair.now, session, b"from elsewhere").expect("established");
        let record = pair.client.poll_transmit().expect("a record").payload;
        pair.server.handle_datagram(pair.now, from, &record);
        let challenge = pair.server.poll_transmit().expect("a check");
        assert_eq!(challenge.peer, from);
        pair.client.handle_datagram(pair.now, address(SERVER), &challenge.payload);
        answers.push(pair.client.poll_transmit().expect("an answer").payload);
    }
    pair.server.handle_datagram(pair.now, other, &answers[0]);
    assert_eq!(pair.server.peer(to_client), Some(pair.client_address));
    pair.server.handle_datagram(pair.now, other, &answers[1]);
    assert_eq!(pair.server.peer(to_client), Some(other));
}
