//! Names below an alternate path.

use crate::model::TestModel;
use lwm2m_codec::{DecodeCause, Quirk, Reading, Writing, decode, encode};
use lwm2m_core::{ContentFormat, Node, Object, ObjectInstance, Path, Resource, Value};

const SENML: [ContentFormat; 2] = [ContentFormat::SENML_JSON, ContentFormat::SENML_CBOR];
const NAMED: [ContentFormat; 3] =
    [ContentFormat::SENML_JSON, ContentFormat::SENML_CBOR, ContentFormat::JSON];
const ETCH: [ContentFormat; 2] = [ContentFormat::SENML_ETCH_JSON, ContentFormat::SENML_ETCH_CBOR];
const NINE: Path = Path::resource(3, 0, 9);

fn reading() -> Reading<'static> {
    Reading::strict(&TestModel).below("/lwm2m")
}

fn contains(payload: &[u8], text: &str) -> bool {
    payload.windows(text.len()).any(|window| window == text.as_bytes())
}

/// A node at each depth.
fn nodes() -> Vec<(Path, Node)> {
    let instance = ObjectInstance::default().with(9, 87i64).with_multiple(6, [(0, 1i64), (1, 5)]);
    let object = Object { instances: [(0, instance.clone())].into() };
    vec![
        (Path::ROOT, Node::Root([(3, object.clone())].into())),
        (Path::object(3), Node::Object(object)),
        (Path::instance(3, 0), Node::ObjectInstance(instance)),
        (NINE, Node::Resource(Resource::Single(Value::Integer(87)))),
        (Path::resource_instance(3, 0, 6, 1), Node::ResourceInstance(Value::Integer(5))),
    ]
}

// proves: SENML-09
#[test]
fn names_of_senml_begin_with_the_alternate_path_and_others_never() {
    for (path, node) in nodes() {
        for format in NAMED.into_iter().filter(|format| lwm2m_codec::supports(*format, &path)) {
            // The interfaces for management and reporting.
            let payload = Writing::below("/lwm2m/").encode(format, &path, &node).unwrap();
            assert!(contains(&payload, "/lwm2m"), "{format} {path}");
            assert_eq!(reading().decode(format, &path, &payload).as_ref(), Ok(&node), "{format}");
            assert!(decode(format, &path, &payload, &TestModel).is_err(), "{format}");
            // The bootstrap interface.
            let plain = encode(format, &path, &node).unwrap();
            assert!(!contains(&plain, "lwm2m"), "{format} {path}");
            assert_eq!(decode(format, &path, &plain, &TestModel).as_ref(), Ok(&node));
        }
        for format in [ContentFormat::LWM2M_CBOR, ContentFormat::TLV] {
            let below = Writing::below("/lwm2m").encode(format, &path, &node);
            assert_eq!(below, encode(format, &path, &node), "{format} {path}");
            if let Ok(payload) = below {
                assert_eq!(reading().decode(format, &path, &payload).as_ref(), Ok(&node));
            }
        }
    }
    for format in SENML.into_iter().chain(ETCH) {
        let writing = Writing::below("/lwm2m");
        for paths in [&[Path::resource(3, 0, 0)][..], &[NINE, Path::ROOT, Path::object(4)]] {
            let pack = writing.encode_paths(format, paths).unwrap();
            assert_eq!(reading().decode_paths(format, &pack).as_deref(), Ok(paths), "{format}");
        }
        let one = writing.encode_paths(format, &[Path::resource(3, 0, 0)]).unwrap();
        assert!(contains(&one, "/lwm2m/3/0/0"));
        let changes =
            vec![(NINE, Some(Value::Integer(1))), (Path::resource(3, 0, 14), Some("x".into()))];
        let pack = writing.encode_changes(format, &changes).unwrap();
        assert_eq!(reading().decode_changes(format, &pack), Ok(changes), "{format}");
    }
    let created = ObjectInstance::default().with(9, 1i64);
    for format in SENML {
        let pack = Writing::below("/lwm2m").encode_create(format, 3, Some(0), &created).unwrap();
        assert_eq!(reading().decode_create(format, 3, &pack), Ok((Some(0), created.clone())));
    }
}

#[test]
fn alternate_path_may_be_split_between_base_name_and_name() {
    let name = "/lwm2m/3/0/9";
    for cut in 0..=name.len() {
        let (base, rest) = name.split_at(cut);
        let pack = format!(r#"[{{"bn":"{base}","n":"{rest}","v":1}}]"#);
        let read = reading().decode(ContentFormat::SENML_JSON, &NINE, pack.as_bytes());
        assert_eq!(read, Ok(Node::Resource(Resource::Single(Value::Integer(1)))), "{pack}");
    }
}

#[test]
fn name_without_the_alternate_path_is_tolerated_and_a_wrong_one_is_not() {
    let read = |reading: &Reading<'_>, base: &str, name: &str| {
        let pack = format!(r#"[{{"bn":"{base}","n":"{name}","v":1}}]"#);
        let read = reading.decode(ContentFormat::SENML_JSON, &NINE, pack.as_bytes());
        read.map(|_| ()).map_err(|error| error.cause)
    };
    for (base, name) in [("", "/3/0/9"), ("/", "3/0/9"), ("/3/0/", "9"), ("/3", "/0/9")] {
        let lenient = Reading::lenient(&TestModel).below("/lwm2m");
        assert_eq!(read(&lenient, base, name), Ok(()), "{base} {name}");
        assert!(lenient.forgiven().eq([Quirk::OutsideRoot]), "{base} {name}");
        let refused = Err(DecodeCause::Quirk(Quirk::OutsideRoot));
        assert_eq!(read(&reading(), base, name), refused, "{base} {name}");
    }
    for (base, name) in [
        ("/lwm", "3/0/9"),
        ("/lwm2m3/0/9", ""),
        ("/lwm2m", "3/0/9"),
        ("/lwm2m2/3/0/9", ""),
        ("/x/3/0/9", ""),
        ("/lw", ""),
    ] {
        let lenient = Reading::lenient(&TestModel).below("/lwm2m");
        let wrong = Err(DecodeCause::Name { entry: 0 });
        assert_eq!(read(&lenient, base, name), wrong, "{base} {name}");
    }
}
