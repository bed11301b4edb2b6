//! Answers of devices: what is missing or cannot be read does not lose the rest.

use crate::model::TestModel;
use lwm2m_codec::{
    ContentFormat, DataType, DecodeCause, Node, ObjectInstance, Path, Quirk, Reading, Resource,
    Value,
};

fn path(text: &str) -> Path {
    text.parse().unwrap()
}

fn answer(format: ContentFormat, at: &str, payload: &[u8]) -> (Result<Node, DecodeCause>, usize) {
    let reading = Reading::answer(&TestModel);
    let node = reading.decode(format, &path(at), payload).map_err(|error| error.cause);
    (node, reading.left_out().len())
}

// proves: ANS-01
#[test]
fn no_payload_is_no_values() {
    let formats = [0, 42, 60, 110, 112, 11_542, 11_543, 11_544].map(ContentFormat);
    for format in formats {
        let taken = |at: &str| answer(format, at, b"").0;
        assert_eq!(taken("/3"), Ok(Node::Object(Default::default())), "{format}");
        assert_eq!(taken("/3/0"), Ok(Node::ObjectInstance(Default::default())), "{format}");
        let none = Node::Resource(Resource::Multiple(Default::default()));
        assert_eq!(taken("/3/0/6"), Ok(none), "{format}");
        if format != ContentFormat::TLV {
            assert_eq!(taken("/"), Ok(Node::Root(Default::default())), "{format}");
            for mode in [Reading::strict(&TestModel), Reading::lenient(&TestModel)] {
                assert!(mode.decode(format, &path("/3/0"), b"").is_err(), "{format}");
            }
        }
        assert!(taken("/3/0/9").is_err(), "a single resource has a value: {format}");
    }
}

fn battery() -> ObjectInstance {
    ObjectInstance::default().with(9, 100_i64)
}

