//! Hellos in fragments: RFC 6347 sections 4.2.1 and 4.2.3.

use crate::reference::{CLIENT_HELLO, HANDSHAKE, fragment, messages, record};
use crate::support::{
    CLIENT, KEY, Pair, SERVER, address, at_a_good_time, connected, deliver, events, key_pairs,
    psk_config, psk_profile,
};
use lwm2m_dtls::{ClientProfile, Config, Endpoint, Event, HelloFlaw, Reason};
use lwm2m_time::Instant;
use std::sync::Arc;

/// How the parts of a hello travel.
#[derive(Clone, Copy, Debug)]
enum Way {
    Datagrams,
    Records,
    OneRecord,
    /// The last part first. It comes again, because nothing is kept without a cookie.
    Reordered,
}

const WAYS: [Way; 4] = [Way::Datagrams, Way::Records, Way::OneRecord, Way::Reordered];

/// The datagrams of a message in parts that end at `cuts`.
fn in_parts((kind, sequence, body): &(u8, u16, Vec<u8>), cuts: &[usize], way: Way) -> Vec<Vec<u8>> {
    let ends = cuts.iter().copied().chain([body.len()]);
    let starts = [0].into_iter().chain(cuts.iter().copied());
    let parts = starts.zip(ends).map(|(from, to)| fragment(*kind, *sequence, body, from..to));
    let parts: Vec<_> = parts.collect();
    let number = |index: usize| u64::from(*sequence) * 100 + index as u64;
    let one = |(index, part): (usize, &Vec<u8>)| record(HANDSHAKE, 0, number(index), part);
    let records: Vec<_> = parts.iter().enumerate().map(one).collect();
    match way {
        Way::Datagrams => records,
        Way::Records => vec![records.concat()],
        Way::OneRecord => vec![record(HANDSHAKE, 0, number(0), &parts.concat())],
        Way::Reordered => records.iter().rev().chain(records.iter().skip(1)).cloned().collect(),
    }
}

fn is_hello(up: bool, datagram: &[u8]) -> bool {
    up && datagram[0] == HANDSHAKE && datagram[13] == CLIENT_HELLO
}

fn assert_connects(profile: ClientProfile, config: Config, cuts: &[usize], way: Way) {
    let mut pair = Pair::new(at_a_good_time(Config::default()), config);
    pair.connect(profile);
    pair.exchange(&mut |up, datagram| {
        if !is_hello(up, datagram) {
            return deliver(up, datagram);
        }
        let [hello] = messages(datagram).try_into().expect("one hello");
        let last = hello.2.len() - 1;
        let cuts: Vec<_> = cuts.iter().map(|&cut| cut.min(last)).collect();
        in_parts(&hello, &cuts, way)
    });
    connected(&mut pair.client);
    connected(&mut pair.server);
}

// proves: SEC-40
#[test]
pub(crate) fn a_hello_in_parts_is_answered() {
    // After the cookie (the first hello has none), somewhere, and before the last byte.
    for cuts in [&[52][..], &[60, 61, 70], &[usize::MAX]] {
        for way in WAYS {
            assert_connects(psk_profile(KEY), psk_config(), cuts, way);
        }
    }
    let (profile, config) = key_pairs();
    assert_connects(profile, config, &[60, 80, 100], Way::Datagrams);
}

/// A hello with its cookie, and the server that made the cookie.
fn hello_with_cookie(from: &str, server: &mut Endpoint, seed: u8) -> (u8, u16, Vec<u8>) {
    let mut client = Endpoint::new(Config::default(), [seed; 32]);
    let profile = Arc::new(psk_profile(KEY));
    client.connect(Instant::ZERO, address(SERVER), profile).expect("a good profile");
    let first = client.poll_transmit().expect("a hello").payload;
    server.handle_datagram(Instant::ZERO, address(from), &first);
    let request = server.poll_transmit().expect("a demand for the cookie").payload;
    client.handle_datagram(Instant::ZERO, address(SERVER), &request);
    let second = client.poll_transmit().expect("a hello with a cookie").payload;
    let [hello] = messages(&second).try_into().expect("one hello");
    hello
}

#[test]
pub(crate) fn a_repeated_hello_in_parts_has_the_flight_repeated() {
    let mut server = Pair::new(Config::default(), psk_config()).server;
    let hello = hello_with_cookie(CLIENT, &mut server, 3);
    for second in 0..2 {
        let now = Instant::ZERO + std::time::Duration::from_secs(second);
        for part in in_parts(&hello, &[60], Way::Datagrams) {
            server.handle_datagram(now, address(CLIENT), &part);
        }
        assert!(server.poll_transmit().is_some(), "the flight after {second} s");
        assert_eq!(server.handshake_count(), 1);
    }
    assert!(events(&mut server).is_empty());
}

