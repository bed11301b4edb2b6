//! Key derivation and resumption: RFC 5246, RFC 7627.

use super::{FATAL, NOW, alert_of, client, reason};
use crate::reference::{
    ALERT, APPLICATION_DATA, CLIENT_HELLO, ClientScript, EXTENDED_MASTER_SECRET, FINISHED, Hello,
    SERVER_HELLO, ServerHello, ServerScript, find, go_on, greet, messages, prf, record, records,
    serve,
};
use crate::support::{
    CLIENT, IDENTITY, KEY, Pair, SERVER, address, connected, deliver, events, psk_config,
    psk_profile,
};
use lwm2m_dtls::{Config, Endpoint, Event, Identity, Reason};
use std::sync::Arc;

// proves: SEC-12
#[test]
pub(crate) fn a_wrong_finished_is_told_and_makes_no_session() {
    // The published vector validates the function of the reference.
    let secret = [
        0x9b, 0xbe, 0x43, 0x6b, 0xa9, 0x40, 0xf0, 0x17, 0xb1, 0x76, 0x52, 0x84, 0x9a, 0x71, 0xdb,
        0x35,
    ];
    let seed = [
        0xa0, 0xba, 0x9f, 0x93, 0x6c, 0xda, 0x31, 0x18, 0x27, 0xa6, 0xf7, 0x96, 0xff, 0xd5, 0x19,
        0x8c,
    ];
    let known = prf(&secret, "test label", &seed, 100);
    assert_eq!(
        (known[..4].to_vec(), &known[96..]),
        (vec![0xe3, 0xf2, 0x29, 0xba], &[0x87, 0x34, 0x7b, 0x66][..])
    );
    for wrong_finished in [false, true] {
        let mut client = client();
        let how = ServerScript { wrong_finished, ..ServerScript::default() };
        let (script, _) = serve(&mut client, &how);
        let mut server = Endpoint::new(psk_config(), [2; 32]);
        let how = ClientScript { wrong_finished, ..ClientScript::default() };
        let (mut of_client, flight) = greet(&mut server, &how);
        let last = go_on(&mut server, &how, &mut of_client, &flight, IDENTITY);
        if !wrong_finished {
            connected(&mut client);
            connected(&mut server);
            continue;
        }
        let alert = client.poll_transmit().expect("an alert").payload;
        assert_eq!(script.open(&records(&alert)[0]), [FATAL, 51]);
        assert_eq!(alert_of(&last), 51);
        for endpoint in [&mut client, &mut server] {
            assert_eq!(reason(endpoint), Reason::WrongKey);
            assert_eq!(endpoint.session_count(), 0);
        }
        // Data in such a session is not delivered.
        let data = of_client.seal(APPLICATION_DATA, b"\x40\x01\x00\x00");
        server.handle_datagram(NOW, address(CLIENT), &data);
        assert!(server.poll_event().is_none() && server.poll_transmit().is_none());
    }
}

// Without the change of keys, who knows no key could have made up the record. RFC 5246 section 7.4.9.
#[test]
pub(crate) fn a_finished_in_the_clear_makes_no_session() {
    let mut client = client();
    serve(&mut client, &ServerScript { clear_finished: true, ..ServerScript::default() });
    let mut server = Endpoint::new(psk_config(), [2; 32]);
    let how = ClientScript { clear_finished: true, ..ClientScript::default() };
    let (mut script, flight) = greet(&mut server, &how);
    go_on(&mut server, &how, &mut script, &flight, IDENTITY);
    for endpoint in [&mut client, &mut server] {
        let events = events(endpoint);
        assert!(!events.iter().any(|it| matches!(it, Event::Connected { .. })), "{events:?}");
        assert_eq!(endpoint.session_count(), 0);
    }
}