// proves: ANS-02
#[test]
fn one_odd_value_does_not_lose_the_others() {
    const JSON: ContentFormat = ContentFormat::SENML_JSON;
    const CBOR: ContentFormat = ContentFormat::SENML_CBOR;
    let long =
        format!(r#"[{{"bn":"/3/0/","n":"{}","v":1}},{{"n":"9","v":100}}]"#, "1".repeat(1_025));
    let cases: [(ContentFormat, &[u8]); 31] = [
        // Names that are no path, or outside of the request.
        (JSON, br#"[{"bn":"/3/0/","n":"x","v":1},{"n":"9","v":100}]"#),
        (JSON, br#"[{"bn":"/3/0/","n":7,"v":1},{"n":"9","v":100}]"#),
        (JSON, br#"[{"bn":"/3/0/","n":"9","n":"9","v":1},{"n":"9","v":100}]"#),
        (JSON, br#"[{"n":"/4/0/1","v":1},{"n":"/3/0/9","v":100}]"#),
        (JSON, br#"[{"bn":"/4/0/","n":"1","v":1},{"bn":"/3/0/","n":"9","v":100}]"#),
        (JSON, br#"[{"bn":"/3/0/","bv":1e308,"n":"0","v":1e308},{"n":"9","bv":0,"v":100}]"#),
        (JSON, long.as_bytes()),
        (ContentFormat::JSON, br#"{"bn":"/3/0/","e":[{"n":"x","v":1},{"n":"9","v":100}]}"#),
        (ContentFormat::JSON, br#"{"bn":"/","e":[{"n":"4/0/1","v":1},{"n":"3/0/9","v":100}]}"#),
        (ContentFormat::JSON, br#"{"bn":"/3/0/","e":[{"n":[7],"v":1},{"n":"9","v":100}]}"#),
        (CBOR, b"\x82\xa3\x21\x65/3/0/\x00\x61x\x02\x01\xa2\x00\x619\x02\x18\x64"),
        (CBOR, b"\x82\xa3\x21\x65/3/0/\x00\x62\xc3\x28\x02\x01\xa2\x00\x619\x02\x18\x64"),
        (ContentFormat::LWM2M_CBOR, b"\xa2\x83\x03\x00\x09\x18\x64\x83\x04\x00\x01\x01"),
        // A string that is not UTF-8.
        (JSON, b"[{\"bn\":\"/3/0/\",\"n\":\"0\",\"vs\":\"\xff\"},{\"n\":\"9\",\"v\":100}]"),
        (
            ContentFormat::JSON,
            b"{\"bn\":\"/3/0/\",\"e\":[{\"n\":\"0\",\"sv\":\"\xff\"},{\"n\":\"9\",\"v\":100}]}",
        ),
        (JSON, br#"[{"bn":"/3/0/","n":"0","v":1},{"n":"9","v":100}]"#),
        (JSON, br#"[{"bn":"/3/0/","n":"0","vs":1},{"n":"9","v":100}]"#),
        (JSON, br#"[{"bn":"/3/0/","n":"0"},{"n":"9","v":100}]"#),
        (JSON, br#"[{"bn":"/3/0/","n":"0","vs":[1,{}]},{"n":"9","v":100}]"#),
        (JSON, br#"[{"bn":"/3/0/","n":"13","vs":"soon"},{"n":"9","v":100}]"#),
        (JSON, br#"[{"bn":"/3/0/","n":"9","v":100},{"n":"9","v":7}]"#),
        (JSON, br#"[{"bn":"/3/0/","n":"9/0","v":1},{"n":"9","v":100}]"#),
        (ContentFormat::JSON, br#"{"bn":"/3/0/","e":[{"n":"0","v":1},{"n":"9","v":100}]}"#),
        (CBOR, b"\x82\xa3\x21\x65/3/0/\x00\x61\x30\x02\x81\x01\xa2\x00\x619\x02\x18\x64"),
        (CBOR, b"\x82\xa3\x21\x65/3/0/\x00\x61\x30\x03\x62\xc3\x28\xa2\x00\x619\x02\x18\x64"),
        (CBOR, b"\x82\xa3\x21\x65/3/0/\x00\x6213\x02\xc0\x61x\xa2\x00\x619\x02\x18\x64"),
        (ContentFormat::TLV, b"\xc1\x00\xff\xc1\x09\x64"),
        (ContentFormat::TLV, b"\xc3\x0d\x01\x02\x03\xc1\x09\x64"),
        (ContentFormat::TLV, b"\x83\x0d\x41\x00\x01\xc1\x09\x64"),
        (ContentFormat::LWM2M_CBOR, b"\xa1\x82\x03\x00\xa2\x00\x81\x01\x09\x18\x64"),
        (ContentFormat::LWM2M_CBOR, b"\xa1\x82\x03\x00\xa2\x00\xf6\x09\x18\x64"),
    ];
    for (format, payload) in cases {
        let taken = answer(format, "/3/0", payload);
        assert_eq!(taken, (Ok(Node::ObjectInstance(battery())), 1), "{format} {payload:02x?}");
        let request = Reading::lenient(&TestModel).decode(format, &path("/3/0"), payload);
        assert!(request.is_err(), "a Write is all or nothing: {format} {payload:02x?}");
    }
}

#[test]
fn an_answer_of_which_nothing_is_left_is_an_error_with_its_cause() {
    let outside = DecodeCause::OutsideTarget { target: path("/3/0"), path: path("/4/0/1") };
    let utf8 = DecodeCause::Utf8 { path: path("/3/0/0") };
    for (at, text, expected) in [
        ("/3/0", &br#"[{"n":"/4/0/1","v":1},{"n":"x","v":1}]"#[..], outside),
        ("/3/0", br#"[{"n":"x","v":1},{"n":"/4/0/1","v":1}]"#, DecodeCause::Name { entry: 0 }),
        ("/3/0/0", b"[{\"n\":\"/3/0/0\",\"vs\":\"\xff\"}]", utf8),
    ] {
        assert_eq!(answer(ContentFormat::SENML_JSON, at, text).0, Err(expected));
    }
    let reading = Reading::answer(&TestModel);
    let sent = br#"[{"n":"x","v":1},{"n":"/3/0/9","v":100}]"#;
    let values = reading.decode_timed(ContentFormat::SENML_JSON, &Path::ROOT, sent).unwrap();
    assert_eq!((values.len(), reading.left_out().len()), (1, 1));
    // The next payload begins anew.
    let broken = reading.decode_timed(ContentFormat::SENML_JSON, &Path::ROOT, &sent[..18]);
    assert!(broken.is_err());
    for text in
        [&br#"[{"n":"x","v":1}]"#[..], br#"[{"n":"/3/0/9","v":1,"x_":1}]"#, br#"[{"bver":11}]"#]
    {
        assert!(reading.decode_timed(ContentFormat::SENML_JSON, &Path::ROOT, text).is_err());
    }
}

#[test]
fn a_value_that_was_asked_for_alone_is_not_left_out() {
    let text = br#"[{"n":"/3/0/9","vs":"full"}]"#;
    let expected = DecodeCause::Type { path: path("/3/0/9"), expected: DataType::Integer };
    assert_eq!(answer(ContentFormat::SENML_JSON, "/3/0/9", text), (Err(expected), 0));
    assert!(answer(ContentFormat::TLV, "/3/0/9", b"\xc3\x09\x01\x02\x03").0.is_err());
    assert!(answer(ContentFormat::LWM2M_CBOR, "/3/0/9", b"\xa1\x83\x03\x00\x09\xf6").0.is_err());
}

#[test]
fn the_report_of_what_is_left_out_is_bounded() {
    let entries = b"\xc1\x00\xff".repeat(10_000);
    let (node, left_out) = answer(ContentFormat::TLV, "/3/0", &entries);
    assert_eq!((node, left_out), (Ok(Node::ObjectInstance(Default::default())), 64));
}

// proves: ANS-03
#[test]
fn lwm2m_cbor_of_nothing_is_an_empty_map_or_null() {
    let none = || Node::Resource(Resource::Multiple(Default::default()));
    let instance = |resources: &[u16]| {
        let resources = resources.iter().map(|id| (*id, Resource::Multiple(Default::default())));
        Node::ObjectInstance(ObjectInstance { resources: resources.collect() })
    };
    let cases: [(&str, &[u8], Node); 9] = [
        ("/3", b"\xbf\xff", Node::Object(Default::default())),
        ("/3", b"\xa0", Node::Object(Default::default())),
        ("/3", b"\xf6", Node::Object(Default::default())),
        ("/3", b"\xa1\x03\xf6", Node::Object(Default::default())),
        ("/3/0", b"\xa1\x82\x03\x00\xa0", instance(&[])),
        ("/3/0", b"\xa1\x03\xa1\x00\xf6", instance(&[])),
        ("/3/0", b"\xa1\x82\x03\x00\xa1\x06\xbf\xff", instance(&[6])),
        ("/3/0/6", b"\xa1\x83\x03\x00\x06\xa0", none()),
        ("/3/0/6", b"\xa1\x83\x03\x00\x06\xf6", none()),
    ];
    for (at, payload, expected) in cases {
        let taken = answer(ContentFormat::LWM2M_CBOR, at, payload);
        assert_eq!(taken, (Ok(expected), 0), "{at} {payload:02x?}");
        let strict = Reading::strict(&TestModel);
        let refused = strict.decode(ContentFormat::LWM2M_CBOR, &path(at), payload);
        assert!(refused.is_err(), "{at} {payload:02x?}");
    }
    assert!(answer(ContentFormat::LWM2M_CBOR, "/3/0/9", b"\xa1\x83\x03\x00\x09\xa0").0.is_err());
}

// proves: SENML-11
#[test]
fn times_in_cbor_are_numbers_or_dates() {
    let at = path("/3/0/13");
    let time = Node::Resource(Resource::Single(Value::Time(1_367_491_215)));
    let value = |value: &[u8]| [b"\x81\xa2\x00\x67/3/0/13".as_slice(), value].concat();
    let date = b"\x742013-05-02T10:40:15Z";
    let conforming = [
        value(b"\x02\x1a\x51\x82\x42\x8f"),
        value(b"\x02\xc1\x1a\x51\x82\x42\x8f"),
        value(b"\x02\xc1\xfb\x41\xd4\x60\x90\xa3\xc0\x00\x00"),
        value(&[b"\x02\xc0", date.as_slice()].concat()),
    ];
    for payload in conforming {
        let reading = Reading::strict(&TestModel);
        let node = reading.decode(ContentFormat::SENML_CBOR, &at, &payload);
        assert_eq!(node.as_ref(), Ok(&time), "{payload:02x?}");
    }
    for label in [b"\x02", b"\x03"] {
        let payload = value(&[label.as_slice(), date.as_slice()].concat());
        let reading = Reading::answer(&TestModel);
        let node = reading.decode(ContentFormat::SENML_CBOR, &at, &payload);
        assert_eq!(node.as_ref(), Ok(&time), "{payload:02x?}");
        assert!(reading.forgiven().eq([Quirk::UntaggedDate]));
        assert!(
            Reading::strict(&TestModel).decode(ContentFormat::SENML_CBOR, &at, &payload).is_err()
        );
    }
}

// proves: OJSON-04
#[test]
fn names_of_oma_json_may_be_relative_to_the_path_of_the_request() {
    let battery = Node::ObjectInstance(battery());
    let level = Node::Resource(Resource::Single(Value::Integer(100)));
    let cases = [
        ("/3/0", r#"{"e":[{"n":"9","v":100}]}"#, &battery),
        ("/3/0", r#"{"bn":"/3/0","e":[{"n":"9","v":100}]}"#, &battery),
        ("/3/0", r#"{"bn":"3/0","e":[{"n":"9","v":100}]}"#, &battery),
        ("/3/0", r#"{"bn":"/","e":[{"n":"9","v":100}]}"#, &battery),
        ("/3/0", r#"{"bn":"","e":[{"n":"/3/0/9","v":100}]}"#, &battery),
        ("/3/0/9", r#"{"e":[{"v":100}]}"#, &level),
        ("/3/0/9", r#"{"e":[{"n":"","v":100}]}"#, &level),
        ("/3/0/9", r#"{"bn":"/3/0/9","e":[{"n":"","v":100}]}"#, &level),
    ];
    for (at, text, expected) in cases {
        let taken = answer(ContentFormat::JSON, at, text.as_bytes());
        assert_eq!(taken, (Ok(expected.clone()), 0), "{at} {text}");
    }
    for text in [r#"{"e":[{"n":"9","v":100}]}"#, r#"{"bn":"/3/0","e":[{"n":"9","v":100}]}"#] {
        let strict = Reading::strict(&TestModel);
        let refused = strict.decode(ContentFormat::JSON, &path("/3/0"), text.as_bytes());
        assert!(refused.is_err(), "{text}");
    }
    for text in [r#"{"e":[{"n":"9/9/9/9","v":1}]}"#, r#"{"bn":"/4/0","e":[{"n":"9","v":1}]}"#] {
        assert!(answer(ContentFormat::JSON, "/3/0", text.as_bytes()).0.is_err(), "{text}");
    }
}

// proves: ANS-03
#[test]
fn null_and_an_empty_object_are_no_values_in_formats_that_have_a_list() {
    let json = [ContentFormat::SENML_JSON, ContentFormat::JSON];
    let texts = json.into_iter().flat_map(|format| {
        [b"null".as_slice(), b"{}", b" null\n"].map(|payload| (format, payload))
    });
    let bytes = [b"\xf6".as_slice(), b"\xa0"].map(|it| (ContentFormat::SENML_CBOR, it));
    for (format, payload) in texts.chain(bytes) {
        let path = Path::instance(3, 0);
        let reading = Reading::answer(&TestModel);
        let read = reading.decode(format, &path, payload).unwrap();
        assert_eq!(read, Node::ObjectInstance(ObjectInstance::default()), "{format} {payload:?}");
        assert_eq!(reading.forgiven().collect::<Vec<_>>(), [Quirk::NoPayload]);
        for refusing in [Reading::strict(&TestModel), Reading::lenient(&TestModel)] {
            assert!(refusing.decode(format, &path, payload).is_err(), "{format} {payload:?}");
        }
        let resource = Path::resource(3, 0, 0);
        assert!(Reading::answer(&TestModel).decode(format, &resource, payload).is_err());
    }
}
