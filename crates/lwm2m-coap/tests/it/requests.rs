//! Requests in the client role: RFC 7252.

use crate::pair::{Ack, Con, Lone, Message, Non, PEER, Rst, message};
use core::time::Duration;
use lwm2m_coap::{Code, Config, Error, Event, FailReason, OptionNumber, PeerId, Request, Response};
use std::collections::BTreeSet;

const SECOND: Duration = Duration::from_secs(1);

fn get() -> Request {
    Request::get().path(["3", "0", "0"])
}

fn piggybacked(request: &Message) -> Message {
    message(Ack, Code::CONTENT, request.id, request.token.as_bytes()).payload(b"v")
}

// proves: COAP-05
#[test]
fn an_unanswered_request_backs_off_and_fails() {
    for seed in 0..20 {
        let mut lone = Lone::new();
        lone.endpoint = lwm2m_coap::Endpoint::new(Config::default(), [seed; 32]);
        let start = lone.now;
        let (id, first) = lone.ask(get());
        let resent = lone.pass(100 * SECOND);
        assert_eq!(resent.len(), 4);
        let t = resent[0].0 - start;
        assert!((2 * SECOND..=3 * SECOND).contains(&t), "{t:?}");
        for ((at, again), multiple) in resent.iter().zip([1, 3, 7, 15]) {
            assert_eq!(*again, first);
            assert_eq!(*at - start, t * multiple);
        }
        let reason = FailReason::Unacknowledged { sent: 5 };
        assert_eq!(lone.events(), [Event::Failed { id, peer: PEER, reason }]);
        let stopped = lone.endpoint.statistics();
        assert_eq!((stopped.retransmitted, stopped.timeouts), (4, 1));
    }
}

#[test]
fn the_failure_comes_at_31_times_the_first_wait() {
    let mut lone = Lone::new();
    let start = lone.now;
    lone.ask(get());
    let t = lone.endpoint.poll_timeout().unwrap() - start;
    lone.pass(t * 31 - Duration::from_millis(1));
    assert_eq!(lone.events(), []);
    lone.pass(Duration::from_millis(1));
    assert_eq!(lone.events().len(), 1);
}

// proves: COAP-06
#[test]
fn acknowledgements_and_resets_count_for_their_message_only() {
    let mut lone = Lone::new();
    let (_, first) = lone.ask(get());
    assert_eq!(lone.receive(&message(Ack, Code::EMPTY, first.id.wrapping_add(5), &[])), []);
    assert_eq!(lone.receive(&message(Rst, Code::EMPTY, first.id.wrapping_add(5), &[])), []);
    assert_eq!(lone.pass(4 * SECOND).len(), 1);
    lone.receive(&message(Ack, Code::EMPTY, first.id, &[]));
    assert_eq!(lone.pass(100 * SECOND), []);
    assert_eq!(lone.events(), []);

    let (id, second) = lone.ask(get());
    lone.receive(&message(Rst, Code::EMPTY, second.id, &[]));
    assert_eq!(lone.pass(100 * SECOND), []);
    let reason = FailReason::Reset;
    assert_eq!(lone.events(), [Event::Failed { id, peer: PEER, reason }]);
}

// proves: COAP-08
#[test]
fn a_response_must_fit_token_and_peer() {
    let mut lone = Lone::new();
    let (id, request) = lone.ask(get());
    let token = request.token.as_bytes();
    let foreign = message(Con, Code::CONTENT, 500, &[1, 2, 3, 4]);
    assert_eq!(lone.receive(&foreign), [message(Rst, Code::EMPTY, 500, &[])]);
    assert_eq!(lone.receive(&message(Non, Code::CONTENT, 501, &[1, 2, 3, 4])), []);
    assert_eq!(lone.receive(&message(Ack, Code::CONTENT, request.id, &[1])), []);
    let other = request.id.wrapping_add(1);
    assert_eq!(lone.receive(&message(Ack, Code::CONTENT, other, token)), []);
    let stray = message(Con, Code::CONTENT, 502, token).bytes();
    lone.endpoint.handle_datagram(lone.now, PeerId(8), &stray);
    assert_eq!(lone.sent_one().kind, Rst);
    let stray = message(Ack, Code::CONTENT, request.id, token).bytes();
    lone.endpoint.handle_datagram(lone.now, PeerId(8), &stray);
    assert_eq!(lone.events(), []);
    // The request is still pending, and its response completes it.
    assert_eq!(lone.pass(4 * SECOND).len(), 1);
    lone.receive(&piggybacked(&request));
    let events = lone.events();
    assert!(matches!(&events[..], [Event::Response { id: done, .. }] if *done == id));
}

