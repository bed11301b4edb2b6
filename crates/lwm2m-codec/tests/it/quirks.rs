//! Strict and lenient decoding, and offsets of errors.

use crate::model::{TestModel, hex};
use lwm2m_codec::link::LinkError;
use lwm2m_codec::{DecodeCause, Quirk, Reading, decode};
use lwm2m_core::{ContentFormat, DataType, Node, Path};

const TLV: ContentFormat = ContentFormat::TLV;
const CBOR: ContentFormat = ContentFormat::CBOR;
const JSON: ContentFormat = ContentFormat::SENML_JSON;

/// A payload with a quirk, and its equivalent without.
struct Case {
    quirk: Quirk,
    format: ContentFormat,
    path: &'static str,
    odd: Vec<u8>,
    regular: Vec<u8>,
}

fn case(
    quirk: Quirk,
    format: ContentFormat,
    path: &'static str,
    odd: impl Into<Vec<u8>>,
    regular: impl Into<Vec<u8>>,
) -> Case {
    Case { quirk, format, path, odd: odd.into(), regular: regular.into() }
}

fn cases() -> Vec<Case> {
    let date = |tag: &[u8], end: &[u8]| [tag, b"2013-05-02T10:40:15Z", end].concat();
    vec![
        case(Quirk::BareResources, TLV, "/3", hex("C10964"), hex("0300 C10964")),
        case(Quirk::SingleForMultiple, TLV, "/3/0/6", hex("C10605"), hex("8306410005")),
        case(
            Quirk::SingleForMultiple,
            JSON,
            "/3/0",
            &br#"[{"n":"/3/0/6","v":5}]"#[..],
            &br#"[{"n":"/3/0/6/0","v":5}]"#[..],
        ),
        case(
            Quirk::LinkAsString,
            JSON,
            "/66/0/2",
            &br#"[{"n":"/66/0/2","vs":"3:0"}]"#[..],
            &br#"[{"n":"/66/0/2","vlo":"3:0"}]"#[..],
        ),
        case(Quirk::HexLink, ContentFormat::TEXT, "/66/0/2", "ffff:FFFF", "65535:65535"),
        case(Quirk::TrailingNul, CBOR, "/66/0/2", &b"\x64\x33:0\0"[..], &b"\x633:0"[..]),
        case(
            Quirk::TrailingNul,
            CBOR,
            "/3/0/13",
            date(&[0xC0, 0x75], b"\0"),
            date(&[0xC0, 0x74], b""),
        ),
        case(Quirk::UntaggedDate, CBOR, "/3/0/13", date(&[0x74], b""), date(&[0xC0, 0x74], b"")),
        case(Quirk::WholeFloat, CBOR, "/3/0/9", hex("F93C00"), hex("01")),
        case(
            Quirk::OtherBase64,
            JSON,
            "/5/0/0",
            &br#"[{"n":"/5/0/0","vd":"+/8="}]"#[..],
            &br#"[{"n":"/5/0/0","vd":"-_8"}]"#[..],
        ),
        case(Quirk::Exponent, ContentFormat::TEXT, "/3303/0/5700", "6.667e-11", "0.00000000006667"),
        case(Quirk::OtherBase64, ContentFormat::TEXT, "/5/0/0", "AQIDBAU", "AQIDBAU="),
        case(
            Quirk::RelativeName,
            JSON,
            "/3/0/9",
            &br#"[{"n":"3/0/9","v":1}]"#[..],
            &br#"[{"n":"/3/0/9","v":1}]"#[..],
        ),
        case(
            Quirk::RelativeToTarget,
            ContentFormat::JSON,
            "/3/0",
            &br#"{"bn":"/3/0","e":[{"n":"9","v":1}]}"#[..],
            &br#"{"bn":"/3/0/","e":[{"n":"9","v":1}]}"#[..],
        ),
        case(Quirk::LegacyNumber, ContentFormat(1542), "/3/0/9", hex("C10964"), vec![]),
    ]
}

#[test]
fn lenient_decoding_reports_quirks_and_strict_decoding_refuses_them() {
    for Case { quirk, format, path, odd, regular } in cases() {
        let path: Path = path.parse().unwrap();
        let lenient = Reading::lenient(&TestModel);
        let read = lenient.decode(format, &path, &odd);
        assert!(read.is_ok(), "{quirk:?} {read:?}");
        assert!(lenient.forgiven().eq([quirk]), "{quirk:?} {lenient:?}");
        let strict = Reading::strict(&TestModel);
        let refused = strict.decode(format, &path, &odd).map_err(|error| error.cause);
        assert_eq!(refused, Err(DecodeCause::Quirk(quirk)));
        assert_eq!(strict.forgiven().count(), 0);
        if !regular.is_empty() {
            assert_eq!(strict.decode(format, &path, &regular), read, "{quirk:?}");
        }
    }
}

