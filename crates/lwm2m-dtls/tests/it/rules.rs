//! Rules of RFC 5246, 6347, 7627 and 7925 that a well-behaved peer cannot show: against the
//! reference, or by looking at what is sent.

use crate::reference::{
    ALERT, APPLICATION_DATA, CERTIFICATE, CHANGE_CIPHER_SPEC, CLIENT_HELLO, ClientScript,
    EXTENDED_MASTER_SECRET, FINISHED, HANDSHAKE, HELLO_REQUEST, HELLO_VERIFY_REQUEST, Hello,
    SERVER_HELLO, SERVER_HELLO_DONE, Seen, ServerHello, ServerScript, find, fragment, go_on, greet,
    message, messages, prf, record, records, serve,
};
use crate::support::{
    CLIENT, IDENTITY, KEY, Pair, SERVER, address, at_a_good_time, connected, deliver, events,
    psk_config, psk_profile, received, server_config, x509_profile, x509_store,
};
use aes_gcm::aead::{AeadInOut, KeyInit};
use lwm2m_dtls::certificate::CertificateUsage;
use lwm2m_dtls::{Cause, Config, Endpoint, Error, Event, Identity, Reason, Resumption, TicketKey};
use lwm2m_time::Instant;
use std::sync::Arc;
use std::time::Duration;

const NOW: Instant = Instant::ZERO;
const FATAL: u8 = 2;

/// A client that has begun a handshake; its hello is to be polled.
fn client() -> Endpoint {
    let mut client = Endpoint::new(Config::default(), [1; 32]);
    client.connect(NOW, address(SERVER), Arc::new(psk_profile(KEY))).expect("a good profile");
    client
}

fn reason(endpoint: &mut Endpoint) -> Reason {
    match events(endpoint).as_slice() {
        [Event::Failed { reason, .. }] => reason.clone(),
        other => panic!("{other:?}"),
    }
}

/// The last record of a datagram, which must be a fatal alert in plain text: its number.
fn alert_of(datagram: &[u8]) -> u8 {
    match records(datagram).last() {
        Some(Seen { content: ALERT, body, .. }) if body[0] == FATAL => body[1],
        other => panic!("{other:?}"),
    }
}

// proves: SEC-03
#[test]
fn a_cookie_of_any_length_is_sent_back_with_the_same_hello() {
    for (length, version) in [(1, 0xff), (32, 0xff), (255, 0xff), (32, 0xfd)] {
        let mut client = client();
        let first = client.poll_transmit().expect("a hello").payload;
        let cookie = vec![0xc0; length];
        let body = [&[0xfe, version, length as u8][..], &cookie].concat();
        let mut request = record(HANDSHAKE, 0, 0, &message(HELLO_VERIFY_REQUEST, 0, &body));
        request[2] = version;
        client.handle_datagram(NOW, address(SERVER), &request);
        let second = client.poll_transmit().expect("a second hello").payload;
        let ([(CLIENT_HELLO, 0, before)], [(CLIENT_HELLO, 1, after)]) =
            (&messages(&first)[..], &messages(&second)[..])
        else {
            panic!("{second:02x?}")
        };
        // Version, random value and an empty session id; then the cookie, then all the rest.
        assert_eq!(before[..35], after[..35]);
        assert_eq!((before[35], after[35]), (0, length as u8));
        assert_eq!(after[36..36 + length], cookie);
        assert_eq!(before[36..], after[36 + length..]);
        assert_ne!(records(&first)[0].sequence, records(&second)[0].sequence);
    }
}

// proves: SEC-05
#[test]
fn lost_flights_are_sent_again_in_doubling_intervals() {
    for lost in 0..6 {
        for times in 1..=2 {
            let mut pair = Pair::new(Config::default(), psk_config());
            pair.connect(psk_profile(KEY));
            let mut count = 0;
            let mut seen = std::collections::HashSet::new();
            pair.run(&mut |up, datagram| {
                for record in records(datagram) {
                    assert!(seen.insert((up, record.epoch, record.sequence)), "{record:?}");
                }
                count += 1;
                let keep = !(lost..lost + times).contains(&(count - 1));
                if keep { deliver(up, datagram) } else { Vec::new() }
            });
            connected(&mut pair.client);
            connected(&mut pair.server);
        }
    }
    let mut config = Config::default();
    config.handshake_timeout = Duration::from_secs(250);
    let mut client = Endpoint::new(config, [1; 32]);
    client.connect(NOW, address(SERVER), Arc::new(psk_profile(KEY))).expect("a good profile");
    let (mut now, mut sent) = (NOW, Vec::new());
    while let Some(next) = client.poll_timeout() {
        while client.poll_transmit().is_some() {
            sent.push(now.as_micros() / 1_000_000);
        }
        now = next;
        client.handle_timeout(next);
    }
    assert_eq!(sent, [0, 1, 3, 7, 15, 31, 63, 123, 183, 243]);
}