#[test]
pub(crate) fn each_handshake_has_a_random_value_of_its_own() {
    let mut values = std::collections::HashSet::new();
    for seed in 2..6 {
        let mut server = Endpoint::new(psk_config(), [seed; 32]);
        let (_, flight) = greet(&mut server, &ClientScript::default());
        values.insert(ServerHello::parse(&messages(&flight)[0].2).random);
        let mut client = client();
        let hello = client.poll_transmit().expect("a hello").payload;
        values.insert(Hello::parse(&messages(&hello)[0].2).random);
    }
    // The four clients have one seed.
    assert_eq!(values.len(), 5, "{values:02x?}");
}

// proves: SEC-13
#[test]
pub(crate) fn the_extended_master_secret_is_what_the_reference_makes_it() {
    for extended_master_secret in [true, false] {
        let mut client = client();
        let how = ServerScript { extended_master_secret, ..ServerScript::default() };
        let (script, _) = serve(&mut client, &how);
        connected(&mut client);
        drop(script);

        let mut server = Endpoint::new(psk_config(), [2; 32]);
        let how = ClientScript { extended_master_secret, ..ClientScript::default() };
        let (mut script, flight) = greet(&mut server, &how);
        let extensions = ServerHello::parse(&messages(&flight)[0].2).extensions;
        let answered = find(&extensions, EXTENDED_MASTER_SECRET);
        assert_eq!(answered, extended_master_secret.then_some(&[][..]));
        go_on(&mut server, &how, &mut script, &flight, IDENTITY);
        connected(&mut server);
    }
    let mut asking = client();
    let hello = asking.poll_transmit().expect("a hello").payload;
    let hello = Hello::parse(&messages(&hello)[0].2);
    assert_eq!(hello.extension(EXTENDED_MASTER_SECRET), Some(&[][..]));
    // A policy may require it.
    let mut client = Endpoint::new(Config::default(), [1; 32]);
    let mut profile = psk_profile(KEY);
    profile.require_extended_master_secret = true;
    client.connect(NOW, address(SERVER), Arc::new(profile)).expect("a good profile");
    let (_, alert) = serve(&mut client, &ServerScript::default());
    assert_eq!(alert.as_deref(), Some(&[FATAL, 40][..]));
}

// proves: SEC-14
#[test]
pub(crate) fn sessions_with_and_without_the_extended_master_secret_do_not_mix() {
    for (first, second) in [(true, false), (false, true), (true, true), (false, false)] {
        let mut server = Endpoint::new(psk_config(), [2; 32]);
        let how = ClientScript { extended_master_secret: first, ..ClientScript::default() };
        let (mut script, flight) = greet(&mut server, &how);
        let session_id = ServerHello::parse(&messages(&flight)[0].2).session_id;
        go_on(&mut server, &how, &mut script, &flight, IDENTITY);
        connected(&mut server);
        let how = ClientScript {
            extended_master_secret: second,
            session_id: session_id.clone(),
            ..ClientScript::default()
        };
        let (_, answer) = greet(&mut server, &how);
        if (first, second) == (true, false) {
            assert_eq!(alert_of(&answer), 40);
            assert_eq!(reason(&mut server), Reason::ResumptionRefused);
            continue;
        }
        let answered = ServerHello::parse(&messages(&answer)[0].2).session_id;
        assert_eq!(answered == session_id, first == second, "{first} {second}");
    }
}

