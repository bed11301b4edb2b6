//! Response codes: each operation has one of success (OMA LwM2M Transport 6.4.4 and 6.4.5).

use crate::harness::{Harness, device};
use lwm2m_coap::{Code, MessageType, OptionNumber, Response};
use lwm2m_core::{Attribute, ContentFormat, Node, ObjectInstance, Path, Resource, Value};
use lwm2m_server::{Content, Event, Operation, OperationError, Target, WriteMode};

const ZONE: Path = Path::resource(3, 0, 14);
const SUCCESS: [Code; 5] =
    [Code::CREATED, Code::DELETED, Code::new(2, 3), Code::CHANGED, Code::CONTENT];

fn operations() -> Vec<(Code, Operation)> {
    let value = || Node::Resource(Resource::Single(Value::from("+01:00")));
    let instance = Node::ObjectInstance(ObjectInstance::default().with_multiple(0, [(0, "id")]));
    let (format, mode) = (Some(ContentFormat::SENML_JSON), WriteMode::Replace);
    let paths = || [ZONE].into();
    let attributes = vec![Attribute::parse("pmin=1").unwrap()];
    vec![
        (Code::CONTENT, Operation::Read { path: ZONE, format }),
        (Code::CONTENT, Operation::Discover { path: ZONE }),
        (Code::CONTENT, Operation::Observe { path: ZONE, format }),
        (Code::CONTENT, Operation::ReadComposite { paths: paths(), path_format: format, format }),
        (
            Code::CONTENT,
            Operation::ObserveComposite { paths: paths(), path_format: format, format },
        ),
        (Code::CHANGED, Operation::Write { path: ZONE, node: value(), format, mode }),
        (Code::CHANGED, Operation::WriteAttributes { path: ZONE, attributes }),
        (
            Code::CHANGED,
            Operation::Execute { path: Path::resource(3, 0, 4), arguments: String::new() },
        ),
        (
            Code::CHANGED,
            Operation::WriteComposite { changes: vec![(ZONE, Some("+01:00".into()))], format },
        ),
        (
            Code::CREATED,
            Operation::Create {
                path: Path::object(16),
                instance: Some(1),
                node: instance,
                format: Some(ContentFormat::TLV),
            },
        ),
        (Code::DELETED, Operation::Delete { path: Path::instance(16, 0) }),
    ]
}

/// The notification number `sequence`.
fn notification(mut response: Response, sequence: u64) -> Response {
    response.options.set_uint(OptionNumber::OBSERVE, sequence);
    response
}

