//! Copies of promised requests after a restart: RFC 7252 section 4.5.

use crate::pair::{Ack, Con, Lone, Message, Non, PEER, message};
use core::time::Duration;
use lwm2m_coap::{Code, Config, Endpoint, Event, ExchangeId, PeerId, Response};
use proptest::prelude::*;

const EXCHANGE_LIFETIME: Duration = Duration::from_secs(247);

fn post(id: u16) -> Message {
    message(Con, Code::POST, id, &[7]).path("dp")
}

fn changed() -> Response {
    Response::new(Code::CHANGED).payload("kept")
}

/// Receives a request that is new.
fn accept(lone: &mut Lone, request: &Message) -> ExchangeId {
    lone.receive(request);
    match lone.events().as_slice() {
        [Event::Request { exchange, .. }] => *exchange,
        other => panic!("{other:?}"),
    }
}

/// Starts anew with the promises that were given out.
fn restart(lone: &mut Lone, promises: &[u8]) {
    lone.endpoint = Endpoint::new(Config::default(), [9; 32]);
    lone.endpoint.restore_promises(lone.now, PEER, promises);
}

// proves: SEC-34
#[test]
fn a_copy_gets_the_promised_answer_whether_or_not_it_was_sent() {
    for is_sent in [false, true] {
        let mut lone = Lone::new();
        let exchange = accept(&mut lone, &post(10));
        assert!(lone.endpoint.promises(PEER).is_empty());
        lone.endpoint.promise(exchange, &changed());
        // What is not durable is not acknowledged, not to a copy either.
        assert_eq!(lone.receive(&post(10)), []);
        let promises = lone.endpoint.promises(PEER);
        let answer = message(Ack, Code::CHANGED, 10, &[7]).payload(b"kept");
        if is_sent {
            lone.endpoint.respond(lone.now, exchange, changed()).unwrap();
            assert_eq!(lone.sent_one(), answer);
            assert_eq!(lone.endpoint.promises(PEER), promises);
        }
        lone.now = lone.now + Duration::from_secs(20);
        restart(&mut lone, &promises);
        assert_eq!(lone.receive(&post(10)), [answer]);
        assert_eq!(lone.events(), []);
        accept(&mut lone, &post(11));
        // Another peer may use the same number.
        lone.endpoint.handle_datagram(lone.now, PeerId(8), &post(10).bytes());
        assert_eq!(lone.events().len(), 1);
    }
}

#[test]
fn promises_end_with_the_exchange_lifetime() {
    let mut lone = Lone::new();
    let exchange = accept(&mut lone, &post(10));
    lone.endpoint.promise(exchange, &changed());
    let promises = lone.endpoint.promises(PEER);
    for clock_was_set_back in [false, true] {
        let start = lone.now;
        if clock_was_set_back {
            lone.now = lwm2m_time::Instant::from_millis(1);
        }
        restart(&mut lone, &promises);
        lone.pass(EXCHANGE_LIFETIME - Duration::from_millis(1));
        assert_eq!(lone.receive(&post(10)).len(), 1);
        lone.pass(Duration::from_millis(1));
        let exchange = accept(&mut lone, &post(10));
        lone.endpoint.respond(lone.now, exchange, changed()).unwrap();
        lone.sent();
        lone.pass(EXCHANGE_LIFETIME);
        assert!(lone.endpoint.is_idle(PEER), "nothing is left");
        lone.now = start;
    }
}

#[test]
fn the_latest_four_promises_are_given_out_and_nothing_else() {
    let mut lone = Lone::new();
    for id in 1..=6 {
        let exchange = accept(&mut lone, &post(id));
        lone.endpoint.promise(exchange, &changed());
        // A question of the peer that promises nothing, and a message that is not sent again.
        let exchange = accept(&mut lone, &post(100 + id));
        lone.endpoint.respond(lone.now, exchange, changed()).unwrap();
        let exchange = accept(&mut lone, &message(Non, Code::POST, 200 + id, &[7]).path("dp"));
        lone.endpoint.promise(exchange, &changed());
        lone.sent();
    }
    let promises = lone.endpoint.promises(PEER);
    restart(&mut lone, &promises);
    let is_new = |id: &u16| {
        lone.receive(&post(*id));
        !lone.events().is_empty()
    };
    let new: Vec<_> = [1, 2, 3, 4, 5, 6, 101, 106, 201, 206].into_iter().filter(is_new).collect();
    assert_eq!(new, [1, 2, 101, 106, 201, 206]);
}

/// A long answer is not kept: a copy is known and gets none.
#[test]
fn a_copy_of_a_request_with_a_long_answer_does_nothing() {
    let mut lone = Lone::new();
    let exchange = accept(&mut lone, &post(10));
    lone.endpoint.promise(exchange, &Response::new(Code::CHANGED).payload(vec![1; 300]));
    let promises = lone.endpoint.promises(PEER);
    assert!(promises.len() < 20);
    restart(&mut lone, &promises);
    assert_eq!(lone.receive(&post(10)), []);
    assert_eq!(lone.events(), []);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_do_harm(promises: Vec<u8>) {
        let mut lone = Lone::new();
        restart(&mut lone, &promises);
        lone.pass(EXCHANGE_LIFETIME);
        prop_assert!(lone.endpoint.is_idle(PEER));
    }

    #[test]
    fn torn_promises_are_as_none(cut in 1..11usize) {
        let mut lone = Lone::new();
        let exchange = accept(&mut lone, &post(10));
        lone.endpoint.promise(exchange, &changed());
        let promises = lone.endpoint.promises(PEER);
        restart(&mut lone, &promises[..promises.len() - cut]);
        accept(&mut lone, &post(10));
    }
}

#[test]
fn nothing_is_promised_for_what_is_never_sent_twice_or_is_answered() {
    let mut lone = Lone::new();
    let exchange = accept(&mut lone, &message(Non, Code::POST, 10, &[7]).path("dp"));
    lone.endpoint.promise(exchange, &changed());
    assert!(lone.endpoint.promises(PEER).is_empty());
    let exchange = accept(&mut lone, &post(11));
    // The empty acknowledgement: a copy gets it, and the response follows by itself.
    let sent = lone.pass(Duration::from_secs(2));
    assert_eq!(sent[0].1, message(Ack, Code::EMPTY, 11, &[]));
    lone.endpoint.promise(exchange, &changed());
    assert_eq!(lone.receive(&post(11)), [message(Ack, Code::EMPTY, 11, &[])]);
}
