//! Observations: begin, notify, end.

use crate::harness::{Harness, LIST, Message, device, register};
use lwm2m_coap::{Code, MessageType, OptionNumber, Response};
use lwm2m_core::{Node, Path, Resource, Value};
use lwm2m_server::{
    Content, Event, Invalid, ObservationEnd, Operation, OperationError, SubmitError,
};

fn observe(path: &str) -> Operation {
    Operation::Observe { path: path.parse().unwrap(), format: None }
}

pub(crate) fn value(text: &str, sequence: u64) -> Response {
    let mut response = Response::new(Code::CONTENT).content_format(0).payload(text.to_owned());
    response.options.set_uint(OptionNumber::OBSERVE, sequence);
    response
}

/// Observes `path`, which the device accepts with an empty TLV; returns the request.
pub(crate) fn observed(harness: &mut Harness, ep: &str, path: &str) -> Message {
    let (id, request) = harness.order(ep, observe(path));
    assert_eq!(request.options.observe(), Some(0));
    let answer = if path.matches('/').count() == 3 {
        value("1", 1)
    } else {
        Response::new(Code::CONTENT).observe().content_format(11_542)
    };
    harness.answer(&request, answer);
    assert!(matches!(harness.content(id), Content::Node(_)));
    request
}

fn integer(value: i64) -> Node {
    Node::Resource(Resource::Single(Value::Integer(value)))
}

fn notified(harness: &mut Harness) -> Option<(Path, Result<Node, ()>)> {
    let found =
        harness.events.iter().position(|event| matches!(event, Event::Notification { .. }))?;
    match harness.events.remove(found) {
        Some(Event::Notification { target, result, .. }) => {
            Some((target.path(), result.map_err(|_| ())))
        }
        _ => None,
    }
}

fn ended(harness: &mut Harness) -> Option<ObservationEnd> {
    let found =
        harness.events.iter().position(|event| matches!(event, Event::ObservationEnded { .. }))?;
    match harness.events.remove(found) {
        Some(Event::ObservationEnded { reason, .. }) => Some(reason),
        _ => None,
    }
}

#[test]
fn notifications_reach_the_application() {
    let mut harness = Harness::new();
    harness.registered(0, "a");
    let request = observed(&mut harness, "a", "/3/0/9");
    assert_eq!(harness.server.observations("a").count(), 1);
    harness.notify(&request, MessageType::Confirmable, value("77", 2));
    assert_eq!(harness.request().kind, MessageType::Acknowledgement);
    assert_eq!(notified(&mut harness), Some((Path::resource(3, 0, 9), Ok(integer(77)))));
}

// proves: OBS-04
#[test]
fn an_answer_without_observe_begins_none() {
    let mut harness = Harness::new();
    harness.registered(0, "a");
    let (id, request) = harness.order("a", observe("/3/0/9"));
    harness.answer(&request, Response::new(Code::CONTENT).content_format(0).payload("5"));
    assert_eq!(harness.content(id), Content::Node(integer(5)));
    assert_eq!(harness.server.observations("a").count(), 0);
}

// proves: OBS-05
#[test]
fn a_forgotten_observation_is_rejected() {
    for kind in [MessageType::Confirmable, MessageType::NonConfirmable] {
        let mut harness = Harness::new();
        harness.registered(0, "a");
        let request = observed(&mut harness, "a", "/3/0/9");
        let path = Path::resource(3, 0, 9).into();
        assert_eq!(harness.server.cancel_observations(harness.now, "a", &path), 1);
        assert_eq!(harness.server.cancel_observations(harness.now, "a", &path), 0);
        harness.drain();
        assert_eq!(ended(&mut harness), Some(ObservationEnd::Cancelled));
        harness.notify(&request, kind, value("77", 2));
        assert_eq!(harness.request().kind, MessageType::Reset);
        assert_eq!(notified(&mut harness), None);
    }
}

#[test]
fn an_active_cancellation_repeats_token_and_path() {
    let mut harness = Harness::new();
    harness.registered(0, "a");
    let cancel = || Operation::CancelObservation { target: Path::resource(3, 0, 9).into() };
    let none = harness.server.submit(harness.now, "a", cancel());
    assert_eq!(
        none,
        Err(SubmitError::Invalid(Invalid::NotObserved(Path::resource(3, 0, 9).into())))
    );
    let request = observed(&mut harness, "a", "/3/0/9");
    let (id, cancelling) = harness.order("a", cancel());
    assert_eq!(cancelling.token, request.token);
    assert_eq!((cancelling.uri(), cancelling.options.observe()), ("/3/0/9".into(), Some(1)));
    harness.answer(&cancelling, Response::new(Code::CONTENT).content_format(0).payload("6"));
    assert_eq!(harness.content(id), Content::Node(integer(6)));
    assert_eq!(ended(&mut harness), Some(ObservationEnd::Cancelled));
    assert_eq!(harness.server.observations("a").count(), 0);
}

