//! The message layer in the server role: RFC 7252 section 4.

use crate::pair::{Ack, Con, Lone, Message, Non, PEER, Rst, message};
use core::time::Duration;
use lwm2m_coap::{Code, Config, Event, OptionNumber, PeerId, Response};

const SECOND: Duration = Duration::from_secs(1);

fn get(id: u16) -> Message {
    message(Con, Code::GET, id, &[1, 2]).path("3/0/0")
}

fn content() -> Response {
    Response::new(Code::CONTENT).payload("value")
}

// proves: COAP-01
#[test]
fn another_version_is_dropped_in_silence() {
    let mut lone = Lone::new();
    for version in [0, 2, 3] {
        let mut bytes = get(1).bytes();
        bytes[0] = bytes[0] & 0x3F | version << 6;
        assert_eq!(lone.receive_bytes(&bytes), []);
        assert_eq!(lone.events(), []);
        assert!(lone.endpoint.is_idle(PEER));
    }
    assert_eq!(lone.endpoint.statistics().malformed, 3);
}

// proves: COAP-02
#[test]
fn format_errors_reset_a_confirmable_message_and_drop_another() {
    for kind in [Con, Non] {
        for tail in [
            &[0x49_u8, 1, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9][..],
            &[0x4F, 1, 0, 9],
            &[0x40, 1, 0, 9, 0xF1, 0],
            &[0x40, 1, 0, 9, 0x1F, 0],
            &[0x40, 1, 0, 9, 0xFF],
            &[0x40, 0, 0, 9, 0x00],
            &[0x42, 0, 0, 9, 1, 2],
        ] {
            let mut lone = Lone::new();
            let mut bytes = tail.to_vec();
            bytes[0] |= (kind as u8) << 4;
            let replies = lone.receive_bytes(&bytes);
            match kind {
                Con => assert_eq!(replies, [message(Rst, Code::EMPTY, 9, &[])]),
                _ => assert_eq!(replies, []),
            }
            lone.receive(&get(10));
            assert_eq!(lone.answer(content()).len(), 1);
        }
    }
}

// proves: COAP-28
#[test]
fn conditions_are_refused_by_name_unless_the_application_evaluates_them() {
    let conditions =
        [(OptionNumber::IF_MATCH, "If-Match"), (OptionNumber::IF_NONE_MATCH, "If-None-Match")];
    for (number, name) in conditions {
        let long = message(Con, Code::PUT, 1, b"7").path("a").option(number, &[]).payload(&[0; 64]);
        let mut lone = Lone::new();
        let refused = lone.receive(&long).remove(0);
        assert_eq!(refused.code, Code::BAD_OPTION);
        assert!(String::from_utf8(refused.payload).unwrap().starts_with(name));
        assert_eq!(lone.events(), []);
        let mut lone = Lone::with(Config::default().conditional_requests(true));
        assert_eq!(lone.receive(&long), []);
        assert_eq!(lone.events().len(), 1);
    }
}

// proves: COAP-04
#[test]
fn critical_options_are_understood_or_refused() {
    for (number, values, good) in [
        (OptionNumber(65_001), 1, false),
        (OptionNumber::ACCEPT, 2, false),
        (OptionNumber::OSCORE, 1, false),
        (OptionNumber(65_000), 1, true),
        (OptionNumber::SIZE1, 2, true),
    ] {
        let mut lone = Lone::new();
        let request = (0..values).fold(get(1), |request, _| request.option(number, &[1]));
        let replies = lone.receive(&request);
        if good {
            assert_eq!(lone.answer(content())[0].code, Code::CONTENT);
        } else {
            assert_eq!((replies[0].kind, replies[0].code), (Ack, Code::BAD_OPTION));
            assert_eq!((replies[0].id, replies[0].token), (1, request.token));
            assert_eq!(lone.events(), []);
            // A non-confirmable request is rejected silently.
            assert_eq!(lone.receive(&Message { kind: Non, id: 2, ..request }), []);
            assert_eq!(lone.endpoint.statistics().refused, 2);
            assert_eq!(lone.events(), []);
        }
    }
}

