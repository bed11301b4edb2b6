//! Connection IDs: RFC 9146.

use crate::support::{
    FourBytes, KEY, Pair, SERVER, address, connected, deliver, events, psk_config, psk_profile,
    received,
};
use lwm2m_dtls::{CidRoute, Config, Endpoint, Event, RoutingCids};
use std::sync::Arc;

fn with_ids(mut config: Config) -> Config {
    config.connection_ids = Some(Arc::new(FourBytes));
    config
}

/// The content type of a datagram's first record.
fn content_type(datagram: &[u8]) -> u8 {
    datagram[0]
}

#[test]
fn ids_say_where_their_session_lives() {
    let place = CidRoute { node: 7, shard: 2 };
    for length in [1, 3, 4, 6, 8, 30, 255] {
        let mut config = psk_config();
        config.connection_ids = Some(Arc::new(RoutingCids::new(place, length)));
        let mut pair = Pair::new(Config::default(), config);
        let to_server = pair.connect(psk_profile(KEY));
        pair.settle();
        connected(&mut pair.client);
        connected(&mut pair.server);
        pair.client.send(pair.now, to_server, b"up").expect("established");
        let mut places = Vec::new();
        pair.exchange(&mut |up, datagram| {
            places.push(RoutingCids::cid_route(datagram, length));
            deliver(up, datagram)
        });
        let has_room = length >= RoutingCids::MIN_LENGTH;
        assert_eq!(places, [has_room.then_some(place)], "{length}");
        assert_eq!(received(&mut pair.server), [b"up"]);
    }
    // A datagram without an ID or one that is cut off has no route.
    for bytes in [&b"\x17\xfe\xfd\0\x01\0\0\0\0\0\x01\0\x01a"[..], b"\x19\xfe\xfd", b""] {
        assert_eq!(RoutingCids::cid_route(bytes, 6), None);
    }
}

// proves: CID-05
#[test]
fn only_the_side_that_handed_an_id_out_gets_records_with_it() {
    let mut pair = Pair::new(Config::default(), with_ids(psk_config()));
    let to_server = pair.connect(psk_profile(KEY));
    pair.settle();
    connected(&mut pair.client);
    let to_client = connected(&mut pair.server);
    pair.client.send(pair.now, to_server, b"up").expect("established");
    pair.server.send(pair.now, to_client, b"down").expect("established");
    let mut types = Vec::new();
    pair.exchange(&mut |up, datagram| {
        types.push((up, content_type(datagram)));
        if !up {
            return vec![datagram.to_vec()];
        }
        // The same record without the ID does not belong to the session.
        let mut bare = datagram.to_vec();
        bare[0] = 23;
        bare.drain(11..15);
        vec![bare, datagram.to_vec()]
    });
    assert_eq!(types, [(true, 25), (false, 23)]);
    assert_eq!(received(&mut pair.server), [b"up"]);
    assert_eq!(received(&mut pair.client), [b"down"]);
}

#[test]
fn a_newer_record_moves_the_session_and_nothing_else_does() {
    let mut pair = Pair::new(with_ids(Config::default()), with_ids(psk_config()));
    let mut profile = psk_profile(KEY);
    profile.return_routability_check = false;
    let to_server = pair.connect(profile);
    pair.settle();
    connected(&mut pair.client);
    let to_client = connected(&mut pair.server);
    let mut sent = Vec::new();
    let mut keep = |up: bool, datagram: &[u8]| {
        sent.push((up, datagram.to_vec()));
        deliver(up, datagram)
    };
    pair.client_address = address("198.51.100.7:4000");
    pair.client.send(pair.now, to_server, b"one").expect("established");
    pair.exchange(&mut keep);
    pair.server.send(pair.now, to_client, b"answer").expect("established");
    pair.exchange(&mut keep);
    assert_eq!(received(&mut pair.client), [b"answer"]);
    pair.client.send(pair.now, to_server, b"two").expect("established");
    pair.exchange(&mut keep);
    match events(&mut pair.server).as_slice() {
        [Event::Data { .. }, Event::Moved { session, peer }, Event::Data { .. }] => {
            assert_eq!((*session, *peer), (to_client, pair.client_address));
        }
        other => panic!("{other:?}"),
    }
    let attacker = address("203.0.113.66:666");
    let replay = sent.remove(0).1;
    pair.server.handle_datagram(pair.now, attacker, &replay);
    let mut forged = replay.clone();
    forged[10] = 200;
    pair.server.handle_datagram(pair.now, attacker, &forged);
    // An older record that is authentic and new is delivered, but does not move the session.
    pair.client.send(pair.now, to_server, b"late").expect("established");
    let late = pair.client.poll_transmit().expect("a record").payload;
    pair.client.send(pair.now, to_server, b"next").expect("established");
    pair.settle();
    pair.server.handle_datagram(pair.now, attacker, &late);
    assert_eq!(received(&mut pair.server), [&b"next"[..], b"late"]);
    assert_eq!(pair.server.peer(to_client), Some(pair.client_address));
}

// proves: CID-07
#[test]
fn ids_are_agreed_on_anew_and_unknown_ones_are_dropped_in_silence() {
    let mut pair = Pair::new(Config::default(), with_ids(psk_config()));
    let first = pair.connect(psk_profile(KEY));
    pair.settle();
    connected(&mut pair.server);
    let earlier = match events(&mut pair.client).as_slice() {
        [Event::Connected { resumption: Some(earlier), .. }] => Arc::clone(earlier),
        other => panic!("{other:?}"),
    };
    let record = |pair: &mut Pair, session, text: &[u8]| {
        pair.client.send(pair.now, session, text).expect("established");
        pair.client.poll_transmit().expect("a record").payload
    };
    let of_first = record(&mut pair, first, b"of the first session");
    let profile = Arc::new(psk_profile(KEY));
    let second =
        pair.client.resume(pair.now, address(SERVER), profile, earlier).expect("a good profile");
    pair.settle();
    let resumed = |event: &Event| matches!(event, Event::Connected { resumed: true, .. });
    assert!(events(&mut pair.server).iter().any(resumed));
    let of_second = record(&mut pair, second, b"of the second");
    assert_ne!(of_first[11..15], of_second[11..15]);
    for datagram in [&of_first, &of_second] {
        pair.server.handle_datagram(pair.now, pair.client_address, datagram);
    }
    assert_eq!(received(&mut pair.server), [b"of the second"]);

    // After a restart the server knows no session and does not answer.
    pair.server = Endpoint::new(with_ids(psk_config()), [9; 32]);
    let lost = record(&mut pair, second, b"lost");
    pair.server.handle_datagram(pair.now, pair.client_address, &lost);
    assert!(pair.server.poll_transmit().is_none() && pair.server.poll_event().is_none());
    let third = pair.connect(psk_profile(KEY));
    pair.settle();
    let again = record(&mut pair, third, b"again");
    pair.server.handle_datagram(pair.now, pair.client_address, &again);
    assert_eq!(received(&mut pair.server), [b"again"]);
}
