//! Observe: RFC 7641, both roles.

use crate::pair::{Ack, Con, Lone, Message, Non, PEER, Rst, message};
use core::time::Duration;
use lwm2m_coap::{
    Code, Config, Event, FailReason, GoneReason, Observer, OptionNumber, Request, RequestId,
    Response, Token,
};
use std::collections::BTreeSet;

const SECOND: Duration = Duration::from_secs(1);
const OBSERVE: OptionNumber = OptionNumber::OBSERVE;

fn register(id: u16, token: &[u8], path: &str) -> Message {
    message(Con, Code::GET, id, token).uint(OBSERVE, 0).path(path)
}

fn observer(token: &[u8]) -> Observer {
    Observer { peer: PEER, token: Token::new(token).unwrap() }
}

fn content(payload: impl Into<bytes::Bytes>) -> Response {
    Response::new(Code::CONTENT).payload(payload)
}

/// An endpoint that the peer observes under these tokens and paths.
fn observed(config: Config, targets: &[(&[u8], &str)]) -> Lone {
    let mut lone = Lone::with(config);
    for (id, (token, path)) in targets.iter().enumerate() {
        lone.receive(&register(id as u16, token, path));
        let answer = lone.answer(content("0").observe()).remove(0);
        assert!(answer.options.observe().is_some());
    }
    lone
}

fn notify(lone: &mut Lone, token: &[u8], value: &str, confirmable: bool) -> Vec<Message> {
    let value = content(value.to_owned());
    lone.endpoint.notify(lone.now, observer(token), value, confirmable).unwrap();
    lone.sent()
}

/// An endpoint that observes the peer.
fn observing() -> (Lone, RequestId, Message) {
    let mut lone = Lone::new();
    let (id, request) = lone.ask(Request::get().path(["3", "0"]).observe(0));
    lone.receive(
        &message(Ack, Code::CONTENT, request.id, request.token.as_bytes()).uint(OBSERVE, 10),
    );
    assert!(matches!(&lone.events()[..], [Event::Response { .. }]));
    (lone, id, request)
}

// --- as the server --------------------------------------------------------------------------

// proves: OBS-03
#[test]
fn notifications_have_the_token_fresh_ids_and_rising_numbers() {
    let mut lone = observed(Config::default(), &[(b"tok", "3/0/7")]);
    let sent: Vec<Message> =
        (0..5).flat_map(|value| notify(&mut lone, b"tok", &value.to_string(), false)).collect();
    assert_eq!(sent.len(), 5);
    assert!(sent.iter().all(|message| message.token.as_bytes() == b"tok"));
    let ids: BTreeSet<u16> = sent.iter().map(|message| message.id).collect();
    assert_eq!(ids.len(), 5);
    assert!(sent.windows(2).all(|two| two[0].options.observe() < two[1].options.observe()));
}

// proves: OBS-06
#[test]
fn a_reset_ends_that_observation_only() {
    for confirmable in [true, false] {
        let mut lone = observed(Config::default(), &[(b"7", "3/0/7"), (b"8", "3/0/8")]);
        let sent = notify(&mut lone, b"7", "x", confirmable).remove(0);
        lone.receive(&message(Rst, Code::EMPTY, sent.id, &[]));
        let reason = GoneReason::Reset;
        assert_eq!(lone.events(), [Event::ObserverGone { observer: observer(b"7"), reason }]);
        assert!(lone.endpoint.notify(lone.now, observer(b"7"), content("y"), true).is_err());
        assert_eq!(notify(&mut lone, b"8", "y", confirmable).len(), 1);
    }
}

