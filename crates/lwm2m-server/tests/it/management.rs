//! Operations on the wire and their answers.

use crate::harness::{Harness, LIST, device, register, update};
use lwm2m_coap::{Code, MessageType, Options, Response};
use lwm2m_core::{Attribute, ContentFormat, Node, ObjectInstance, Path, Resource, Value};
use lwm2m_server::{Content, Operation, OperationError, WriteMode};
use std::time::Duration;

fn read(path: &str) -> Operation {
    Operation::Read { path: path.parse().unwrap(), format: None }
}

fn created(instance: Option<u16>) -> Operation {
    let node = Node::ObjectInstance(ObjectInstance::default().with_multiple(0, [(0, "id")]));
    Operation::Create { path: Path::object(16), instance, node, format: None }
}

fn instances(harness: &Harness, object: u16) -> Vec<u16> {
    let it = harness.server.registration("a").unwrap();
    it.list.objects[&object].instances.iter().copied().collect()
}

// proves: READ-03
#[test]
fn answers_are_decoded_by_their_own_format() {
    let path = Path::resource(3, 0, 9);
    let expected = Content::Node(Node::Resource(Resource::Single(Value::Integer(100))));
    for (format, payload) in [
        (0, &b"100"[..]),
        (60, &[0x18, 0x64]),
        (110, br#"[{"n":"/3/0/9","v":100}]"#),
        (112, b"\x81\xa2\x00\x66/3/0/9\x02\x18\x64"),
        (11_542, &[0xC1, 9, 100]),
    ] {
        let mut harness = Harness::new();
        harness.registered(0, "a");
        let (id, request) = harness.order("a", Operation::Read { path, format: None });
        let answer = Response::new(Code::CONTENT).content_format(format);
        harness.answer(&request, answer.payload(payload.to_vec()));
        assert_eq!(harness.content(id), expected, "{format}");
    }
}

#[test]
fn the_format_to_ask_for_fits_the_device() {
    let accept = |query: &str, list: &str, operation: Operation| {
        let mut harness = Harness::new();
        harness.registered_as(0, query, list);
        harness.order("a", operation).1.options.accept()
    };
    assert_eq!(accept("ep=a&lt=60&lwm2m=1.0", LIST, read("/3")), Some(11_542));
    assert_eq!(accept("ep=a&lt=60&lwm2m=1.1", LIST, read("/3")), Some(112));
    let offers = "</>;rt=\"oma.lwm2m\";ct=\"0 110 11542\",</3/0>";
    assert_eq!(accept("ep=a&lt=60&lwm2m=1.1", offers, read("/3/0/1")), Some(110));
    let old = "</>;ct=11543,</3/0>";
    assert_eq!(accept("ep=a&lt=60", old, read("/3/0/1")), Some(11_542));
    assert_eq!(accept("ep=a&lt=60&lwm2m=1.1", old, read("/3/0")), Some(112));
    let sorted = "</>;ct=\"60 110 112 11542 11543\",</3/0>";
    assert_eq!(accept("ep=a&lt=60&lwm2m=1.1", sorted, read("/3")), Some(112));
    let newest = "</>;rt=\"oma.lwm2m\";ct=\"60 11544 110\",</3/0>";
    assert_eq!(accept("ep=a&lt=60&lwm2m=1.2", newest, read("/3")), Some(11_544));
    let named = Operation::Read { path: Path::object(3), format: Some(ContentFormat::TLV) };
    assert_eq!(accept("ep=a&lt=60&lwm2m=1.1", LIST, named), Some(11_542));
}

#[test]
fn formats_outlive_an_update_that_does_not_name_them() {
    let mut harness = Harness::new();
    let list = "</>;rt=\"oma.lwm2m\";ct=110,</3/0>";
    let location = harness.registered_as(0, "ep=a&lt=60&lwm2m=1.1", list);
    let list = update(&location, "").payload("</>;rt=\"oma.lwm2m\",</3/0>");
    harness.ask(device(0), list);
    let (_, request) = harness.order("a", read("/3"));
    assert_eq!(request.options.accept(), Some(110));
    harness.answer(&request, Response::new(Code::NOT_FOUND));
    let list = update(&location, "").payload("</>;rt=\"oma.lwm2m\";ct=11542,</3/0>");
    harness.ask(device(0), list);
    let (_, request) = harness.order("a", read("/3"));
    assert_eq!(request.options.accept(), Some(11_542), "the Update names them");
}

#[test]
fn the_format_to_create_in_can_carry_what_is_known() {
    let values = || ObjectInstance::default().with_multiple(0, [(0, "id")]);
    for (instance, values, format) in [
        (Some(1), values(), 112),
        (None, values(), 11_542),
        (Some(1), ObjectInstance::default(), 11_542),
    ] {
        let mut harness = Harness::new();
        harness.registered(0, "a");
        let (path, node) = (Path::object(16), Node::ObjectInstance(values));
        let operation = Operation::Create { path, instance, node, format: None };
        let (_, request) = harness.order("a", operation);
        assert_eq!(request.options.content_format(), Some(format));
    }
}

#[test]
fn requests_go_below_the_alternate_path() {
    let mut harness = Harness::new();
    let list = "</lwm2m>;rt=\"oma.lwm2m\",</lwm2m/3/0>,</lwm2m/16>,</4/0>";
    harness.registered_as(0, "ep=a&lt=60&lwm2m=1.1", list);
    let it = harness.server.registration("a").unwrap();
    assert_eq!(it.list.objects.keys().copied().collect::<Vec<_>>(), [3, 16]);
    let path = Path::resource(3, 0, 13);
    let node = Node::Resource(Resource::Single(Value::Time(1)));
    let pmin = vec![Attribute::parse("pmin=1").unwrap()];
    for (operation, uri) in [
        (read("/3/0/0"), "/lwm2m/3/0/0"),
        (Operation::Observe { path, format: None }, "/lwm2m/3/0/13"),
        (Operation::Discover { path: Path::object(3) }, "/lwm2m/3"),
        (Operation::Write { path, node, format: None, mode: WriteMode::Replace }, "/lwm2m/3/0/13"),
        (Operation::WriteAttributes { path, attributes: pmin }, "/lwm2m/3/0/13?pmin=1"),
        (
            Operation::Execute { path: Path::resource(3, 0, 4), arguments: String::new() },
            "/lwm2m/3/0/4",
        ),
        (created(Some(1)), "/lwm2m/16"),
        (Operation::Delete { path: Path::instance(16, 0) }, "/lwm2m/16/0"),
    ] {
        let (_, request) = harness.order("a", operation);
        assert_eq!(request.uri(), uri);
        harness.answer(&request, Response::new(Code::NOT_FOUND));
    }
    let (id, request) = harness.order("a", created(None));
    let answer = Response::new(Code::CREATED).location_segment("lwm2m");
    harness.answer(&request, answer.location_segment("16").location_segment("4"));
    assert_eq!(harness.content(id), Content::Created(Some(Path::instance(16, 4))));
    let (id, request) = harness.order("a", created(None));
    let foreign = Response::new(Code::CREATED).location_segment("other");
    harness.answer(&request, foreign.location_segment("16").location_segment("5"));
    assert_eq!(harness.content(id), Content::Created(None), "a path that is not the device's");
}

#[test]
fn names_in_payloads_go_below_the_alternate_path() {
    let json = ContentFormat::SENML_JSON;
    let mut harness = Harness::new();
    harness.registered_as(0, "ep=a&lt=60&lwm2m=1.1", "</lwm2m>;rt=\"oma.lwm2m\",</lwm2m/3/0>");
    let paths = [Path::resource(3, 0, 0)];
    let read = Operation::ReadComposite {
        paths: paths.into(),
        path_format: Some(json),
        format: Some(json),
    };
    let (id, request) = harness.order("a", read);
    assert_eq!(request.payload, br#"[{"n":"/lwm2m/3/0/0"}]"#);
    let answer = r#"[{"n":"/lwm2m/3/0/0","vs":"x"}]"#;
    harness.answer(&request, Response::new(Code::CONTENT).content_format(json.0).payload(answer));
    let Content::Node(node) = harness.content(id) else { panic!("values") };
    assert_eq!(node.leaves(&Path::ROOT), [(Path::resource(3, 0, 0), &Value::from("x"))]);

    let change = (Path::resource(3, 0, 14), Some(Value::from("+01")));
    let write = Operation::WriteComposite { changes: vec![change], format: Some(json) };
    let (_, request) = harness.order("a", write);
    assert_eq!(request.payload, br#"[{"n":"/lwm2m/3/0/14","vs":"+01"}]"#);
    harness.answer(&request, Response::new(Code::CHANGED));

    let path = Path::resource(3, 0, 14);
    let node = Node::Resource(Resource::Single("+02".into()));
    let mode = WriteMode::Replace;
    let (_, request) =
        harness.order("a", Operation::Write { path, node, format: Some(json), mode });
    assert_eq!(request.payload, br#"[{"n":"/lwm2m/3/0/14","vs":"+02"}]"#);
}

#[test]
fn discover_yields_links() {
    let mut harness = Harness::new();
    harness.registered(0, "a");
    let (id, request) = harness.order("a", Operation::Discover { path: Path::instance(3, 0) });
    assert_eq!((request.code, request.options.accept()), (Code::GET, Some(40)));
    let payload = "</3/0>;pmin=10,</3/0/0>, </3/0/6>;dim=\"2\"";
    harness.answer(&request, Response::new(Code::CONTENT).content_format(40).payload(payload));
    let Content::Links(links) = harness.content(id) else { panic!("links") };
    assert_eq!(links[2].param("dim"), Some("2"));
    assert_eq!(links[0].param("pmin"), Some("10"));

    for (format, payload) in [(40, "<"), (0, "</3>")] {
        let (id, request) = harness.order("a", Operation::Discover { path: Path::object(3) });
        let answer = Response::new(Code::CONTENT).content_format(format).payload(payload);
        harness.answer(&request, answer);
        assert!(harness.outcome(id).unwrap().is_err());
    }
}

#[test]
fn the_links_of_a_discover_are_bounded() {
    let mut harness = Harness::with(lwm2m_server::Config::default().max_values(300));
    harness.registered(0, "a");
    let attributes = |count: usize| format!("</3>{}", ";a".repeat(count - 1));
    let links = |count| vec!["</3/0>"; count].join(",");
    for (payload, is_taken) in
        [(links(300), true), (links(301), false), (attributes(300), true), (attributes(301), false)]
    {
        let (id, request) = harness.order("a", Operation::Discover { path: Path::object(3) });
        let answer = Response::new(Code::CONTENT).content_format(40).payload(payload);
        harness.answer(&request, answer);
        let outcome = harness.outcome(id).expect("an outcome");
        assert_eq!(outcome.is_ok(), is_taken);
        let told = outcome.map_or_else(|error| error.to_string(), |_| String::new());
        assert!(is_taken || told.contains("more than 300 links"), "{told}");
    }
}

// proves: CREATE-08
#[test]
fn a_created_instance_is_known_at_once() {
    let mut harness = Harness::new();
    harness.registered(0, "a");
    let (id, request) = harness.order("a", created(Some(7)));
    assert_eq!((request.code, request.uri().as_str()), (Code::POST, "/16"));
    harness.answer(&request, Response::new(Code::CREATED));
    assert_eq!(harness.content(id), Content::Created(None));
    assert_eq!(instances(&harness, 16), [7]);

    let (id, request) = harness.order("a", created(None));
    let answer = Response::new(Code::CREATED).location_segment("16").location_segment("2");
    harness.answer(&request, answer);
    assert_eq!(harness.content(id), Content::Created(Some(Path::instance(16, 2))));
    assert_eq!(instances(&harness, 16), [2, 7]);

    let (id, request) = harness.order("a", created(None));
    let foreign = Response::new(Code::CREATED).location_segment("3").location_segment("2");
    harness.answer(&request, foreign);
    assert_eq!(harness.content(id), Content::Created(None));
    assert_eq!(instances(&harness, 3), [0]);
    let (_, request) = harness.order("a", created(Some(9)));
    harness.answer(&request, Response::new(Code::BAD_REQUEST));
    assert_eq!(instances(&harness, 16), [2, 7]);

    let (id, request) = harness.order("a", Operation::Delete { path: Path::instance(16, 2) });
    harness.answer(&request, Response::new(Code::DELETED));
    assert_eq!(harness.content(id), Content::None);
    assert_eq!(instances(&harness, 16), [7]);
}

// proves: MODEL-06
#[test]
fn unknown_objects_versions_and_resources_are_no_error() {
    let mut harness = Harness::new();
    harness.registered_as(0, "ep=a&lt=60&lwm2m=1.1", "</65000/0>,</3>;ver=1.9,</3/0>");
    let (id, request) = harness.order("a", read("/3/0"));
    let payload = [0xC1, 9, 100, 0xC2, 77, 1, 2];
    let answer = Response::new(Code::CONTENT).content_format(11_542);
    harness.answer(&request, answer.payload(payload.to_vec()));
    let Content::Node(Node::ObjectInstance(it)) = harness.content(id) else {
        panic!("an instance")
    };
    assert_eq!(it.resources[&9], Resource::Single(Value::Integer(100)));
    assert!(it.resources.contains_key(&77));
    harness.order("a", read("/65000/0/1"));
}

#[test]
fn errors_of_a_device_are_responses_with_its_words() {
    let mut harness = Harness::new();
    harness.registered(0, "a");
    let (id, request) = harness.order("a", read("/3/0/9"));
    harness.answer(&request, Response::new(Code::NOT_FOUND).payload("no battery"));
    let response = harness.outcome(id).unwrap().unwrap();
    assert_eq!((response.code, response.content), (Code::NOT_FOUND, Content::None));
    assert_eq!(response.diagnostic.as_deref(), Some("no battery"));
}

#[test]
fn silence_and_reset_are_told_apart() {
    let mut harness = Harness::new();
    harness.registered(0, "a");
    let (id, _) = harness.order("a", read("/3/0/9"));
    harness.pass(Duration::from_secs(100));
    assert_eq!(harness.outcome(id), Some(Err(OperationError::Timeout)));
    harness.sent.clear();
    let (id, request) = harness.order("a", read("/3/0/9"));
    let (kind, code) = (MessageType::Reset, Code::EMPTY);
    let token = lwm2m_coap::Token::EMPTY;
    harness.message(device(0), kind, code, request.id, token, &Options::new(), &[]);
    assert_eq!(harness.outcome(id), Some(Err(OperationError::Reset)));
    assert!(harness.server.registration("a").is_some());
}

#[test]
fn a_cancelled_operation_is_not_heard_of() {
    let mut harness = Harness::new();
    harness.registered(0, "a");
    let (id, request) = harness.order("a", read("/3/0/9"));
    harness.server.cancel(id);
    harness.answer(&request, Response::new(Code::CONTENT).content_format(0).payload("5"));
    assert_eq!(harness.outcome(id), None);
    harness.pass(Duration::from_secs(300));
    assert_eq!(harness.outcome(id), None);
}

#[test]
fn two_devices_behind_one_address_do_not_disturb_each_other() {
    let mut harness = Harness::new();
    harness.registered(0, "a");
    harness.ask(device(0), register("ep=b&lt=60&lwm2m=1.1", LIST));
    assert_eq!(harness.server.registrations().count(), 2);
    harness.pass(Duration::from_secs(70));
    assert!(harness.server.registration("b").is_none());
    let (_, request) = harness.order("a", read("/3/0/9"));
    assert_eq!(request.to, device(0));
}
