//! Bodies of requests that the application takes block by block: RFC 7959 section 2.5.

use crate::pair::{Ack, Con, Lone, Message, message};
use core::time::Duration;
use lwm2m_coap::{BlockSize, BlockValue, Code, Config, Event, OptionNumber, Request, Response};

const BLOCK1: OptionNumber = OptionNumber::BLOCK1;

/// An endpoint that takes bodies for /5 block by block, and keeps at most 64 bytes of others.
fn streaming() -> Lone {
    let mut lone = Lone::with(Config::default().max_body(64));
    lone.endpoint.stream_bodies(|code, options| {
        code == Code::PUT && options.uri_path().next() == Some(b"5")
    });
    lone
}

/// Block `number` of 32 bytes.
fn block(id: u16, path: &str, number: u64, more: bool) -> Message {
    let request = message(Con, Code::PUT, id, &id.to_be_bytes()).path(path);
    request.block(BLOCK1, number, more, 1).payload(&[number as u8; 32])
}

fn handed_out(lone: &mut Lone) -> Vec<Request> {
    let requests = lone.events().into_iter().filter_map(|event| match event {
        Event::Request { request, .. } => Some(request),
        _ => None,
    });
    requests.collect()
}

/// Sends a block, and has the application answer 2.31.
fn pass(lone: &mut Lone, block: &Message) -> Message {
    assert_eq!(lone.receive(block), []);
    lone.answer(Response::new(Code::CONTINUE)).remove(0)
}

#[test]
fn each_block_is_a_request_and_the_last_answer_is_final() {
    let mut lone = streaming();
    for number in 0..8 {
        let (id, more) = (number as u16 + 1, number < 7);
        assert_eq!(lone.receive(&block(id, "5", number, more)), []);
        let code = if more { Code::CONTINUE } else { Code::CHANGED };
        let answer = lone.answer(Response::new(code)).remove(0);
        assert_eq!((answer.kind, answer.code), (Ack, code));
        assert_eq!(answer.block_value(BLOCK1), Some((number, more, 1)));
    }
    // Repeated under a new message ID, it gets the same answer.
    let again = lone.receive(&block(9, "5", 7, false)).remove(0);
    assert_eq!((again.code, handed_out(&mut lone)), (Code::CHANGED, vec![]));
}

#[test]
fn the_application_learns_which_block_it_has() {
    let mut lone = streaming();
    lone.receive(&block(1, "5", 0, true));
    let request = handed_out(&mut lone).remove(0);
    let expected = BlockValue { number: 0, more: true, size: BlockSize::B32 };
    assert_eq!(request.streamed_block(), Some(expected));
    assert_eq!(&request.payload[..], [0; 32]);
    // A body in one message is whole, and so are those of other paths.
    let mut lone = streaming();
    lone.receive(&message(Con, Code::PUT, 2, b"2").path("5").payload(b"whole"));
    lone.receive(&block(3, "6", 0, false));
    let whole = handed_out(&mut lone);
    assert_eq!(whole.len(), 2);
    assert!(whole.iter().all(|request| request.streamed_block().is_none()));
    assert_eq!(lone.receive(&block(4, "6", 0, true))[0].code, Code::CONTINUE);
}

#[test]
fn a_block_out_of_order_is_incomplete() {
    for wrong in [0, 2, 3] {
        let mut lone = streaming();
        pass(&mut lone, &block(1, "5", 0, true));
        if wrong == 0 {
            // Block 0 begins anew, also in the middle.
            assert_eq!(pass(&mut lone, &block(2, "5", 0, true)).code, Code::CONTINUE);
            assert_eq!(pass(&mut lone, &block(3, "5", 1, true)).code, Code::CONTINUE);
            continue;
        }
        let answer = lone.receive(&block(2, "5", wrong, true));
        assert_eq!(answer[0].code, Code::REQUEST_ENTITY_INCOMPLETE, "{wrong}");
        assert_eq!(handed_out(&mut lone), []);
        let next = lone.receive(&block(3, "5", 1, true));
        assert_eq!(next[0].code, Code::REQUEST_ENTITY_INCOMPLETE, "nothing is left to go on with");
    }
    let mut lone = streaming();
    assert_eq!(lone.receive(&block(1, "5", 1, true))[0].code, Code::REQUEST_ENTITY_INCOMPLETE);
    let mut short = block(2, "5", 0, true);
    short.payload.pop();
    assert_eq!(lone.receive(&short)[0].code, Code::BAD_REQUEST);
}

#[test]
fn a_refusal_ends_the_body() {
    let mut lone = streaming();
    pass(&mut lone, &block(1, "5", 0, true));
    lone.receive(&block(2, "5", 1, true));
    let refused = lone.answer(Response::new(Code::REQUEST_ENTITY_TOO_LARGE)).remove(0);
    assert_eq!(refused.block_value(BLOCK1), Some((1, true, 1)));
    assert_eq!(lone.receive(&block(3, "5", 2, true))[0].code, Code::REQUEST_ENTITY_INCOMPLETE);
}

#[test]
fn a_peer_that_falls_silent_has_to_begin_anew() {
    let mut lone = streaming();
    pass(&mut lone, &block(1, "5", 0, true));
    lone.pass(Config::default().body_lifetime + Duration::from_secs(1));
    assert_eq!(lone.receive(&block(2, "5", 1, true))[0].code, Code::REQUEST_ENTITY_INCOMPLETE);
    pass(&mut lone, &block(3, "5", 0, true));
    pass(&mut lone, &block(4, "5", 1, true));
}

#[test]
fn a_repeated_block_is_answered_as_before() {
    let mut lone = streaming();
    let first = block(1, "5", 0, true);
    let answer = pass(&mut lone, &first);
    assert_eq!(lone.receive(&first), [answer]);
    assert_eq!(handed_out(&mut lone), []);
    pass(&mut lone, &block(2, "5", 1, true));
    let again = lone.receive(&block(3, "5", 1, true));
    assert_eq!(again[0].code, Code::CONTINUE, "under a new message ID");
    assert_eq!(handed_out(&mut lone), []);
    pass(&mut lone, &block(4, "5", 2, true));
}
