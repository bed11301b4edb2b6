//! Payloads of Create.

use crate::model::{TestModel, hex};
use lwm2m_codec::{DecodeCause, Quirk, Reading, decode_create, encode_create};
use lwm2m_core::{ContentFormat, ObjectInstance, Path};

const FORMATS: [ContentFormat; 3] =
    [ContentFormat::TLV, ContentFormat::SENML_JSON, ContentFormat::SENML_CBOR];

fn values() -> ObjectInstance {
    ObjectInstance::default()
        .with_multiple(0, [(0, "Host Device ID #2"), (1, "Host Device Model #2")])
}

fn json(text: &str) -> Result<(Option<u16>, ObjectInstance), DecodeCause> {
    decode_create(ContentFormat::SENML_JSON, 16, text.as_bytes(), &TestModel)
        .map_err(|error| error.cause)
}

fn tlv(text: &str) -> Result<(Option<u16>, ObjectInstance), DecodeCause> {
    decode_create(ContentFormat::TLV, 16, &hex(text), &TestModel).map_err(|error| error.cause)
}

#[test]
fn with_and_without_an_id() {
    for format in FORMATS {
        for id in [None, Some(0), Some(1), Some(65534)] {
            let payload = encode_create(format, 16, id, &values()).unwrap();
            let read = decode_create(format, 16, &payload, &TestModel);
            assert_eq!(read, Ok((id, values())), "{format}");
        }
    }
    let sample = "08012E 88002B 480011 486F737420446576696365204944202332
        480114 486F737420446576696365204D6F64656C202332";
    assert_eq!(hex(sample).len(), 49);
    assert_eq!(encode_create(ContentFormat::TLV, 16, Some(1), &values()).unwrap(), hex(sample));
    assert_eq!(tlv(sample), Ok((Some(1), values())));
}

#[test]
fn an_instance_without_resources() {
    let empty = ObjectInstance::default();
    assert_eq!(tlv(""), Ok((None, empty.clone())));
    assert_eq!(tlv("0005"), Ok((Some(5), empty.clone())));
    assert_eq!(tlv("20FFFF"), Ok((None, empty.clone())));
    assert_eq!(json("[]"), Ok((None, empty)));
}

#[test]
fn names_in_each_spelling() {
    let one = ObjectInstance::default().with_multiple(0, [(3, "a")]);
    for text in [
        r#"[{"bn":"/16/7/","n":"0/3","vs":"a"}]"#,
        r#"[{"bn":"/","n":"16/7/0/3","vs":"a"}]"#,
        r#"[{"n":"16/7/0/3","vs":"a"}]"#,
    ] {
        assert_eq!(json(text), Ok((Some(7), one.clone())), "{text}");
    }
    for text in [r#"[{"bn":"/16/65535/","n":"0/3","vs":"a"}]"#, r#"[{"n":"0/3","vs":"a"}]"#] {
        assert_eq!(json(text), Ok((None, one.clone())), "{text}");
    }
    let single = ObjectInstance::default().with(0, 5i64);
    for text in [r#"[{"n":"0","v":5}]"#, r#"[{"bn":"/1/","n":"0","v":5}]"#] {
        let read = decode_create(ContentFormat::SENML_JSON, 1, text.as_bytes(), &TestModel);
        assert_eq!(read, Ok((None, single.clone())), "{text}");
    }
}

#[test]
fn one_instance_of_the_object_only() {
    let two = json(r#"[{"n":"/16/0/0/0","vs":"a"},{"n":"/16/1/0/0","vs":"a"}]"#);
    let outside =
        DecodeCause::OutsideTarget { target: Path::object(16), path: Path::instance(16, 1) };
    assert_eq!(two, Err(outside));
    assert!(json(r#"[{"n":"/17/0/0/0","vs":"a"}]"#).is_err());
    let single = br#"[{"n":"/16/0","vs":"a"}]"#;
    let strict = Reading::strict(&TestModel).decode_create(ContentFormat::SENML_JSON, 16, single);
    let quirk = DecodeCause::Quirk(Quirk::SingleForMultiple);
    assert_eq!(strict.map_err(|error| error.cause), Err(quirk));
    assert_eq!(tlv("0000 0001"), Err(DecodeCause::Id));
    assert_eq!(
        tlv("8000 0001").unwrap_err(),
        DecodeCause::OutsideTarget { target: Path::instance(16, 0), path: Path::instance(16, 1) }
    );
    for format in [ContentFormat::TEXT, ContentFormat::OPAQUE, ContentFormat::CBOR] {
        assert!(decode_create(format, 16, b"", &TestModel).unwrap_err().is_unsupported_format());
        assert!(encode_create(format, 16, None, &values()).unwrap_err().is_not_acceptable());
    }
}
