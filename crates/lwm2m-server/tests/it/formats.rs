//! Content formats and paths as they go over the wire.

use crate::harness::{Harness, LIST, device, register, update};
use lwm2m_coap::{Code, Response};
use lwm2m_codec::Quirk;
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
        let links = harness.server.registration("a").unwrap().list.links();
        let changed = update(&location, "").content_format(40).payload(list.to_owned());
        assert_eq!(harness.ask(device(0), changed).code, Code::BAD_REQUEST, "{list}");
        assert_eq!(harness.server.registration("a").unwrap().list.links(), links);
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

/// A device of a version without `ct` in its list, or with what it says there.
fn device_with(version: &str, ct: &str) -> Harness {
    let mut harness = Harness::new();
    harness.registered_as(0, &format!("ep=a&lt=60&lwm2m={version}"), &format!("{ct}{LIST}"));
    harness
}

/// Accept and Content-Format of a request.
type Formats = (Option<u16>, Option<u16>);

/// Submits an operation, refuses each format of the request that `knows` does not have, and returns the
/// Accept and Content-Format of each request with the code of the outcome.
fn negotiate(harness: &mut Harness, operation: Operation, knows: &[u16]) -> (Vec<Formats>, Code) {
    let (id, mut request) = harness.order("a", operation);
    let mut sent = Vec::new();
    loop {
        let (accept, content) = (request.options.accept(), request.options.content_format());
        sent.push((accept, content));
        let lacks = |format: Option<u16>| format.is_some_and(|it| !knows.contains(&it));
        let code = match request.code {
            _ if lacks(content) => Code::UNSUPPORTED_CONTENT_FORMAT,
            _ if lacks(accept) => Code::NOT_ACCEPTABLE,
            Code::GET | Code::FETCH => Code::CONTENT,
            Code::POST if request.uri() == "/16" => Code::CREATED,
            _ => Code::CHANGED,
        };
        harness.answer(&request, Response::new(code).content_format(110).payload(PACK));
        if let Some(outcome) = harness.outcome(id) {
            // The pack is not for every path, which does not matter here.
            return (sent, outcome.map_or(code, |response| response.code));
        }
        request = harness.request();
    }
}

/// Values for every operation that reads.
const PACK: &str = r#"[{"n":"/3/0/9","v":100}]"#;

fn ask(path: &str) -> Operation {
    Operation::Read { path: path.parse().unwrap(), format: None }
}

// proves: FORMAT-01
#[test]
fn one_resource_is_read_in_what_every_client_has() {
    for ct in ["", "</>;ct=0,"] {
        let read = |path| negotiate(&mut device_with("1.1", ct), ask(path), &[0, 42, 110]).0;
        assert_eq!(read("/3/0/9"), [(Some(0), None)]);
        assert_eq!(read("/19/0/0/0"), [(Some(42), None)], "bytes");
        assert_eq!(read("/65000/0/1"), [(None, None)], "the type is not known");
    }
    let announced = negotiate(&mut device_with("1.1", "</>;ct=112,"), ask("/3/0/9"), &[112]).0;
    assert_eq!(announced, [(Some(112), None)]);
    let old = negotiate(&mut device_with("1.0", ""), ask("/3/0/9"), &[11_542]).0;
    assert_eq!(old, [(Some(11_542), None)]);
}

// proves: FORMAT-02
#[test]
fn a_refused_format_is_followed_by_the_next_one_and_remembered() {
    let observe = || Operation::Observe { path: Path::instance(3, 0), format: None };
    let paths = || [Path::resource(3, 0, 9)].into();
    let composite = || Operation::ReadComposite { paths: paths(), path_format: None, format: None };
    for version in ["1.0", "1.1", "1.2"] {
        for operation in [ask("/3/0"), ask("/3"), observe(), ask("/3/0/6")] {
            let mut harness = device_with(version, "");
            let first = if version == "1.0" { 11_542 } else { 112 };
            let (sent, code) = negotiate(&mut harness, operation.clone(), &[0, 42, 110]);
            let expected = [(Some(first), None), (None, None)];
            assert_eq!((&sent[..], code), (&expected[..], Code::CONTENT), "{operation:?}");
            let (sent, _) = negotiate(&mut harness, operation, &[0, 42, 110]);
            assert_eq!(sent, [(None, None)], "remembered");
            harness.registered_as(0, &format!("ep=a&lt=60&lwm2m={version}"), LIST);
            let (sent, _) = negotiate(&mut harness, ask("/3/0"), &[0, 42, 110]);
            assert_eq!(sent.len(), 2, "until the next Register");
        }
    }
    let mut harness = device_with("1.1", "");
    let (sent, code) = negotiate(&mut harness, composite(), &[110]);
    let expected = [(Some(112), Some(112)), (Some(112), Some(110))];
    assert_eq!((&sent[..], code), (&expected[..], Code::NOT_ACCEPTABLE), "one more try");
    let (sent, code) = negotiate(&mut harness, composite(), &[110]);
    assert_eq!(
        (&sent[..], code),
        (&[(Some(112), Some(110)), (None, Some(110))][..], Code::CONTENT)
    );
}

