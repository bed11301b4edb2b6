//! The samples of OMA LwM2M Core 1.2, section 7.4, with the misprints corrected.

use crate::model::{TestModel, hex};
use lwm2m_codec::{DecodeCause, Quirk, Reading, decode, encode};
use lwm2m_core::{ContentFormat, Node, Object, ObjectInstance, ObjectLink, Path, Value};
use std::collections::BTreeMap;

const DEVICE: &str = "C800144F70656E204D6F62696C6520416C6C69616E6365
    C801164C69676874776569676874204D324D20436C69656E74 C80209333435303030313233 C303312E30
    8606410001410105 88070842000ED842011388 870841007D42010384 C10964 C10A0F 830B410000
    C40D5182428F C60E2B30323A3030 C11055";

const DEVICE_JSON: &str = r#"[{"bn":"/3/0/","n":"0","vs":"Open Mobile Alliance"},{"n":"1","vs":"Lightweight M2M Client"},{"n":"2","vs":"345000123"},{"n":"3","vs":"1.0"},{"n":"6/0","v":1},{"n":"6/1","v":5},{"n":"7/0","v":3800},{"n":"7/1","v":5000},{"n":"8/0","v":125},{"n":"8/1","v":900},{"n":"9","v":100},{"n":"10","v":15},{"n":"11/0","v":0},{"n":"13","v":1367491215},{"n":"14","vs":"+02:00"},{"n":"16","vs":"U"}]"#;

const DEVICE_CBOR: &str = "90A321652F332F302F00613003744F70656E204D6F62696C6520416C6C69616E6365
    A200613103764C69676874776569676874204D324D20436C69656E74 A20061320369333435303030313233
    A20061330363312E30 A20063362F300201 A20063362F310205 A20063372F3002190ED8
    A20063372F3102191388 A20063382F3002187D A20063382F3102190384 A2006139021864 A200623130020F
    A2006431312F300200 A200623133021A5182428F A20062313403662B30323A3030 A200623136036155";

fn device() -> ObjectInstance {
    ObjectInstance::default()
        .with(0, "Open Mobile Alliance")
        .with(1, "Lightweight M2M Client")
        .with(2, "345000123")
        .with(3, "1.0")
        .with_multiple(6, [(0, 1i64), (1, 5)])
        .with_multiple(7, [(0, 3800i64), (1, 5000)])
        .with_multiple(8, [(0, 125i64), (1, 900)])
        .with(9, 100i64)
        .with(10, 15i64)
        .with_multiple(11, [(0, 0i64)])
        .with(13, Value::Time(1_367_491_215))
        .with(14, "+02:00")
        .with(16, "U")
}

fn object(instances: impl IntoIterator<Item = (u16, ObjectInstance)>) -> Node {
    Node::Object(Object { instances: instances.into_iter().collect() })
}

/// Checks both directions, and that each truncation is an error or a shorter valid payload.
fn exact(format: ContentFormat, path: &str, node: &Node, bytes: &[u8]) {
    let path: Path = path.parse().unwrap();
    assert_eq!(encode(format, &path, node).as_deref(), Ok(bytes), "{path}");
    assert_eq!(decode(format, &path, bytes, &TestModel).as_ref(), Ok(node), "{path}");
    for length in 0..bytes.len() {
        let cut = decode(format, &path, &bytes[..length], &TestModel);
        assert_ne!(cut.as_ref(), Ok(node), "{path} cut to {length}");
        if format != ContentFormat::TLV {
            assert!(cut.is_err(), "{path} cut to {length}");
        }
    }
}

// proves: TLV-09
#[test]
fn tlv_samples_are_exact() {
    let tlv = |path: &str, node: &Node, text: &str, length| {
        assert_eq!(hex(text).len(), length);
        exact(ContentFormat::TLV, path, node, &hex(text));
    };
    tlv("/3/0", &Node::ObjectInstance(device()), DEVICE, 121);
    tlv("/3", &object([(0, device())]), &format!("080079{DEVICE}"), 124);
    let acl = |target: i64, rights: Vec<(u16, i64)>| {
        ObjectInstance::default()
            .with(0, target)
            .with(1, 0i64)
            .with_multiple(2, rights)
            .with(3, 127i64)
    };
    let acls = object([(0, acl(1, vec![(127, 7)])), (2, acl(3, vec![(127, 7), (310, 1)]))]);
    let text = "08000E C10001 C10100 8302417F07 C1037F
        080212 C10003 C10100 8702417F0761013601 C1037F";
    tlv("/2", &acls, text, 38);
    let server =
        ObjectInstance::default().with(0, 1i64).with(1, 86_400i64).with(6, true).with(7, "U");
    tlv("/1", &object([(0, server)]), "08000F C10001 C40100015180 C10601 C10755", 18);
    let links = [ObjectLink { object: 66, instance: 0 }, ObjectLink { object: 66, instance: 1 }];
    let link_list = ObjectInstance::default()
        .with_multiple(0, [(0, links[0]), (1, links[1])])
        .with(1, "8613800755500")
        .with(2, 0x1234_5678i64);
    let text = "88000C 440000420000 440100420001
        C8010D38363133383030373535353030 C40212345678";
    tlv("/65/0", &Node::ObjectInstance(link_list), text, 37);
    let service = |name: &str, place: &str, link| {
        ObjectInstance::default().with(0, name).with(1, place).with(2, link)
    };
    let services = object([
        (0, service("myService 1", "Internet.15.234", ObjectLink { object: 67, instance: 0 })),
        (1, service("myService 2", "Internet.15.235", ObjectLink::NULL)),
    ]);
    let text = "080026 C8000B6D79536572766963652031 C8010F496E7465726E65742E31352E323334
        C40200430000 080126 C8000B6D79536572766963652032 C8010F496E7465726E65742E31352E323335
        C402FFFFFFFF";
    tlv("/66", &services, text, 82);
}