// proves: COAP-09
#[test]
fn responses_are_accepted_in_all_four_ways() {
    for (kind, acknowledged_first) in [(Ack, false), (Con, true), (Con, false), (Non, true)] {
        let mut lone = Lone::new();
        let (id, request) = lone.ask(get());
        let empty = message(Ack, Code::EMPTY, request.id, &[]);
        if acknowledged_first {
            lone.receive(&empty);
        }
        let number = if kind == Ack { request.id } else { 900 };
        let response = message(kind, Code::CONTENT, number, request.token.as_bytes());
        let expected = match kind {
            Con => vec![message(Ack, Code::EMPTY, 900, &[])],
            _ => Vec::new(),
        };
        assert_eq!(lone.receive(&response), expected);
        // A duplicate is acknowledged again and ignored. A late empty ACK is ignored.
        assert_eq!(lone.receive(&response), expected);
        assert_eq!(lone.receive(&empty), []);
        let events = lone.events();
        assert!(matches!(&events[..], [Event::Response { id: done, .. }] if *done == id));
        assert_eq!(lone.pass(300 * SECOND), []);
        assert!(lone.endpoint.is_idle(PEER));
    }
}

#[test]
fn a_response_that_never_comes_ends_the_wait() {
    let mut lone = Lone::new();
    let (id, request) = lone.ask(get());
    lone.receive(&message(Ack, Code::EMPTY, request.id, &[]));
    lone.pass(248 * SECOND);
    let reason = FailReason::Timeout;
    assert_eq!(lone.events(), [Event::Failed { id, peer: PEER, reason }]);
    // A later response is rejected.
    let late = message(Con, Code::CONTENT, 900, request.token.as_bytes());
    assert_eq!(lone.receive(&late)[0].kind, Rst);
}

// proves: COAP-12
#[test]
fn one_request_is_in_flight_and_the_others_wait_in_order() {
    let mut lone = Lone::new();
    let (_, mut current) = lone.ask(Request::get().path(["0"]));
    for path in ["1", "2"] {
        lone.endpoint.request(lone.now, PEER, Request::get().path([path])).unwrap();
    }
    assert_eq!(lone.sent(), []);
    for path in ["0", "1", "2"] {
        assert!(lone.pass(SECOND).is_empty());
        assert_eq!(current.options.uri_path().collect::<Vec<_>>(), [path.as_bytes()]);
        let next = lone.receive(&piggybacked(&current));
        assert_eq!(next.len(), usize::from(path != "2"));
        current = next.into_iter().next().unwrap_or(current);
    }
    assert_eq!(lone.events().len(), 3);
}

#[test]
fn a_failed_request_lets_the_next_one_go() {
    let mut lone = Lone::new();
    lone.ask(get());
    let cancelled = lone.endpoint.request(lone.now, PEER, get()).unwrap();
    let last = lone.endpoint.request(lone.now, PEER, get()).unwrap();
    lone.endpoint.cancel(cancelled);
    let sent = lone.pass(200 * SECOND);
    assert_eq!(sent.len(), 4 + 5);
    let events = lone.events();
    assert!(matches!(&events[..], [_, Event::Failed { id, .. }] if *id == last));
}

#[test]
fn waiting_requests_are_bounded() {
    let config = Config::default().max_pending_per_peer(2).max_peers(1);
    let mut lone = Lone::with(config);
    lone.ask(get());
    lone.endpoint.request(lone.now, PEER, get()).unwrap();
    let full = lone.endpoint.request(lone.now, PEER, get());
    assert_eq!(full, Err(Error::TooManyPending(PEER)));
    let full = lone.endpoint.request(lone.now, PeerId(1), get());
    assert_eq!(full, Err(Error::TooManyPeers(PeerId(1))));
    let odd = lone.endpoint.request(lone.now, PEER, Request::new(Code::CONTENT));
    assert_eq!(odd, Err(Error::Code));
}

// proves: COAP-14
#[test]
fn tokens_are_long_and_never_repeat() {
    let mut lone = Lone::new();
    let mut tokens = BTreeSet::new();
    let mut ids = BTreeSet::new();
    let mut bits = 0_u32;
    for _ in 0..1_000 {
        let (_, request) = lone.ask(get());
        assert_eq!(request.token.as_bytes().len(), 8);
        bits += request.token.as_bytes().iter().map(|byte| byte.count_ones()).sum::<u32>();
        assert!(tokens.insert(request.token));
        assert!(ids.insert(request.id));
        lone.receive(&piggybacked(&request));
    }
    // Half of 64,000 bits, within eight standard deviations.
    assert!((31_000..33_000).contains(&bits), "{bits}");
}

