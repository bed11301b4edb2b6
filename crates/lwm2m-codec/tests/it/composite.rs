//! Bodies of composite operations.

use crate::model::{TestModel, hex};
use lwm2m_codec::composite::{decode_changes, decode_paths, encode_changes, encode_paths};
use lwm2m_codec::{DecodeCause, EncodeError};
use lwm2m_core::{ContentFormat, Path};

const ETCH_JSON: ContentFormat = ContentFormat::SENML_ETCH_JSON;
const ETCH_CBOR: ContentFormat = ContentFormat::SENML_ETCH_CBOR;

fn paths(texts: &[&str]) -> Vec<Path> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn asked(text: &str) -> Result<Vec<Path>, DecodeCause> {
    decode_paths(ETCH_JSON, text.as_bytes()).map_err(|error| error.cause)
}

// proves: ETCH-02
#[test]
fn fetch_packs_have_names_only() {
    let three = paths(&["/3/0/0", "/3/0/9", "/1/0/1"]);
    let bytes = hex("83A100662F332F302F30A100662F332F302F39A100662F312F302F31");
    assert_eq!(encode_paths(ETCH_CBOR, &three).unwrap(), bytes);
    assert_eq!(decode_paths(ETCH_CBOR, &bytes), Ok(three.clone()));
    let text = r#"[{"n":"/3/0/0"},{"n":"/3/0/9"},{"n":"/1/0/1"}]"#;
    assert_eq!(encode_paths(ETCH_JSON, &three).unwrap(), text);
    assert_eq!(asked(text), Ok(three));
    let based = r#"[{"bn":"/4/0/","n":"0","t":1,"u":"x"},{"n":"1"},{"bn":"/6/","bt":1,"n":"0"}]"#;
    assert_eq!(asked(based), Ok(paths(&["/4/0/0", "/4/0/1", "/6/0"])));
    assert_eq!(asked(r#"[{"n":"/"}]"#), Ok(vec![Path::ROOT]));
    assert_eq!(asked(r#"[{"n":"/3"},{"n":"/3"}]"#), Ok(paths(&["/3"])));
    for field in [
        r#""v":1"#,
        r#""vs":"a""#,
        r#""v":null"#,
        r#""s":1"#,
        r#""ut":1"#,
        r#""vlo":"1:0""#,
        r#""bv":1"#,
        r#""bs":1"#,
    ] {
        let pack = format!(r#"[{{"n":"/3/0/0",{field}}}]"#);
        assert_eq!(asked(&pack), Err(DecodeCause::Field { entry: 0 }), "{field}");
    }
    assert_eq!(asked(r#"[{"n":"/3"},{"n":"x"}]"#), Err(DecodeCause::Name { entry: 1 }));
    for format in [ContentFormat::LWM2M_CBOR, ContentFormat::TLV, ContentFormat::TEXT] {
        assert!(decode_paths(format, b"[]").unwrap_err().is_unsupported_format());
        assert!(encode_paths(format, &[]).is_err());
    }
}

#[test]
fn patch_packs_remove_resource_instances() {
    let bytes = hex("81A200692F31362F302F302F3102F6");
    let removal = vec![(Path::resource_instance(16, 0, 0, 1), None)];
    assert_eq!(encode_changes(ETCH_CBOR, &removal).unwrap(), bytes);
    assert_eq!(decode_changes(ETCH_CBOR, &bytes, &TestModel), Ok(removal.clone()));
    assert!(decode_changes(ContentFormat::SENML_CBOR, &bytes, &TestModel).is_err());
    let plain = encode_changes(ContentFormat::SENML_CBOR, &removal);
    assert!(matches!(plain, Err(EncodeError::UnsuitableFormat { .. })));
    // Nor can a multiple-instance resource be removed, although a single value sets its instance 0.
    let whole = decode_changes(ETCH_JSON, br#"[{"n":"/3/0/6","v":null}]"#, &TestModel);
    let path = Path::resource_instance(3, 0, 6, 0);
    assert_eq!(whole.map_err(|error| error.cause), Err(DecodeCause::NoValue { path }));
    let path = Path::resource(3, 0, 9);
    for pack in [r#"[{"n":"/3/0/9","v":null}]"#, r#"[{"n":"/3/0/9"}]"#] {
        let result = decode_changes(ETCH_JSON, pack.as_bytes(), &TestModel).map_err(|e| e.cause);
        assert_eq!(result, Err(DecodeCause::NoValue { path }), "{pack}");
    }
}

#[test]
fn changes_keep_their_order() {
    let changes = vec![
        (Path::resource(3311, 0, 5850), Some(true.into())),
        (Path::resource(1, 0, 1), Some(60i64.into())),
        (Path::resource(3311, 0, 5850), Some(false.into())),
    ];
    for format in [ETCH_JSON, ETCH_CBOR, ContentFormat::SENML_JSON, ContentFormat::SENML_CBOR] {
        let bytes = encode_changes(format, &changes).unwrap();
        assert_eq!(decode_changes(format, &bytes, &TestModel).as_ref(), Ok(&changes), "{format}");
    }
    // The sample of ETS 257: names without leading slashes after the base name `/`.
    let ets = hex("83A321612F006531 2F302F32021865 A2006531 2F302F3604F5 A20066332F302F31330200");
    assert_eq!(ets.len(), 36);
    let read = decode_changes(ContentFormat::SENML_CBOR, &ets, &TestModel).unwrap();
    let read: Vec<_> = read.iter().map(|(path, _)| *path).collect();
    assert_eq!(read, paths(&["/1/0/2", "/1/0/6", "/3/0/13"]));
}
