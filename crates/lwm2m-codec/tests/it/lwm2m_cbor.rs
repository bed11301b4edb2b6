//! LwM2M CBOR against the samples of OMA LwM2M Core 1.2, section 7.4.4.

use crate::model::{TestModel, hex};
use lwm2m_codec::{DecodeCause, decode, decode_create, encode, encode_create};
use lwm2m_core::{ContentFormat, Node, Object, ObjectInstance, Path, Resource, Value};
use std::collections::BTreeMap;

const FORMAT: ContentFormat = ContentFormat::LWM2M_CBOR;
const OMA: &str = "744F70656E204D6F62696C6520416C6C69616E6365";

fn read(path: &str, payload: &str) -> Result<Node, DecodeCause> {
    decode(FORMAT, &path.parse().unwrap(), &hex(payload), &TestModel).map_err(|error| error.cause)
}

fn exact(path: &str, node: &Node, payload: &str, length: usize) {
    let bytes = hex(payload);
    assert_eq!(bytes.len(), length);
    assert_eq!(encode(FORMAT, &path.parse().unwrap(), node).unwrap(), bytes, "{path}");
    assert_eq!(read(path, payload).as_ref(), Ok(node), "{path}");
    for cut in 0..length {
        assert!(decode(FORMAT, &path.parse().unwrap(), &bytes[..cut], &TestModel).is_err());
    }
}

fn manufacturer() -> Node {
    Node::Resource(Resource::Single("Open Mobile Alliance".into()))
}

fn server(short_id: i64, pmin: i64, pmax: i64, binding: &str) -> ObjectInstance {
    ObjectInstance::default()
        .with(0, short_id)
        .with(1, 86_400i64)
        .with(2, pmin)
        .with(3, pmax)
        .with(5, 86_400i64)
        .with(6, true)
        .with(7, binding)
}

// proves: LCBOR-03
#[test]
fn samples_are_exact() {
    exact("/3/0/0", &manufacturer(), &format!("A183030000{OMA}"), 26);
    let sources = BTreeMap::from([(0, Value::Integer(1)), (1, Value::Integer(5))]);
    exact("/3/0/6", &Node::Resource(Resource::Multiple(sources)), "A183030006A200010105", 10);
    let device = ObjectInstance::default()
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
        .with(16, "U");
    let text = "A1820300AD00744F70656E204D6F62696C6520416C6C69616E636501764C6967687477656967687420
        4D324D20436C69656E7402693334353030303132330363312E3006A20001010507A200190ED80119138808A2
        00187D011903840918640A0F0BA100000D1A5182428F0E662B30323A3030106155";
    exact("/3/0", &Node::ObjectInstance(device), text, 118);
    let servers = [(0, server(101, 300, 6000, "U")), (1, server(102, 600, 6000, "U"))];
    let servers = Node::Object(Object { instances: servers.into() });
    let text = "A101A200A7001865011A000151800219012C03191770051A0001518006F507615501A7001866011A
        000151800219025803191770051A0001518006F4076155";
    // The second server of the sample does not store notifications.
    let Node::Object(mut object) = servers else { panic!() };
    object.instances.get_mut(&1).unwrap().resources.insert(6, Resource::Single(false.into()));
    exact("/1", &Node::Object(object), text, 63);
    let text = format!("A2820300A200{OMA}0918648301000 11A00015180");
    assert_eq!(hex(&text).len(), 39);
    let Ok(Node::Root(objects)) = read("/", &text) else { panic!() };
    let device = ObjectInstance::default().with(0, "Open Mobile Alliance").with(9, 100i64);
    assert_eq!(objects[&3].instances[&0], device);
    assert_eq!(objects[&1].instances[&0], ObjectInstance::default().with(1, 86_400i64));
}

// proves: LCBOR-01
#[test]
fn maps_and_keys_of_every_shape() {
    for payload in [
        format!("A183030000{OMA}"),
        format!("A103A100A100{OMA}"),
        format!("BF03BF00BF00{OMA}FFFFFF"),
        format!("A19F030000FF{OMA}"),
        format!("A1820300A100{OMA}"),
        format!("A103A1820000{OMA}"),
    ] {
        assert_eq!(read("/3/0/0", &payload), Ok(manufacturer()), "{payload}");
    }
}