// proves: COAP-07
#[test]
fn a_duplicate_gets_the_same_reply_and_executes_nothing() {
    let mut lone = Lone::new();
    let reboot = message(Con, Code::POST, 77, &[9]).path("3/0/4");
    lone.receive(&reboot);
    // A duplicate before the response gets no reply, and nothing is executed twice.
    assert_eq!(lone.receive(&reboot), []);
    let first = lone.answer(Response::new(Code::CHANGED));
    lone.pass(200 * SECOND);
    assert_eq!(lone.receive(&reboot), first);
    assert_eq!(lone.events(), []);
    lone.pass(46 * SECOND);
    assert_eq!(lone.receive(&reboot), first);
    lone.pass(2 * SECOND);
    lone.receive(&reboot);
    assert_eq!(lone.answer(Response::new(Code::CHANGED)).len(), 1);
    assert_eq!(lone.endpoint.statistics().duplicates, 3);
}

#[test]
fn a_repeated_non_confirmable_request_is_dropped_for_145_seconds() {
    let mut lone = Lone::new();
    let send = message(Non, Code::POST, 5, &[9]).path("dp");
    lone.receive(&send);
    let reply = &lone.answer(Response::new(Code::CHANGED))[0];
    assert_eq!((reply.kind, reply.token), (Non, send.token));
    lone.pass(144 * SECOND);
    assert_eq!(lone.receive(&send), []);
    assert_eq!(lone.events(), []);
    lone.pass(2 * SECOND);
    lone.receive(&send);
    assert_eq!(lone.events().len(), 1);
}

#[test]
fn a_short_lived_id_behind_a_long_lived_one_is_free_again_in_time() {
    let mut lone = Lone::new();
    lone.receive(&get(1));
    lone.answer(content());
    let send = message(Non, Code::POST, 2, &[9]);
    lone.receive(&send);
    lone.answer(content());
    lone.pass(146 * SECOND);
    lone.receive(&send);
    assert_eq!(lone.events().len(), 1);
}

// proves: COAP-10
#[test]
fn a_slow_answer_is_acknowledged_first_and_sent_separately() {
    let mut lone = Lone::new();
    let start = lone.now;
    lone.receive(&get(1));
    let acknowledged = lone.pass(5 * SECOND);
    let [(at, empty)] = &acknowledged[..] else { panic!("{acknowledged:?}") };
    assert_eq!(*empty, message(Ack, Code::EMPTY, 1, &[]));
    assert!(*at - start < 2 * SECOND);
    // A duplicate gets the empty acknowledgement again.
    assert_eq!(lone.receive(&get(1))[0], *empty);
    let separate = lone.answer(content()).remove(0);
    assert_eq!((separate.kind, separate.token), (Con, get(1).token));
    let again = lone.pass(4 * SECOND);
    assert_eq!(again[0].1, separate);
    assert_eq!(lone.receive(&message(Ack, Code::EMPTY, separate.id, &[])), []);
    assert_eq!(lone.pass(200 * SECOND), []);
}

// proves: COAP-11
#[test]
fn a_ping_is_answered_by_a_reset() {
    let mut lone = Lone::new();
    lone.endpoint.handle_datagram(lone.now, PEER, &[0x40, 0, 0x12, 0x34]);
    assert_eq!(lone.sent_bytes(), [[0x70, 0, 0x12, 0x34]]);
    assert_eq!(lone.endpoint.poll_event(), Some(Event::PeerIdle { peer: PEER }));
    assert_eq!(lone.receive_bytes(&[0x50, 0, 0x12, 0x34]), []);
}

#[test]
fn tokens_of_every_length_are_echoed() {
    let mut lone = Lone::new();
    for length in 0..=8_u16 {
        let token = &[0, 9, 8, 7, 6, 5, 4, 3][..usize::from(length)];
        lone.receive(&message(Con, Code::GET, length, token));
        assert_eq!(lone.answer(content())[0].token.as_bytes(), token);
    }
}