// proves: COAP-17
#[test]
fn unknown_codes_arrive_as_they_are() {
    for (byte, client) in [(0x96, true), (0xA7, false)] {
        let mut lone = Lone::new();
        let (_, request) = lone.ask(get());
        let code = Code::from_byte(byte);
        lone.receive(&message(Ack, code, request.id, request.token.as_bytes()));
        let events = lone.events();
        let [Event::Response { response, .. }] = &events[..] else { panic!("{events:?}") };
        assert_eq!(response.code.as_byte(), byte);
        assert_eq!(response.code.is_client_error(), client);
        assert_eq!(response.code.is_server_error(), !client);
    }
}

#[test]
fn an_answer_with_an_unknown_critical_option_is_rejected() {
    let mut lone = Lone::new();
    let (id, request) = lone.ask(get());
    lone.receive(&message(Ack, Code::EMPTY, request.id, &[]));
    let odd = message(Con, Code::CONTENT, 900, request.token.as_bytes())
        .option(OptionNumber(65_001), b"");
    assert_eq!(lone.receive(&odd)[0].kind, Rst);
    let events = lone.events();
    assert!(matches!(
        &events[..],
        [Event::Failed { id: failed, reason: FailReason::Protocol(_), .. }] if *failed == id
    ));
}

#[test]
fn a_request_is_repeated_once_with_the_echo_value() {
    let mut lone = Lone::new();
    let (_, first) = lone.ask(get());
    let challenge = |request: &Message, echo: &[u8]| {
        message(Ack, Code::UNAUTHORIZED, request.id, request.token.as_bytes())
            .option(OptionNumber::ECHO, echo)
    };
    let again = lone.receive(&challenge(&first, b"fresh")).remove(0);
    assert_eq!(again.options.get(OptionNumber::ECHO), Some(&b"fresh"[..]));
    assert_ne!(again.token, first.token);
    assert_eq!(lone.events(), []);
    assert_eq!(lone.receive(&challenge(&again, b"newer")), []);
    assert_eq!(lone.events().len(), 1);
}

#[test]
fn a_non_confirmable_request_is_sent_once_and_does_not_count_towards_nstart() {
    let mut lone = Lone::new();
    let (id, request) = lone.ask(get().non_confirmable());
    assert_eq!(request.kind, Non);
    let (_, other) = lone.ask(get());
    lone.receive(&piggybacked(&other));
    lone.receive(&message(Non, Code::CONTENT, 3, request.token.as_bytes()));
    let events = lone.events();
    assert!(matches!(&events[1], Event::Response { id: done, .. } if *done == id));
    assert_eq!(lone.pass(300 * SECOND), []);
}

#[test]
fn removing_a_peer_ends_everything_with_it() {
    let mut config = Config::default();
    config.transmission.nstart = 2;
    let mut lone = Lone::with(config);
    let (first, request) = lone.ask(get());
    let (second, _) = lone.ask(get());
    let third = lone.endpoint.request(lone.now, PEER, get()).unwrap();
    lone.receive(&message(Con, Code::GET, 1, b"t").uint(OptionNumber::OBSERVE, 0));
    lone.answer(Response::new(Code::CONTENT).observe());
    lone.receive(&message(Con, Code::GET, 2, b"u"));
    lone.receive(
        &message(Con, Code::PUT, 3, b"v").block(OptionNumber::BLOCK1, 0, true, 0).payload(&[0; 16]),
    );
    lone.events();
    lone.endpoint.remove_peer(PEER);
    let reason = FailReason::Cancelled;
    assert_eq!(
        lone.events(),
        [first, second, third].map(|id| Event::Failed { id, peer: PEER, reason })
    );
    assert!(lone.endpoint.is_idle(PEER));
    assert_eq!(lone.endpoint.poll_timeout(), None);
    assert_eq!(lone.receive(&piggybacked(&request)), []);
}

#[test]
fn without_a_free_message_id_requests_fail() {
    let mut lone = Lone::new();
    for _ in 0..1 << 15 {
        let (_, request) = lone.ask(get().non_confirmable());
        lone.receive(&message(Non, Code::CONTENT, request.id, request.token.as_bytes()));
    }
    lone.events();
    for request in [get(), get().non_confirmable()] {
        let id = lone.endpoint.request(lone.now, PEER, request).unwrap();
        let reason = FailReason::TooManyMessages;
        assert_eq!(lone.events(), [Event::Failed { id, peer: PEER, reason }]);
    }
    lone.pass(247 * SECOND);
    lone.ask(get());
}