// proves: OBS-07
#[test]
fn observe_1_ends_the_observation() {
    let mut lone = observed(Config::default(), &[(b"7", "3/0/7")]);
    notify(&mut lone, b"7", "1", false);
    notify(&mut lone, b"7", "2", false);
    lone.receive(&message(Con, Code::GET, 50, b"7").uint(OBSERVE, 1).path("3/0/7"));
    let events = lone.events();
    let [
        Event::ObserverGone { reason: GoneReason::Cancelled, .. },
        Event::Request { exchange, .. },
    ] = &events[..]
    else {
        panic!("{events:?}")
    };
    // Marking the response accepts nothing here.
    lone.endpoint.respond(lone.now, *exchange, content("2").observe()).unwrap();
    let answer = lone.sent_one();
    assert_eq!((answer.code, answer.options.observe()), (Code::CONTENT, None));
    assert!(lone.endpoint.notify(lone.now, observer(b"7"), content("3"), true).is_err());
}

// proves: OBS-08
#[test]
fn an_observer_that_acknowledges_nothing_is_removed() {
    let mut lone = observed(Config::default(), &[(b"7", "3/0/7")]);
    assert_eq!(notify(&mut lone, b"7", "1", true).len(), 1);
    assert_eq!(lone.pass(94 * SECOND).len(), 4);
    let reason = GoneReason::Timeout;
    assert_eq!(lone.events(), [Event::ObserverGone { observer: observer(b"7"), reason }]);
    assert!(lone.endpoint.notify(lone.now, observer(b"7"), content("2"), false).is_err());
}

// proves: OBS-09
#[test]
fn a_newer_state_replaces_the_one_in_flight() {
    let mut lone = observed(Config::default(), &[(b"7", "3/0/7")]);
    let start = lone.now;
    let first = notify(&mut lone, b"7", "1", true).remove(0);
    assert_eq!(notify(&mut lone, b"7", "2", true), []);
    assert_eq!(notify(&mut lone, b"7", "3", false), []);
    let resent = lone.pass(94 * SECOND);
    // The back-off continues.
    let t = resent[0].0 - start;
    assert_eq!(
        resent.iter().map(|(at, _)| *at - start).collect::<Vec<_>>(),
        [1, 3, 7, 15].map(|n| t * n)
    );
    assert!(resent.iter().all(|(_, message)| message.payload == b"3" && message.kind == Con));
    assert!(resent.iter().all(|(_, message)| message.id == resent[0].1.id));
    assert_ne!(first.id, resent[0].1.id);
}

#[test]
fn after_the_acknowledgement_only_the_newest_state_follows() {
    let mut lone = observed(Config::default(), &[(b"7", "3/0/7")]);
    let first = notify(&mut lone, b"7", "1", true).remove(0);
    notify(&mut lone, b"7", "2", true);
    notify(&mut lone, b"7", "3", true);
    let next = lone.receive(&message(Ack, Code::EMPTY, first.id, &[]));
    assert_eq!(next.len(), 1);
    assert_eq!(next[0].payload, b"3");
    assert_eq!(lone.events(), []);
    assert_eq!(lone.receive(&message(Ack, Code::EMPTY, next[0].id, &[])), []);
    assert_eq!(lone.events(), [Event::Delivered { observer: observer(b"7") }]);
    assert_eq!(lone.pass(100 * SECOND), []);
}

#[test]
fn an_error_notification_is_the_last() {
    let mut lone = observed(Config::default(), &[(b"7", "3/0/7")]);
    let gone = Response::new(Code::NOT_FOUND);
    lone.endpoint.notify(lone.now, observer(b"7"), gone.clone(), true).unwrap();
    let last = lone.sent_one();
    assert_eq!((last.code, last.options.observe()), (Code::NOT_FOUND, None));
    assert_eq!(last.token.as_bytes(), b"7");
    assert!(lone.endpoint.notify(lone.now, observer(b"7"), gone, true).is_err());
    assert_eq!(lone.pass(4 * SECOND).len(), 1);
    lone.receive(&message(Ack, Code::EMPTY, last.id, &[]));
    assert_eq!((lone.pass(100 * SECOND), lone.events()), (vec![], vec![]));
}