#[test]
fn encoded_payloads_have_no_quirks() {
    let samples = [
        (JSON, &br#"[{"bn":"/3/0/","n":"9","v":1},{"n":"6/0","v":5}]"#[..]),
        (ContentFormat::JSON, br#"{"bn":"/3/0/","e":[{"n":"9","v":1},{"n":"6/0","v":5}]}"#),
    ];
    for (format, payload) in samples {
        let path = Path::instance(3, 0);
        let strict = Reading::strict(&TestModel).decode(format, &path, payload);
        assert_eq!(strict, decode(format, &path, payload, &TestModel), "{format}");
        assert!(matches!(strict, Ok(Node::ObjectInstance(_))));
    }
}

const LINKS: [(Quirk, &str, usize); 16] = [
    (Quirk::Blanks, "</1/0>, </3/0>", 7),
    (Quirk::Blanks, "</3>; ver=1.1", 5),
    (Quirk::Blanks, "</3>;ver= \"2.2\"", 9),
    (Quirk::TrailingSlash, "</0/1/>", 5),
    // A bracket in a value begins no link.
    (Quirk::TrailingSlash, "</1>;a=1<;b=\">\",</1/0/>", 21),
    (Quirk::TrailingSlash, "</>;lwm2m=1.1,</0/0>,</21/1/>", 27),
    (Quirk::BareVersion, "lwm2m=\"1.0\",</0/0>", 0),
    (Quirk::EmptyLink, "</3>;;ver=1.1", 5),
    (Quirk::EmptyLink, "</3>,", 5),
    (Quirk::EmptyLink, "</3>,,</4>", 5),
    (Quirk::TrailingNul, "</3>\0", 4),
    (Quirk::BadEscape, "</%>", 2),
    (Quirk::BadEscape, "</3>,</%1g>", 7),
    (Quirk::NotAscii, "</b\u{fc}ro>", 3),
    (Quirk::NotAscii, "</3>;gr\u{f6}sse=1", 7),
    (Quirk::NotAscii, "</3>;a=1;\u{e4}", 9),
];

#[test]
fn every_quirk_has_a_case() {
    let cases = cases();
    for quirk in Quirk::ALL {
        let of_payload = cases.iter().any(|case| case.quirk == *quirk);
        let of_links = LINKS.iter().any(|(of, ..)| of == quirk);
        // The tests of `root` cover quirks of alternate paths, those of `answers` quirks of answers.
        let elsewhere = [Quirk::OutsideRoot, Quirk::NoPayload, Quirk::EmptyMap];
        assert!(of_payload || of_links || elsewhere.contains(quirk), "{quirk:?}");
    }
}

#[test]
fn links_are_read_strictly_or_not() {
    for (quirk, text, at) in LINKS {
        let lenient = Reading::lenient(&TestModel);
        assert!(lenient.links(text).is_ok(), "{text}");
        assert!(lenient.forgiven().eq([quirk]), "{text}");
        let strict = Reading::strict(&TestModel).links(text);
        assert_eq!(strict, Err(LinkError::Quirk { offset: at, quirk }), "{text}");
    }
    let regular = [
        "",
        "</>;rt=\"oma.lwm2m\";ct=\"60 110\",</3>;ver=1.1,</3/0>",
        "</a%20b>;title=\"gr\u{f6}\\\"sse;, </\";flag,</4>",
    ];
    for regular in regular {
        assert!(Reading::strict(&TestModel).links(regular).is_ok(), "{regular}");
    }
}

#[test]
fn errors_have_offsets() {
    let wrong = |path: &str, format, payload: &[u8]| {
        let error = decode(format, &path.parse().unwrap(), payload, &TestModel).unwrap_err();
        (error.offset, error.cause)
    };
    let level = Path::resource(3, 0, 9);
    let expected = DataType::Integer;
    let not_integer = DecodeCause::Type { path: level, expected };
    assert_eq!(wrong("/3/0", TLV, &hex("C10A0F C309000001")), (3, not_integer.clone()));
    assert_eq!(wrong("/3", TLV, &hex("080006 C10A0F C20964")).0, 6);
    let json = br#"[{"n":"/3/0/10","v":1},{"n":"/3/0/9","vs":"a"}]"#;
    assert_eq!(wrong("/3/0", JSON, json), (22, not_integer.clone()));
    let cbor = hex("A1820300 A2 0A01 096161");
    assert_eq!(wrong("/3/0", ContentFormat::LWM2M_CBOR, &cbor), (8, not_integer));
    assert_eq!(wrong("/3/0/9", CBOR, &hex("0101")), (1, DecodeCause::Cbor));
    let text = decode(TLV, &Path::instance(3, 0), &hex("C309000001"), &TestModel).unwrap_err();
    assert_eq!(text.to_string(), "byte 0: the value of /3/0/9 is not a valid Integer");
}
