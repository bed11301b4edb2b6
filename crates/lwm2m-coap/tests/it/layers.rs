//! What the layers around an endpoint tell it: that a peer cannot be reached yet or any more, that an
//! observer is unwanted, which messages it takes.

use crate::pair::{Ack, Con, Lone, Message, Non, PEER, Rst, message};
use crate::stream::{LoneStream, csm};
use core::time::Duration;
use lwm2m_coap::{
    Admit, CloseReason, Code, Config, Event, FailReason, Observer, OptionNumber, Request, Response,
    Sender, Token,
};

const OBSERVE: OptionNumber = OptionNumber::OBSERVE;
const SECOND: Duration = Duration::from_secs(1);

fn get() -> Request {
    Request::get().path(["3", "0", "0"])
}

/// Whether a request waits, and whether it is on its way.
fn stage(lone: &Lone, id: lwm2m_coap::RequestId) -> (bool, bool) {
    (lone.endpoint.is_queued(id), lone.endpoint.is_in_flight(id))
}

#[test]
fn requests_are_held_back_while_a_peer_cannot_be_reached() {
    let mut lone = Lone::new();
    lone.endpoint.suspend(PEER);
    let id = lone.endpoint.request(lone.now, PEER, get()).unwrap();
    assert_eq!((lone.sent(), stage(&lone, id)), (vec![], (true, false)));
    assert_eq!(lone.pass(1_000 * SECOND), []);
    assert_eq!(lone.events(), [], "no timer runs");
    lone.endpoint.resume(lone.now, PEER);
    let request = lone.sent_one();
    assert_eq!(stage(&lone, id), (false, true));
    let next = lone.endpoint.request(lone.now, PEER, get()).unwrap();
    assert_eq!(stage(&lone, next), (true, false), "one at a time");
    lone.receive(&message(Ack, Code::EMPTY, request.id, b""));
    assert_eq!(stage(&lone, id), (false, false), "acknowledged");
    assert_eq!(stage(&lone, next), (false, true));
}

fn register(id: u16) -> Message {
    message(Con, Code::GET, id, b"o").uint(OBSERVE, 0).path("3/0/9")
}

fn observer() -> Observer {
    Observer { peer: PEER, token: Token::new(b"o").unwrap() }
}

fn notify(lone: &mut Lone) -> Result<(), lwm2m_coap::Error> {
    lone.endpoint.notify(lone.now, observer(), Response::new(Code::CONTENT), true)
}

#[test]
fn a_lost_peer_has_nothing_under_way_and_observes_nothing() {
    let mut lone = Lone::new();
    lone.receive(&register(1));
    lone.answer(Response::new(Code::CONTENT).observe());
    let (id, _) = lone.ask(get());
    lone.endpoint.lose(lone.now, PEER);
    let events = lone.events();
    let failed = Event::Failed { id, peer: PEER, reason: FailReason::Closed };
    assert!(events.contains(&failed), "{events:?}");
    let gone = |event: &Event| matches!(event, Event::ObserverGone { observer: it, .. } if *it == observer());
    assert!(events.iter().any(gone), "{events:?}");
    assert!(notify(&mut lone).is_err());
    assert_eq!(lone.pass(300 * SECOND), []);
    assert!(lone.endpoint.is_idle(PEER));
}

#[test]
fn a_forgotten_observer_is_told_nothing() {
    let mut lone = Lone::new();
    lone.receive(&register(1));
    lone.answer(Response::new(Code::CONTENT).observe());
    assert!(notify(&mut lone).is_ok());
    assert_eq!(lone.sent().len(), 1);
    lone.endpoint.forget_observer(observer());
    assert_eq!((lone.events(), lone.pass(300 * SECOND)), (vec![], vec![]));
    assert!(notify(&mut lone).is_err());
    assert_eq!(lone.endpoint.sequence(observer()), None);
}