// proves: LCBOR-02
#[test]
fn keys_begin_with_the_object() {
    assert!(read("/3/0/0", &format!("A100{OMA}")).is_err());
    let outside = read("/3/0/0", &format!("A183030100{OMA}"));
    assert!(matches!(outside, Err(DecodeCause::OutsideTarget { .. })));
}

// proves: LCBOR-04
#[test]
fn invalid_paths_are_refused() {
    for payload in [
        "A0",
        "A103A0",
        "A28303000061618303000061 62",
        "A283030000616103A100A1006162",
        "A1830300206161",
        "A18303006178 6161",
        "A18303001A000100006161",
        "A180 6161",
        "A1850300000000 6161",
        "A1820300 6161",
        "A183030019FFFF6161",
        "A1830300006161 00",
        "A183030000F6",
        "",
    ] {
        let result = read("/3", payload);
        assert!(result.as_ref().is_err_and(|e| !e.is_unsupported_format()), "{payload} {result:?}");
    }
}

// proves: LCBOR-05
#[test]
fn leaves_of_each_type() {
    let leaf = |id: u16, value: &str| {
        let payload = format!("A1831903E800{id:02X}{value}");
        match read(&format!("/1000/0/{id}"), &payload)? {
            Node::Resource(Resource::Single(value)) => Ok(value),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(leaf(0, "6161"), Ok("a".into()));
    assert_eq!(leaf(1, "20"), Ok((-1i64).into()));
    assert_eq!(leaf(2, "1BFFFFFFFFFFFFFFFF"), Ok(u64::MAX.into()));
    assert_eq!(leaf(3, "F93C00"), Ok(1.0.into()));
    assert_eq!(leaf(4, "F5"), Ok(true.into()));
    assert_eq!(leaf(5, "4101"), Ok(Value::Opaque(vec![1].into())));
    assert_eq!(leaf(6, "C101"), Ok(Value::Time(1)));
    assert_eq!(leaf(7, "6436363A30"), Ok("66:0".parse::<lwm2m_core::ObjectLink>().unwrap().into()));
    assert_eq!(leaf(8, "60"), Ok(Value::CoreLink(String::new())));
    assert!(matches!(leaf(1, "6161"), Err(DecodeCause::Type { .. })));
}

#[test]
fn create_with_and_without_an_id() {
    let values = ObjectInstance::default()
        .with(0, 1i64)
        .with(1, 0i64)
        .with_multiple(2, [(102, 1i64)])
        .with(3, 101i64);
    for (id, text) in [(Some(5), "A1820205"), (None, "A1820219FFFF")] {
        let payload = hex(&format!("{text}A40001010002A118660103 1865"));
        assert_eq!(encode_create(FORMAT, 2, id, &values).unwrap(), payload);
        let read = decode_create(FORMAT, 2, &payload, &TestModel);
        assert_eq!(read, Ok((id, values.clone())));
    }
    // The sample of OMA, with an array as inner key.
    let sample = ObjectInstance::default()
        .with(0, 5i64)
        .with(1, 0i64)
        .with_multiple(2, [(102, 0i64)])
        .with(3, 101i64);
    let payload = hex("A1820205A4000501008202186600031865");
    assert_eq!(decode_create(FORMAT, 2, &payload, &TestModel), Ok((Some(5), sample)));
    let two = hex("A202A105A1000102A106A10001");
    assert!(decode_create(FORMAT, 2, &two, &TestModel).is_err());
    let empty = encode_create(FORMAT, 2, None, &ObjectInstance::default());
    assert!(empty.unwrap_err().is_not_acceptable());
}

#[test]
fn empty_nodes_are_omitted() {
    let values = ObjectInstance::default().with(9, 100i64).with_multiple::<i64>(6, []);
    let node = Node::ObjectInstance(values);
    assert_eq!(encode(FORMAT, &Path::instance(3, 0), &node).unwrap(), hex("A1820300A1091864"));
    let none = Node::ObjectInstance(ObjectInstance::default());
    assert!(encode(FORMAT, &Path::instance(3, 0), &none).unwrap_err().is_not_acceptable());
}