/// Connects, with an earlier session or without, and loses the last flight so many times.
fn lose_last_flight(pair: &mut Pair, earlier: Option<&Arc<Resumption>>) {
    let profile = Arc::new(psk_profile(KEY));
    match earlier {
        Some(earlier) => pair.client.resume(pair.now, address(SERVER), profile, earlier.clone()),
        None => pair.client.connect(pair.now, address(SERVER), profile),
    }
    .expect("a good profile");
    // In an abbreviated handshake the client has the last word.
    let last_is_up = earlier.is_some();
    let mut lost = 0;
    pair.run(&mut |up, datagram| {
        let ends = records(datagram).last().is_some_and(|record| record.epoch == 1);
        if ends && up == last_is_up && lost < 2 {
            lost += 1;
            return Vec::new();
        }
        deliver(up, datagram)
    });
    assert_eq!(lost, 2);
}

// proves: SEC-06
#[test]
fn the_last_flight_is_repeated_when_it_was_lost_and_only_then() {
    let mut pair = Pair::new(Config::default(), psk_config());
    lose_last_flight(&mut pair, None);
    connected(&mut pair.server);
    let earlier = match events(&mut pair.client).as_slice() {
        [Event::Connected { resumption: Some(earlier), .. }] => Arc::clone(earlier),
        other => panic!("{other:?}"),
    };
    lose_last_flight(&mut pair, Some(&earlier));
    let resumed = |event: &Event| matches!(event, Event::Connected { resumed: true, .. });
    assert!(events(&mut pair.client).iter().any(resumed));
    assert!(events(&mut pair.server).iter().any(resumed));

    // For 240 s, and nobody answers the answer.
    for (later, answers) in [(239, true), (241, false)] {
        let mut server = Endpoint::new(psk_config(), [2; 32]);
        let how = ClientScript::default();
        let (mut script, flight) = greet(&mut server, &how);
        go_on(&mut server, &how, &mut script, &flight, IDENTITY);
        connected(&mut server);
        let now = NOW + Duration::from_secs(later);
        server.handle_timeout(now);
        let again = script.say_protected(FINISHED, &[0; 12]);
        server.handle_datagram(now, address(CLIENT), &again);
        assert_eq!(server.poll_transmit().is_some(), answers, "after {later} s");
        assert!(server.poll_timeout().is_none_or(|next| next > now));
    }
}

// proves: SEC-07
#[test]
fn a_certificate_in_shuffled_overlapping_fragments() {
    let mut store = x509_store();
    let mut certified = (**store.certificate.as_ref().expect("a certificate")).clone();
    let intermediate = certified.chain[1].clone();
    certified.chain.extend(std::iter::repeat_n(intermediate, 4));
    store.certificate = Some(Arc::new(certified));
    let mut server = at_a_good_time(server_config(store));
    server.mtu = 8192;
    let mut pair = Pair::new(at_a_good_time(Config::default()), server);
    pair.connect(x509_profile(
        CertificateUsage::TrustAnchorAssertion,
        crate::support::data!("root.cert"),
    ));
    let mut cut = 0;
    pair.exchange(&mut |up, datagram| {
        let Some((_, sequence, body)) =
            messages_if(!up, datagram).into_iter().find(|(kind, ..)| *kind == CERTIFICATE)
        else {
            return deliver(up, datagram);
        };
        cut = body.len();
        let mut starts: Vec<_> = (0..body.len()).step_by(70).collect();
        // Any order that is none: by the last digit, then backwards.
        starts.sort_by_key(|start| (start / 70 % 7, usize::MAX - start));
        let mut out = Vec::new();
        for start in starts {
            let part = start..(start + 100).min(body.len());
            let mut fragment = fragment(CERTIFICATE, sequence, &body, part);
            out.push(record(HANDSHAKE, 0, 500 + start as u64, &fragment));
            // The same with another total length is none of the message.
            fragment[3] ^= 1;
            fragment[12..].fill(0xff);
            out.push(record(HANDSHAKE, 0, 5000 + start as u64, &fragment));
        }
        out.extend(
            records(datagram)
                .iter()
                .filter(|it| it.body[0] != CERTIFICATE)
                .map(|it| record(it.content, it.epoch, it.sequence, &it.body)),
        );
        out
    });
    assert!(cut > 2048, "{cut}");
    connected(&mut pair.client);
    connected(&mut pair.server);
}

