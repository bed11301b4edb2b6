//! Content formats and paths as they go over the wire.

use crate::harness::{Harness, LIST, device, register, update};
use lwm2m_coap::{Code, Response};
use lwm2m_core::{Attribute, ContentFormat, Node, ObjectInstance, Path, Resource, Value};
use lwm2m_server::{Content, Operation, WriteMode};

fn read(path: &str, format: ContentFormat) -> Operation {
    Operation::Read { path: path.parse().unwrap(), format: Some(format) }
}

fn battery() -> Content {
    Content::Node(Node::Resource(Resource::Single(Value::Integer(100))))
}

// proves: LINK-04
#[test]
fn what_is_no_list_of_links_changes_nothing() {
    for list in ["</2/0></2/1>", "<1/0", "</3>;ver=\""] {
        let mut harness = Harness::new();
        let query = "ep=a&lt=60&lwm2m=1.1";
        assert_eq!(harness.ask(device(0), register(query, list)).code, Code::BAD_REQUEST, "{list}");
        assert_eq!(harness.server.registrations().count(), 0);
        let location = harness.registered_as(0, query, LIST);
        let links = harness.server.registration("a").unwrap().list.links.clone();
        let changed = update(&location, "").content_format(40).payload(list.to_owned());
        assert_eq!(harness.ask(device(0), changed).code, Code::BAD_REQUEST, "{list}");
        assert_eq!(harness.server.registration("a").unwrap().list.links, links);
    }
}

// proves: PATH-02
#[test]
fn a_uri_path_option_for_each_id_and_no_empty_one() {
    let value = Node::Resource(Resource::Single(Value::Time(1)));
    let instance = Node::ObjectInstance(ObjectInstance::default().with_multiple(0, [(0, "id")]));
    let attributes = vec![Attribute::parse("pmin=1").unwrap()];
    let path = Path::resource(3, 0, 13);
    let operations = [
        Operation::Read { path: Path::instance(3, 0), format: None },
        Operation::Discover { path: Path::object(3) },
        Operation::Write { path, node: value, format: None, mode: WriteMode::Replace },
        Operation::WriteAttributes { path, attributes },
        Operation::Execute { path: Path::resource(3, 0, 4), arguments: String::new() },
        Operation::Create { path: Path::object(16), instance: None, node: instance, format: None },
        Operation::Delete { path: Path::instance(16, 0) },
        Operation::Observe { path, format: None },
    ];
    let mut harness = Harness::new();
    harness.registered(0, "a");
    for operation in operations {
        let ids: Vec<_> = operation.path().ids().iter().map(u16::to_string).collect();
        let (_, request) = harness.order("a", operation);
        let sent: Vec<_> = request.options.uri_path().map(<[u8]>::to_vec).collect();
        let sent: Vec<_> = sent.iter().map(|part| std::str::from_utf8(part).unwrap()).collect();
        assert_eq!(sent, ids);
        harness.answer(&request, Response::new(Code::NOT_FOUND));
    }
}

// proves: OJSON-01
#[test]
fn old_devices_are_read_and_written_in_oma_json() {
    let mut harness = Harness::new();
    harness.registered_as(0, "ep=a&lt=60&lwm2m=1.0", LIST);
    let (id, request) = harness.order("a", read("/3/0", ContentFormat::JSON));
    assert_eq!(request.options.accept(), Some(11_543));
    let text = r#"{"bn":"/3/0/","bt":1700000000,"e":[{"n":"0","sv":"OMA"},{"n":"9","v":100},
        {"n":"6/0","v":1,"t":-5},{"n":"6/1","v":5}]}"#;
    let answer = Response::new(Code::CONTENT).content_format(11_543).payload(text);
    harness.answer(&request, answer);
    let values = ObjectInstance::default().with(0, "OMA").with(9, 100_i64);
    let values = values.with_multiple(6, [(0, 1_i64), (1, 5)]);
    assert_eq!(harness.content(id), Content::Node(Node::ObjectInstance(values)));

    let values = ObjectInstance::default().with(2, 101_i64).with(6, true).with(7, "U");
    let (path, node) = (Path::instance(1, 0), Node::ObjectInstance(values));
    let (format, mode) = (Some(ContentFormat::JSON), WriteMode::Partial);
    let (_, request) = harness.order("a", Operation::Write { path, node, format, mode });
    assert_eq!(request.options.content_format(), Some(11_543));
    let text = r#"{"bn":"/1/0/","e":[{"n":"2","v":101},{"n":"6","bv":true},{"n":"7","sv":"U"}]}"#;
    assert_eq!(std::str::from_utf8(&request.payload), Ok(text));
}

#[test]
fn oma_json_of_newer_devices_is_understood() {
    let mut harness = Harness::new();
    harness.registered(0, "a");
    let (id, request) =
        harness.order("a", Operation::Read { path: Path::resource(3, 0, 9), format: None });
    let text = r#"{"bn":"/3/0/9","e":[{"v":100}]}"#;
    harness.answer(&request, Response::new(Code::CONTENT).content_format(11_543).payload(text));
    assert_eq!(harness.content(id), battery());
}

// proves: OJSON-03
#[test]
fn numbers_from_before_registration_are_read_and_never_sent() {
    let cases: [(u16, &[u8]); 3] =
        [(1541, b"100"), (1542, &[0xC1, 9, 100]), (1543, br#"{"bn":"/3/0/9","e":[{"v":100}]}"#)];
    for (format, payload) in cases {
        let mut harness = Harness::new();
        harness.registered_as(0, "ep=a&lt=60&lwm2m=1.0", "</>;ct=1542,</3/0>");
        let (id, request) =
            harness.order("a", Operation::Read { path: Path::resource(3, 0, 9), format: None });
        assert!(!matches!(request.options.accept(), Some(1541..=1543)));
        let answer = Response::new(Code::CONTENT).content_format(format).payload(payload.to_vec());
        harness.answer(&request, answer);
        assert_eq!(harness.content(id), battery(), "{format}");
    }
}