#[test]
fn the_misprinted_tlv_samples_fail() {
    let short_model = DEVICE.replace("776569676874", "7765696774");
    let path = Path::instance(3, 0);
    let misprint = decode(ContentFormat::TLV, &path, &hex(&short_model), &TestModel);
    assert!(misprint.is_err(), "{misprint:?}");
    let short_length = hex("08000D C10001 C40100015180 C10601 C10755");
    let misprint = decode(ContentFormat::TLV, &Path::object(1), &short_length, &TestModel);
    assert!(
        matches!(misprint.as_ref().map_err(|e| &e.cause), Err(DecodeCause::Tlv(_))),
        "{misprint:?}"
    );
}

// proves: TLV-07
#[test]
fn instances_are_wrapped_above_them_and_may_be_within() {
    let device = Node::ObjectInstance(device());
    let bare = hex(DEVICE);
    let wrapped = hex(&format!("080079{DEVICE}"));
    let path = Path::instance(3, 0);
    for payload in [&bare, &wrapped] {
        assert_eq!(decode(ContentFormat::TLV, &path, payload, &TestModel).as_ref(), Ok(&device));
    }
    assert_eq!(encode(ContentFormat::TLV, &path, &device).as_deref(), Ok(&bare[..]));
    let other = hex("08010BC10001C10100C10201C10300");
    let outside = decode(ContentFormat::TLV, &path, &other, &TestModel);
    assert!(outside.is_err());
    // Without an Object Instance TLV the instance is unknown.
    let strict = Reading::strict(&TestModel);
    let lost = strict.decode(ContentFormat::TLV, &Path::object(3), &bare);
    assert_eq!(lost.map_err(|error| error.cause), Err(DecodeCause::Quirk(Quirk::BareResources)));
    let lost = decode(ContentFormat::TLV, &Path::object(1), &hex("C10001"), &TestModel);
    assert_eq!(lost.map_err(|error| error.cause), Err(DecodeCause::Id));
}

// proves: SENML-02
#[test]
fn senml_json_samples_are_exact() {
    let device = Node::ObjectInstance(device());
    exact(ContentFormat::SENML_JSON, "/3/0", &device, DEVICE_JSON.as_bytes());
    // The specification has a line break after each record.
    let lines = DEVICE_JSON.replace("},", "},\n");
    assert_eq!(lines.len(), 399);
    let read =
        decode(ContentFormat::SENML_JSON, &"/3/0".parse().unwrap(), lines.as_bytes(), &TestModel);
    assert_eq!(read, Ok(device));
    let values = ObjectInstance::default()
        .with(0, "a")
        .with(1, -1i64)
        .with(2, u64::MAX)
        .with(3, 21.5)
        .with(4, true)
        .with(5, Value::Opaque(vec![0xFB, 0xFF].into()))
        .with(6, Value::Time(0))
        .with(7, ObjectLink::NULL)
        .with(8, Value::CoreLink("</3>".into()));
    let text = r#"[{"bn":"/1000/1/","n":"0","vs":"a"},{"n":"1","v":-1},{"n":"2","v":18446744073709551615},{"n":"3","v":21.5},{"n":"4","vb":true},{"n":"5","vd":"-_8"},{"n":"6","v":0},{"n":"7","vlo":"65535:65535"},{"n":"8","vs":"</3>"}]"#;
    let node = Node::ObjectInstance(values);
    exact(ContentFormat::SENML_JSON, "/1000/1", &node, text.as_bytes());
    let root = Node::Root(BTreeMap::from([(
        3311,
        Object { instances: BTreeMap::from([(0, ObjectInstance::default().with(5850, false))]) },
    )]));
    let text = r#"[{"n":"/3311/0/5850","vb":false}]"#;
    exact(ContentFormat::SENML_JSON, "/", &root, text.as_bytes());
}

// proves: SENML-03
#[test]
fn senml_cbor_samples_are_exact() {
    let bytes = hex(DEVICE_CBOR);
    assert_eq!(bytes.len(), 196);
    exact(ContentFormat::SENML_CBOR, "/3/0", &Node::ObjectInstance(device()), &bytes);
    let link = Node::ResourceInstance(ObjectLink { object: 66, instance: 0 }.into());
    let bytes = hex("81A200692F36352F302F302F3063766C6F6436363A30");
    exact(ContentFormat::SENML_CBOR, "/65/0/0/0", &link, &bytes);
    let opaque = Node::ResourceInstance(Value::Opaque(vec![1, 2, 3, 4, 5].into()));
    let bytes = hex("81A200692F31392F302F302F3008450102030405");
    exact(ContentFormat::SENML_CBOR, "/19/0/0/0", &opaque, &bytes);
}

#[test]
fn a_tree_is_the_same_in_all_formats() {
    let path = Path::instance(3, 0);
    let read = |format, bytes: &[u8]| decode(format, &path, bytes, &TestModel).unwrap();
    let tlv = read(ContentFormat::TLV, &hex(DEVICE));
    assert_eq!(read(ContentFormat::SENML_JSON, DEVICE_JSON.as_bytes()), tlv);
    assert_eq!(read(ContentFormat::SENML_CBOR, &hex(DEVICE_CBOR)), tlv);
}