// proves: OBS-04
#[test]
fn only_a_success_with_observe_to_a_request_with_observe_0_begins_an_observation() {
    for (asked, code, answered, begins) in [
        (None, Code::CONTENT, true, false),
        (Some(1), Code::CONTENT, true, false),
        (Some(0), Code::NOT_FOUND, true, false),
        (Some(0), Code::CONTENT, false, false),
        (Some(0), Code::CONTENT, true, true),
    ] {
        let mut lone = Lone::new();
        let request = asked.map_or_else(get, |value| get().observe(value));
        let (id, request) = lone.ask(request);
        let answer = message(Ack, code, request.id, request.token.as_bytes());
        lone.receive(&if answered { answer.uint(OBSERVE, 5) } else { answer });
        let case = format!("{asked:?} {code} {answered}");
        let token = lone.endpoint.observation_token(id);
        assert_eq!(token, begins.then_some(request.token), "{case}");
        lone.events();
        let notification = message(Con, Code::CONTENT, 9, request.token.as_bytes());
        let answer = lone.receive(&notification.uint(OBSERVE, 6)).remove(0);
        assert_eq!(answer.kind, if begins { Ack } else { Rst }, "{case}");
    }
}

#[test]
fn a_notification_without_observe_is_the_last() {
    let mut lone = Lone::new();
    let (id, request) = lone.ask(get().observe(0));
    let token = request.token.as_bytes();
    lone.receive(&message(Ack, Code::CONTENT, request.id, token).uint(OBSERVE, 5));
    lone.events();
    assert_eq!(lone.receive(&message(Con, Code::CONTENT, 8, token))[0].kind, Ack);
    assert!(matches!(&lone.events()[..], [Event::Notification { .. }]));
    assert_eq!(lone.endpoint.observation_token(id), None);
    let next = message(Con, Code::CONTENT, 9, token).uint(OBSERVE, 6);
    assert_eq!(lone.receive(&next)[0].kind, Rst);
}

// RFC 8132 section 2
#[test]
fn observers_of_one_path_by_different_bodies_observe_different_targets() {
    let fetch = |id: u16, token: &[u8], body: &[u8]| {
        message(Con, Code::FETCH, id, token).uint(OBSERVE, 0).path("3/0").payload(body)
    };
    let get = message(Con, Code::GET, 3, b"g").uint(OBSERVE, 0).path("3/0");
    let mut lone = Lone::new();
    for request in [fetch(1, b"a", b"first"), fetch(2, b"b", b"other"), get] {
        lone.receive(&request);
        lone.answer(Response::new(Code::CONTENT).observe());
    }
    let notified = |lone: &mut Lone, token: &[u8]| {
        let observer = Observer { peer: PEER, token: Token::new(token).unwrap() };
        lone.endpoint.notify(lone.now, observer, Response::new(Code::CONTENT), false).is_ok()
    };
    assert_eq!([&b"a"[..], b"b", b"g"].map(|token| notified(&mut lone, token)), [true; 3]);
    // The same body under another token is the same target.
    lone.receive(&fetch(4, b"c", b"first"));
    let events = lone.events();
    let Some(Event::Request { exchange, .. }) = events.last() else { panic!("{events:?}") };
    let accepted = Response::new(Code::CONTENT).observe();
    lone.endpoint.respond(lone.now, *exchange, accepted).unwrap();
    assert_eq!(
        [&b"a"[..], b"b", b"c"].map(|token| notified(&mut lone, token)),
        [false, true, true]
    );
}

#[test]
fn what_is_addressed_to_a_request_is_told_by_its_token() {
    let mut lone = Lone::new();
    let (_, request) = lone.ask(get());
    let token = request.token.as_bytes();
    let is_addressed = |message: Message| lone.endpoint.is_addressed(PEER, &message.bytes());
    assert!(is_addressed(message(Con, Code::CONTENT, 9, token)));
    assert!(!is_addressed(message(Con, Code::CONTENT, 9, b"other")));
    assert!(!is_addressed(message(Con, Code::GET, 9, token)));
    assert!(
        !lone
            .endpoint
            .is_addressed(lwm2m_coap::PeerId(8), &message(Con, Code::CONTENT, 9, token).bytes())
    );
    assert!(!lone.endpoint.is_addressed(PEER, &[0; 3]));
}