#[test]
fn an_error_notification_is_the_last() {
    let mut harness = Harness::new();
    harness.registered(0, "a");
    let request = observed(&mut harness, "a", "/3/0/9");
    harness.notify(&request, MessageType::Confirmable, Response::new(Code::NOT_FOUND));
    assert_eq!(ended(&mut harness), Some(ObservationEnd::Ended(Code::NOT_FOUND)));
    assert_eq!(harness.server.observations("a").count(), 0);
}

#[test]
fn a_notification_that_is_an_error_or_lacks_observe_is_the_last() {
    let mut error = Response::new(Code::NOT_FOUND);
    error.options.set_uint(OptionNumber::OBSERVE, 2);
    for last in [error, Response::new(Code::CONTENT).content_format(0).payload("7")] {
        let mut harness = Harness::new();
        harness.registered(0, "a");
        let request = observed(&mut harness, "a", "/3/0/9");
        harness.notify(&request, MessageType::Confirmable, last.clone());
        assert_eq!(ended(&mut harness), Some(ObservationEnd::Ended(last.code)));
        assert_eq!(harness.server.observations("a").count(), 0);
        harness.sent.clear();
        harness.notify(&request, MessageType::NonConfirmable, value("8", 3));
        assert_eq!(harness.request().kind, MessageType::Reset, "{last:?}");
    }
}

#[test]
fn an_observation_that_began_with_a_wrong_code_is_rejected() {
    let mut harness = Harness::new();
    harness.registered(0, "a");
    let (id, request) = harness.order("a", observe("/3/0/9"));
    harness.answer(&request, Response::new(Code::CHANGED).observe());
    let outcome = harness.outcome(id);
    assert_eq!(outcome, Some(Err(OperationError::UnexpectedCode(Code::CHANGED))));
    harness.notify(&request, MessageType::NonConfirmable, value("7", 2));
    assert_eq!(harness.request().kind, MessageType::Reset);
}

#[test]
fn a_second_observe_of_a_path_replaces_the_first() {
    let mut harness = Harness::new();
    harness.registered(0, "a");
    observed(&mut harness, "a", "/3/0/9");
    let second = observed(&mut harness, "a", "/3/0/9");
    assert_eq!(harness.server.observations("a").count(), 1);
    harness.notify(&second, MessageType::Confirmable, value("77", 9));
    assert_eq!(notified(&mut harness), Some((Path::resource(3, 0, 9), Ok(integer(77)))));
}

// proves: NOTIFY-10
#[test]
fn what_cannot_be_decoded_is_told_and_harms_nothing() {
    let mut harness = Harness::new();
    harness.registered(0, "a");
    let request = observed(&mut harness, "a", "/3/0/9");
    let non = MessageType::NonConfirmable;
    harness.notify(&request, non, value("1", 2).content_format(666));
    let foreign = r#"[{"n":"/3/0/9","v":5},{"n":"/1/0/0","v":1}]"#;
    harness.notify(&request, non, value(foreign, 3).content_format(110));
    harness.notify(&request, non, value("88", 4));
    let path = Path::resource(3, 0, 9);
    let left_out = |event: &Event| match event {
        Event::Notification { left_out, .. } => Some(left_out.len()),
        _ => None,
    };
    let left_out: Vec<_> = harness.events.iter().filter_map(left_out).collect();
    assert_eq!(left_out, [0, 1, 0]);
    assert_eq!(notified(&mut harness), Some((path, Err(()))));
    assert_eq!(notified(&mut harness), Some((path, Ok(integer(5)))));
    assert_eq!(notified(&mut harness), Some((path, Ok(integer(88)))));
    assert_eq!(harness.server.observations("a").count(), 1);

    let (id, read) = harness.order("a", Operation::Read { path, format: None });
    let foreign = r#"[{"n":"/1/0/0","v":1}]"#;
    harness.answer(&read, Response::new(Code::CONTENT).content_format(110).payload(foreign));
    assert!(matches!(harness.outcome(id), Some(Err(OperationError::Decode(_)))));
}

// NOTIFY-04 as a whole needs the application that observes again; this is the engine's part.
#[test]
fn observations_end_with_the_registration_and_stay_at_an_update() {
    let mut harness = Harness::new();
    let location = harness.registered(0, "a");
    let request = observed(&mut harness, "a", "/3/0/9");
    harness.ask(device(0), crate::harness::update(&location, "lt=60"));
    assert_eq!(harness.server.observations("a").count(), 1);
    harness.ask(device(0), register("ep=a&lt=60&lwm2m=1.1", LIST));
    assert_eq!(ended(&mut harness), Some(ObservationEnd::Deregistered));
    harness.notify(&request, MessageType::NonConfirmable, value("77", 2));
    assert_eq!(harness.request().kind, MessageType::Reset);
}

#[test]
fn the_number_of_observations_is_bounded() {
    let config = lwm2m_server::Config::default().max_observations(1);
    let mut harness = Harness::with(config);
    harness.registered(0, "a");
    observed(&mut harness, "a", "/3/0/9");
    assert_eq!(
        harness.server.submit(harness.now, "a", observe("/3/0")),
        Err(SubmitError::TooManyObservations)
    );
    observed(&mut harness, "a", "/3/0/9");
}
