//! Repeating the requests of observations: RFC 7641 section 3.3.1.

use crate::pair::{Ack, Con, Lone, Message, Non, PEER, Rst, message};
use core::time::Duration;
use lwm2m_coap::{Code, Event, FailReason, OptionNumber, Request, RequestId};

const OBSERVE: OptionNumber = OptionNumber::OBSERVE;

/// An endpoint that observes resources of its peer, whose latest notifications had the number 100.
fn observing(targets: &[&str]) -> (Lone, Vec<(RequestId, Message)>) {
    let mut lone = Lone::new();
    let mut observed = Vec::new();
    for target in targets {
        let (id, request) = lone.ask(Request::get().path([*target]).observe(0));
        lone.receive(&answer(&request, 100, b"1"));
        observed.push((id, request));
    }
    lone.events();
    (lone, observed)
}

fn answer(request: &Message, sequence: u64, payload: &[u8]) -> Message {
    let answer = message(Ack, Code::CONTENT, request.id, request.token.as_bytes());
    answer.uint(OBSERVE, sequence).payload(payload)
}

fn notification(request: &Message, id: u16, sequence: u64, payload: &[u8]) -> Message {
    let notification = message(Non, Code::CONTENT, id, request.token.as_bytes());
    notification.uint(OBSERVE, sequence).payload(payload)
}

fn refresh(lone: &mut Lone) -> Vec<Message> {
    lone.endpoint.refresh_observations(lone.now, PEER);
    lone.sent()
}

/// The payloads of the notifications that the application was told.
fn told(lone: &mut Lone) -> Vec<Vec<u8>> {
    let payload = |event| match event {
        Event::Notification { response, .. } => response.payload.to_vec(),
        other => panic!("{other:?}"),
    };
    lone.events().into_iter().map(payload).collect()
}

// proves: OBS-13
#[test]
fn requests_are_repeated_one_after_the_other_with_their_tokens() {
    let (mut lone, observed) = observing(&["a", "b", "c"]);
    let mut sent = refresh(&mut lone);
    for (_, first) in &observed {
        let [again] = &sent[..] else { panic!("{sent:?}") };
        assert_eq!((again.token, again.code), (first.token, first.code));
        assert_eq!(again.options, first.options);
        assert_ne!(again.id, first.id);
        sent = lone.receive(&answer(again, 101, b"1"));
    }
    assert_eq!((sent, lone.events()), (vec![], vec![]));
    assert_eq!(lone.pass(Duration::from_secs(300)), []);
}

#[test]
fn a_peer_that_has_lost_the_observation_begins_a_sequence_of_its_own() {
    let (mut lone, observed) = observing(&["a"]);
    let again = refresh(&mut lone).remove(0);
    lone.receive(&answer(&again, 0, b"2"));
    lone.receive(&notification(&observed[0].1, 7, 1, b"3"));
    lone.receive(&notification(&observed[0].1, 8, 0, b"late"));
    assert_eq!(told(&mut lone), [b"2", b"3"]);
}

#[test]
fn an_answer_may_come_separately() {
    let (mut lone, observed) = observing(&["a", "b"]);
    let again = refresh(&mut lone).remove(0);
    let next = lone.receive(&message(Ack, Code::EMPTY, again.id, b""));
    assert_eq!(next.len(), 1, "the next request does not wait for it");
    let separate = message(Con, Code::CONTENT, 9, again.token.as_bytes()).uint(OBSERVE, 0);
    assert_eq!(lone.receive(&separate.payload(b"1"))[0].kind, Ack);
    assert_eq!(told(&mut lone), Vec::<Vec<u8>>::new(), "that is known");
    // What is notified regularly is told, new or not.
    lone.receive(&notification(&observed[0].1, 10, 1, b"1"));
    assert_eq!(told(&mut lone), [b"1"]);
}

#[test]
fn what_the_peer_does_not_observe_any_more_ends() {
    let (mut lone, observed) = observing(&["a", "b"]);
    let again = refresh(&mut lone).remove(0);
    let gone = message(Ack, Code::NOT_FOUND, again.id, again.token.as_bytes());
    let next = lone.receive(&gone).remove(0);
    lone.receive(&message(Rst, Code::EMPTY, next.id, b""));
    let [Event::Notification { id: a, .. }, Event::Failed { id: b, reason, .. }] =
        &lone.events()[..]
    else {
        panic!()
    };
    assert_eq!([*a, *b], [observed[0].0, observed[1].0]);
    assert_eq!(*reason, FailReason::Reset);
    for (_, request) in &observed {
        assert_eq!(lone.receive(&notification(request, 12, 200, b"x"))[0].kind, Rst);
    }
}

#[test]
fn a_peer_that_does_not_answer_keeps_its_observations() {
    let (mut lone, observed) = observing(&["a", "b"]);
    refresh(&mut lone);
    assert_eq!(lone.pass(Duration::from_secs(100)).len(), 4, "of the first alone");
    assert_eq!(lone.events(), []);
    lone.receive(&notification(&observed[1].1, 7, 101, b"2"));
    assert_eq!(told(&mut lone), [b"2"]);
    assert_eq!(refresh(&mut lone).len(), 1, "and it can be tried again");
}

#[test]
fn an_observation_that_is_cancelled_is_not_refreshed() {
    let (mut lone, observed) = observing(&["a", "b"]);
    refresh(&mut lone);
    lone.endpoint.cancel(observed[0].0);
    let next = lone.sent();
    assert_eq!(next.len(), 1);
    assert_eq!(next[0].token, observed[1].1.token);
    // A cancellation uses the token of the observation, too.
    lone.endpoint.cancel_observation(lone.now, observed[1].0).unwrap();
    let cancellation = lone.sent_one();
    assert_eq!((cancellation.token, cancellation.options.observe()), (next[0].token, Some(1)));
    let end = message(Ack, Code::CONTENT, cancellation.id, cancellation.token.as_bytes());
    lone.receive(&end);
    assert!(matches!(lone.events()[..], [Event::Response { .. }]));
    assert_eq!(lone.pass(Duration::from_secs(300)), []);
}
