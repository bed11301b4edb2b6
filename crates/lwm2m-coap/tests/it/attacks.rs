//! Hostile peers: numbers that wrap, invalid blocks, bodies that are never completed. The endpoint
//! answers or ignores all of it, counts it, and stays within its memory bounds.

use crate::pair::{Ack, Con, Lone, Message, Non, PEER, Rst, message};
use core::time::Duration;
use lwm2m_coap::{
    BlockSize, Code, Config, Event, FailReason, Observer, OptionNumber, PeerId, PeerParameters,
    Request, Response, Statistics, Token,
};
use std::sync::Arc;

const SECOND: Duration = Duration::from_secs(1);
const BLOCK1: OptionNumber = OptionNumber::BLOCK1;
const BLOCK2: OptionNumber = OptionNumber::BLOCK2;
const OBSERVE: OptionNumber = OptionNumber::OBSERVE;

fn put(id: u16) -> Message {
    message(Con, Code::PUT, id, &id.to_be_bytes()).path("5")
}

fn statistics(lone: &Lone) -> Statistics {
    *lone.endpoint.statistics()
}

#[test]
fn observe_numbers_wrap_in_24_bits() {
    let mut lone = Lone::new();
    let (_, request) = lone.ask(Request::get().observe(0));
    let token = request.token.as_bytes();
    let first = message(Ack, Code::CONTENT, request.id, token).uint(OBSERVE, 0xFF_FFFE);
    lone.receive(&first);
    assert_eq!(lone.events().len(), 1);
    let mut outdated = 0;
    for (id, number, newer) in [
        (1, 0xFF_FFFF, true),
        (2, 0, true),
        (3, 0xFF_FFFF, false),
        (4, 1, true),
        (5, 0, false),
        (6, 0x80_0000, true),
        (7, 1, false),
        // A distance of 2^23 is not newer: RFC 7641 section 3.4.
        (8, 0, false),
        (9, 0xFF_FFFF, true),
        (10, 1, true),
    ] {
        let notification = message(Con, Code::CONTENT, id, token).uint(OBSERVE, number);
        assert_eq!(lone.receive(&notification), [message(Ack, Code::EMPTY, id, b"")]);
        assert_eq!(lone.events().len(), usize::from(newer), "{number:x}");
        outdated += u64::from(!newer);
        assert_eq!(statistics(&lone).outdated, outdated);
    }
}

#[test]
fn message_ids_of_a_peer_wrap() {
    let mut lone = Lone::new();
    for turn in 0..70_000_u32 {
        let id = turn as u16;
        lone.receive(&message(Con, Code::GET, id, &id.to_be_bytes()));
        let answer = lone.answer(Response::new(Code::CONTENT)).remove(0);
        assert_eq!((answer.id, answer.token.as_bytes()), (id, &id.to_be_bytes()[..]));
        lone.pass(Duration::from_millis(10));
    }
    let seen = statistics(&lone);
    assert_eq!((seen.received, seen.duplicates), (70_000, 0));
}

#[test]
fn a_reused_message_id_executes_nothing() {
    let mut lone = Lone::new();
    lone.receive(&put(1).payload(b"on"));
    let first = lone.answer(Response::new(Code::CHANGED));
    let other = message(Con, Code::DELETE, 1, b"other").path("6");
    assert_eq!(lone.receive(&other), first);
    assert_eq!(lone.events(), []);
    assert_eq!(statistics(&lone).duplicates, 1);
}

#[test]
fn two_requests_may_share_a_token() {
    let mut lone = Lone::new();
    for id in [1, 2] {
        lone.receive(&message(Con, Code::GET, id, b"same").path("3"));
    }
    for (event, id) in lone.events().into_iter().zip([1, 2]) {
        let Event::Request { exchange, .. } = event else { panic!("{event:?}") };
        lone.endpoint.respond(lone.now, exchange, Response::new(Code::CONTENT)).unwrap();
        let answer = lone.sent_one();
        assert_eq!((answer.id, answer.token.as_bytes()), (id, &b"same"[..]));
    }
}

/// A block of a body: number, more, size exponent and length, and the code of its response.
type Step = (u64, bool, u64, usize, Code);