#[test]
fn every_method_reaches_the_application() {
    let mut lone = Lone::new();
    for (id, method) in [1_u8, 2, 3, 4, 5, 6, 7, 0x1F].into_iter().enumerate() {
        lone.receive(&message(Con, Code::from_byte(method), id as u16, &[]));
        let (exchange, request) = lone.asked();
        assert_eq!(request.code.as_byte(), method);
        let refusal = Response::new(Code::METHOD_NOT_ALLOWED);
        lone.endpoint.respond(lone.now, exchange, refusal).unwrap();
        assert_eq!(lone.sent_one().code, Code::METHOD_NOT_ALLOWED);
    }
}

#[test]
fn codes_of_reserved_classes_are_rejected() {
    let mut lone = Lone::new();
    for code in [Code::new(1, 1), Code::new(3, 0), Code::new(6, 1), Code::new(7, 1)] {
        assert_eq!(lone.receive(&message(Con, code, 1, &[]))[0].kind, Rst);
        assert_eq!(lone.receive(&message(Non, code, 2, &[])), []);
    }
    assert!(lone.endpoint.is_idle(PEER));
}

// proves: COAP-21
#[test]
fn host_and_port_are_accepted_and_proxying_is_not() {
    let mut lone = Lone::new();
    let direct = get(1).option(OptionNumber::URI_HOST, b"h").uint(OptionNumber::URI_PORT, 5_683);
    lone.receive(&direct);
    assert_eq!(lone.answer(content())[0].code, Code::CONTENT);
    for (id, number) in [(2, OptionNumber::PROXY_URI), (3, OptionNumber::PROXY_SCHEME)] {
        let replies = lone.receive(&get(id).option(number, b"coap://h"));
        assert_eq!(replies[0].code, Code::PROXYING_NOT_SUPPORTED);
    }
    assert_eq!(lone.events(), []);
}

#[test]
fn an_overloaded_endpoint_answers_5_03() {
    let config = Config::default().max_exchanges_per_peer(2).retry_after(9);
    let mut lone = Lone::with(config);
    assert_eq!(lone.receive(&get(1)), []);
    assert_eq!(lone.receive(&get(2)), []);
    let refusal = lone.receive(&get(3)).remove(0);
    assert_eq!(refusal.code, Code::SERVICE_UNAVAILABLE);
    assert_eq!(refusal.options.get_uint(OptionNumber::MAX_AGE), Some(9));
    assert_eq!(lone.endpoint.statistics().dropped_overload, 1);
    let events = lone.events();
    let Event::Request { exchange, .. } = events[0] else { panic!("{events:?}") };
    lone.endpoint.respond(lone.now, exchange, content()).unwrap();
    lone.sent();
    lone.receive(&get(4));
    assert_eq!(lone.events().len(), 1);
}

#[test]
fn remembered_messages_are_bounded_and_the_oldest_answered_goes_first() {
    let mut lone = Lone::with(Config::default().max_duplicates_per_peer(3));
    lone.receive(&get(1));
    let waiting = lone.asked().0;
    for id in 2..=4 {
        lone.receive(&get(id));
        lone.answer(content());
    }
    // The first waits for its response and is kept, the second was evicted.
    assert_eq!(lone.receive(&get(1)), []);
    assert_eq!(lone.events(), []);
    assert_eq!(lone.receive(&get(3)).len(), 1);
    lone.receive(&get(2));
    assert_eq!(lone.events().len(), 1);
    assert_eq!(lone.endpoint.statistics().evicted, 2);
    lone.endpoint.respond(lone.now, waiting, content()).unwrap();
    assert_eq!(lone.sent_one().id, 1);
}

#[test]
fn remembered_messages_and_replies_are_bounded_over_all_peers() {
    for config in [
        Config::default().max_duplicates(4),
        // Each reply has twelve bytes.
        Config::default().max_reply_bytes(40),
    ] {
        let mut lone = Lone::with(config);
        for peer in 0..20 {
            lone.endpoint.handle_datagram(lone.now, PeerId(peer), &get(1).bytes());
            assert_eq!(lone.answer(content())[0].payload, b"value");
            lone.pass(SECOND);
        }
        assert_eq!(lone.endpoint.statistics().evicted, 16);
        // The oldest were evicted, the newest kept.
        lone.endpoint.handle_datagram(lone.now, PeerId(19), &get(1).bytes());
        assert_eq!((lone.events(), lone.sent().len()), (vec![], 1));
        lone.endpoint.handle_datagram(lone.now, PeerId(0), &get(1).bytes());
        assert_eq!(lone.events().len(), 1);
        lone.pass(600 * SECOND);
        assert!((0..20).all(|peer| lone.endpoint.is_idle(PeerId(peer))));
    }
}