// proves: OBS-11
#[test]
fn one_notification_a_day_is_confirmable() {
    for period in [3_600, 5 * 3_600, 1_000] {
        let mut lone = observed(Config::default(), &[(b"7", "3/0/7")]);
        let mut confirmed = lone.now;
        for value in 0..(4 * 86_400 / period) {
            lone.pass(SECOND * period as u32);
            let sent = notify(&mut lone, b"7", &value.to_string(), false).remove(0);
            assert!(lone.now - confirmed <= Duration::from_secs(86_400));
            if sent.kind == Con {
                confirmed = lone.now;
                lone.receive(&message(Ack, Code::EMPTY, sent.id, &[]));
            }
        }
    }
}

// proves: OBS-12
#[test]
fn observing_the_same_target_again_replaces_the_observation() {
    let mut lone = observed(Config::default(), &[(b"7", "3/0/9"), (b"7", "3/0/9")]);
    assert_eq!(lone.events(), []);
    lone.receive(&register(9, b"other", "3/0/9"));
    lone.answer(content("0").observe());
    let reason = GoneReason::Replaced;
    assert_eq!(lone.events(), [Event::ObserverGone { observer: observer(b"7"), reason }]);
    assert!(lone.endpoint.notify(lone.now, observer(b"7"), content("1"), false).is_err());
    assert_eq!(notify(&mut lone, b"other", "1", false).len(), 1);
}

#[test]
fn only_an_accepted_observation_exists() {
    let mut lone = Lone::new();
    lone.receive(&register(1, b"7", "3/0/9"));
    assert_eq!(lone.answer(content("0"))[0].options.observe(), None);
    lone.receive(&register(2, b"7", "3/0/9"));
    let refused = lone.answer(Response::new(Code::NOT_FOUND).observe());
    assert_eq!(refused[0].options.observe(), None);
    lone.receive(&message(Con, Code::PUT, 3, b"7").uint(OBSERVE, 0));
    assert_eq!(lone.answer(content("0").observe())[0].options.observe(), None);
    assert!(lone.endpoint.notify(lone.now, observer(b"7"), content("1"), false).is_err());
    assert_eq!(lone.receive(&register(4, b"7", "3").option(OptionNumber(6), &[]))[0..0], []);
}

// proves: OBS-01
#[test]
fn observe_values_have_up_to_three_bytes() {
    let mut lone = Lone::new();
    let long = message(Con, Code::GET, 1, b"7").option(OBSERVE, &[0; 4]);
    assert_eq!(lone.receive(&long)[0].code, Code::BAD_OPTION);
    assert_eq!(register(1, b"", "3").options.get(OBSERVE), Some(&[][..]));
    let (mut lone, _, request) = observing();
    let token = request.token.as_bytes();
    let long = message(Con, Code::CONTENT, 60, token).option(OBSERVE, &[0, 0, 0, 11]);
    assert_eq!(lone.receive(&long), [message(Rst, Code::EMPTY, 60, &[])]);
    assert_eq!(lone.events(), []);
    let longest = message(Con, Code::CONTENT, 61, token).uint(OBSERVE, 0x7F_FFFF);
    assert_eq!(longest.options.get(OBSERVE), Some(&[0x7F, 0xFF, 0xFF][..]));
    assert_eq!(lone.receive(&longest)[0].kind, Ack);
    assert_eq!(lone.events().len(), 1);
}

#[test]
fn observers_are_bounded() {
    let config = Config::default().max_observers_per_peer(1);
    let mut lone = observed(config, &[(b"7", "3/0/7")]);
    lone.receive(&register(9, b"8", "3/0/8"));
    assert_eq!(lone.answer(content("0").observe())[0].options.observe(), None);
}

// --- as the client --------------------------------------------------------------------------