#[test]
fn invalid_request_blocks_are_refused_and_counted() {
    const OK: Code = Code::CONTINUE;
    const GAP: Code = Code::REQUEST_ENTITY_INCOMPLETE;
    const BAD: Code = Code::BAD_REQUEST;
    let lies: [(&str, &[Step]); 8] = [
        ("never begun", &[(1, true, 2, 64, GAP)]),
        ("gap", &[(0, true, 2, 64, OK), (2, true, 2, 64, GAP)]),
        (
            "before the last",
            &[
                (0, true, 2, 64, OK),
                (1, true, 2, 64, OK),
                (2, true, 2, 64, OK),
                (1, true, 2, 64, GAP),
            ],
        ),
        ("backwards", &[(0, true, 2, 64, OK), (1, true, 2, 64, OK), (0, true, 2, 63, BAD)]),
        ("larger blocks at the same number", &[(0, true, 2, 64, OK), (1, true, 3, 128, GAP)]),
        ("smaller blocks at the same number", &[(0, true, 2, 64, OK), (1, true, 1, 32, GAP)]),
        ("shorter than its size", &[(0, true, 2, 64, OK), (1, true, 2, 10, BAD)]),
        ("longer than its size", &[(0, true, 2, 64, OK), (1, false, 2, 65, BAD)]),
    ];
    for (lie, steps) in lies {
        let mut lone = Lone::new();
        for (id, (number, more, szx, length, code)) in (1..).zip(steps) {
            let block = put(id).block(BLOCK1, *number, *more, *szx).payload(&vec![7; *length]);
            assert_eq!(lone.receive(&block)[0].code, *code, "{lie}, block {number}");
        }
        assert_eq!(statistics(&lone).bad_blocks, 1, "{lie}");
        // The incomplete body is discarded and never executed.
        let end = put(99).block(BLOCK1, 2, false, 2).payload(b"end");
        assert_eq!(lone.receive(&end)[0].code, GAP, "{lie}");
        assert_eq!(lone.events(), [], "{lie}");
        lone.pass(300 * SECOND);
        assert!(lone.endpoint.is_idle(PEER), "{lie}");
    }
}

#[test]
fn block_size_may_shrink_within_a_body() {
    let mut lone = Lone::new();
    let block = |id, number, more, szx| put(id).block(BLOCK1, number, more, szx);
    lone.receive(&block(1, 0, true, 2).payload(&[1; 64]));
    assert_eq!(lone.receive(&block(2, 4, true, 0).payload(&[2; 16]))[0].code, Code::CONTINUE);
    assert_eq!(lone.receive(&block(3, 5, false, 0).payload(b"end")), []);
    assert_eq!(lone.asked().1.payload.len(), 64 + 16 + 3);
}

#[test]
fn a_wrong_announced_size_changes_nothing() {
    for announced in [0, 10, 1_000, 1 << 20] {
        let mut lone = Lone::new();
        let first = put(1).block(BLOCK1, 0, true, 2).uint(OptionNumber::SIZE1, announced);
        assert_eq!(lone.receive(&first.payload(&[1; 64]))[0].code, Code::CONTINUE);
        lone.receive(&put(2).block(BLOCK1, 1, false, 2).payload(b"end"));
        assert_eq!(lone.asked().1.payload.len(), 67);
    }
    // A body that is announced as too large is refused with its first block.
    let mut lone = Lone::new();
    let first = put(1).block(BLOCK1, 0, true, 2).uint(OptionNumber::SIZE1, u64::MAX);
    let refused = lone.receive(&first.payload(&[1; 64])).remove(0);
    assert_eq!(refused.code, Code::REQUEST_ENTITY_TOO_LARGE);
    assert_eq!(statistics(&lone).oversized, 1);
}

#[test]
fn bodies_with_tags_of_their_own_may_be_interleaved() {
    let mut lone = Lone::new();
    let block = |id: u16, number, more, tag: &[u8]| {
        let block = put(id).block(BLOCK1, number, more, 0);
        block.option(OptionNumber::REQUEST_TAG, tag).payload(&[tag[0]; 16])
    };
    for (id, number) in [(10, 0), (20, 1)] {
        for tag in [b"a", b"b"] {
            let id = id + u16::from(tag[0]);
            assert_eq!(lone.receive(&block(id, number, true, tag))[0].code, Code::CONTINUE);
        }
    }
    for tag in [b"b", b"a"] {
        assert_eq!(lone.receive(&block(200 + u16::from(tag[0]), 2, false, tag)), []);
        assert_eq!(lone.asked().1.payload, [tag[0]; 48][..]);
    }
    // A body without a tag is another one.
    assert_eq!(lone.receive(&block(900, 0, true, b"a"))[0].code, Code::CONTINUE);
    let untagged = put(901).block(BLOCK1, 1, false, 0).payload(b"x");
    assert_eq!(lone.receive(&untagged)[0].code, Code::REQUEST_ENTITY_INCOMPLETE);
}

