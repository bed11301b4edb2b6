//! Formats of one value: text, opaque, CBOR.

use crate::model::{TestModel, hex};
use lwm2m_codec::{DecodeCause, DecodeError, EncodeError, decode, encode, supports};
use lwm2m_core::{
    ContentFormat, DataType, Node, ObjectInstance, ObjectLink, Path, Resource, Value,
};

/// The resource of object 1000 with the type of `data_type`.
fn path_of(data_type: DataType) -> Path {
    let id = match data_type {
        DataType::String => 0,
        DataType::Integer => 1,
        DataType::UnsignedInteger => 2,
        DataType::Float => 3,
        DataType::Boolean => 4,
        DataType::Opaque => 5,
        DataType::Time => 6,
        DataType::ObjectLink => 7,
        _ => 8,
    };
    Path::resource(1000, 0, id)
}

fn write(format: ContentFormat, value: &Value) -> Result<Vec<u8>, EncodeError> {
    let node = Node::Resource(Resource::Single(value.clone()));
    encode(format, &path_of(value.data_type()), &node).map(|bytes| bytes.to_vec())
}

fn read(
    format: ContentFormat,
    data_type: DataType,
    payload: impl AsRef<[u8]>,
) -> Result<Value, DecodeError> {
    match decode(format, &path_of(data_type), payload.as_ref(), &TestModel)? {
        Node::Resource(Resource::Single(value)) => Ok(value),
        other => panic!("{other:?}"),
    }
}

fn both_ways(format: ContentFormat, value: Value, payload: impl AsRef<[u8]>) {
    assert_eq!(write(format, &value).as_deref(), Ok(payload.as_ref()));
    assert_eq!(read(format, value.data_type(), payload), Ok(value));
}

fn refused(format: ContentFormat, data_type: DataType, payload: impl AsRef<[u8]>) {
    let error = read(format, data_type, payload.as_ref()).unwrap_err();
    assert!(!error.is_unsupported_format(), "{error}");
}

const TEXT: ContentFormat = ContentFormat::TEXT;

// proves: TEXT-01
#[test]
fn text_integers_are_exact_decimals() {
    both_ways(TEXT, Value::Integer(i64::MIN), "-9223372036854775808");
    both_ways(TEXT, Value::UnsignedInteger(u64::MAX), "18446744073709551615");
    both_ways(TEXT, Value::Time(1_367_491_215), "1367491215");
    for bad in ["1.5", "abc", "", "99999999999999999999", "+1", " 1", "1 ", "-", "0x1"] {
        refused(TEXT, DataType::Integer, bad);
        refused(TEXT, DataType::UnsignedInteger, bad);
        refused(TEXT, DataType::Time, bad);
    }
    refused(TEXT, DataType::UnsignedInteger, "-1");
}

// proves: TEXT-02
#[test]
fn text_floats_have_no_exponent() {
    both_ways(TEXT, Value::Float(6.667e-11), "0.00000000006667");
    both_ways(TEXT, Value::Float(-1.5), "-1.5");
    both_ways(TEXT, Value::Float(0.0), "0");
    both_ways(TEXT, Value::Float(1e21), "1000000000000000000000");
    for value in [f64::MAX, f64::MIN_POSITIVE, 5e-324, -123.456] {
        let text = write(TEXT, &Value::Float(value)).unwrap();
        assert!(!text.iter().any(|byte| matches!(byte, b'e' | b'E')));
        assert_eq!(read(TEXT, DataType::Float, text), Ok(Value::Float(value)));
    }
    for bad in ["nan", "inf", "-inf", "infinity", "", "1e999", "+1", "1,5", "--1"] {
        refused(TEXT, DataType::Float, bad);
    }
    let error = write(TEXT, &Value::Float(f64::NAN)).unwrap_err();
    assert!(matches!(error, EncodeError::NotFinite { .. }));
}

// proves: TEXT-03
#[test]
fn text_booleans_are_one_digit() {
    both_ways(TEXT, Value::Boolean(false), "0");
    both_ways(TEXT, Value::Boolean(true), "1");
    for bad in ["true", "2", "", "01"] {
        refused(TEXT, DataType::Boolean, bad);
    }
}