#[test]
fn older_notifications_are_acknowledged_and_not_delivered() {
    let (mut lone, _, request) = observing();
    let token = request.token.as_bytes();
    let mut delivered = Vec::new();
    for (id, sequence) in [(100, 12), (101, 11), (102, 13), (103, 13)] {
        let notification =
            message(Con, Code::CONTENT, id, token).uint(OBSERVE, sequence).payload(b"v");
        assert_eq!(lone.receive(&notification), [message(Ack, Code::EMPTY, id, &[])]);
        // A duplicate is acknowledged again but not delivered.
        assert_eq!(lone.receive(&notification), [message(Ack, Code::EMPTY, id, &[])]);
        delivered.extend(lone.events().into_iter().map(|_| sequence));
    }
    assert_eq!(delivered, [12, 13]);
    lone.pass(129 * SECOND);
    lone.receive(&message(Non, Code::CONTENT, 104, token).uint(OBSERVE, 11));
    assert_eq!(lone.events().len(), 1);
}

// proves: OBS-04
#[test]
fn an_answer_without_observe_means_no_observation() {
    let mut lone = Lone::new();
    let (id, request) = lone.ask(Request::get().path(["3"]).observe(0));
    lone.receive(&message(Ack, Code::CONTENT, request.id, request.token.as_bytes()));
    let events = lone.events();
    let [Event::Response { response, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(response.options.observe(), None);
    assert!(lone.endpoint.cancel_observation(lone.now, id).is_err());
    lone.pass(300 * SECOND);
    assert!(lone.endpoint.is_idle(PEER));
}

#[test]
fn observing_again_forgets_the_earlier_observation() {
    let (mut lone, _, first) = observing();
    let (_, second) = lone.ask(Request::get().path(["3", "0"]).observe(0));
    let token = second.token.as_bytes();
    lone.receive(&message(Ack, Code::CONTENT, second.id, token).uint(OBSERVE, 11));
    lone.events();
    let notification =
        |id, token: &[u8]| message(Con, Code::CONTENT, id, token).uint(OBSERVE, id.into());
    assert_eq!(lone.receive(&notification(70, first.token.as_bytes()))[0].kind, Rst);
    assert_eq!(lone.receive(&notification(71, token))[0].kind, Ack);
    let events = lone.events();
    assert!(matches!(events[..], [Event::Unexpected { .. }, Event::Notification { .. }]));
    // Another target is another observation.
    let (_, third) = lone.ask(Request::get().path(["3", "1"]).observe(0));
    let other = third.token.as_bytes();
    lone.receive(&message(Ack, Code::CONTENT, third.id, other).uint(OBSERVE, 11));
    assert_eq!(lone.receive(&notification(72, token))[0].kind, Ack);
}

// proves: OBS-05
#[test]
fn notifications_for_a_forgotten_observation_are_rejected() {
    let (mut lone, id, request) = observing();
    lone.endpoint.cancel(id);
    for (kind, number) in [(Con, 70), (Non, 71)] {
        let notification =
            message(kind, Code::CONTENT, number, request.token.as_bytes()).uint(OBSERVE, 20);
        assert_eq!(lone.receive(&notification), [message(Rst, Code::EMPTY, number, &[])]);
        // The application may want to observe it again.
        assert!(matches!(lone.events()[..], [Event::Unexpected { .. }]));
    }
}

// proves: OBS-10
#[test]
fn an_error_notification_ends_the_observation_on_both_sides() {
    an_error_notification_is_the_last();
    let (mut lone, id, request) = observing();
    let gone = message(Con, Code::NOT_FOUND, 80, request.token.as_bytes());
    assert_eq!(lone.receive(&gone)[0].kind, Ack);
    let events = lone.events();
    assert!(matches!(&events[..], [Event::Notification { response, .. }]
        if response.code == Code::NOT_FOUND));
    assert!(lone.endpoint.cancel_observation(lone.now, id).is_err());
    let more = message(Con, Code::CONTENT, 81, request.token.as_bytes()).uint(OBSERVE, 30);
    assert_eq!(lone.receive(&more)[0].kind, Rst);
}

#[test]
fn cancelling_actively_uses_the_same_token_and_path() {
    let (mut lone, id, request) = observing();
    let cancellation = lone.endpoint.cancel_observation(lone.now, id).unwrap();
    let cancel = lone.sent_one();
    assert_eq!((cancel.token, cancel.options.observe()), (request.token, Some(1)));
    assert!(cancel.options.uri_path().eq(request.options.uri_path()));
    // A notification from before the cancellation is not its response.
    let late = message(Con, Code::CONTENT, 90, cancel.token.as_bytes()).uint(OBSERVE, 11);
    assert_eq!(lone.receive(&late)[0].kind, Ack);
    assert_eq!(lone.events(), []);
    lone.receive(&message(Ack, Code::CONTENT, cancel.id, cancel.token.as_bytes()));
    let events = lone.events();
    assert!(matches!(&events[..], [Event::Response { id, .. }] if *id == cancellation));
    let late = message(Con, Code::CONTENT, 91, cancel.token.as_bytes()).uint(OBSERVE, 12);
    assert_eq!(lone.receive(&late)[0].kind, Rst);
}

#[test]
fn an_observation_whose_first_answer_fails_does_not_exist() {
    let mut lone = Lone::new();
    let (id, request) = lone.ask(Request::get().observe(0));
    let first = message(Ack, Code::CONTENT, request.id, request.token.as_bytes())
        .uint(OBSERVE, 1)
        .block(OptionNumber::BLOCK2, 0, true, 0)
        .payload(&[0; 16]);
    assert_eq!(lone.receive(&first).len(), 1);
    lone.pass(100 * SECOND);
    let reason = FailReason::Unacknowledged { sent: 5 };
    assert_eq!(lone.events(), [Event::Failed { id, peer: PEER, reason }]);
    let late = message(Con, Code::CONTENT, 91, request.token.as_bytes()).uint(OBSERVE, 12);
    assert_eq!(lone.receive(&late)[0].kind, Rst);
}

// proves: BLK-11
#[test]
fn a_large_notification_is_completed_by_fetching() {
    // The server sends block 0 only.
    let body: Vec<u8> = (0..3_000_u32).map(|at| at as u8).collect();
    let mut device = observed(Config::default(), &[(b"7", "3/0")]);
    let value = content(body.clone());
    device.endpoint.notify(device.now, observer(b"7"), value, true).unwrap();
    let notification = device.sent_one();
    assert_eq!(notification.block_value(OptionNumber::BLOCK2), Some((0, true, 6)));
    device.receive(&message(Ack, Code::EMPTY, notification.id, &[]));

    // The client fetches the others with new tokens.
    let (mut lone, id, request) = observing();
    let mut notification = notification;
    notification.token = request.token;
    notification.options.set_uint(OBSERVE, 11);
    let mut sent = lone.receive(&notification);
    assert!(sent.iter().any(|message| message.kind == Ack));
    for number in 1..3 {
        let fetch = sent.into_iter().find(|message| message.kind == Con).unwrap();
        assert_eq!(fetch.block_value(OptionNumber::BLOCK2), Some((number, false, 6)));
        assert_eq!(fetch.options.observe(), None);
        assert_ne!(fetch.token, request.token);
        let answer = device.receive(&fetch).remove(0);
        assert_eq!(answer.options.observe(), None);
        sent = lone.receive(&answer);
    }
    let events = lone.events();
    let [Event::Notification { id: observation, response, .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!((*observation, &response.payload[..]), (id, &body[..]));
    assert_eq!(response.options.observe(), Some(11));
}

#[test]
fn a_newer_notification_ends_the_fetching_of_an_older_one() {
    let (mut lone, _, request) = observing();
    let notification = |id: u16, fill: u8| {
        message(Non, Code::CONTENT, id, request.token.as_bytes())
            .uint(OBSERVE, id.into())
            .block(OptionNumber::BLOCK2, 0, true, 0)
            .payload(&[fill; 16])
    };
    let first = lone.receive(&notification(100, 1)).remove(0);
    let second = lone.receive(&notification(101, 2)).remove(0);
    let rest = |fetch: &Message, fill: u8| {
        message(Ack, Code::CONTENT, fetch.id, fetch.token.as_bytes())
            .block(OptionNumber::BLOCK2, 1, false, 0)
            .payload(&[fill; 4])
    };
    lone.receive(&rest(&first, 1));
    assert_eq!(lone.events(), []);
    lone.receive(&rest(&second, 2));
    let events = lone.events();
    let [Event::Notification { response, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(response.payload, [2; 20][..]);
    // A small notification needs no fetch, and ends that of a large one.
    lone.receive(&notification(102, 3));
    let small = message(Non, Code::CONTENT, 103, request.token.as_bytes()).uint(OBSERVE, 103);
    lone.receive(&small.payload(b"small"));
    let events = lone.events();
    let [Event::Notification { response, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(response.payload, "small");
    assert_eq!(lone.pass(100 * SECOND), []);
    assert_eq!(lone.events(), []);
}

#[test]
fn a_fetch_that_still_waits_for_its_turn_is_not_sent_twice() {
    let (mut lone, _, request) = observing();
    let (_, busy) = lone.ask(Request::get().path(["busy"]));
    for id in [100, 101] {
        let large = message(Non, Code::CONTENT, id, request.token.as_bytes())
            .uint(OBSERVE, id.into())
            .block(OptionNumber::BLOCK2, 0, true, 0)
            .payload(&[id as u8; 16]);
        assert_eq!(lone.receive(&large), []);
    }
    let answer = message(Ack, Code::CONTENT, busy.id, busy.token.as_bytes());
    let fetch = lone.receive(&answer).remove(0);
    lone.events();
    let rest = message(Ack, Code::CONTENT, fetch.id, fetch.token.as_bytes())
        .block(OptionNumber::BLOCK2, 1, false, 0)
        .payload(b"end");
    assert_eq!(lone.receive(&rest), []);
    let events = lone.events();
    let [Event::Notification { response, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(response.payload[15..], *b"eend");
}

#[test]
fn a_cancellation_ends_with_any_answer_to_it_or_with_being_cancelled() {
    let (mut lone, id, _) = observing();
    lone.endpoint.cancel_observation(lone.now, id).unwrap();
    let cancel = lone.sent_one();
    // A response with Observe also ends the cancellation.
    let token = cancel.token.as_bytes();
    lone.receive(&message(Ack, Code::CONTENT, cancel.id, token).uint(OBSERVE, 11));
    assert_eq!(lone.events().len(), 1);

    let (mut lone, id, request) = observing();
    lone.ask(Request::get().path(["busy"]));
    let waiting = lone.endpoint.cancel_observation(lone.now, id).unwrap();
    let notification =
        |id| message(Con, Code::CONTENT, id, request.token.as_bytes()).uint(OBSERVE, 20);
    assert_eq!(lone.receive(&notification(80))[0].kind, Ack);
    lone.endpoint.cancel(waiting);
    assert_eq!(lone.receive(&notification(81))[0].kind, Rst);
    assert_eq!(lone.events(), [Event::Unexpected { peer: PEER }]);
}

#[test]
fn a_late_reset_leaves_nothing_of_the_observer() {
    let mut lone = observed(Config::default(), &[(b"7", "3/0/7")]);
    let sent = notify(&mut lone, b"7", "x", false).remove(0);
    lone.pass(1_000 * SECOND);
    assert!(!lone.endpoint.is_idle(PEER));
    lone.receive(&message(Rst, Code::EMPTY, sent.id, &[]));
    lone.pass(SECOND);
    assert!(lone.endpoint.is_idle(PEER));
    assert_eq!(lone.endpoint.poll_timeout(), None);
}