// proves: SEC-40
#[test]
pub(crate) fn parts_of_hellos_without_a_cookie_leave_nothing_behind() {
    let mut server = Pair::new(Config::default(), psk_config()).server;
    let hello = hello_with_cookie(CLIENT, &mut server, 3);
    let mut forged = hello.clone();
    forged.2[40] ^= 1;
    for hello in [hello_with_cookie("192.0.2.1:1001", &mut server, 4), forged] {
        let [first, rest] = in_parts(&hello, &[60], Way::Datagrams).try_into().expect("two parts");
        // From another address than that of the cookie, so that it gets another one.
        for part in [&rest, &first, &rest] {
            server.handle_datagram(Instant::ZERO, address(CLIENT), part);
        }
    }
    assert_eq!(std::iter::from_fn(|| server.poll_transmit()).count(), 2);
    assert_eq!((server.handshake_count(), server.poll_timeout()), (0, None));
}

// proves: SEC-40
#[test]
pub(crate) fn hellos_that_wait_for_their_rest_are_bounded_and_reported() {
    let mut server = Pair::new(Config::default(), psk_config()).server;
    let begin = |server: &mut Endpoint, from: &str| {
        let hello = hello_with_cookie(from, server, 3);
        let first = in_parts(&hello, &[60], Way::Datagrams).remove(0);
        server.handle_datagram(Instant::ZERO, address(from), &first);
        // Nobody but the holder of the cookie adds to it.
        let mut other = hello.clone();
        other.2.push(0);
        for part in in_parts(&other, &[60], Way::Datagrams).iter().skip(1) {
            server.handle_datagram(Instant::ZERO, address(from), part);
        }
    };
    let count = |server: &mut Endpoint, reason: Reason| {
        let is_it =
            |event: &Event| matches!(event, Event::Failed { reason: why, .. } if *why == reason);
        events(server).iter().filter(|event| is_it(event)).count()
    };
    for port in 1..=20 {
        begin(&mut server, &format!("192.0.2.1:{port}"));
    }
    assert_eq!(count(&mut server, Reason::IncompleteHello), 12, "one host has eight");
    for host in 2..102 {
        begin(&mut server, &format!("192.0.2.{host}:1"));
    }
    assert_eq!(count(&mut server, Reason::IncompleteHello), 8 + 100 - 64, "64 in all");
    assert_eq!(server.handshake_count(), 0);
    while let Some(next) = server.poll_timeout() {
        server.handle_timeout(next);
    }
    assert_eq!(count(&mut server, Reason::IncompleteHello), 64);
    assert!(server.poll_transmit().is_none());
}

#[test]
pub(crate) fn hellos_without_an_answer_are_counted_and_reported_from_time_to_time() {
    let mut server = Pair::new(Config::default(), psk_config()).server;
    let hello = hello_with_cookie(CLIENT, &mut server, 3);
    let short = in_parts(&hello, &[30], Way::Datagrams).remove(0);
    let long = (hello.0, hello.1, vec![0; 4097]);
    let long = in_parts(&long, &[100], Way::Datagrams).remove(0);
    let cases = [(short, HelloFlaw::Malformed), (long, HelloFlaw::TooLong)];
    for (second, (part, flaw)) in (0..).zip(cases) {
        let now = Instant::ZERO + std::time::Duration::from_secs(second);
        for _ in 0..100 {
            server.handle_datagram(now, address(CLIENT), &part);
        }
        let expected = Reason::IgnoredHellos { flaw, count: if second == 0 { 1 } else { 100 } };
        assert_eq!(super::reason(&mut server), expected);
    }
    assert!(server.poll_transmit().is_none());
}

#[test]
pub(crate) fn the_beginning_of_a_hello_may_come_again_and_another_hello_takes_its_place() {
    let parts = |server: &mut Endpoint, seed: u8, more: usize| {
        let mut hello = hello_with_cookie(CLIENT, server, seed);
        hello.2.extend(vec![0; more]);
        in_parts(&hello, &[60, 80], Way::Datagrams)
    };
    let answers = |server: &mut Endpoint, part: &[u8]| {
        server.handle_datagram(Instant::ZERO, address(CLIENT), part);
        std::iter::from_fn(|| server.poll_transmit()).count()
    };
    let mut server = Pair::new(Config::default(), psk_config()).server;
    let hello = parts(&mut server, 3, 0);
    for part in [&hello[0], &hello[1], &hello[0]] {
        assert_eq!(answers(&mut server, part), 0);
    }
    assert_eq!(answers(&mut server, &hello[2]), 1, "what came before is still there");

    let mut server = Pair::new(Config::default(), psk_config()).server;
    let (hello, longer) = (parts(&mut server, 3, 0), parts(&mut server, 3, 1));
    assert_eq!(answers(&mut server, &longer[0]) + answers(&mut server, &hello[0]), 0);
    for part in &longer[1..] {
        assert_eq!(answers(&mut server, part), 0, "it has been given up for the other one");
    }
    assert_eq!(answers(&mut server, &hello[1]) + answers(&mut server, &hello[2]), 1);
    assert_eq!(server.handshake_count(), 1);
}