#[test]
fn what_is_not_admitted_is_dropped_but_a_repeated_request_has_its_answer() {
    let answered = message(Con, Code::POST, 1, b"t").path("rd");
    let fresh = message(Con, Code::POST, 2, b"u").path("rd");
    let non = message(Non, Code::POST, 3, b"v").path("rd");
    // A confirmable message of a reserved format would be reset.
    let malformed = [0x40, 0xFF, 0, 9, 0xFF];
    for admit in [Admit::NoRequests, Admit::Repetitions] {
        let mut lone = Lone::new();
        lone.receive(&answered);
        let answer = lone.answer(Response::new(Code::CREATED));
        let (_, request) = lone.ask(get());
        let mut hand_in = |bytes: &[u8]| {
            lone.endpoint.handle_from(lone.now, PEER, Sender::Proven, bytes, admit);
            (lone.sent(), lone.events())
        };
        assert_eq!(hand_in(&answered.bytes()), (answer, vec![]), "{admit:?}");
        for request in [&fresh, &non] {
            assert_eq!(hand_in(&request.bytes()), (vec![], vec![]), "{admit:?}");
        }
        let takes_all_but_requests = admit == Admit::NoRequests;
        let resets = usize::from(takes_all_but_requests);
        assert_eq!(hand_in(&malformed).0.len(), resets, "{admit:?}");
        let response = message(Ack, Code::CONTENT, request.id, request.token.as_bytes());
        let (sent, events) = hand_in(&response.bytes());
        assert_eq!((sent.len(), events.len()), (0, resets), "{admit:?}");
    }
}

#[test]
fn a_connection_without_a_csm_can_be_aborted() {
    let mut lone = LoneStream::fresh(Config::default());
    lone.sent();
    assert!(!lone.endpoint.has_greeted(PEER));
    lone.endpoint.abort_silent(lone.now, PEER);
    assert_eq!(lone.sent().pop().map(|frame| frame.code), Some(Code::ABORT));
    let closed = Event::Closed { peer: PEER, reason: CloseReason::NoCsm };
    assert_eq!(lone.events(), [closed]);
    assert!(!lone.endpoint.has_greeted(PEER));

    let mut lone = LoneStream::fresh(Config::default());
    lone.receive(&[csm(1_152)]);
    assert!(lone.endpoint.has_greeted(PEER));
}

#[test]
fn after_a_restart_message_ids_begin_where_the_time_says() {
    let first_id = |seed: u8, millis: u64, restores: bool| {
        let mut lone = Lone::new();
        lone.endpoint = lwm2m_coap::Endpoint::new(Config::default(), [seed; 32]);
        lone.now = lwm2m_time::Instant::from_millis(millis);
        if restores {
            lone.endpoint.restore_message_ids(lone.now, PEER);
        }
        lone.ask(get()).1.id
    };
    assert_eq!(first_id(1, 1_000_000, true), first_id(2, 1_000_000, true));
    // 10 s later all IDs of a life before that used 244 a second are behind.
    let ahead = first_id(1, 1_010_000, true).wrapping_sub(first_id(1, 1_000_000, true));
    assert!((2_440..2_450).contains(&ahead), "{ahead}");
    assert_ne!(first_id(1, 1_000_000, false), first_id(2, 1_000_000, false), "random otherwise");
}

#[test]
fn parameters_say_how_long_a_sender_waits() {
    let parameters = lwm2m_coap::TransmissionParameters::default();
    assert_eq!(parameters.longest_first_wait(), 3 * SECOND);
    assert_eq!(parameters.max_transmit_wait(), 93 * SECOND);
}
