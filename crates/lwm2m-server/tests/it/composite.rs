//! Read-Composite, Write-Composite and Observe-Composite on the wire.

use crate::harness::{Harness, LIST, Message};
use lwm2m_coap::{Code, MessageType, OptionNumber, Response};
use lwm2m_core::{ContentFormat, Node, Path, Value};
use lwm2m_server::{
    Content, Event, Invalid, ObservationEnd, Operation, OperationError, SubmitError, Target,
};
use std::sync::Arc;

fn paths(names: &[&str]) -> Arc<[Path]> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

const THREE: [&str; 3] = ["/3/0/0", "/3/0/9", "/1/0/1"];

fn read(format: Option<ContentFormat>, path_format: Option<ContentFormat>) -> Operation {
    Operation::ReadComposite { paths: paths(&THREE), path_format, format }
}

fn observe() -> Operation {
    let format = Some(ContentFormat::SENML_JSON);
    Operation::ObserveComposite { paths: paths(&THREE), path_format: None, format }
}

fn answer(payload: &str) -> Response {
    Response::new(Code::CONTENT).content_format(110).payload(payload.to_owned())
}

fn notification(payload: &str, sequence: u64) -> Response {
    let mut response = answer(payload);
    response.options.set_uint(OptionNumber::OBSERVE, sequence);
    response
}

fn leaves(node: &Node) -> Vec<(String, Value)> {
    let leaves = node.leaves(&Path::ROOT);
    leaves.into_iter().map(|(path, value)| (path.to_string(), value.clone())).collect()
}

fn harness(query: &str, list: &str) -> Harness {
    let mut harness = Harness::new();
    harness.registered_as(0, query, list);
    harness
}

fn write(changes: &[(&str, Option<Value>)], format: Option<ContentFormat>) -> Operation {
    let changes = changes.iter().map(|(path, value)| (path.parse().unwrap(), value.clone()));
    Operation::WriteComposite { changes: changes.collect(), format }
}

/// The request of an operation, which the device refuses.
fn asked(harness: &mut Harness, operation: Operation) -> Message {
    let (_, request) = harness.order("a", operation);
    harness.answer(&request, Response::new(Code::METHOD_NOT_ALLOWED));
    request
}