/// The plain messages, where they are looked for.
fn messages_if(wanted: bool, datagram: &[u8]) -> Vec<(u8, u16, Vec<u8>)> {
    let whole = records(datagram).iter().all(|it| it.epoch == 0 && it.content == HANDSHAKE);
    if wanted && whole { messages(datagram) } else { Vec::new() }
}

// proves: SEC-08
#[test]
fn record_numbers_only_grow_and_never_run_over() {
    let mut pair = Pair::new(Config::default(), psk_config());
    let session = pair.connect(psk_profile(KEY));
    let mut last = std::collections::HashMap::new();
    let mut look = |up: bool, datagram: &[u8]| {
        for record in records(datagram) {
            let (epoch, sequence) =
                last.insert(up, (record.epoch, record.sequence)).unwrap_or((0, u64::MAX));
            let grows = match sequence {
                u64::MAX => record.epoch == 0,
                _ if record.epoch == epoch => record.sequence > sequence,
                _ => (record.epoch, record.sequence) == (epoch + 1, 0),
            };
            assert!(grows, "{record:?} after {epoch} {sequence}");
        }
        assert_eq!(datagram[1..3], [0xfe, 0xfd]);
        deliver(up, datagram)
    };
    pair.exchange(&mut look);
    let to_client = connected(&mut pair.server);
    for _ in 0..3 {
        pair.client.send(pair.now, session, b"up").expect("established");
        pair.server.send(pair.now, to_client, b"down").expect("established");
        pair.exchange(&mut look);
    }
    assert_eq!(last[&true].0, 1);

    // A session that has one number left: an export with that written into it.
    let key = TicketKey::new([5; 16]);
    let sealed = pair.server.export(to_client, &key).expect("established");
    let (nonce, body) = sealed.split_at(12);
    let nonce: [u8; 12] = nonce.try_into().expect("12 bytes");
    let gcm = aes_gcm::Aes128Gcm::new(&[5; 16].into());
    let mut plain = body.to_vec();
    gcm.decrypt_in_place(&nonce.into(), b"dtls session", &mut plain).expect("our export");
    // Version, address, port, suite, flag, two directions, the window of 16 bytes.
    let place = 1 + 5 + 2 + 2 + 1 + 2 * 52 + 16;
    assert_eq!(plain[place..place + 8], 4u64.to_be_bytes());
    plain[place..place + 8].copy_from_slice(&((1u64 << 48) - 1).to_be_bytes());
    gcm.encrypt_in_place(&nonce.into(), b"dtls session", &mut plain).expect("short");
    let session = pair.server.import(&[&nonce[..], &plain].concat(), &key).expect("as exported");
    events(&mut pair.server);
    pair.server.send(pair.now, session, b"the last one").expect("a number is left");
    pair.settle();
    assert_eq!(received(&mut pair.client).last().expect("data"), b"the last one");
    assert_eq!(pair.server.send(pair.now, session, b"x"), Err(Error::SequenceExhausted));
    assert!(matches!(
        events(&mut pair.server).as_slice(),
        [Event::Closed { cause: Cause::Exhausted, .. }]
    ));
    assert!(pair.server.poll_transmit().is_none());
}

// proves: SEC-12
#[test]
fn a_wrong_finished_is_told_and_makes_no_session() {
    // The published vector shows that the reference's own function is the right one.
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
        // What comes in such a session goes nowhere.
        let data = of_client.seal(APPLICATION_DATA, b"\x40\x01\x00\x00");
        server.handle_datagram(NOW, address(CLIENT), &data);
        assert!(server.poll_event().is_none() && server.poll_transmit().is_none());
    }
}

// proves: SEC-13
#[test]
fn the_extended_master_secret_is_what_the_reference_makes_it() {
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
    // A policy may insist.
    let mut client = Endpoint::new(Config::default(), [1; 32]);
    let mut profile = psk_profile(KEY);
    profile.require_extended_master_secret = true;
    client.connect(NOW, address(SERVER), Arc::new(profile)).expect("a good profile");
    let (_, alert) = serve(&mut client, &ServerScript::default());
    assert_eq!(alert.as_deref(), Some(&[FATAL, 40][..]));
}

