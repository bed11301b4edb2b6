//! Every timer of the endpoint, on a virtual clock: it expires when it is due and not a millisecond
//! before. No duration has its default, which shows that none is a constant in the code.
//!
//! | timer | where | tests |
//! |---|---|---|
//! | ACK_TIMEOUT, ACK_RANDOM_FACTOR | RFC 7252 section 4.2 | here: `first_wait_is_spread_over_its_range` |
//! | back-off, MAX_RETRANSMIT, MAX_TRANSMIT_WAIT | 4.2, 4.8.2 | here: `back_off_doubles_and_ends_with_max_transmit_wait`; `requests`: COAP-05 |
//! | EXCHANGE_LIFETIME of a received message ID | 4.4, 4.5 | here: `message_ids_are_forgotten_in_time`; `messages`: COAP-07 |
//! | NON_LIFETIME of a received message ID | 4.5, 4.8.2 | here: `message_ids_are_forgotten_in_time` |
//! | EXCHANGE_LIFETIME of an own message ID | 4.4 | here: `own_message_ids_are_remembered_in_time`; unit tests of `message_id`: COAP-13; `requests`: `without_a_free_message_id_requests_fail` |
//! | PROCESSING_DELAY: the empty acknowledgement | 4.8.2, 5.2.2 | here: `slow_answer_is_acknowledged_in_time`; `messages`: COAP-10 |
//! | wait for a separate response, and for the response to a NON request | 5.2.2 | here: `responses_are_awaited_until_their_timeout` |
//! | NSTART: a timeout makes room for the next request | 4.7 | `requests`: COAP-12, `a_failed_request_lets_the_next_one_go` |
//! | a request that the application does not answer | | here: `unanswered_request_expires` |
//! | Block1: an incomplete body | RFC 7959 section 2.5 | here: `incomplete_bodies_expire` |
//! | Block2: a cached response | RFC 7959 section 2.4 | here: `cached_responses_expire` |
//! | Observe: age beyond which any number is newer, 128 s | RFC 7641 section 3.4 | here: `any_number_is_newer_after_128_seconds`; unit tests: OBS-02 |
//! | Observe: a confirmable notification in 24 h | RFC 7641 section 4.5 | here: `notification_is_confirmable_in_time`; `observe`: OBS-11 |
//! | Observe: an observer that acknowledges nothing | RFC 7641 section 4.5 | `observe`: OBS-08, OBS-09 |
//! | Echo: validity of a value | RFC 9175 section 2.3 | `freshness`: COAP-22; unit tests |
//! | a request on a connection | RFC 8323 | `streams`: `all_requests_go_out_at_once_and_time_out_alone` |
//! | connections: CSM, keep-alive, Release | RFC 8323 section 5 | `lwm2m-link`, unit tests of `connections` |
//!
//! PROBING_RATE (4.7) limits sending to a silent peer. The endpoint itself sends nothing to a silent
//! peer but retransmissions up to MAX_TRANSMIT_WAIT. The application controls the rate of its
//! non-confirmable requests.

use crate::pair::{Ack, Con, Lone, Message, Non, PEER, message};
use core::time::Duration;
use lwm2m_coap::{
    Code, Config, Endpoint, Event, FailReason, OptionNumber, Request, Response,
    TransmissionParameters,
};

const TICK: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const OBSERVE: OptionNumber = OptionNumber::OBSERVE;

fn config() -> Config {
    let transmission = TransmissionParameters::default()
        .ack_timeout(7 * SECOND)
        .ack_random_factor(1_250)
        .max_retransmit(2)
        .exchange_lifetime(301 * SECOND)
        .non_lifetime(83 * SECOND)
        .response_timeout(57 * SECOND);
    Config::default()
        .transmission(transmission)
        .separate_after(Duration::from_millis(310))
        .body_lifetime(41 * SECOND)
        .confirm_notifications_every(1_000 * SECOND)
}

fn get(id: u16) -> Message {
    message(Con, Code::GET, id, &id.to_be_bytes()).path("3")
}