#[test]
fn a_client_tags_every_body_in_blocks_and_no_other() {
    let mut lone = Lone::new();
    let (_, whole) = lone.ask(Request::put().payload("short"));
    assert_eq!(whole.options.get(OptionNumber::REQUEST_TAG), None);
    lone.receive(&message(Ack, Code::CHANGED, whole.id, whole.token.as_bytes()));
    // Two bodies for the same resource are in flight: RFC 9175 section 3.3.
    let mut own = PeerParameters::default();
    own.transmission.nstart = 2;
    own.preferred_block_size = BlockSize::B64;
    lone.endpoint.set_parameters(PEER, Arc::new(own)).unwrap();
    let body = || Request::put().path(["5"]).payload(vec![1; 100]);
    let tags = [lone.ask(body()).1, lone.ask(body()).1]
        .map(|sent| sent.options.get(OptionNumber::REQUEST_TAG).unwrap().to_vec());
    assert_ne!(tags[0], tags[1]);
}

/// First responses to a request for a body in blocks of 64 bytes.
#[test]
fn invalid_response_blocks_end_the_request_and_are_counted() {
    for (lie, number, szx, length) in [
        ("another number", 2, 2, 64),
        ("the first again", 0, 2, 64),
        ("larger at the same number", 1, 3, 128),
        ("smaller at the same number", 1, 1, 32),
        ("not full", 1, 2, 63),
        ("longer", 1, 2, 65),
        ("reserved size", 1, 7, 64),
    ] {
        let mut lone = Lone::new();
        let (id, request) = lone.ask(Request::get());
        let piece = |to: &Message, number, szx, length| {
            message(Ack, Code::CONTENT, to.id, to.token.as_bytes())
                .block(BLOCK2, number, true, szx)
                .payload(&vec![0; length])
        };
        let next = lone.receive(&piece(&request, 0, 2, 64)).remove(0);
        assert_eq!(next.block_value(BLOCK2), Some((1, false, 2)));
        assert_eq!(lone.receive(&piece(&next, number, szx, length)), [], "{lie}");
        let events = lone.events();
        let [Event::Failed { id: failed, reason: FailReason::Protocol(_), .. }] = &events[..]
        else {
            panic!("{lie}: {events:?}")
        };
        assert_eq!((*failed, statistics(&lone).bad_responses), (id, 1), "{lie}");
    }
}

#[test]
fn invalid_notifications_are_counted_and_the_next_valid_one_arrives() {
    let mut lone = Lone::new();
    let (_, request) = lone.ask(Request::get().observe(0));
    let token = request.token.as_bytes();
    lone.receive(&message(Ack, Code::CONTENT, request.id, token).uint(OBSERVE, 1));
    lone.events();
    let notify = |id: u16| message(Non, Code::CONTENT, id, token).uint(OBSERVE, id.into());
    let critical = notify(2).option(OptionNumber(65_001), b"");
    assert_eq!(lone.receive(&critical), [message(Rst, Code::EMPTY, 2, b"")]);
    lone.receive(&notify(3).block(BLOCK2, 0, true, 2).payload(b"not full"));
    lone.receive(&notify(4).block(BLOCK2, 5, true, 0).payload(&[0; 16]));
    assert_eq!((lone.events(), statistics(&lone).bad_responses), (vec![], 3));
    lone.receive(&notify(5).payload(b"good"));
    assert_eq!(lone.events().len(), 1);
}

#[test]
fn responses_of_a_stranger_change_nothing_and_are_counted() {
    let mut lone = Lone::new();
    let (_, request) = lone.ask(Request::get());
    let forged = message(Non, Code::CONTENT, 5, request.token.as_bytes()).bytes();
    for peer in 100..200 {
        lone.endpoint.handle_datagram(lone.now, PeerId(peer), &forged);
        assert!(lone.endpoint.is_idle(PeerId(peer)));
    }
    assert_eq!((lone.events(), statistics(&lone).unexpected), (vec![], 100));
}

#[test]
fn state_of_a_peer_is_bounded_whatever_it_sends() {
    let config = Config::default().max_body(1_024);
    let mut lone = Lone::with(config);
    for turn in 0..20_000_u32 {
        let id = turn as u16;
        let path = turn.to_string();
        let sent = match turn % 3 {
            0 => put(id).path(&path).block(BLOCK1, 0, true, 4).payload(&[1; 256]),
            1 => message(Con, Code::GET, id, &id.to_be_bytes()).path(&path).uint(OBSERVE, 0),
            _ => message(Non, Code::POST, id, &id.to_be_bytes()).path(&path),
        };
        lone.receive(&sent);
        for event in lone.events() {
            // Half of the requests are never answered.
            if let (Event::Request { exchange, .. }, 0) = (event, turn % 2) {
                let content = Response::new(Code::CONTENT).payload(vec![1; 2_000]).observe();
                lone.endpoint.respond(lone.now, exchange, content).unwrap();
            }
        }
        lone.pass(Duration::from_millis(1));
    }
    let seen = statistics(&lone);
    assert!(seen.evicted > 5_000 && seen.dropped_overload > 5_000, "{seen:?}");
    lone.endpoint.remove_peer(PEER);
    assert!(lone.endpoint.is_idle(PEER));
    assert_eq!(lone.endpoint.poll_timeout(), None);
}

