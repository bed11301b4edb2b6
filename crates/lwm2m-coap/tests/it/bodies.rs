//! Corner cases of bodies in blocks: RFC 7959.

use crate::pair::{Ack, Con, Lone, Message, PEER, message};
use lwm2m_coap::{BlockSize, Code, Config, Event, OptionNumber, Request, Response};
use std::time::Duration;

const BLOCK1: OptionNumber = OptionNumber::BLOCK1;
const BLOCK2: OptionNumber = OptionNumber::BLOCK2;

fn put(id: u16) -> Message {
    message(Con, Code::PUT, id, &[7]).path("5/0/0")
}

fn small() -> Lone {
    Lone::with(Config::default().preferred_block_size(BlockSize::B16))
}

#[test]
fn a_body_of_one_block_under_a_new_message_id_is_another_request() {
    let mut lone = Lone::new();
    for id in [1, 2] {
        let request = put(id).block(BLOCK1, 0, false, 0).payload(b"body");
        lone.receive(&request);
        assert_eq!(lone.answer(Response::new(Code::CHANGED)).len(), 1, "{id}");
    }
}

#[test]
fn an_upload_ends_with_a_final_answer_that_comes_early() {
    let mut lone = small();
    let (id, first) = lone.ask(Request::put().path(["5"]).payload(vec![7; 40]));
    assert_eq!(first.block_value(BLOCK1), Some((0, true, 0)));
    let early = message(Ack, Code::CHANGED, first.id, first.token.as_bytes());
    assert_eq!(lone.receive(&early), []);
    let events = lone.events();
    let [Event::Response { id: done, response, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!((*done, response.code), (id, Code::CHANGED));
    assert_eq!(lone.pass(Duration::from_secs(300)), []);
    // A 2.31 that names no block is no answer to one.
    let (id, first) = lone.ask(Request::put().path(["5"]).payload(vec![7; 40]));
    let odd = message(Ack, Code::CONTINUE, first.id, first.token.as_bytes());
    assert_eq!(lone.receive(&odd), []);
    let events = lone.events();
    assert!(matches!(&events[..], [Event::Failed { id: it, .. }] if *it == id), "{events:?}");
}

// RFC 8132 section 2
#[test]
fn a_fetch_repeats_its_body_for_further_blocks_if_it_fits_into_one() {
    for (length, repeated) in [(10, true), (16, true), (17, false)] {
        let mut lone = Lone::new();
        let (_, request) = lone.ask(Request::fetch().path(["3"]).payload(vec![7; length]));
        let answer = message(Ack, Code::CONTENT, request.id, request.token.as_bytes());
        let answer = answer.block(BLOCK2, 0, true, 0).payload(&[1; 16]);
        let next = lone.receive(&answer).remove(0);
        assert_eq!(next.block_value(BLOCK2), Some((1, false, 0)));
        assert_eq!(next.payload.is_empty(), !repeated, "{length}");
    }
    let mut lone = Lone::new();
    let (_, request) = lone.ask(Request::post().path(["3"]).payload(vec![7; 10]));
    let answer = message(Ack, Code::CONTENT, request.id, request.token.as_bytes());
    let next = lone.receive(&answer.block(BLOCK2, 0, true, 0).payload(&[1; 16])).remove(0);
    assert!(next.payload.is_empty(), "the peer does not handle the body of a POST again");
}

// RFC 9175 section 2.4
#[test]
fn the_first_block_of_a_body_has_to_be_fresh() {
    let mut lone = Lone::with(Config::default().freshness(Some(Duration::from_secs(60))));
    let first = |id| put(id).block(BLOCK1, 0, true, 0).payload(&[7; 16]);
    let challenge = lone.receive(&first(1)).remove(0);
    assert_eq!((challenge.code, lone.events()), (Code::UNAUTHORIZED, vec![]));
    let echo = challenge.options.get(OptionNumber::ECHO).unwrap();
    let answer = lone.receive(&first(2).option(OptionNumber::ECHO, echo)).remove(0);
    assert_eq!(answer.code, Code::CONTINUE);
    // The body is as fresh as its beginning.
    lone.receive(&put(3).block(BLOCK1, 1, false, 0).payload(b"end"));
    assert_eq!(lone.asked().1.payload.len(), 19);
}

#[test]
fn an_observation_goes_on_after_a_restart_from_its_sequence_number() {
    let observer =
        lwm2m_coap::Observer { peer: PEER, token: lwm2m_coap::Token::new(b"o").unwrap() };
    for (kept, sequence) in [(5, 5), (0xFF_FFFF, 0xFF_FFFF), (0x100_0007, 7)] {
        let mut lone = Lone::new();
        let request = Request::get().path(["3"]).observe(0);
        assert!(lone.endpoint.restore_observer(lone.now, observer, &request, kept));
        assert_eq!(lone.endpoint.sequence(observer), Some(sequence));
        lone.endpoint.notify(lone.now, observer, Response::new(Code::CONTENT), false).unwrap();
        let next = (sequence + 1) & 0xFF_FFFF;
        assert_eq!(lone.sent_one().options.observe(), Some(next));
    }
}
