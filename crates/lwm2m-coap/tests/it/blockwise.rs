//! Bodies in blocks: RFC 7959 and the Request-Tag of RFC 9175.

use crate::pair::{Ack, Con, Lone, Message, PEER, Pair, Weather, message};
use core::time::Duration;
use lwm2m_coap::{
    BlockSize, Code, Config, Event, FailReason, MessageView, OptionNumber, PeerId, Request,
    Response,
};
use lwm2m_time::Instant;

const SECOND: Duration = Duration::from_secs(1);
const BLOCK1: OptionNumber = OptionNumber::BLOCK1;
const BLOCK2: OptionNumber = OptionNumber::BLOCK2;

fn body(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

fn get(id: u16) -> Message {
    message(Con, Code::GET, id, &id.to_be_bytes()).path("3")
}

fn put(id: u16, path: &str) -> Message {
    message(Con, Code::PUT, id, &id.to_be_bytes()).path(path)
}

fn answer_to(request: &Message, code: Code) -> Message {
    message(Ack, code, request.id, request.token.as_bytes())
}

fn blocks_of(size: BlockSize) -> Config {
    Config::default().preferred_block_size(size)
}

// --- as server ------------------------------------------------------------------------------

// proves: BLK-01
#[test]
fn the_reserved_block_size_is_refused() {
    for option in [BLOCK1, BLOCK2] {
        let mut lone = Lone::new();
        let replies = lone.receive(&get(1).block(option, 0, false, 7));
        assert_eq!(replies[0].code, Code::BAD_REQUEST);
        assert_eq!(lone.events(), []);
    }
}

// proves: BLK-03
#[test]
fn a_large_response_is_fetched_block_by_block() {
    let mut lone = Lone::with(blocks_of(BlockSize::B512));
    lone.receive(&get(1));
    let content = Response::new(Code::CONTENT).content_format(42).payload(body(1_500));
    let first = lone.answer(content).remove(0);
    assert_eq!(first.block_value(BLOCK2), Some((0, true, 5)));
    assert_eq!(first.options.get_uint(OptionNumber::SIZE2), Some(1_500));
    assert!(first.options.etag().is_some());
    let mut whole = first.payload.clone();
    for (number, more) in [(1, true), (2, false)] {
        let next = lone.receive(&get(number as u16 + 1).block(BLOCK2, number, false, 5)).remove(0);
        assert_eq!(next.block_value(BLOCK2), Some((number, more, 5)));
        assert_eq!(next.options.etag(), first.options.etag());
        assert_eq!(next.options.content_format(), Some(42));
        assert_eq!(next.payload.len(), if more { 512 } else { 476 });
        whole.extend(next.payload);
    }
    assert_eq!(whole, body(1_500));
    assert_eq!(lone.events(), []);
    // Any block can be fetched again, also in a smaller size.
    let again = lone.receive(&get(9).block(BLOCK2, 5, false, 2)).remove(0);
    assert_eq!(again.payload, body(1_500)[320..384]);
    assert_eq!(lone.receive(&get(10).block(BLOCK2, 3, false, 5))[0].code, Code::BAD_REQUEST);
}

// proves: BLK-04
#[test]
fn early_negotiation_of_small_blocks_is_honoured() {
    let mut lone = Lone::new();
    lone.receive(&get(1).block(BLOCK2, 0, false, 2));
    let first = lone.answer(Response::new(Code::CONTENT).payload(body(1_024))).remove(0);
    assert_eq!(first.block_value(BLOCK2), Some((0, true, 2)));
    assert_eq!(first.payload.len(), 64);
}

#[test]
fn an_uncached_block_is_rendered_again_but_unsafe_requests_are_not_repeated() {
    let mut lone = Lone::new();
    lone.receive(&get(1).block(BLOCK2, 2, false, 2));
    let piece = lone.answer(Response::new(Code::CONTENT).payload(body(1_024))).remove(0);
    assert_eq!(piece.payload, body(1_024)[128..192]);
    let post = message(Con, Code::POST, 2, &[]).path("3").block(BLOCK2, 2, false, 2);
    assert_eq!(lone.receive(&post)[0].code, Code::REQUEST_ENTITY_INCOMPLETE);
    assert_eq!(lone.events(), []);
}

// proves: BLK-05
#[test]
fn a_body_in_blocks_is_handled_once_when_complete() {
    let mut lone = Lone::new();
    let block = |id: u16, number, more| {
        let end = if more { 128 * (number as usize + 1) } else { 300 };
        put(id, "5/0/0")
            .block(BLOCK1, number, more, 3)
            .payload(&body(300)[128 * number as usize..end])
    };
    for number in 0..2 {
        let reply = lone.receive(&block(number as u16, number, true)).remove(0);
        assert_eq!((reply.code, reply.kind), (Code::CONTINUE, Ack));
        assert_eq!(reply.block_value(BLOCK1), Some((number, true, 3)));
        assert_eq!(lone.events(), []);
    }
    assert_eq!(lone.receive(&block(2, 2, false)), []);
    let (exchange, request) = lone.asked();
    assert_eq!(request.payload, body(300));
    assert_eq!(request.options.get(BLOCK1), None);
    lone.endpoint.respond(lone.now, exchange, Response::new(Code::CHANGED)).unwrap();
    let last = lone.sent_one();
    assert_eq!((last.code, last.block_value(BLOCK1)), (Code::CHANGED, Some((2, false, 3))));
}

// proves: BLK-07
#[test]
fn a_gap_in_a_body_discards_it() {
    let mut lone = Lone::new();
    let block = |id: u16, number: u64, more| {
        put(id, "5/0/0").block(BLOCK1, number, more, 0).payload(&[number as u8; 16])
    };
    assert_eq!(lone.receive(&block(1, 5, true))[0].code, Code::REQUEST_ENTITY_INCOMPLETE);
    assert_eq!(lone.receive(&block(2, 0, true))[0].code, Code::CONTINUE);
    assert_eq!(lone.receive(&block(3, 2, true))[0].code, Code::REQUEST_ENTITY_INCOMPLETE);
    assert_eq!(lone.receive(&block(4, 1, false))[0].code, Code::REQUEST_ENTITY_INCOMPLETE);
    assert_eq!(lone.receive(&block(5, 0, true))[0].code, Code::CONTINUE);
    assert_eq!(lone.receive(&block(6, 1, false)), []);
    assert_eq!(lone.asked().1.payload.len(), 32);
    // A partial block that is not the last is invalid.
    let short = put(7, "5/0/0").block(BLOCK1, 0, true, 6).payload(&[0; 16]);
    assert_eq!(lone.receive(&short)[0].code, Code::BAD_REQUEST);
}

// proves: BLK-08
#[test]
fn a_body_over_the_limit_is_refused_with_the_limit() {
    let mut lone = Lone::with(Config::default().max_body(2_048));
    let block =
        |id: u16, number| put(id, "5/0/0").block(BLOCK1, number, true, 6).payload(&[0; 1_024]);
    let reply = lone.receive(&block(1, 0).uint(OptionNumber::SIZE1, 10_000)).remove(0);
    assert_eq!(reply.code, Code::REQUEST_ENTITY_TOO_LARGE);
    assert_eq!(reply.options.get_uint(OptionNumber::SIZE1), Some(2_048));
    for (number, code) in
        [(0, Code::CONTINUE), (1, Code::CONTINUE), (2, Code::REQUEST_ENTITY_TOO_LARGE)]
    {
        assert_eq!(lone.receive(&block(10 + number as u16, number))[0].code, code);
    }
    assert_eq!(lone.endpoint.statistics().oversized, 2);
    assert_eq!(lone.events(), []);
}

// proves: BLK-09
#[test]
fn bodies_are_kept_apart_and_their_memory_is_bounded() {
    let config = Config::default().max_assembly_total(20_000);
    let mut lone = Lone::with(config);
    let transfers = [(PeerId(1), "a", 1), (PeerId(2), "a", 2), (PeerId(1), "b", 3)];
    for number in 0..2_u64 {
        for (peer, path, fill) in transfers {
            let id = fill * 10 + number as u16;
            let block =
                put(id, path).block(BLOCK1, number, number == 0, 0).payload(&[fill as u8; 16]);
            lone.endpoint.handle_datagram(lone.now, peer, &block.bytes());
        }
    }
    let bodies: Vec<_> = lone
        .events()
        .into_iter()
        .map(|event| match event {
            Event::Request { peer, request, .. } => (peer, request.payload.to_vec()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(bodies, transfers.map(|(peer, _, fill)| (peer, vec![fill as u8; 32])));
    // Block 0 restarts a body.
    for number in [0, 0, 1] {
        let id = 100 + lone.endpoint.statistics().received as u16;
        lone.receive(&put(id, "c").block(BLOCK1, number, number == 0, 0).payload(&[9; 16]));
    }
    assert_eq!(lone.asked().1.payload, [9; 32][..]);
    // Abandoned bodies are evicted, the oldest first, and finally expire.
    lone.sent();
    for peer in 0..1_000 {
        let block = put(500, "d").block(BLOCK1, 0, true, 6).payload(&[0; 1_024]);
        lone.endpoint.handle_datagram(lone.now, PeerId(peer), &block.bytes());
    }
    assert!(lone.endpoint.statistics().evicted >= 980);
    let next = |number| put(501, "d").block(BLOCK1, number, false, 6).payload(b"end").bytes();
    lone.endpoint.handle_datagram(lone.now, PeerId(0), &next(1));
    assert_eq!(lone.events(), []);
    lone.endpoint.handle_datagram(lone.now, PeerId(999), &next(1));
    assert_eq!(lone.events().len(), 1);
    lone.pass(700 * SECOND);
    assert!((0..1_000).all(|peer| lone.endpoint.is_idle(PeerId(peer))));
}

#[test]
fn blocks_with_a_foreign_request_tag_are_not_joined() {
    let mut lone = Lone::new();
    let tagged = |id: u16, number, tag: &[u8]| {
        put(id, "5/0/0")
            .block(BLOCK1, number, number == 0, 0)
            .option(OptionNumber::REQUEST_TAG, tag)
            .payload(&[0; 16])
    };
    assert_eq!(lone.receive(&tagged(1, 0, b"x"))[0].code, Code::CONTINUE);
    assert_eq!(lone.receive(&tagged(2, 1, b"y"))[0].code, Code::REQUEST_ENTITY_INCOMPLETE);
    assert_eq!(lone.receive(&tagged(3, 1, b"x")), []);
    assert_eq!(lone.events().len(), 1);
}

#[test]
fn a_block_longer_than_its_size_is_refused() {
    let mut lone = Lone::new();
    let long = put(1, "5").block(BLOCK1, 0, false, 0).payload(&[0; 17]);
    assert_eq!(lone.receive(&long)[0].code, Code::BAD_REQUEST);
}

#[test]
fn unfinished_bodies_of_one_peer_are_bounded() {
    let mut lone = Lone::with(Config::default().max_assemblies_per_peer(2));
    let block = |id: u16, path: &str, number| {
        put(id, path).block(BLOCK1, number, number == 0, 0).payload(&[0; 16])
    };
    for (id, path) in [(1, "a"), (2, "b"), (3, "c")] {
        assert_eq!(lone.receive(&block(id, path, 0))[0].code, Code::CONTINUE);
    }
    assert_eq!(lone.receive(&block(4, "a", 1))[0].code, Code::REQUEST_ENTITY_INCOMPLETE);
    assert_eq!(lone.receive(&block(5, "b", 1)), []);
    assert_eq!(lone.receive(&block(6, "c", 1)), []);
}

#[test]
fn a_cached_response_lives_while_it_is_fetched_and_is_the_latest() {
    let mut lone = Lone::new();
    lone.receive(&get(1));
    lone.answer(Response::new(Code::CONTENT).payload(body(3_000)));
    for id in 2..5 {
        lone.pass(200 * SECOND);
        assert_eq!(lone.receive(&get(id).block(BLOCK2, 1, false, 6))[0].payload.len(), 1_024);
    }
    lone.receive(&get(6));
    lone.answer(Response::new(Code::CONTENT).payload("short"));
    assert_eq!(lone.receive(&get(7).block(BLOCK2, 1, false, 6)), []);
    assert_eq!(lone.events().len(), 1);
}

#[test]
fn the_body_of_a_fetch_is_part_of_its_cache_key() {
    let fetch = |id: u16, what: &[u8], block: Option<u64>| {
        let request = message(Con, Code::FETCH, id, &id.to_be_bytes()).payload(what);
        match block {
            Some(number) => request.block(BLOCK2, number, false, 6),
            None => request,
        }
    };
    let mut lone = Lone::new();
    for (id, what, fill) in [(1, b"a", 1), (2, b"b", 2)] {
        lone.receive(&fetch(id, what, None));
        lone.answer(Response::new(Code::CONTENT).payload(vec![fill; 2_000]));
    }
    for (id, what, fill) in [(3, b"a", 1), (4, b"b", 2)] {
        assert_eq!(lone.receive(&fetch(id, what, Some(1)))[0].payload, vec![fill; 976]);
    }
    let (_, request) = lone.ask(Request::fetch().payload("what"));
    let piece = answer_to(&request, Code::CONTENT).block(BLOCK2, 0, true, 0).payload(&[0; 16]);
    assert_eq!(lone.receive(&piece)[0].payload, b"what");
}

#[test]
fn a_response_with_long_options_goes_in_blocks() {
    let mut lone = Lone::new();
    lone.receive(&get(1));
    let content = Response::new(Code::CONTENT).location_segment(&"l".repeat(200));
    let first = lone.answer(content.payload(body(1_000))).remove(0);
    assert_eq!(first.block_value(BLOCK2), Some((0, true, 5)));
}

// --- as client ------------------------------------------------------------------------------

// proves: BLK-06
#[test]
fn smaller_blocks_rescale_the_number() {
    let mut lone = Lone::new();
    let request = Request::put().path(["5", "0", "0"]).payload(body(3_000));
    let (_, first) = lone.ask(request);
    assert_eq!(first.block_value(BLOCK1), Some((0, true, 6)));
    assert_eq!(first.options.get_uint(OptionNumber::SIZE1), Some(3_000));
    let wish = answer_to(&first, Code::CONTINUE).block(BLOCK1, 0, true, 4);
    let second = lone.receive(&wish).remove(0);
    assert_eq!(second.block_value(BLOCK1), Some((4, true, 4)));
    assert_eq!(second.payload, body(3_000)[1_024..1_280]);
}

#[test]
fn a_body_too_large_for_the_peer_is_sent_again_in_smaller_blocks() {
    let mut lone = Lone::new();
    let (_, first) = lone.ask(Request::put().payload(body(900)));
    assert_eq!(first.block_value(BLOCK1), None);
    let wish = answer_to(&first, Code::REQUEST_ENTITY_TOO_LARGE).block(BLOCK1, 0, true, 2);
    let second = lone.receive(&wish).remove(0);
    assert_eq!(second.block_value(BLOCK1), Some((0, true, 2)));
    assert_eq!(second.payload, body(64));
    let more = answer_to(&second, Code::CONTINUE).block(BLOCK1, 0, true, 2);
    let second = lone.receive(&more).remove(0);
    // After the first block, or without a proposed size, a 4.13 is final.
    let wish = answer_to(&second, Code::REQUEST_ENTITY_TOO_LARGE).block(BLOCK1, 1, true, 0);
    assert_eq!(lone.receive(&wish), []);
    assert_eq!(lone.events().len(), 1);
    let (_, first) = lone.ask(Request::put().payload(body(900)));
    assert_eq!(lone.receive(&answer_to(&first, Code::REQUEST_ENTITY_TOO_LARGE)), []);
    assert_eq!(lone.events().len(), 1);
}

// proves: BLK-10
#[test]
fn all_blocks_of_a_body_have_one_request_tag() {
    let mut lone = Lone::new();
    let mut tags = Vec::new();
    for _ in 0..2 {
        let (_, mut block) = lone.ask(Request::put().payload(body(3_000)));
        let tag = block.options.get(OptionNumber::REQUEST_TAG).unwrap().to_vec();
        assert!(tag.len() <= 8);
        while let Some((number, true, szx)) = block.block_value(BLOCK1) {
            let next = answer_to(&block, Code::CONTINUE).block(BLOCK1, number, true, szx);
            block = lone.receive(&next).remove(0);
            assert_eq!(block.options.get(OptionNumber::REQUEST_TAG), Some(&tag[..]));
        }
        lone.receive(&answer_to(&block, Code::CHANGED));
        tags.push(tag);
    }
    assert_ne!(tags[0], tags[1]);
    assert_eq!(lone.events().len(), 2);
}

#[test]
fn an_error_during_an_upload_is_the_response() {
    let mut lone = Lone::new();
    let (id, block) = lone.ask(Request::put().payload(body(3_000)));
    lone.receive(&answer_to(&block, Code::NOT_FOUND));
    let events = lone.events();
    assert!(matches!(&events[..], [Event::Response { id: done, .. }] if *done == id));
    let (_, block) = lone.ask(Request::put().payload(body(3_000)));
    lone.receive(&answer_to(&block, Code::CONTINUE).block(BLOCK1, 7, true, 6));
    let events = lone.events();
    assert!(matches!(&events[..], [Event::Failed { reason: FailReason::Protocol(_), .. }]));
}

#[test]
fn a_representation_that_changes_is_fetched_anew() {
    let mut lone = Lone::new();
    let (_, request) = lone.ask(Request::get().path(["3"]));
    let piece = |request: &Message, etag: u8, number, more| {
        answer_to(request, Code::CONTENT)
            .option(OptionNumber::ETAG, &[etag])
            .block(BLOCK2, number, more, 0)
            .payload(&[etag; 16])
    };
    let request = lone.receive(&piece(&request, 1, 0, true)).remove(0);
    assert_eq!(request.block_value(BLOCK2), Some((1, false, 0)));
    let request = lone.receive(&piece(&request, 2, 1, true)).remove(0);
    assert_eq!(request.block_value(BLOCK2), Some((0, false, 0)));
    let request = lone.receive(&piece(&request, 2, 0, true)).remove(0);
    assert_eq!(request.block_value(BLOCK2), Some((1, false, 0)));
    lone.receive(&piece(&request, 2, 1, false));
    let events = lone.events();
    let [Event::Response { response, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(response.payload, [2; 32][..]);
    assert_eq!(response.options.get(BLOCK2), None);
}

#[test]
fn a_representation_that_keeps_changing_fails() {
    let mut lone = Lone::new();
    let (_, mut request) = lone.ask(Request::get());
    for etag in 0..50 {
        let (number, ..) = request.block_value(BLOCK2).unwrap_or((0, false, 0));
        let piece = answer_to(&request, Code::CONTENT)
            .option(OptionNumber::ETAG, &[etag])
            .block(BLOCK2, number, true, 0)
            .payload(&[0; 16]);
        match lone.receive(&piece).pop() {
            Some(next) => request = next,
            None => break,
        }
    }
    let events = lone.events();
    assert!(matches!(&events[..], [Event::Failed { reason: FailReason::Protocol(_), .. }]));
}

#[test]
fn a_response_over_the_limit_fails() {
    for announced in [true, false] {
        let mut lone = Lone::with(Config::default().max_body(40));
        let (_, mut request) = lone.ask(Request::get());
        for number in 0..3 {
            let mut piece =
                answer_to(&request, Code::CONTENT).block(BLOCK2, number, true, 0).payload(&[0; 16]);
            if announced {
                piece = piece.uint(OptionNumber::SIZE2, 41);
            }
            match lone.receive(&piece).pop() {
                Some(next) => request = next,
                None => assert_eq!(number, if announced { 0 } else { 2 }),
            }
            if announced {
                break;
            }
        }
        let events = lone.events();
        assert!(matches!(&events[..], [Event::Failed { reason: FailReason::TooLarge, .. }]));
    }
}

#[test]
fn a_response_may_have_as_many_blocks_as_its_length_allows() {
    let mut lone = Lone::with(Config::default().max_body(100_000));
    let (_, mut request) = lone.ask(Request::get());
    let mut fetched = 0;
    loop {
        let piece = answer_to(&request, Code::CONTENT).block(BLOCK2, fetched, true, 0);
        match lone.receive(&piece.payload(&[0; 16])).pop() {
            Some(next) => request = next,
            None => break,
        }
        fetched += 1;
    }
    assert_eq!(fetched, 100_000 / 16);
    assert!(matches!(&lone.events()[..], [Event::Failed { reason: FailReason::TooLarge, .. }]));
}

/// The requests that the application gets.
fn handed_out(lone: &mut Lone) -> Vec<Request> {
    let requests = lone.events().into_iter().filter_map(|event| match event {
        Event::Request { request, .. } => Some(request),
        _ => None,
    });
    requests.collect()
}

// proves: BLK-13
#[test]
fn a_block_that_is_repeated_under_a_new_message_id_does_not_end_the_body() {
    let mut lone = Lone::new();
    let block = |id: u16, number: usize, more| {
        let end = (number * 32 + 32).min(80);
        let piece = &body(80)[number * 32..end];
        put(id, "5").block(BLOCK1, number as u64, more, 1).payload(piece)
    };
    for (id, number) in [(1, 0), (2, 1), (3, 1), (4, 1)] {
        assert_eq!(lone.receive(&block(id, number, true))[0].code, Code::CONTINUE, "{id}");
    }
    assert_eq!(lone.receive(&block(5, 2, false)), []);
    let (exchange, request) = lone.asked();
    assert_eq!(&request.payload[..], body(80));
    // Nor does the last block, when the body is answered.
    lone.endpoint.respond(lone.now, exchange, Response::new(Code::CHANGED)).unwrap();
    let answer = lone.sent_one();
    for id in 6..9 {
        let again = lone.receive(&block(id, 2, false)).remove(0);
        assert_eq!((again.code, &again.options), (Code::CHANGED, &answer.options));
    }
    assert_eq!(handed_out(&mut lone), []);
    let other = put(9, "5").block(BLOCK1, 2, false, 1).payload(&[0; 16]);
    assert_eq!(lone.receive(&other)[0].code, Code::REQUEST_ENTITY_INCOMPLETE);
    // Another content at the same place is no repetition.
    let mut lone = Lone::new();
    lone.receive(&block(1, 0, true));
    lone.receive(&block(2, 1, true));
    let other = put(3, "5").block(BLOCK1, 1, true, 1).payload(&[0; 32]);
    assert_eq!(lone.receive(&other)[0].code, Code::REQUEST_ENTITY_INCOMPLETE);
}

/// The answers to complete bodies take room of bodies, and not for ever.
#[test]
fn answers_to_repeated_last_blocks_are_bounded() {
    let block = |id: u16, path: &str, number: u64| {
        put(id, path).block(BLOCK1, number, number < 1, 0).payload(&[7; 16])
    };
    let transfer = |lone: &mut Lone, id: u16, path: &str| {
        lone.receive(&block(id, path, 0));
        lone.receive(&block(id + 1, path, 1));
        lone.answer(Response::new(Code::CHANGED)).remove(0)
    };
    let mut lone = Lone::with(Config::default().max_assemblies_per_peer(2));
    for (id, path) in [(10, "a"), (20, "b"), (30, "c")] {
        assert_eq!(transfer(&mut lone, id, path).code, Code::CHANGED);
    }
    assert_eq!(lone.receive(&block(40, "a", 1))[0].code, Code::REQUEST_ENTITY_INCOMPLETE);
    assert_eq!(lone.receive(&block(41, "c", 1))[0].code, Code::CHANGED);
    // The same body may be sent anew.
    assert_eq!(transfer(&mut lone, 50, "c").code, Code::CHANGED);
    lone.pass(Duration::from_secs(248));
    assert_eq!(lone.receive(&block(60, "c", 1))[0].code, Code::REQUEST_ENTITY_INCOMPLETE);
    lone.pass(Duration::from_secs(248));
    assert!(lone.endpoint.is_idle(PEER));
}

// proves: BLK-13
#[test]
fn the_content_format_may_be_in_one_block_only() {
    for with_format in [0, 1, 2] {
        let mut lone = Lone::new();
        for number in 0..3 {
            let id = number as u16 + 1;
            let mut block = put(id, "5").block(BLOCK1, number, number < 2, 0).payload(&[7; 16]);
            if number == with_format {
                block = block.uint(OptionNumber::CONTENT_FORMAT, 42);
            }
            lone.receive(&block);
        }
        let requests = handed_out(&mut lone);
        assert_eq!(requests[0].options.content_format(), Some(42), "{with_format}");
        assert_eq!(requests[0].payload.len(), 48);
    }
    let mut lone = Lone::new();
    let block = |number: u64, format| {
        let block = put(number as u16 + 1, "5").block(BLOCK1, number, true, 0);
        block.payload(&[7; 16]).uint(OptionNumber::CONTENT_FORMAT, format)
    };
    assert_eq!(lone.receive(&block(0, 42))[0].code, Code::CONTINUE);
    assert_eq!(lone.receive(&block(1, 0))[0].code, Code::REQUEST_ENTITY_INCOMPLETE);
}

#[test]
fn a_continue_after_the_last_block_fails() {
    let mut lone = Lone::new();
    let (_, request) = lone.ask(Request::get());
    lone.receive(&answer_to(&request, Code::CONTINUE));
    let events = lone.events();
    assert!(matches!(&events[..], [Event::Failed { reason: FailReason::Protocol(_), .. }]));
}

#[test]
fn incomplete_responses_share_a_memory_bound() {
    let mut lone = Lone::with(Config::default().max_assembly_total(40));
    let requests = [1, 2, 3].map(|peer| {
        lone.endpoint.request(lone.now, PeerId(peer), Request::get()).unwrap();
        (PeerId(peer), lone.sent_one())
    });
    for (peer, request) in requests {
        let piece = answer_to(&request, Code::CONTENT).block(BLOCK2, 0, true, 0).payload(&[0; 16]);
        lone.endpoint.handle_datagram(lone.now, peer, &piece.bytes());
    }
    let events = lone.events();
    let [Event::Failed { peer: PeerId(3), reason: FailReason::TooLarge, .. }] = &events[..] else {
        panic!("{events:?}")
    };
    lone.pass(100 * SECOND);
    assert_eq!(lone.events().len(), 2);
    // All memory is released.
    let (_, request) = lone.ask(Request::get());
    let piece = answer_to(&request, Code::CONTENT).block(BLOCK2, 0, true, 1).payload(&[0; 32]);
    assert_eq!(lone.receive(&piece).len(), 1);
    assert_eq!(lone.events(), []);
}

// --- both -----------------------------------------------------------------------------------

/// Sends a body in each direction and counts the messages.
fn exchange(configs: [Config; 2], up: usize, down: usize) -> Pair {
    let mut pair = Pair::new(configs, Weather::default(), 1);
    let request = Request::post().path(["x"]).payload(body(up));
    pair.sides[0].request(Instant::ZERO, PEER, request).unwrap();
    let mut answers = 0;
    pair.run(Instant::from_millis(60_000), |endpoint, now, _, event| match event {
        Event::Request { exchange, request, .. } => {
            assert_eq!(request.payload, body(up));
            let response = Response::new(Code::CHANGED).payload(body(down));
            endpoint.respond(now, exchange, response).unwrap();
        }
        Event::Response { response, .. } => {
            assert_eq!(response.payload, body(down));
            answers += 1;
        }
        Event::PeerIdle { .. } => {}
        other => panic!("{other:?}"),
    });
    assert_eq!(answers, 1);
    pair
}

// proves: BLK-02
#[test]
fn bodies_travel_both_ways_in_blocks_of_either_side() {
    for sizes in [
        [BlockSize::B64, BlockSize::B64],
        [BlockSize::B1024, BlockSize::B64],
        [BlockSize::B64, BlockSize::B1024],
    ] {
        exchange(sizes.map(blocks_of), 4_096, 4_096);
    }
    for size in [0, 1, 63, 64, 65, 128] {
        exchange([blocks_of(BlockSize::B64); 2], size, size);
    }
}

// proves: COAP-15
#[test]
fn datagrams_stay_within_1152_bytes() {
    let pair = exchange([Config::default(); 2], 4_096, 4_096);
    assert!(pair.wire.len() >= 14);
    for (_, datagram) in &pair.wire {
        assert!(datagram.len() <= 1_152);
        assert!(MessageView::parse(datagram).unwrap().payload().len() <= 1_024);
    }
}

#[test]
fn long_options_leave_room_for_smaller_blocks_only() {
    let mut lone = Lone::new();
    let mut request = Request::put().payload(body(2_000));
    for _ in 0..3 {
        request = request.query(&"q".repeat(250));
    }
    let (_, first) = lone.ask(request.clone());
    assert_eq!(first.block_value(BLOCK1), Some((0, true, 4)));
    for _ in 0..2 {
        request = request.query(&"q".repeat(250));
    }
    assert!(lone.endpoint.request(lone.now, PEER, request).is_err());
}