// proves: SEC-14
#[test]
fn sessions_with_and_without_the_extended_master_secret_do_not_mix() {
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

// proves: SEC-17
#[test]
fn there_is_no_compression_no_short_mac_and_no_second_handshake() {
    let mut client = client();
    let hello = client.poll_transmit().expect("a hello").payload;
    let hello = Hello::parse(&messages(&hello)[0].2);
    assert_eq!(hello.compressions, [0]);
    assert_eq!(hello.extension(4), None);

    let mut client = self::client();
    let (mut script, _) = serve(&mut client, &ServerScript::default());
    let session = connected(&mut client);
    let request = script.seal(HANDSHAKE, &message(HELLO_REQUEST, 9, &[]));
    client.handle_datagram(NOW, address(SERVER), &request);
    while let Some(sent) = client.poll_transmit() {
        let [record] = &records(&sent.payload)[..] else { panic!("{sent:?}") };
        assert_eq!((record.content, script.open(record)), (ALERT, vec![1, 100]));
    }
    assert_eq!((client.handshake_count(), client.poll_event().is_none()), (0, true));
    client.send(NOW, session, b"goes on").expect("established");
    let sent = client.poll_transmit().expect("a record").payload;
    assert_eq!(script.open(&records(&sent)[0]), b"goes on");

    let mut server = Endpoint::new(psk_config(), [2; 32]);
    let how = ClientScript::default();
    let (mut script, flight) = greet(&mut server, &how);
    go_on(&mut server, &how, &mut script, &flight, IDENTITY);
    connected(&mut server);
    let hello = script.seal(HANDSHAKE, &message(CLIENT_HELLO, 9, &[0xfe, 0xfd]));
    server.handle_datagram(NOW, address(CLIENT), &hello);
    let sent = server.poll_transmit().expect("an alert").payload;
    assert_eq!(script.open(&records(&sent)[0]), [1, 100]);
    assert_eq!(server.handshake_count(), 0);
    let data = script.seal(APPLICATION_DATA, b"goes on");
    server.handle_datagram(NOW, address(CLIENT), &data);
    assert_eq!(received(&mut server), [b"goes on"]);
}

// proves: SEC-18
#[test]
fn what_cannot_be_agreed_on_is_told() {
    let mut server = Endpoint::new(psk_config(), [2; 32]);
    let old = ClientScript { version: 0xfeff, ..ClientScript::default() };
    assert_eq!(alert_of(&greet(&mut server, &old).1), 70);
    assert_eq!(reason(&mut server), Reason::UnsupportedVersion);
    let rsa = ClientScript { suites: &[0x002f, 0x003c, 0x009c], ..ClientScript::default() };
    assert_eq!(alert_of(&greet(&mut server, &rsa).1), 40);
    assert_eq!(reason(&mut server), Reason::NoCommonSuite);
    let mut client = client();
    let how = ServerScript { extra_extension: Some(99), ..ServerScript::default() };
    assert_eq!(serve(&mut client, &how).1.as_deref(), Some(&[FATAL, 110][..]));
    assert_eq!(reason(&mut client), Reason::UnsupportedExtension);
}

// proves: SEC-19
#[test]
fn a_resumed_session_is_short_and_has_new_keys_and_the_old_identity() {
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
    // The cache has a bound.
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

// proves: PSK-06
#[test]
fn no_hint_is_sent_and_any_hint_is_taken() {
    let mut server = Endpoint::new(psk_config(), [2; 32]);
    let (_, flight) = greet(&mut server, &ClientScript::default());
    let kinds: Vec<_> = messages(&flight).into_iter().map(|(kind, ..)| kind).collect();
    assert_eq!(kinds, [SERVER_HELLO, SERVER_HELLO_DONE]);
    for hint in [&b"x"[..], b"", &[0xff; 300]] {
        let mut client = client();
        let how = ServerScript { hint: Some(hint), ..ServerScript::default() };
        serve(&mut client, &how);
        match events(&mut client).as_slice() {
            [Event::Connected { identity, .. }] => {
                assert_eq!(*identity, Identity::Psk(IDENTITY.into()));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_change_of_ciphers_is_one_byte_ahead_of_the_finished() {
    let mut server = Endpoint::new(psk_config(), [2; 32]);
    let how = ClientScript::default();
    let (mut script, flight) = greet(&mut server, &how);
    let last = go_on(&mut server, &how, &mut script, &flight, IDENTITY);
    let [change, finished] = &records(&last)[..] else { panic!("{last:02x?}") };
    assert_eq!((change.content, change.body.as_slice()), (CHANGE_CIPHER_SPEC, &[1][..]));
    assert_eq!(script.open(finished)[12..], script.verify_data(true));
}