fn answer(operation: &Operation, code: Code) -> Response {
    let response = Response::new(code);
    match operation {
        Operation::Discover { .. } => response.content_format(40).payload("</3/0/14>"),
        _ => response.content_format(110).payload(r#"[{"n":"/3/0/14","vs":"+02:00"}]"#),
    }
}

// proves: RESP-01
#[test]
fn the_success_of_another_operation_is_none() {
    for (success, operation) in operations() {
        for code in SUCCESS {
            let mut harness = Harness::new();
            harness.registered(0, "a");
            let objects = harness.server.registration("a").unwrap().list.clone();
            let (id, request) = harness.order("a", operation.clone());
            harness.answer(&request, answer(&operation, code));
            let outcome = harness.outcome(id).expect("an outcome");
            if code == success {
                assert!(outcome.as_ref().is_ok_and(|it| it.valid), "{operation:?} {outcome:?}");
                continue;
            }
            assert_eq!(outcome, Err(OperationError::UnexpectedCode(code)), "{operation:?}");
            let after = &harness.server.registration("a").unwrap().list;
            assert_eq!(*after, objects, "{operation:?}");
            assert_eq!(harness.server.observations("a").count(), 0);
        }
    }
}

// proves: RESP-02
#[test]
fn an_error_tells_whether_the_operation_has_it() {
    let valid = |operation: Operation, code: Code| {
        let mut harness = Harness::new();
        harness.registered(0, "a");
        let (id, request) = harness.order("a", operation);
        harness.answer(&request, Response::new(code));
        harness.outcome(id).unwrap().unwrap().valid
    };
    for (_, operation) in operations() {
        for code in [(4, 0), (4, 1), (4, 4), (4, 5), (5, 0), (5, 1)] {
            assert!(valid(operation.clone(), Code::new(code.0, code.1)), "{operation:?} {code:?}");
        }
        for code in [(4, 2), (4, 12), (4, 31), (5, 31)] {
            assert!(!valid(operation.clone(), Code::new(code.0, code.1)), "{operation:?} {code:?}");
        }
        let formats = matches!(
            operation,
            Operation::Write { .. } | Operation::WriteComposite { .. } | Operation::Create { .. }
        );
        let composite = matches!(
            operation,
            Operation::ReadComposite { .. } | Operation::ObserveComposite { .. }
        );
        let format = Code::UNSUPPORTED_CONTENT_FORMAT;
        assert_eq!(valid(operation.clone(), format), formats || composite, "{operation:?}");
        let has_no_answer = matches!(
            operation,
            Operation::Discover { .. }
                | Operation::WriteAttributes { .. }
                | Operation::Execute { .. }
                | Operation::Delete { .. }
        );
        assert_eq!(valid(operation.clone(), Code::NOT_ACCEPTABLE), !has_no_answer, "{operation:?}");
        let writes =
            matches!(operation, Operation::Write { .. } | Operation::WriteComposite { .. });
        for code in [Code::REQUEST_ENTITY_INCOMPLETE, Code::REQUEST_ENTITY_TOO_LARGE] {
            assert_eq!(valid(operation.clone(), code), writes, "{operation:?} {code:?}");
        }
    }
}

// proves: RESP-03
#[test]
fn a_notification_with_another_code_has_no_value() {
    let mut harness = Harness::new();
    harness.registered(0, "a");
    let operation = Operation::Observe { path: ZONE, format: Some(ContentFormat::SENML_JSON) };
    let (_, request) = harness.order("a", operation.clone());
    harness.answer(&request, answer(&operation, Code::CONTENT).observe());
    harness.events.clear();
    for (number, code) in (1..).zip([Code::CHANGED, Code::new(2, 3), Code::CREATED]) {
        let odd = notification(answer(&operation, code), number);
        harness.notify(&request, MessageType::Confirmable, odd);
        let Some(Event::Notification { target, result, .. }) = harness.events.pop_front() else {
            panic!("{:?}", harness.events)
        };
        assert_eq!(target, Target::Path(ZONE));
        assert_eq!(result, Err(OperationError::UnexpectedCode(code)));
        assert_eq!(harness.server.observations("a").count(), 1);
    }
}

// proves: ANS-01
#[test]
fn an_answer_without_payload_has_no_values() {
    let mut harness = Harness::new();
    harness.registered(0, "a");
    let observe = Operation::Observe { path: Path::object(6), format: None };
    let paths = [Path::object(6), Path::resource(3, 0, 6)];
    let composite =
        Operation::ReadComposite { paths: paths.into(), path_format: None, format: None };
    for operation in [
        Operation::Read { path: Path::object(6), format: None },
        Operation::Read { path: Path::resource(3, 0, 6), format: None },
        observe.clone(),
        composite,
    ] {
        for format in [None, Some(0), Some(60), Some(110), Some(112), Some(11_543), Some(11_544)] {
            let (id, request) = harness.order("a", operation.clone());
            let response = Response::new(Code::CONTENT);
            let response = match format {
                Some(format) => response.content_format(format),
                None => response,
            };
            harness.answer(&request, response);
            let content = harness.content(id);
            let Content::Node(node) = &content else { panic!("{content:?}") };
            assert_eq!(node.leaves(operation.path()).len(), 0, "{operation:?} {format:?}");
        }
    }
    let (_, request) = harness.order("a", observe);
    harness.answer(&request, Response::new(Code::CONTENT).observe());
    harness.events.clear();
    let none = notification(Response::new(Code::CONTENT), 1);
    harness.notify(&request, MessageType::Confirmable, none);
    let event = harness.events.pop_front();
    assert!(matches!(event, Some(Event::Notification { result: Ok(_), .. })), "{event:?}");
}

// proves: ANS-02
#[test]
fn one_odd_value_is_reported_and_the_others_stay() {
    let mut harness = Harness::new();
    harness.registered(0, "a");
    let pack = r#"[{"bn":"/3/0/","n":"13","vs":"soon"},{"n":"9","v":100}]"#;
    let odd = || Response::new(Code::CONTENT).content_format(110).payload(pack);
    let path = Path::instance(3, 0);
    let read = Operation::Read { path, format: None };
    let (id, request) = harness.order("a", read);
    harness.answer(&request, odd());
    let response = harness.outcome(id).unwrap().unwrap();
    let battery = Node::ObjectInstance(ObjectInstance::default().with(9, 100_i64));
    assert_eq!(response.content, Content::Node(battery));
    assert_eq!(response.left_out.len(), 1);
    assert_eq!(response.left_out[0].path, Path::resource(3, 0, 13));

    let (_, request) = harness.order("a", Operation::Observe { path, format: None });
    harness.answer(&request, odd().observe());
    harness.events.clear();
    harness.notify(&request, MessageType::Confirmable, notification(odd(), 1));
    let Some(Event::Notification { result: Ok(_), left_out, .. }) = harness.events.pop_front()
    else {
        panic!()
    };
    assert_eq!(left_out.len(), 1);
    let send = lwm2m_coap::Request::post().path(["dp"]).content_format(110).payload(pack);
    assert_eq!(harness.ask(device(0), send).code, Code::CHANGED);
    let Some(Event::ValuesReceived { values, left_out, .. }) = harness.events.pop_front() else {
        panic!()
    };
    assert_eq!((values.len(), left_out.len()), (1, 1));
}