fn content() -> Response {
    Response::new(Code::CONTENT).payload("x")
}

#[test]
fn own_message_ids_are_remembered_in_time() {
    let mut lone = Lone::with(config());
    let (_, request) = lone.ask(Request::get());
    lone.receive(&message(Ack, Code::CONTENT, request.id, request.token.as_bytes()));
    lone.events();
    lone.pass(301 * SECOND - TICK);
    assert!(!lone.endpoint.is_idle(PEER));
    let (_, next) = lone.ask(Request::get());
    assert_eq!(next.id, request.id.wrapping_add(1));
    lone.receive(&message(Ack, Code::CONTENT, next.id, next.token.as_bytes()));
    lone.events();
    lone.pass(301 * SECOND - TICK);
    assert!(!lone.endpoint.is_idle(PEER));
    lone.pass(TICK);
    assert!(lone.endpoint.is_idle(PEER));
}

#[test]
fn first_wait_is_spread_over_its_range() {
    let first_wait = |seed| {
        let mut lone = Lone::with(config());
        lone.endpoint = Endpoint::new(config(), [seed; 32]);
        let start = lone.now;
        lone.ask(Request::get());
        lone.pass(9 * SECOND)[0].0 - start
    };
    let waits: Vec<Duration> = (0..200).map(first_wait).collect();
    let (shortest, longest) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
    let (from, to) = (Duration::from_millis(7_000), Duration::from_millis(8_750));
    assert!(*shortest >= from && *longest <= to, "{shortest:?} to {longest:?}");
    // 200 waits come close to both ends of the range.
    assert!(*shortest < from + 90 * TICK && *longest > to - 90 * TICK);
}

#[test]
fn back_off_doubles_and_ends_with_max_transmit_wait() {
    let mut lone = Lone::with(config());
    lone.endpoint = Endpoint::new(config().transmission(exact()), [1; 32]);
    let start = lone.now;
    let (id, _) = lone.ask(Request::get());
    let times: Vec<Duration> = lone.pass(48 * SECOND).iter().map(|(at, _)| *at - start).collect();
    assert_eq!(times, [7 * SECOND, 21 * SECOND]);
    assert_eq!(exact().max_transmit_wait(), 49 * SECOND);
    lone.pass(SECOND - TICK);
    assert_eq!(lone.events(), []);
    lone.pass(TICK);
    let reason = FailReason::Unacknowledged { sent: 3 };
    assert_eq!(lone.events(), [Event::Failed { id, peer: PEER, reason }]);
}

/// Parameters without randomness.
fn exact() -> TransmissionParameters {
    config().transmission.ack_random_factor(1_000)
}

#[test]
fn message_ids_are_forgotten_in_time() {
    for (kind, lifetime) in [(Con, 301 * SECOND), (Non, 83 * SECOND)] {
        let mut lone = Lone::with(config());
        let request = Message { kind, ..get(1) };
        lone.receive(&request);
        lone.answer(content());
        lone.pass(lifetime - TICK);
        lone.receive(&request);
        assert_eq!(lone.events(), []);
        lone.pass(TICK);
        lone.receive(&request);
        assert_eq!(lone.events().len(), 1);
    }
}

#[test]
fn slow_answer_is_acknowledged_in_time() {
    let mut lone = Lone::with(config());
    lone.receive(&get(1));
    assert_eq!(lone.pass(310 * TICK - TICK), []);
    let sent = lone.pass(TICK);
    assert_eq!(sent, [(lone.now, message(Ack, Code::EMPTY, 1, b""))]);
    // A non-confirmable request is not acknowledged.
    let mut lone = Lone::with(config());
    lone.receive(&Message { kind: Non, ..get(1) });
    assert_eq!(lone.pass(10 * SECOND), []);
}