// proves: TEXT-04
#[test]
fn text_opaque_is_padded_base64() {
    both_ways(TEXT, Value::Opaque(vec![1, 2, 3, 4, 5].into()), "AQIDBAU=");
    both_ways(TEXT, Value::Opaque(vec![0xFB, 0xFF].into()), "+/8=");
    both_ways(TEXT, Value::Opaque(vec![].into()), "");
    for bad in ["*", "AQIDBAU==", "A"] {
        refused(TEXT, DataType::Opaque, bad);
    }
}

// proves: TEXT-05
#[test]
fn text_links_and_strings() {
    both_ways(TEXT, Value::ObjectLink(ObjectLink { object: 66, instance: 0 }), "66:0");
    both_ways(TEXT, Value::ObjectLink(ObjectLink::NULL), "65535:65535");
    both_ways(TEXT, Value::String("größe".into()), "größe");
    both_ways(TEXT, Value::CoreLink("</3/0>".into()), "</3/0>");
    for bad in ["66", "66:", "66:70000", ""] {
        refused(TEXT, DataType::ObjectLink, bad);
    }
    refused(TEXT, DataType::String, [0xFF]);
    // An unknown resource.
    let unknown = decode(TEXT, &Path::resource(9999, 0, 0), b"12", &TestModel);
    assert_eq!(unknown, Ok(Node::Resource(Resource::Single("12".into()))));
}

#[test]
fn formats_of_one_value_refuse_trees() {
    let instance = Node::ObjectInstance(ObjectInstance::default().with(0, "a"));
    let path = Path::instance(3, 0);
    let multiple = Node::Resource(Resource::Multiple([(0, Value::Integer(1))].into()));
    for format in [TEXT, ContentFormat::OPAQUE, ContentFormat::CBOR] {
        assert!(!supports(format, &path));
        assert!(supports(format, &Path::resource_instance(3, 0, 6, 0)));
        assert!(encode(format, &path, &instance).unwrap_err().is_not_acceptable());
        assert!(decode(format, &path, b"a", &TestModel).unwrap_err().is_unsupported_format());
        let path = Path::resource(3, 0, 6);
        assert!(encode(format, &path, &multiple).unwrap_err().is_not_acceptable());
        assert!(decode(format, &path, b"1", &TestModel).is_err());
        assert!(decode(format, &Path::resource_instance(3, 0, 9, 0), b"1", &TestModel).is_err());
    }
    let value = decode(TEXT, &Path::resource_instance(3, 0, 6, 1), b"5", &TestModel);
    assert_eq!(value, Ok(Node::ResourceInstance(Value::Integer(5))));
    let executable = decode(TEXT, &Path::resource(3, 0, 4), b"5", &TestModel);
    assert!(matches!(executable.map_err(|e| e.cause), Err(DecodeCause::Type { .. })));
}

// proves: OPAQ-01
#[test]
fn opaque_is_the_bytes() {
    both_ways(ContentFormat::OPAQUE, Value::Opaque(vec![0, 0xFF, 1].into()), [0, 0xFF, 1]);
    both_ways(ContentFormat::OPAQUE, Value::Opaque(vec![].into()), []);
    let path = Path::resource_instance(19, 0, 0, 0);
    let node = Node::ResourceInstance(Value::Opaque(vec![7].into()));
    assert_eq!(encode(ContentFormat::OPAQUE, &path, &node).as_deref(), Ok(&[7][..]));
    assert_eq!(decode(ContentFormat::OPAQUE, &path, &[7], &TestModel), Ok(node));
    let error = read(ContentFormat::OPAQUE, DataType::Integer, [1]).unwrap_err();
    assert!(error.is_unsupported_format());
    assert!(write(ContentFormat::OPAQUE, &"a".into()).unwrap_err().is_not_acceptable());
}

const CBOR: ContentFormat = ContentFormat::CBOR;

