//! Writes, Executes and attributes: what goes out, and what never does.

use crate::harness::Harness;
use crate::harness::LIST;
use lwm2m_coap::{Code, Response};
use lwm2m_core::{Attribute, Node, ObjectInstance, Path, Resource, Value};
use lwm2m_server::{Operation, SubmitError, WriteMode};

fn write(path: &str, value: impl Into<Value>) -> Operation {
    let node = Node::Resource(Resource::Single(value.into()));
    let path = path.parse().unwrap();
    Operation::Write { path, node, format: None, mode: WriteMode::Replace }
}

fn write_instance(path: &str, values: ObjectInstance, mode: WriteMode) -> Operation {
    let node = Node::ObjectInstance(values);
    Operation::Write { path: path.parse().unwrap(), node, format: None, mode }
}

fn execute(path: &str, arguments: &str) -> Operation {
    Operation::Execute { path: path.parse().unwrap(), arguments: arguments.to_owned() }
}

fn attributes(path: &str, list: &[&str]) -> Operation {
    let attributes = list.iter().map(|text| Attribute::parse(text).unwrap()).collect();
    Operation::WriteAttributes { path: path.parse().unwrap(), attributes }
}

#[test]
fn what_goes_out() {
    let lifetime = ObjectInstance::default().with(1, 60i64);
    for (version, operation, expected) in [
        ("1.1", write("/3/0/14", "+02:00"), (Code::PUT, "/3/0/14", Some(0), &b"+02:00"[..])),
        ("1.0", write("/3/0/14", "U"), (Code::PUT, "/3/0/14", Some(11_542), b"\xC1\x0EU")),
        (
            "1.1",
            write("/19/0/0", bytes::Bytes::from_static(&[1, 2])),
            (Code::PUT, "/19/0/0", Some(42), b"\x01\x02"),
        ),
        (
            "1.1",
            write_instance("/1/0", lifetime.clone(), WriteMode::Partial),
            (Code::POST, "/1/0", Some(112), b"\x81\xa3\x21\x65/1/0/\x00\x611\x02\x18\x3c"),
        ),
        (
            "1.0",
            write_instance("/1/0", lifetime, WriteMode::Replace),
            (Code::PUT, "/1/0", Some(11_542), b"\xC1\x01\x3c"),
        ),
        ("1.1", execute("/3/0/4", ""), (Code::POST, "/3/0/4", None, b"")),
        ("1.1", execute("/1/0/8", "0='T'"), (Code::POST, "/1/0/8", Some(0), b"0='T'")),
        (
            "1.1",
            attributes("/3/0/9", &["pmin=5", "gt=1.5", "pmax"]),
            (Code::PUT, "/3/0/9?pmin=5&gt=1.5&pmax", None, b""),
        ),
        (
            "1.1",
            Operation::Delete { path: Path::instance(16, 1) },
            (Code::DELETE, "/16/1", None, b""),
        ),
    ] {
        let mut harness = Harness::new();
        harness.registered_as(0, &format!("ep=a&lt=60&lwm2m={version}"), LIST);
        let (_, request) = harness.order("a", operation);
        let format = request.options.content_format();
        let it = (request.code, request.uri(), format, request.payload);
        assert_eq!(it, (expected.0, expected.1.to_owned(), expected.2, expected.3.to_vec()));
    }
}

// proves: WRITE-12
#[test]
fn what_has_no_form_on_the_wire_is_not_sent() {
    let path = |text: &str| text.parse::<Path>().unwrap();
    let none = Node::ObjectInstance(ObjectInstance::default());
    for operation in [
        write("/3/0", 1i64),
        Operation::Write {
            path: path("/3/0/14"),
            node: Node::Resource(Resource::Single("x".into())),
            format: None,
            mode: WriteMode::Partial,
        },
        Operation::Write {
            path: path("/3"),
            node: none.clone(),
            format: None,
            mode: WriteMode::Replace,
        },
        Operation::Create { path: path("/6/0"), instance: None, node: none, format: None },
        Operation::Read { path: Path::ROOT, format: None },
        Operation::Discover { path: Path::ROOT },
        Operation::Discover { path: path("/3/0/6/0") },
        execute("/3/0", ""),
        Operation::Delete { path: Path::object(3) },
        Operation::Delete { path: path("/3/0/9") },
        attributes("/3/0/9", &[]),
    ] {
        let mut harness = Harness::new();
        harness.registered(0, "a");
        let refused = harness.server.submit(harness.now, "a", operation.clone());
        assert!(matches!(refused, Err(SubmitError::Invalid(_))), "{operation:?}: {refused:?}");
        harness.drain();
        assert!(harness.sent.is_empty() && harness.events.is_empty());
    }
}

// proves: WRITE-12
#[test]
fn what_the_device_can_judge_is_sent() {
    let multiple = Node::Resource(Resource::Multiple([(0, Value::Integer(1))].into()));
    let array = |mode| Operation::Write {
        path: Path::resource(3, 0, 13),
        node: multiple.clone(),
        format: None,
        mode,
    };
    let second_instance = Operation::Create {
        path: Path::object(6),
        instance: Some(1),
        node: Node::ObjectInstance(ObjectInstance::default()),
        format: None,
    };
    let changes = vec![(Path::resource(3, 0, 0), Some("x".into()))];
    for version in ["1.0", "1.1", "1.2"] {
        for operation in [
            write("/3/0/13", "noon"),
            write("/3/0/0", "maker"),
            write("/1/0/5", -1i64),
            array(WriteMode::Replace),
            array(WriteMode::Partial),
            write_instance("/3/0", ObjectInstance::default().with(0, "x"), WriteMode::Partial),
            Operation::Read { path: Path::resource(3, 0, 4), format: None },
            Operation::Read { path: "/3/0/9/0".parse().unwrap(), format: None },
            Operation::Observe { path: Path::resource(3, 0, 4), format: None },
            execute("/3/0/9", ""),
            execute("/3/0/4", "0=x"),
            Operation::Delete { path: "/16/0/0/1".parse().unwrap() },
            second_instance.clone(),
            attributes("/3", &["gt=1"]),
            attributes("/3/0/0", &["gt=1"]),
            attributes("/3/0/9", &["con=1"]),
            Operation::WriteComposite { changes: changes.clone(), format: None },
        ] {
            let mut harness = Harness::new();
            harness.registered_as(0, &format!("ep=a&lt=60&lwm2m={version}"), LIST);
            let (id, request) = harness.order("a", operation);
            harness.answer(&request, Response::new(Code::METHOD_NOT_ALLOWED));
            assert_eq!(harness.outcome(id).unwrap().unwrap().code, Code::METHOD_NOT_ALLOWED);
        }
    }
}

#[test]
fn what_belongs_to_bootstrap_servers_is_refused_by_the_device() {
    let mut harness = Harness::new();
    harness.registered(0, "a");
    let read = Operation::Read { path: "/0/0/0".parse().unwrap(), format: None };
    for operation in [read, write("/0/0/0", "coap://192.0.2.1")] {
        let (id, request) = harness.order("a", operation);
        harness.answer(&request, Response::new(Code::UNAUTHORIZED));
        assert_eq!(harness.outcome(id).unwrap().unwrap().code, Code::UNAUTHORIZED);
    }
}