#[test]
fn responses_are_awaited_until_their_timeout() {
    for confirmable in [true, false] {
        let mut lone = Lone::with(config());
        let request = Request { confirmable, ..Request::get() };
        let (id, sent) = lone.ask(request);
        if confirmable {
            lone.receive(&message(Ack, Code::EMPTY, sent.id, b""));
        }
        lone.pass(57 * SECOND - TICK);
        assert_eq!(lone.events(), []);
        lone.pass(TICK);
        let reason = FailReason::Timeout;
        assert_eq!(lone.events(), [Event::Failed { id, peer: PEER, reason }]);
    }
}

#[test]
fn unanswered_request_expires() {
    let ask = || {
        let mut lone = Lone::with(config());
        lone.receive(&get(1));
        let exchange = lone.asked().0;
        (lone, exchange)
    };
    let (mut lone, exchange) = ask();
    lone.pass(301 * SECOND - TICK);
    assert_eq!(lone.endpoint.respond(lone.now, exchange, content()), Ok(()));
    let (mut lone, exchange) = ask();
    lone.pass(301 * SECOND);
    assert!(lone.endpoint.respond(lone.now, exchange, content()).is_err());
}

#[test]
fn incomplete_bodies_expire() {
    for (wait, code) in
        [(41 * SECOND - TICK, Code::CONTINUE), (41 * SECOND, Code::REQUEST_ENTITY_INCOMPLETE)]
    {
        let mut lone = Lone::with(config());
        let block = |id, number| {
            let put = message(Con, Code::PUT, id, b"").path("5");
            put.block(OptionNumber::BLOCK1, number, true, 0).payload(&[1; 16])
        };
        // Each block restarts the timer.
        lone.receive(&block(1, 0));
        lone.pass(40 * SECOND);
        assert_eq!(lone.receive(&block(2, 1))[0].code, Code::CONTINUE);
        lone.pass(wait);
        assert_eq!(lone.receive(&block(3, 2))[0].code, code);
    }
}

#[test]
fn cached_responses_expire() {
    for (wait, asked) in [(41 * SECOND - TICK, 0), (41 * SECOND, 1)] {
        let mut lone = Lone::with(config());
        lone.receive(&get(1));
        lone.answer(content().payload(vec![1; 3_000]));
        lone.pass(40 * SECOND);
        let fetch = |id, number| get(id).block(OptionNumber::BLOCK2, number, false, 6);
        assert_eq!(lone.receive(&fetch(2, 1)).len(), 1);
        lone.pass(wait);
        lone.receive(&fetch(3, 2));
        assert_eq!(lone.events().len(), asked);
    }
}

#[test]
fn any_number_is_newer_after_128_seconds() {
    for (wait, delivered) in [(128 * SECOND, 0), (128 * SECOND + TICK, 1)] {
        let mut lone = Lone::with(config());
        let (_, request) = lone.ask(Request::get().observe(0));
        let token = request.token.as_bytes();
        lone.receive(&message(Ack, Code::CONTENT, request.id, token).uint(OBSERVE, 9));
        lone.events();
        lone.pass(wait);
        lone.receive(&message(Non, Code::CONTENT, 1, token).uint(OBSERVE, 3));
        assert_eq!(lone.events().len(), delivered);
    }
}

#[test]
fn notification_is_confirmable_in_time() {
    let mut lone = Lone::with(config());
    lone.receive(&get(1).uint(OBSERVE, 0));
    lone.answer(content().observe());
    let observer = lwm2m_coap::Observer { peer: PEER, token: get(1).token };
    let mut notify = |wait| {
        lone.pass(wait);
        lone.endpoint.notify(lone.now, observer, content(), false).unwrap();
        let sent = lone.sent_one();
        if sent.kind == Con {
            lone.receive(&message(Ack, Code::EMPTY, sent.id, b""));
        }
        sent.kind
    };
    // The next notification might be too late to confirm.
    assert_eq!(notify(998 * SECOND), Con);
    assert_eq!([notify(400 * SECOND), notify(199 * SECOND)], [Non, Non]);
    assert_eq!(notify(200 * SECOND), Non);
    assert_eq!(notify(200 * SECOND), Con);
}
