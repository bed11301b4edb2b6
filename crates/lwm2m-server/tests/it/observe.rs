//! Observations: begin, notify, end.

use crate::bed::{Bed, LIST, Message, device, register};
use lwm2m_coap::{Code, MessageType, OptionNumber, Response};
use lwm2m_core::{Node, Path, Resource, Value};
use lwm2m_server::{Content, Event, Invalid, ObservationEnd, Operation, OperationError, SendError};

fn observe(path: &str) -> Operation {
    Operation::Observe { path: path.parse().unwrap(), format: None }
}

fn value(text: &str, sequence: u64) -> Response {
    let mut response = Response::new(Code::CONTENT).content_format(0).payload(text.to_owned());
    response.options.set_uint(OptionNumber::OBSERVE, sequence);
    response
}

/// Observes `path`, which the device accepts with an empty TLV; returns the request.
pub(crate) fn observed(bed: &mut Bed, ep: &str, path: &str) -> Message {
    let (id, request) = bed.order(ep, observe(path));
    assert_eq!(request.options.observe(), Some(0));
    let answer = if path.matches('/').count() == 3 {
        value("1", 1)
    } else {
        Response::new(Code::CONTENT).observe().content_format(11_542)
    };
    bed.answer(&request, answer);
    assert!(matches!(bed.content(id), Content::Node(_)));
    request
}

fn integer(value: i64) -> Node {
    Node::Resource(Resource::Single(Value::Integer(value)))
}

fn notified(bed: &mut Bed) -> Option<(Path, Result<Node, ()>)> {
    let found = bed.events.iter().position(|event| matches!(event, Event::Notification { .. }))?;
    match bed.events.remove(found) {
        Some(Event::Notification { target, result, .. }) => {
            Some((target.path(), result.map_err(|_| ())))
        }
        _ => None,
    }
}

fn ended(bed: &mut Bed) -> Option<ObservationEnd> {
    let found =
        bed.events.iter().position(|event| matches!(event, Event::ObservationEnded { .. }))?;
    match bed.events.remove(found) {
        Some(Event::ObservationEnded { reason, .. }) => Some(reason),
        _ => None,
    }
}

#[test]
fn notifications_reach_the_application() {
    let mut bed = Bed::new();
    bed.registered(0, "a");
    let request = observed(&mut bed, "a", "/3/0/9");
    assert_eq!(bed.server.observations("a").count(), 1);
    bed.notify(&request, MessageType::Confirmable, value("77", 2));
    assert_eq!(bed.request().kind, MessageType::Acknowledgement);
    assert_eq!(notified(&mut bed), Some((Path::resource(3, 0, 9), Ok(integer(77)))));
}

// proves: OBS-04
#[test]
fn an_answer_without_observe_begins_none() {
    let mut bed = Bed::new();
    bed.registered(0, "a");
    let (id, request) = bed.order("a", observe("/3/0/9"));
    bed.answer(&request, Response::new(Code::CONTENT).content_format(0).payload("5"));
    assert_eq!(bed.content(id), Content::Node(integer(5)));
    assert_eq!(bed.server.observations("a").count(), 0);
}

// proves: OBS-05
#[test]
fn a_forgotten_observation_is_rejected() {
    for kind in [MessageType::Confirmable, MessageType::NonConfirmable] {
        let mut bed = Bed::new();
        bed.registered(0, "a");
        let request = observed(&mut bed, "a", "/3/0/9");
        let path = Path::resource(3, 0, 9).into();
        assert_eq!(bed.server.cancel_observations(bed.now, "a", &path), 1);
        assert_eq!(bed.server.cancel_observations(bed.now, "a", &path), 0);
        bed.drain();
        assert_eq!(ended(&mut bed), Some(ObservationEnd::Cancelled));
        bed.notify(&request, kind, value("77", 2));
        assert_eq!(bed.request().kind, MessageType::Reset);
        assert_eq!(notified(&mut bed), None);
    }
}

