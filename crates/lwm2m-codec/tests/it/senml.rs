//! SenML beyond the samples.

use crate::model::TestModel;
use lwm2m_codec::{DecodeCause, EncodeError, Timed, decode, decode_timed, encode};
use lwm2m_core::{
    ContentFormat, DataType, Node, ObjectInstance, ObjectLink, Path, Resource, Value,
};

const JSON: ContentFormat = ContentFormat::SENML_JSON;

fn read(path: &str, text: &str) -> Result<Node, DecodeCause> {
    decode(JSON, &path.parse().unwrap(), text.as_bytes(), &TestModel).map_err(|error| error.cause)
}

fn value(path: &str, field: &str) -> Result<Value, DecodeCause> {
    match read(path, &format!(r#"[{{"n":"{path}",{field}}}]"#))? {
        Node::Resource(Resource::Single(value)) => Ok(value),
        other => panic!("{other:?}"),
    }
}

// proves: SENML-08
#[test]
fn a_record_has_one_value_and_a_path_one_record() {
    let path = Path::resource(3, 0, 9);
    assert_eq!(read("/3/0", r#"[{"n":"/3/0/9"}]"#), Err(DecodeCause::NoValue { path }));
    assert_eq!(value("/3/0/9", r#""v":null"#), Err(DecodeCause::NoValue { path }));
    let two = read("/3/0", r#"[{"n":"/3/0/9","v":1,"vs":"a"}]"#);
    assert!(matches!(two, Err(DecodeCause::Senml(_))), "{two:?}");
    let twice = read("/3/0", r#"[{"n":"/3/0/9","v":1},{"n":"/3/0/9","v":2}]"#);
    assert_eq!(twice, Err(DecodeCause::Duplicate { path }));
    let node =
        Node::ObjectInstance(ObjectInstance::default().with_multiple(6, [(0, 1i64), (1, 5)]));
    let text = r#"[{"bn":"/3/0/","n":"6/0","v":1},{"n":"6/1","v":5}]"#;
    assert_eq!(encode(JSON, &Path::instance(3, 0), &node).unwrap(), text);
    assert_eq!(read("/3/0", text), Ok(node));
}

// proves: SENML-10
#[test]
fn records_outside_of_the_request_are_refused() {
    let outside = |target: Path, path| Err(DecodeCause::OutsideTarget { target, path });
    let text = r#"[{"n":"/3/0/9","v":1},{"n":"/1/0/1","v":1}]"#;
    let (device, lifetime) = (Path::instance(3, 0), Path::resource(1, 0, 1));
    assert_eq!(read("/3/0", text), outside(device, lifetime));
    let level = Path::resource(3, 0, 9);
    assert_eq!(read("/3/0/6", text), outside(Path::resource(3, 0, 6), level));
    assert!(read("/", text).is_ok());
}

#[test]
fn names_have_to_be_paths_of_values() {
    for name in [
        "",
        "/",
        "/3",
        "/3/0",
        "/3/0/",
        "//3/0/9",
        "/3/0/9/0/0",
        "/3/0/09",
        "/3/0/x",
        "/3/0/65535",
        "/3/0/70000",
        "/3/0/-1",
        "3/0/9/",
    ] {
        let result = read("/", &format!(r#"[{{"n":"{name}","v":1}}]"#));
        assert!(
            matches!(result, Err(DecodeCause::Name { entry: 0 } | DecodeCause::NoValue { .. })),
            "{name}: {result:?}"
        );
    }
    // Names without leading slashes after the base name `/`, as LwM2M test suites send them.
    assert!(read("/3", r#"[{"n":"3/0/9","v":1}]"#).is_ok());
    assert!(read("/3", r#"[{"bn":"/","n":"3/0/9","v":1}]"#).is_ok());
    // The base name of a single resource may be its whole name.
    assert_eq!(
        read("/3/0/0", r#"[{"bn":"/3/0/0","vs":"Open Mobile Alliance"}]"#),
        Ok(Node::Resource(Resource::Single("Open Mobile Alliance".into())))
    );
}

#[test]
fn numbers_fit_the_type_exactly_or_are_refused() {
    assert_eq!(value("/1000/0/1", r#""v":9007199254740993"#), Ok(9_007_199_254_740_993i64.into()));
    assert_eq!(value("/1000/0/1", r#""v":-9223372036854775808"#), Ok(i64::MIN.into()));
    assert_eq!(value("/1000/0/2", r#""v":18446744073709551615"#), Ok(u64::MAX.into()));
    assert_eq!(value("/1000/0/2", r#""v":5"#), Ok(5u64.into()));
    for five in ["5.0", "5e0", "50E-1"] {
        assert_eq!(value("/1000/0/1", &format!("\"v\":{five}")), Ok(5i64.into()));
        assert_eq!(value("/1000/0/6", &format!("\"v\":{five}")), Ok(Value::Time(5)));
    }
    let wrong =
        |path: &str, expected| Err(DecodeCause::Type { path: path.parse().unwrap(), expected });
    for bad in ["5.5", "9223372036854775808", "1e300", "9007199254740993.0"] {
        let integer = value("/1000/0/1", &format!("\"v\":{bad}"));
        assert_eq!(integer, wrong("/1000/0/1", DataType::Integer), "{bad}");
    }
    assert_eq!(value("/1000/0/2", r#""v":-1"#), wrong("/1000/0/2", DataType::UnsignedInteger));
    assert_eq!(value("/1000/0/3", r#""v":5"#), Ok(5.0.into()));
    assert_eq!(value("/1000/0/4", r#""v":1"#), wrong("/1000/0/4", DataType::Boolean));
    assert_eq!(value("/1000/0/0", r#""v":1"#), wrong("/1000/0/0", DataType::String));
}

#[test]
fn opaque_and_links_in_all_spellings() {
    let bytes = |bytes: &[u8]| Ok(Value::Opaque(bytes.to_vec().into()));
    assert_eq!(value("/1000/0/5", r#""vd":"AQIDBAU=""#), bytes(&[1, 2, 3, 4, 5]));
    assert_eq!(value("/1000/0/5", r#""vd":"+/8""#), bytes(&[0xFB, 0xFF]));
    for null in ["FFFF:FFFF", "ffff:ffff", "65535:65535"] {
        let link = value("/1000/0/7", &format!(r#""vlo":"{null}""#));
        assert_eq!(link, Ok(ObjectLink::NULL.into()));
    }
    assert!(value("/1000/0/7", r#""vlo":"66""#).is_err());
}

#[test]
fn unknown_resources_keep_the_type_of_the_format() {
    let cases: [(&str, Value); 6] = [
        (r#""v":1"#, 1i64.into()),
        (r#""v":18446744073709551615"#, u64::MAX.into()),
        (r#""v":1.0"#, 1.0.into()),
        (r#""vb":true"#, true.into()),
        (r#""vs":"a""#, "a".into()),
        (r#""vlo":"3:0""#, ObjectLink { object: 3, instance: 0 }.into()),
    ];
    for (field, expected) in cases {
        assert_eq!(value("/9999/0/1", field), Ok(expected));
    }
}

#[test]
fn the_newest_of_several_values_is_taken() {
    let text = r#"[{"bn":"/72/","bt":1700000000,"n":"1/2","v":22.4,"t":-5},
        {"n":"1/2","v":22.9,"t":-30},{"n":"1/2","v":24.1,"t":-50}]"#;
    let newest = Node::Resource(Resource::Single(22.4.into()));
    assert_eq!(read("/72/1/2", text), Ok(newest));
    let path = Path::resource(72, 1, 2);
    let all = decode_timed(JSON, &path, text.as_bytes(), &TestModel).unwrap();
    let timed = |time, value: f64| Timed { time: Some(time), path, value: value.into() };
    assert_eq!(
        all,
        [timed(1_699_999_995.0, 22.4), timed(1_699_999_970.0, 22.9), timed(1_699_999_950.0, 24.1)]
    );
    let now = r#"[{"n":"/72/1/2","v":1},{"n":"/72/1/2","v":2,"t":-5},
        {"n":"/72/1/2","v":3,"t":1700000000}]"#;
    assert_eq!(read("/72/1/2", now), Ok(Node::Resource(Resource::Single(1.0.into()))));
    let tie = r#"[{"n":"/72/1/2","v":1,"t":-5},{"n":"/72/1/2","v":2,"t":-5}]"#;
    assert_eq!(read("/72/1/2", tie), Err(DecodeCause::Duplicate { path }));
    let flat = decode_timed(ContentFormat::TEXT, &path, b"1.5", &TestModel).unwrap();
    assert_eq!(flat, [Timed { time: None, path, value: 1.5.into() }]);
}

#[test]
fn numbers_that_are_not_finite_are_refused() {
    let node = Node::ObjectInstance(ObjectInstance::default().with(3, f64::NAN));
    for format in [JSON, ContentFormat::SENML_CBOR] {
        let error = encode(format, &Path::instance(1000, 0), &node).unwrap_err();
        assert_eq!(error, EncodeError::NotFinite { format, path: Path::resource(1000, 0, 3) });
    }
    assert!(encode(ContentFormat::TLV, &Path::instance(1000, 0), &node).is_ok());
}

#[test]
fn empty_packs() {
    assert_eq!(read("/3/0", "[]"), Ok(Node::ObjectInstance(ObjectInstance::default())));
    assert_eq!(read("/3/0/6", "[]"), Ok(Node::Resource(Resource::Multiple([].into()))));
    assert!(read("/3/0/9", "[]").is_err());
}
