//! Rules of RFC 6347 and related standards.

use crate::support::{
    FourBytes, IDENTITY, KEY, Pair, address, connected, deliver, events, psk_config, psk_profile,
    received,
};
use lwm2m_dtls::{Config, Endpoint, Event, Identity, KeyLog, SessionId};
use std::sync::{Arc, Mutex};

/// A pair with an established session, and its ids at client and server.
fn established(client: Config, server: Config) -> (Pair, SessionId, SessionId) {
    let mut pair = Pair::new(client, server);
    pair.connect(psk_profile(KEY));
    pair.settle();
    let ids = (connected(&mut pair.client), connected(&mut pair.server));
    (pair, ids.0, ids.1)
}

// proves: SEC-09
#[test]
pub(crate) fn a_record_counts_once_and_forgeries_move_no_window() {
    let (mut pair, to_server, _) = established(Config::default(), psk_config());
    let records: Vec<_> = (0..64u8)
        .map(|index| {
            pair.client.send(pair.now, to_server, &[index]).expect("established");
            pair.client.poll_transmit().expect("a record").payload
        })
        .collect();
    let mut forged = records[0].to_vec();
    forged[6] = 0xff;
    pair.server.handle_datagram(pair.now, pair.client_address, &forged);
    for record in records.iter().rev().chain(&records) {
        pair.server.handle_datagram(pair.now, pair.client_address, record);
    }
    let expected: Vec<_> = (0..64u8).rev().map(|index| vec![index]).collect();
    assert_eq!(received(&mut pair.server), expected);
}

// proves: SEC-11
#[test]
pub(crate) fn plaintext_after_and_data_before_the_end_of_the_handshake_change_nothing() {
    let (mut pair, to_server, _) = established(Config::default(), psk_config());
    let record = |content: u8, body: &[u8]| {
        let mut bytes = vec![content, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, body.len() as u8];
        bytes.extend_from_slice(body);
        bytes
    };
    for plain in [record(23, b"\x40\x01\0\0\xb13\x010"), record(21, &[2, 40]), record(21, &[1, 0])]
    {
        pair.server.handle_datagram(pair.now, pair.client_address, &plain);
        assert!(pair.server.poll_event().is_none() && pair.server.poll_transmit().is_none());
    }
    pair.client.send(pair.now, to_server, b"still here").expect("established");
    pair.settle();
    assert_eq!(received(&mut pair.server), [b"still here"]);

    // The client's data arrives before its Finished and is ignored.
    let mut pair = Pair::new(Config::default(), psk_config());
    pair.connect(psk_profile(KEY));
    pair.exchange(&mut |up, datagram| {
        let early = record(23, b"early");
        if up { vec![early, datagram.to_vec()] } else { deliver(up, datagram) }
    });
    assert!(matches!(events(&mut pair.server).as_slice(), [Event::Connected { .. }]));
}

// proves: SEC-21
#[test]
pub(crate) fn a_session_stays_until_a_new_one_has_proved_itself() {
    let (mut pair, to_server, to_client) = established(Config::default(), psk_config());
    // An attacker that receives what is sent to the address, but has no key.
    let mut impostor = Endpoint::new(Config::default(), [66; 32]);
    impostor
        .connect(pair.now, address(crate::support::SERVER), Arc::new(psk_profile(b"guessed")))
        .expect("a good profile");
    for _ in 0..3 {
        while let Some(sent) = impostor.poll_transmit() {
            pair.server.handle_datagram(pair.now, pair.client_address, &sent.payload);
        }
        while let Some(sent) = pair.server.poll_transmit() {
            impostor.handle_datagram(pair.now, address(crate::support::SERVER), &sent.payload);
        }
    }
    assert_eq!(pair.server.handshake_count(), 1);
    pair.client.send(pair.now, to_server, b"still me").expect("established");
    pair.settle();
    assert_eq!(received(&mut pair.server), [b"still me"]);

    // The device itself, after a reboot.
    pair.client = Endpoint::new(Config::default(), [3; 32]);
    pair.connect(psk_profile(KEY));
    pair.settle();
    let said = events(&mut pair.server);
    let is_new = |event: &Event| match event {
        Event::Connected { identity, .. } => *identity == Identity::Psk(IDENTITY.into()),
        _ => false,
    };
    let is_old =
        |event: &Event| matches!(event, Event::Closed { session, .. } if *session == to_client);
    assert!(said.iter().any(is_new) && said.iter().any(is_old), "{said:?}");
    assert_eq!(pair.server.session_count(), 1);
}

#[test]
pub(crate) fn a_hello_behind_a_record_of_a_session_leaves_the_session_alone() {
    let mut pair = Pair::new(Config::default(), psk_config());
    let session = pair.connect(psk_profile(KEY));
    // The last hello, with a valid cookie, which everybody on the path has seen.
    let mut hello = Vec::new();
    pair.exchange(&mut |up, datagram| {
        if up && datagram[13] == 1 {
            hello = datagram.to_vec();
        }
        deliver(up, datagram)
    });
    connected(&mut pair.client);
    connected(&mut pair.server);
    pair.client.send(pair.now, session, b"me").expect("established");
    let first = pair.client.poll_transmit().expect("a record").payload;
    let datagram = [&first, hello.as_slice()].concat();
    pair.server.handle_datagram(pair.now, pair.client_address, &datagram);
    while pair.server.poll_transmit().is_some() {}
    assert_eq!(received(&mut pair.server), [b"me"]);
    pair.client.send(pair.now, session, b"still me").expect("established");
    pair.settle();
    assert_eq!(received(&mut pair.server), [b"still me"]);
}