#[test]
fn body_that_changes_and_never_begins_ends_the_request() {
    let mut lone = Lone::new();
    let (id, request) = lone.ask(Request::get());
    let piece = |to: &Message, number, tag: u8| {
        message(Ack, Code::CONTENT, to.id, to.token.as_bytes())
            .option(OptionNumber::ETAG, &[tag])
            .block(BLOCK2, number, true, 2)
            .payload(&[0; 64])
    };
    let second = lone.receive(&piece(&request, 0, 0)).remove(0);
    let mut asked = lone.receive(&piece(&second, 1, 1)).remove(0);
    assert_eq!(asked.block_value(BLOCK2), Some((0, false, 2)));
    for tag in 2..20 {
        match lone.receive(&piece(&asked, 5, tag)).pop() {
            Some(next) => asked = next,
            None => break,
        }
    }
    let events = lone.events();
    assert!(
        matches!(
            &events[..],
            [Event::Failed { id: failed, reason: FailReason::Protocol(_), .. }] if *failed == id
        ),
        "{events:?}"
    );
}

#[test]
fn outcome_of_a_request_for_a_later_block_is_not_hidden() {
    for (code, body) in [
        (Code::NOT_FOUND, &b""[..]),
        (Code::SERVICE_UNAVAILABLE, b"later"),
        (Code::VALID, b""),
        (Code::UNAUTHORIZED, b""),
    ] {
        let mut lone = Lone::new();
        lone.receive(&message(Con, Code::GET, 1, b"t").path("3").block(BLOCK2, 3, false, 2));
        let answer = lone.answer(Response::new(code).payload(body)).remove(0);
        assert_eq!((answer.code, &answer.payload[..]), (code, body));
        assert_eq!(answer.block_value(BLOCK2), None);
    }
}

#[test]
fn request_for_a_later_block_begins_no_observation() {
    for block in [1, 9] {
        let mut lone = Lone::new();
        let wanted = message(Con, Code::GET, 1, b"t").path("3").uint(OBSERVE, 0);
        lone.receive(&wanted.block(BLOCK2, block, false, 2));
        let content = Response::new(Code::CONTENT).payload(vec![7; 200]).observe();
        let answer = lone.answer(content.clone()).remove(0);
        assert_eq!(answer.options.observe(), None);
        let observer = Observer { peer: PEER, token: Token::new(b"t").unwrap() };
        assert!(lone.endpoint.notify(lone.now, observer, content, false).is_err());
    }
}

/// The cost of an empty body, in bytes.
const LEAST: usize = 128;

#[test]
fn small_bodies_count_with_their_overhead() {
    const PEERS: u64 = 1_000;
    let config = Config::default().max_assembly_total(100 * LEAST).max_cached_total(100 * LEAST);
    let begun = put(1).block(BLOCK1, 0, true, 0).payload(&[1; 16]).bytes();
    let mut lone = Lone::with(config);
    for peer in 0..PEERS {
        lone.endpoint.handle_datagram(lone.now, PeerId(peer), &begun);
    }
    assert!(statistics(&lone).evicted >= PEERS - 100, "{:?}", statistics(&lone));

    // A cached response includes the options of its request.
    let mut lone = Lone::with(config);
    let query = [b'q'; 200];
    let wanted = message(Con, Code::GET, 1, b"t").option(OptionNumber::URI_QUERY, &query);
    let wanted = wanted.block(BLOCK2, 0, false, 0).bytes();
    for peer in 0..PEERS {
        lone.endpoint.handle_datagram(lone.now, PeerId(peer), &wanted);
        let (exchange, _) = lone.asked();
        let content = Response::new(Code::CONTENT).payload(vec![1; 17]);
        lone.endpoint.respond(lone.now, exchange, content).unwrap();
    }
    let most = (100 * LEAST / (LEAST + 200)) as u64;
    assert!(statistics(&lone).evicted >= PEERS - most, "{:?}", statistics(&lone));
}

#[test]
fn body_with_too_many_blocks_for_the_peers_size_fails() {
    let config = Config::default().max_body(32 << 20);
    for code in [Code::CONTINUE, Code::REQUEST_ENTITY_TOO_LARGE] {
        let mut lone = Lone::with(config);
        let (id, first) = lone.ask(Request::put().payload(vec![1; 17 << 20]));
        let smaller = message(Ack, code, first.id, first.token.as_bytes());
        assert_eq!(lone.receive(&smaller.block(BLOCK1, 0, true, 0)), []);
        let failed = Event::Failed { id, peer: PEER, reason: FailReason::TooLarge };
        assert_eq!(lone.events(), [failed]);
    }
}