#[test]
fn read_composite_names_its_paths_in_the_body() {
    let mut harness = harness("ep=a&lt=60&lwm2m=1.1", LIST);
    let (id, request) = harness.order("a", read(None, None));
    assert_eq!((request.code, request.uri().as_str()), (Code::FETCH, ""));
    assert_eq!(request.kind, MessageType::Confirmable);
    assert_eq!(
        (request.options.content_format(), request.options.accept()),
        (Some(112), Some(112))
    );
    assert_eq!(request.payload, b"\x83\xA1\x00\x66/3/0/0\xA1\x00\x66/3/0/9\xA1\x00\x66/1/0/1");
    harness.answer(&request, answer(r#"[{"n":"/3/0/9","v":95},{"n":"/1/0/1","v":86400}]"#));
    let Content::Node(node) = harness.content(id) else { panic!("no node") };
    let expected = [("/1/0/1".to_owned(), 86_400_i64.into()), ("/3/0/9".to_owned(), 95_i64.into())];
    assert_eq!(leaves(&node), expected);
    let newest = "</>;rt=\"oma.lwm2m\";ct=\"60 110 320 11544\",</3/0>";
    let mut harness = self::harness("ep=a&lt=60&lwm2m=1.2", newest);
    let request = asked(&mut harness, read(None, None));
    assert_eq!(
        (request.options.content_format(), request.options.accept()),
        (Some(110), Some(11_544))
    );
    for format in [ContentFormat::SENML_ETCH_JSON, ContentFormat::SENML_ETCH_CBOR] {
        let request = asked(&mut harness, read(None, Some(format)));
        assert_eq!(request.options.content_format(), Some(format.0));
    }
}

#[test]
fn what_was_not_asked_for_is_an_error() {
    let mut harness = harness("ep=a&lt=60&lwm2m=1.1", LIST);
    for payload in [r#"[{"n":"/1/0/0","v":1}]"#, "garbage"] {
        let (id, request) = harness.order("a", read(None, None));
        harness.answer(&request, answer(payload));
        assert!(matches!(harness.outcome(id), Some(Err(OperationError::Decode(_)))), "{payload}");
    }
}

#[test]
fn of_the_values_that_were_not_asked_for_sixty_four_are_told() {
    let mut harness = harness("ep=a&lt=60&lwm2m=1.1", LIST);
    let (id, request) = harness.order("a", read(None, None));
    let foreign: String = (0..70).map(|id| format!(r#"{{"n":"/3/0/6/{id}","v":1}},"#)).collect();
    harness.answer(&request, answer(&format!(r#"[{foreign}{{"n":"/3/0/9","v":95}}]"#)));
    let response = harness.outcome(id).unwrap().unwrap();
    let Content::Node(node) = response.content else { panic!("no node") };
    assert_eq!(leaves(&node), [("/3/0/9".to_owned(), 95_i64.into())]);
    assert_eq!(response.left_out.len(), 64);
}

#[test]
fn write_composite_is_one_ipatch() {
    let mut harness = harness("ep=a&lt=60&lwm2m=1.2", LIST);
    let values = [("/1/0/2", Some(101_i64.into())), ("/1/0/6", Some(true.into()))];
    for (format, payload) in [
        (ContentFormat::SENML_JSON, &br#"[{"n":"/1/0/2","v":101},{"n":"/1/0/6","vb":true}]"#[..]),
        (ContentFormat::SENML_ETCH_JSON, br#"[{"n":"/1/0/2","v":101},{"n":"/1/0/6","vb":true}]"#),
        (ContentFormat::LWM2M_CBOR, b"\xA1\x82\x01\x00\xA2\x02\x18\x65\x06\xF5"),
    ] {
        let (id, request) = harness.order("a", write(&values, Some(format)));
        assert_eq!((request.code, request.uri().as_str()), (Code::IPATCH, ""));
        assert_eq!(request.options.content_format(), Some(format.0));
        assert_eq!(request.payload, payload, "{format}");
        harness.answer(&request, Response::new(Code::CHANGED));
        assert_eq!(harness.content(id), Content::None);
    }
    let request = asked(&mut harness, write(&values, None));
    assert_eq!(request.options.content_format(), Some(112));
    let request = asked(&mut harness, write(&[("/16/0/0/1", None)], None));
    assert_eq!(request.options.content_format(), Some(322));
    assert_eq!(request.payload, b"\x81\xA2\x00\x69/16/0/0/1\x02\xF6");
}

#[test]
fn what_has_no_form_on_the_wire_is_not_sent() {
    let mut harness = harness("ep=a&lt=60&lwm2m=1.1", LIST);
    let mut refused = |ep: &str, operation| match harness.server.submit(harness.now, ep, operation)
    {
        Err(SubmitError::Invalid(invalid)) => invalid,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused("a", write(&[], None)), Invalid::NoPaths);
    let none = Operation::ReadComposite { paths: paths(&[]), path_format: None, format: None };
    assert_eq!(refused("a", none), Invalid::NoPaths);
    let removal = refused("a", write(&[("/16/0/0", None)], None));
    assert_eq!(removal, Invalid::Path("/16/0/0".parse().unwrap()));
    let unobserved = Target::Composite(paths(&THREE));
    let cancel = Operation::CancelObservation { target: unobserved.clone() };
    assert_eq!(refused("a", cancel), Invalid::NotObserved(unobserved));
}

fn observed(harness: &mut Harness) -> Message {
    let (id, request) = harness.order("a", observe());
    assert_eq!((request.code, request.options.observe()), (Code::FETCH, Some(0)));
    harness.answer(&request, notification(r#"[{"n":"/3/0/9","v":95}]"#, 1));
    assert!(matches!(harness.content(id), Content::Node(_)));
    request
}

fn notified(harness: &mut Harness) -> (Target, Option<Node>) {
    let found = harness.events.iter().position(|event| matches!(event, Event::Notification { .. }));
    match harness.events.remove(found.expect("a notification")) {
        Some(Event::Notification { target, result, .. }) => (target, result.ok()),
        _ => panic!("no notification"),
    }
}

#[test]
fn composite_notifications_are_decoded_and_checked() {
    let mut harness = harness("ep=a&lt=60&lwm2m=1.1", LIST);
    let request = observed(&mut harness);
    let non = MessageType::NonConfirmable;
    harness.notify(
        &request,
        non,
        notification(r#"[{"n":"/3/0/9","v":5},{"n":"/1/0/0","v":1}]"#, 2),
    );
    harness.notify(&request, non, notification(r#"[{"n":"/3/0/9","v":90}]"#, 3));
    harness.notify(&request, non, notification(r#"[{"n":"/1/0/0","v":1}]"#, 4));
    let target = Target::Composite(paths(&THREE));
    let left_out = harness.events.iter().find_map(|event| match event {
        Event::Notification { left_out, .. } => Some(left_out.iter().map(|it| it.path).collect()),
        _ => None,
    });
    assert_eq!(left_out, Some(vec![Path::resource(1, 0, 0)]));
    let (told, node) = notified(&mut harness);
    assert_eq!(
        (told, leaves(&node.unwrap())),
        (target.clone(), vec![("/3/0/9".to_owned(), 5_i64.into())])
    );
    let (told, node) = notified(&mut harness);
    assert_eq!(told, target);
    assert_eq!(leaves(&node.unwrap()), [("/3/0/9".to_owned(), 90_i64.into())]);
    assert_eq!(notified(&mut harness), (target, None), "nothing that was asked for");
    assert_eq!(harness.server.observations("a").count(), 1);
    // Another list is another observation; the same one replaces.
    observed(&mut harness);
    assert_eq!(harness.server.observations("a").count(), 1);
}

// The rest of COMP-09 is the client's.
#[test]
fn a_cancellation_repeats_token_and_list() {
    let mut harness = harness("ep=a&lt=60&lwm2m=1.1", LIST);
    let request = observed(&mut harness);
    let target = Target::Composite(paths(&THREE));
    let (id, cancel) = harness.order("a", Operation::CancelObservation { target: target.clone() });
    assert_eq!((cancel.code, cancel.options.observe()), (Code::FETCH, Some(1)));
    assert_eq!((cancel.token, &cancel.payload), (request.token, &request.payload));
    assert_eq!(cancel.options.content_format(), request.options.content_format());
    harness.answer(&cancel, answer(r#"[{"n":"/3/0/9","v":91}]"#));
    assert!(matches!(harness.content(id), Content::Node(_)));
    let reason = ObservationEnd::Cancelled;
    let ended = Event::ObservationEnded { endpoint: "a".into(), target: target.clone(), reason };
    assert!(harness.events.contains(&ended));
    assert_eq!(harness.server.observations("a").count(), 0);
    let request = observed(&mut harness);
    assert_eq!(harness.server.cancel_observations(harness.now, "a", &target), 1);
    harness.drain();
    harness.notify(
        &request,
        MessageType::Confirmable,
        notification(r#"[{"n":"/3/0/9","v":1}]"#, 9),
    );
    assert_eq!(harness.request().kind, MessageType::Reset);
}