#[test]
fn an_active_cancellation_repeats_token_and_path() {
    let mut bed = Bed::new();
    bed.registered(0, "a");
    let cancel = || Operation::CancelObservation { target: Path::resource(3, 0, 9).into() };
    let none = bed.server.send(bed.now, "a", cancel());
    assert_eq!(none, Err(SendError::Invalid(Invalid::NotObserved(Path::resource(3, 0, 9).into()))));
    let request = observed(&mut bed, "a", "/3/0/9");
    let (id, cancelling) = bed.order("a", cancel());
    assert_eq!(cancelling.token, request.token);
    assert_eq!((cancelling.uri(), cancelling.options.observe()), ("/3/0/9".into(), Some(1)));
    bed.answer(&cancelling, Response::new(Code::CONTENT).content_format(0).payload("6"));
    assert_eq!(bed.content(id), Content::Node(integer(6)));
    assert_eq!(ended(&mut bed), Some(ObservationEnd::Cancelled));
    assert_eq!(bed.server.observations("a").count(), 0);
}

#[test]
fn an_error_notification_is_the_last() {
    let mut bed = Bed::new();
    bed.registered(0, "a");
    let request = observed(&mut bed, "a", "/3/0/9");
    bed.notify(&request, MessageType::Confirmable, Response::new(Code::NOT_FOUND));
    assert_eq!(ended(&mut bed), Some(ObservationEnd::Ended(Code::NOT_FOUND)));
    assert_eq!(bed.server.observations("a").count(), 0);
}

#[test]
fn a_second_observe_of_a_path_replaces_the_first() {
    let mut bed = Bed::new();
    bed.registered(0, "a");
    observed(&mut bed, "a", "/3/0/9");
    let second = observed(&mut bed, "a", "/3/0/9");
    assert_eq!(bed.server.observations("a").count(), 1);
    bed.notify(&second, MessageType::Confirmable, value("77", 9));
    assert_eq!(notified(&mut bed), Some((Path::resource(3, 0, 9), Ok(integer(77)))));
}

// proves: NOTIFY-10
#[test]
fn what_cannot_be_decoded_is_told_and_harms_nothing() {
    let mut bed = Bed::new();
    bed.registered(0, "a");
    let request = observed(&mut bed, "a", "/3/0/9");
    let non = MessageType::NonConfirmable;
    bed.notify(&request, non, value("1", 2).content_format(666));
    let foreign = r#"[{"n":"/3/0/9","v":5},{"n":"/1/0/0","v":1}]"#;
    bed.notify(&request, non, value(foreign, 3).content_format(110));
    bed.notify(&request, non, value("88", 4));
    let path = Path::resource(3, 0, 9);
    assert_eq!(notified(&mut bed), Some((path, Err(()))));
    assert_eq!(notified(&mut bed), Some((path, Err(()))));
    assert_eq!(notified(&mut bed), Some((path, Ok(integer(88)))));
    assert_eq!(bed.server.observations("a").count(), 1);

    let (id, read) = bed.order("a", Operation::Read { path, format: None });
    bed.answer(&read, Response::new(Code::CONTENT).content_format(110).payload(foreign));
    assert!(matches!(bed.outcome(id), Some(Err(OperationError::Decode(_)))));
}

// NOTIFY-04 as a whole needs the application that observes again; this is the engine's part.
#[test]
fn observations_end_with_the_registration_and_stay_at_an_update() {
    let mut bed = Bed::new();
    let location = bed.registered(0, "a");
    let request = observed(&mut bed, "a", "/3/0/9");
    bed.ask(device(0), crate::bed::update(&location, "lt=60"));
    assert_eq!(bed.server.observations("a").count(), 1);
    bed.ask(device(0), register("ep=a&lt=60&lwm2m=1.1", LIST));
    assert_eq!(ended(&mut bed), Some(ObservationEnd::Deregistered));
    bed.notify(&request, MessageType::NonConfirmable, value("77", 2));
    assert_eq!(bed.request().kind, MessageType::Reset);
}

#[test]
fn the_number_of_observations_is_bounded() {
    let config = lwm2m_server::Config { max_observations: 1, ..Default::default() };
    let mut bed = Bed::with(config);
    bed.registered(0, "a");
    observed(&mut bed, "a", "/3/0/9");
    assert_eq!(bed.server.send(bed.now, "a", observe("/3/0")), Err(SendError::TooManyObservations));
    observed(&mut bed, "a", "/3/0/9");
}