#[test]
fn a_transfer_may_take_longer_than_one_response() {
    let mut lone = Lone::new();
    let (_, request) = lone.ask(get());
    lone.receive(&message(Ack, Code::EMPTY, request.id, &[]));
    lone.pass(246 * SECOND);
    let first = message(Non, Code::CONTENT, 5, request.token.as_bytes())
        .block(OptionNumber::BLOCK2, 0, true, 0)
        .payload(&[0; 16]);
    assert_eq!(lone.receive(&first).len(), 1);
    lone.pass(20 * SECOND);
    assert_eq!(lone.events(), []);
}

#[test]
fn a_peer_is_remembered_as_long_as_a_message_id_towards_it() {
    let mut lone = Lone::new();
    let (_, request) = lone.ask(get());
    lone.receive(&piggybacked(&request));
    lone.receive(&message(Non, Code::GET, 1, b""));
    let exchange = lone.events().into_iter().find_map(|event| match event {
        Event::Request { exchange, .. } => Some(exchange),
        _ => None,
    });
    lone.pass(100 * SECOND);
    lone.endpoint.respond(lone.now, exchange.unwrap(), Response::new(Code::CONTENT)).unwrap();
    lone.sent();
    lone.receive(&message(Non, Code::CONTENT, 2, b"stray"));
    lone.receive(&message(Non, Code::GET, 3, b""));
    lone.answer(Response::new(Code::CONTENT));
    lone.receive(&message(Non, Code::GET, 4, b""));
    lone.pass(246 * SECOND);
    assert!(!lone.endpoint.is_idle(PEER));
    lone.pass(2 * SECOND);
    assert!(lone.endpoint.is_idle(PEER));
}

#[test]
fn a_body_beside_long_options_goes_in_blocks() {
    let mut lone = Lone::new();
    let request = Request::put().query(&"q".repeat(200)).payload(vec![0; 1_000]);
    let (_, first) = lone.ask(request);
    assert_eq!(first.block_value(OptionNumber::BLOCK1), Some((0, true, 5)));
}

#[test]
fn no_response_suppresses_responses() {
    // RFC 7967 section 2.1: 2 is for class 2, 8 for class 4, 16 for class 5.
    for (wish, code, silent) in [
        (2, Code::CHANGED, true),
        (2, Code::NOT_FOUND, false),
        (8, Code::NOT_FOUND, true),
        (16, Code::NOT_IMPLEMENTED, true),
        (24, Code::CHANGED, false),
        (26, Code::CHANGED, true),
        (0, Code::CHANGED, false),
    ] {
        let mut lone = Lone::new();
        let put =
            |kind, id| message(kind, Code::PUT, id, b"t").uint(OptionNumber::NO_RESPONSE, wish);
        lone.receive(&put(Con, 1));
        let expected = if silent { Code::EMPTY } else { code };
        let sent = lone.answer(Response::new(code));
        assert_eq!(sent.iter().map(|sent| sent.code).collect::<Vec<_>>(), [expected], "{wish}");
        // The acknowledgement is repeated for a duplicate.
        assert_eq!(lone.receive(&put(Con, 1)), sent);
        lone.receive(&put(Non, 2));
        assert_eq!(lone.answer(Response::new(code)).is_empty(), silent, "{wish}");
        // Nothing follows a separate acknowledgement.
        lone.receive(&put(Con, 3));
        lone.pass(SECOND);
        assert_eq!(lone.answer(Response::new(code)).is_empty(), silent, "{wish}");
    }
}

#[test]
fn no_response_does_not_suppress_steps_of_a_transfer() {
    let mut lone = Lone::new();
    let block = |number, more| {
        message(Con, Code::PUT, 1 + number as u16, b"t")
            .block(OptionNumber::BLOCK1, number, more, 0)
            .uint(OptionNumber::NO_RESPONSE, 26)
            .payload(&[1; 16])
    };
    assert_eq!(lone.receive(&block(0, true))[0].code, Code::CONTINUE);
    lone.receive(&block(1, false));
    assert_eq!(lone.answer(Response::new(Code::CHANGED))[0].code, Code::EMPTY);
    // A response of the endpoint itself is suppressed, too.
    assert_eq!(lone.receive(&block(7, false))[0].code, Code::EMPTY);
    let request = Request::put().no_response(26);
    assert_eq!(request.options.get(OptionNumber::NO_RESPONSE), Some(&[26][..]));
}