#[test]
pub(crate) fn closing_tells_the_peer() {
    let (mut pair, to_server, _) = established(Config::default(), psk_config());
    pair.client.close(to_server).expect("established");
    pair.settle();
    assert!(matches!(events(&mut pair.server).as_slice(), [Event::Closed { .. }]));
    assert_eq!((pair.client.session_count(), pair.server.session_count()), (0, 0));
}

// proves: CID-01
#[test]
pub(crate) fn connection_ids_are_answered_only_if_offered_and_unique() {
    let with_ids = || {
        let mut config = psk_config();
        config.connection_ids = Some(Arc::new(FourBytes));
        config
    };
    let mut pair = Pair::new(Config::default(), with_ids());
    let mut ids = std::collections::HashSet::new();
    for port in 0..1000 {
        pair.client_address.set_port(2000 + port);
        let server = std::net::SocketAddr::new(address(crate::support::SERVER).ip(), 2000 + port);
        let profile = Arc::new(psk_profile(KEY));
        let session = pair.client.connect(pair.now, server, profile).expect("a good profile");
        for _ in 0..3 {
            while let Some(sent) = pair.client.poll_transmit() {
                pair.server.handle_datagram(pair.now, pair.client_address, &sent.payload);
            }
            while let Some(sent) = pair.server.poll_transmit() {
                pair.client.handle_datagram(pair.now, server, &sent.payload);
            }
        }
        pair.client.send(pair.now, session, b"x").expect("established");
        let record = pair.client.poll_transmit().expect("a record").payload;
        assert_eq!(record[0], 25);
        assert!(ids.insert(record[11..15].to_vec()));
    }
    let mut pair = Pair::new(Config::default(), with_ids());
    let mut profile = psk_profile(KEY);
    profile.connection_id = false;
    let session = pair.connect(profile);
    pair.settle();
    pair.client.send(pair.now, session, b"x").expect("established");
    assert_eq!(pair.client.poll_transmit().expect("a record").payload[0], 23);
}

/// Label, random value and secret.
type Line = (String, [u8; 32], Vec<u8>);

#[derive(Default)]
pub(crate) struct Log(pub(crate) Mutex<Vec<Line>>);

impl KeyLog for Log {
    fn log(&self, label: &str, random: &[u8; 32], secret: &[u8]) {
        self.0.lock().expect("no panic").push((label.into(), *random, secret.into()));
    }
}

#[test]
pub(crate) fn both_sides_log_the_same_secret_and_nothing_else_shows_it() {
    let (ours, theirs) = (Arc::new(Log::default()), Arc::new(Log::default()));
    let (mut client, mut server) = (Config::default(), psk_config());
    client.key_log = Some(ours.clone());
    server.key_log = Some(theirs.clone());
    established(client, server);
    let lines = ours.0.lock().expect("no panic").clone();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines, *theirs.0.lock().expect("no panic"));
    let shown = format!("{:?}", psk_profile(KEY));
    assert!(!shown.contains("48, 49") && !shown.contains("0123"), "{shown}");
}

#[test]
pub(crate) fn data_of_a_client_shows_that_it_has_the_last_flight() {
    let (mut pair, to_server, _) = established(Config::default(), psk_config());
    assert!(pair.server.poll_timeout().is_some(), "the flight may be asked for again");
    pair.client.send(pair.now, to_server, b"data").expect("established");
    pair.settle();
    assert_eq!(pair.server.poll_timeout(), None);
}

// RFC 9146 section 6: a NAT may give the address of a device to another one
#[test]
pub(crate) fn who_comes_from_the_address_of_another_device_ends_what_only_the_address_names() {
    for (identity, has_ids, stays) in [
        (&b"other"[..], true, true),
        (b"other", false, false),
        (IDENTITY, true, false),
        (IDENTITY, false, false),
    ] {
        let psk = [(IDENTITY.to_vec(), KEY.to_vec()), (b"other".to_vec(), KEY.to_vec())].into();
        let mut config = crate::support::server_config(crate::support::Store {
            psk,
            ..crate::support::Store::default()
        });
        if has_ids {
            config.connection_ids = Some(Arc::new(FourBytes));
        }
        let (mut pair, ..) = established(Config::default(), config);
        pair.client = Endpoint::new(Config::default(), [9; 32]);
        let key = zeroize::Zeroizing::new(KEY.to_vec());
        let security = lwm2m_dtls::ClientSecurity::Psk { identity: identity.into(), key };
        pair.connect(lwm2m_dtls::ClientProfile::new(security));
        pair.settle();
        let all = events(&mut pair.server);
        let closed = all.iter().any(|event| matches!(event, Event::Closed { .. }));
        assert_eq!(!closed, stays, "{identity:?} {has_ids}: {all:?}");
    }
}