// proves: SEC-19
#[test]
pub(crate) fn a_resumed_session_is_short_and_has_new_keys_and_the_old_identity() {
    let mut pair = Pair::new(Config::default(), psk_config());
    pair.connect(psk_profile(KEY));
    pair.settle();
    connected(&mut pair.server);
    let earlier = match events(&mut pair.client).as_slice() {
        [Event::Connected { resumption: Some(earlier), .. }] => Arc::clone(earlier),
        other => panic!("{other:?}"),
    };
    for known in [true, false] {
        if !known {
            pair.server = Endpoint::new(psk_config(), [7; 32]);
        }
        let profile = Arc::new(psk_profile(KEY));
        pair.client.resume(pair.now, address(SERVER), profile, earlier.clone()).expect("good");
        let (mut offered, mut echoed, mut flow) = (Vec::new(), Vec::new(), Vec::new());
        pair.exchange(&mut |up, datagram| {
            for (kind, _, body) in messages(datagram) {
                match kind {
                    CLIENT_HELLO => offered = Hello::parse(&body).session_id,
                    SERVER_HELLO => echoed = ServerHello::parse(&body).session_id,
                    _ => {}
                }
                flow.push((up, kind));
            }
            let protected = records(datagram).into_iter().filter(|it| it.epoch == 1);
            flow.extend(protected.map(|_| (up, FINISHED)));
            deliver(up, datagram)
        });
        assert_eq!(echoed == offered, known);
        let short = [(false, SERVER_HELLO), (false, FINISHED), (true, FINISHED)];
        assert_eq!(flow.ends_with(&short), known, "{flow:?}");
        match events(&mut pair.server).into_iter().find(|it| matches!(it, Event::Connected { .. }))
        {
            Some(Event::Connected { identity, resumed, .. }) => {
                assert_eq!((identity, resumed), (Identity::Psk(IDENTITY.into()), known));
            }
            other => panic!("{other:?}"),
        }
        events(&mut pair.client);
    }
    // The cache is bounded.
    let mut config = psk_config();
    config.session_cache = 1;
    let mut server = Endpoint::new(config, [2; 32]);
    let how = ClientScript::default();
    let ids: Vec<_> = (0..2)
        .map(|_| {
            let (mut script, flight) = greet(&mut server, &how);
            go_on(&mut server, &how, &mut script, &flight, IDENTITY);
            ServerHello::parse(&messages(&flight)[0].2).session_id
        })
        .collect();
    for (session_id, is_kept) in [(&ids[0], false), (&ids[1], true)] {
        let how = ClientScript { session_id: session_id.clone(), ..ClientScript::default() };
        let (_, answer) = greet(&mut server, &how);
        assert_eq!(ServerHello::parse(&messages(&answer)[0].2).session_id == *session_id, is_kept);
    }
}

#[test]
pub(crate) fn a_session_is_resumed_on_its_transport_for_its_name_alone() {
    let mut server = Endpoint::new(psk_config(), [2; 32]);
    let named = |server_name, session_id| ClientScript {
        server_name,
        session_id,
        ..ClientScript::default()
    };
    let how = named(Some(&b"a.example"[..]), Vec::new());
    let (mut script, flight) = greet(&mut server, &how);
    let session_id = ServerHello::parse(&messages(&flight)[0].2).session_id;
    go_on(&mut server, &how, &mut script, &flight, IDENTITY);
    connected(&mut server);
    let names = [(None, false), (Some(&b"b.example"[..]), false), (Some(b"A.example"), true)];
    for (name, resumed) in names {
        let (_, answer) = greet(&mut server, &named(name, session_id.clone()));
        let answered = ServerHello::parse(&messages(&answer)[0].2).session_id;
        assert_eq!(answered == session_id, resumed, "{name:?}");
        // The client gives up the handshake.
        let alert = record(ALERT, 0, 9, &[FATAL, 90]);
        server.handle_datagram(NOW, address(CLIENT), &alert);
        events(&mut server);
    }

    // TLS with the same suite and name, by the id of a DTLS session.
    let mut body = vec![3, 3];
    body.extend_from_slice(&[7; 32]);
    body.push(32);
    body.extend_from_slice(&session_id);
    body.extend_from_slice(&[0, 2, 0xc0, 0xa8, 1, 0, 0, 22, 0, 0, 0, 14, 0, 12, 0, 0, 9]);
    body.extend_from_slice(b"a.example\0\x17\0\0");
    let length = body.len() as u8;
    let hello = [&[22, 3, 3, 0, length + 4, 1, 0, 0, length][..], &body].concat();
    let stream = server.accept_stream(NOW, address(CLIENT)).expect("room");
    server.handle_stream(NOW, stream, &hello);
    let answer: Vec<u8> =
        std::iter::from_fn(|| server.poll_stream()).flat_map(|(_, bytes)| bytes).collect();
    assert_eq!(answer[5], SERVER_HELLO, "{:?}", events(&mut server));
    assert_ne!(answer[44..76], session_id);
}