// proves: FORMAT-02
#[test]
fn a_refused_payload_is_sent_in_the_next_format() {
    let values = ObjectInstance::default().with(2, 101_i64).with(6, true);
    let write = || Operation::Write {
        path: Path::instance(1, 0),
        node: Node::ObjectInstance(values.clone()),
        format: None,
        mode: WriteMode::Partial,
    };
    let changes = || Operation::WriteComposite {
        changes: vec![(Path::resource(1, 0, 2), Some(Value::Integer(101)))],
        format: None,
    };
    let created = ObjectInstance::default().with_multiple(0, [(0, "id")]);
    let create = || Operation::Create {
        path: Path::object(16),
        instance: None,
        node: Node::ObjectInstance(created.clone()),
        format: None,
    };
    for (operation, version, formats, code) in [
        (write(), "1.1", [112, 110], Code::CHANGED),
        (write(), "1.0", [11_542, 11_543], Code::UNSUPPORTED_CONTENT_FORMAT),
        (changes(), "1.1", [112, 110], Code::CHANGED),
        (changes(), "1.2", [112, 110], Code::CHANGED),
        (create(), "1.1", [11_542, 112], Code::UNSUPPORTED_CONTENT_FORMAT),
    ] {
        let mut harness = device_with(version, "");
        let expected = formats.map(|format| (None, Some(format)));
        let outcome = negotiate(&mut harness, operation.clone(), &[0, 110]);
        assert_eq!(outcome, (expected.to_vec(), code), "{operation:?}");
        if code == Code::CHANGED {
            let again = negotiate(&mut harness, operation, &[0, 110]).0;
            assert_eq!(again, [(None, Some(110))], "remembered");
        }
    }
}

#[test]
fn a_format_that_was_asked_for_is_not_replaced() {
    let mut harness = device_with("1.1", "");
    let (sent, code) = negotiate(&mut harness, read("/3/0", ContentFormat::TLV), &[112]);
    assert_eq!((&sent[..], code), (&[(Some(11_542), None)][..], Code::NOT_ACCEPTABLE));
    let (sent, _) = negotiate(&mut harness, ask("/3/0"), &[112]);
    assert_eq!(sent, [(Some(112), None)]);
    let (sent, code) = negotiate(&mut harness, read("/3/0", ContentFormat::UNSPECIFIED), &[]);
    assert_eq!((&sent[..], code), (&[(None, None)][..], Code::CONTENT));
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
        let expected = [(Quirk::LegacyNumber, 1)];
        assert_eq!(harness.server.quirks("a").unwrap().values, expected, "{format}");
        harness.registered_as(0, "ep=a&lt=60&lwm2m=1.0", "</>;ct=0,</3/0>,");
        let forgiven = harness.server.quirks("a").unwrap();
        assert_eq!(forgiven.values, expected, "also after another Register");
        assert_eq!(forgiven.links, [Quirk::EmptyLink]);
        assert!(harness.server.all_quirks().eq(expected));
        assert_eq!(harness.server.quirks("b"), None);
    }
}

#[test]
fn an_answer_in_no_format_is_text_for_a_value_and_tlv_for_a_tree() {
    let mut harness = device_with("1.1", "");
    let (id, request) = harness.order("a", read("/3/0/9", ContentFormat::UNSPECIFIED));
    assert_eq!(request.options.accept(), None);
    harness.answer(&request, Response::new(Code::CONTENT).payload("100"));
    assert_eq!(harness.content(id), battery());
    let (id, request) = harness.order("a", read("/3/0", ContentFormat::UNSPECIFIED));
    harness.answer(&request, Response::new(Code::CONTENT).payload(vec![0xC1, 9, 100]));
    let values = ObjectInstance::default().with(9, 100_i64);
    assert_eq!(harness.content(id), Content::Node(Node::ObjectInstance(values)));
}

// proves: FORMAT-02
#[test]
fn devices_since_1_2_are_written_in_senml_etch_where_they_refuse_senml() {
    let changes = || Operation::WriteComposite {
        changes: vec![(Path::resource(1, 0, 2), Some(Value::Integer(101)))],
        format: None,
    };
    let refused = [(None, Some(112)), (None, Some(110))];
    let failed = Code::UNSUPPORTED_CONTENT_FORMAT;
    for (version, last, code) in [("1.1", 112, failed), ("1.2", 322, Code::CHANGED)] {
        let mut harness = device_with(version, "");
        let outcome = negotiate(&mut harness, changes(), &[322]);
        assert_eq!(outcome, (refused.to_vec(), failed), "{version}: one more try");
        let outcome = negotiate(&mut harness, changes(), &[322]);
        assert_eq!(outcome, (vec![(None, Some(110)), (None, Some(last))], code), "{version}");
    }
}
