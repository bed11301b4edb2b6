//! Flights, fragments and numbers: RFC 6347 sections 4.1 and 4.2.

use super::{NOW, client};
use crate::durable::durable;
use crate::reference::{
    CERTIFICATE, CLIENT_HELLO, ClientScript, FINISHED, HANDSHAKE, HELLO_VERIFY_REQUEST, fragment,
    go_on, greet, message, messages, record, records,
};
use crate::support::{
    CLIENT, IDENTITY, KEY, Pair, SERVER, address, at_a_good_time, connected, deliver, events,
    psk_config, psk_profile, received, server_config, x509_profile, x509_store,
};
use lwm2m_dtls::certificate::CertificateUsage;
use lwm2m_dtls::{Cause, Config, Endpoint, Error, Event, Resumption};
use std::sync::Arc;
use std::time::Duration;

// proves: SEC-03
#[test]
pub(crate) fn a_cookie_of_any_length_is_sent_back_with_the_same_hello() {
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
        // Version, random value and an empty session id; then the cookie; then the rest.
        assert_eq!(before[..35], after[..35]);
        assert_eq!((before[35], after[35]), (0, length as u8));
        assert_eq!(after[36..36 + length], cookie);
        assert_eq!(before[36..], after[36 + length..]);
        assert_ne!(records(&first)[0].sequence, records(&second)[0].sequence);
    }
}

#[test]
pub(crate) fn a_server_does_not_have_a_client_repeat_its_hello_for_ever() {
    let mut client = client();
    let mut hellos = 0;
    for sequence in 0..100 {
        hellos += std::iter::from_fn(|| client.poll_transmit()).count();
        let body = [0xfe, 0xfd, 1, sequence as u8];
        let request = message(HELLO_VERIFY_REQUEST, sequence, &body);
        let request = record(HANDSHAKE, 0, sequence.into(), &request);
        client.handle_datagram(NOW, address(SERVER), &request);
    }
    // The last record is the alert.
    assert_eq!((hellos, client.handshake_count()), (1 + 8 + 1, 0));
}

// proves: SEC-05
#[test]
pub(crate) fn lost_flights_are_sent_again_in_doubling_intervals() {
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

/// Connects with or without an earlier session, and loses the last flight twice.
fn lose_last_flight(pair: &mut Pair, earlier: Option<&Arc<Resumption>>) {
    let profile = Arc::new(psk_profile(KEY));
    match earlier {
        Some(earlier) => pair.client.resume(pair.now, address(SERVER), profile, earlier.clone()),
        None => pair.client.connect(pair.now, address(SERVER), profile),
    }
    .expect("a good profile");
    // In an abbreviated handshake the client sends last.
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
pub(crate) fn the_last_flight_is_repeated_when_it_was_lost_and_only_then() {
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

    // For 240 s, and the answer is not answered.
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
pub(crate) fn a_certificate_in_shuffled_overlapping_fragments() {
    let mut store = x509_store();
    let mut certified = (**store.certificate.as_ref().expect("a certificate")).clone();
    let intermediate = certified.chain[1].clone();
    // Two that belong to no chain, and are ignored: one of them is long.
    let names: Vec<_> = (0..60).map(|number| format!("host{number}.example.com")).collect();
    let long = rcgen::generate_simple_self_signed(names).expect("a certificate");
    certified.chain.extend([intermediate, long.cert.der().clone()]);
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
        // A shuffled order: by the last digit, then backwards.
        starts.sort_by_key(|start| (start / 70 % 7, usize::MAX - start));
        let mut out = Vec::new();
        for start in starts {
            let part = start..(start + 100).min(body.len());
            let mut fragment = fragment(CERTIFICATE, sequence, &body, part);
            out.push(record(HANDSHAKE, 0, 500 + start as u64, &fragment));
            // A fragment with another total length belongs to another message.
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

/// The unprotected messages.
fn messages_if(wanted: bool, datagram: &[u8]) -> Vec<(u8, u16, Vec<u8>)> {
    let whole = records(datagram).iter().all(|it| it.epoch == 0 && it.content == HANDSHAKE);
    if wanted && whole { messages(datagram) } else { Vec::new() }
}

// proves: SEC-08
#[test]
pub(crate) fn record_numbers_only_grow_and_never_run_over() {
    let mut pair = Pair::new(Config::default(), durable(psk_config()));
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

    // A restored session with one sequence number left besides the last one, for the alert.
    let sealed = pair.server.seal_session(to_client).expect("established");
    let mut counters = pair.server.counters(to_client).expect("established");
    counters.limit = (1 << 48) - 2;
    pair.server = Endpoint::new(durable(psk_config()), [9; 32]);
    let restored = pair.server.restore(&sealed, &counters.encode()).expect("as it was sealed");
    let session = restored.session;
    let limit = pair.server.counters(session).expect("restored").limit;
    assert_eq!(limit, 1 << 48);
    pair.server.limit_written(pair.now, session, limit);
    events(&mut pair.server);
    pair.server.send(pair.now, session, b"the last one").expect("a number is left");
    pair.settle();
    assert_eq!(received(&mut pair.client).last().expect("data"), b"the last one");
    assert_eq!(pair.server.send(pair.now, session, b"x"), Err(Error::SequenceExhausted));
    assert!(matches!(
        events(&mut pair.server).as_slice(),
        [Event::Closed { cause: Cause::Exhausted, .. }]
    ));
    pair.settle();
    assert!(matches!(
        events(&mut pair.client).as_slice(),
        [Event::Closed { cause: Cause::ByPeer, .. }]
    ));
}