// proves: CBOR-01
#[test]
fn cbor_holds_one_value() {
    both_ways(CBOR, Value::Integer(1), hex("01"));
    both_ways(CBOR, Value::Integer(-1), hex("20"));
    both_ways(CBOR, Value::Integer(i64::MIN), hex("3B7FFFFFFFFFFFFFFF"));
    both_ways(CBOR, Value::UnsignedInteger(u64::MAX), hex("1BFFFFFFFFFFFFFFFF"));
    both_ways(CBOR, Value::Boolean(true), hex("F5"));
    both_ways(CBOR, Value::Opaque(vec![1, 2, 3].into()), hex("43010203"));
    both_ways(CBOR, Value::ObjectLink(ObjectLink { object: 66, instance: 0 }), hex("6436363A30"));
    both_ways(CBOR, Value::Float(1.1), hex("FB3FF199999999999A"));
    both_ways(CBOR, Value::Time(1_367_491_215), hex("C11A5182428F"));
    both_ways(CBOR, Value::String("a".into()), hex("6161"));
    both_ways(CBOR, Value::CoreLink("</3>".into()), hex("643C2F333E"));
}

// proves: CBOR-02
#[test]
fn cbor_floats_of_any_width_and_nothing_else() {
    for one in ["F93C00", "FA3F800000", "FB3FF0000000000000", "01"] {
        assert_eq!(read(CBOR, DataType::Float, hex(one)), Ok(Value::Float(1.0)), "{one}");
    }
    for bad in ["6141", "0101", "1901", "", "F6", "C101", "80", "A0", "1BFFFFFFFFFFFFFFFF"] {
        refused(CBOR, DataType::Integer, hex(bad));
    }
    refused(CBOR, DataType::UnsignedInteger, hex("20"));
    refused(CBOR, DataType::Boolean, hex("01"));
    refused(CBOR, DataType::String, hex("62C328"));
}

// proves: CBOR-03
#[test]
fn cbor_times_of_three_kinds() {
    let date = [&[0xC0, 0x74][..], b"2013-05-02T10:40:15Z"].concat();
    let untagged = [&[0x74][..], b"2013-05-02T10:40:15Z"].concat();
    let float = hex("C1FB41D46090A3C00000");
    for payload in [date, untagged, float, hex("C11A5182428F"), hex("1A5182428F")] {
        let path = Path::resource(3, 0, 13);
        let time = Node::Resource(Resource::Single(Value::Time(1_367_491_215)));
        assert_eq!(decode(CBOR, &path, &payload, &TestModel), Ok(time), "{payload:02x?}");
    }
    refused(CBOR, DataType::Time, [&[0xC0, 0x74][..], b"2013-05-02T10:40:15X"].concat());
    refused(CBOR, DataType::Time, hex("C0C01A5182428F"));
    let unknown = decode(CBOR, &Path::resource(9999, 0, 0), &hex("C1187B"), &TestModel);
    assert_eq!(unknown, Ok(Node::Resource(Resource::Single(Value::Time(123)))));
}

#[test]
fn unknown_formats_are_told_apart() {
    let path = Path::resource(3, 0, 0);
    let node = Node::Resource(Resource::Single("a".into()));
    let format = ContentFormat(4711);
    assert_eq!(encode(format, &path, &node), Err(EncodeError::UnsupportedFormat(format)));
    let error = decode(format, &path, b"a", &TestModel).unwrap_err();
    assert_eq!(error, DecodeError::unsupported(format));
    assert!(error.is_unsupported_format());
    // A node of another kind than the path is an error of the caller.
    let error = encode(TEXT, &Path::instance(3, 0), &node).unwrap_err();
    assert_eq!(error, EncodeError::WrongNode { path: Path::instance(3, 0) });
    assert!(!error.is_not_acceptable());
    // Numbers from before registration are read but never written.
    assert_eq!(decode(ContentFormat(1541), &path, b"a", &TestModel).as_ref(), Ok(&node));
    assert!(encode(ContentFormat(1541), &path, &node).is_err());
}