#[test]
fn an_unfinished_body_keeps_its_peer() {
    let config = Config::default().body_lifetime(400 * SECOND);
    let mut lone = Lone::with(config);
    lone.receive(&get(1).block(OptionNumber::BLOCK1, 0, true, 0).payload(&[0; 16]));
    lone.pass(399 * SECOND);
    assert!(!lone.endpoint.is_idle(PEER));
    assert_eq!(lone.endpoint.poll_event(), None);
    lone.pass(2 * SECOND);
    assert_eq!(lone.endpoint.poll_event(), Some(Event::PeerIdle { peer: PEER }));
}

#[test]
fn a_peer_is_idle_when_its_state_has_expired() {
    let mut lone = Lone::new();
    lone.receive(&get(1));
    lone.answer(content());
    assert!(!lone.endpoint.is_idle(PEER));
    lone.pass(246 * SECOND);
    assert!(!lone.endpoint.is_idle(PEER));
    lone.pass(2 * SECOND);
    assert!(lone.endpoint.is_idle(PEER));
    assert_eq!(lone.endpoint.poll_event(), Some(Event::PeerIdle { peer: PEER }));
    assert_eq!((lone.endpoint.poll_event(), lone.endpoint.poll_timeout()), (None, None));
}

#[test]
fn an_unanswered_exchange_expires() {
    let mut lone = Lone::new();
    lone.receive(&get(1));
    let (exchange, _) = lone.asked();
    lone.pass(250 * SECOND);
    assert!(lone.endpoint.respond(lone.now, exchange, content()).is_err());
    assert!(lone.endpoint.is_idle(PEER));
}

#[test]
fn a_request_cut_off_anywhere_is_survived() {
    let whole = get(1).block(OptionNumber::BLOCK1, 0, true, 0).payload(&[0; 16]).bytes();
    for length in 0..whole.len() {
        let mut lone = Lone::new();
        let replies = lone.receive_bytes(&whole[..length]);
        assert!(replies.len() <= 1);
        lone.events();
        lone.pass(600 * SECOND);
        assert!(lone.endpoint.is_idle(PEER), "at {length}");
    }
}

#[test]
fn unacknowledged_separate_responses_are_bounded() {
    let config = Config::default()
        .max_exchanges_per_peer(2)
        .max_pending_per_peer(1)
        .max_observers_per_peer(1);
    let mut lone = Lone::with(config);
    for id in 0..4 {
        lone.receive(&get(id));
        lone.pass(SECOND);
        assert_eq!(lone.answer(content())[0].kind, Con);
    }
    assert_eq!(lone.receive(&get(5))[0].code, Code::SERVICE_UNAVAILABLE);
    lone.pass(100 * SECOND);
    assert_eq!(lone.receive(&get(6)), []);
    assert_eq!(lone.events().len(), 1);
}

#[test]
fn peers_over_the_bound_get_5_03_and_are_not_remembered() {
    let mut lone = Lone::with(Config::default().max_peers(1));
    lone.receive(&get(1));
    lone.events();
    lone.endpoint.handle_datagram(lone.now, PeerId(8), &get(1).bytes());
    assert_eq!(lone.sent_one().code, Code::SERVICE_UNAVAILABLE);
    let non = message(Non, Code::GET, 2, &[]).bytes();
    lone.endpoint.handle_datagram(lone.now, PeerId(8), &non);
    assert_eq!(lone.sent(), []);
    assert!(lone.endpoint.is_idle(PeerId(8)));
    assert_eq!(lone.endpoint.statistics().dropped_overload, 2);
}
