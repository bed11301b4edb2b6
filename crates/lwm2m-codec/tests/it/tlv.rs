//! TLV beyond the samples.

use crate::model::{TestModel, hex};
use lwm2m_codec::{DecodeCause, decode, encode};
use lwm2m_core::{ContentFormat, DataType, Node, ObjectInstance, Path, Resource, Value};

const TLV: ContentFormat = ContentFormat::TLV;

fn read(path: &str, payload: &str) -> Result<Node, DecodeCause> {
    decode(TLV, &path.parse().unwrap(), &hex(payload), &TestModel).map_err(|error| error.cause)
}

fn multiple(values: &[(u16, i64)]) -> Node {
    let values = values.iter().map(|(id, value)| (*id, Value::Integer(*value))).collect();
    Node::Resource(Resource::Multiple(values))
}

// proves: TLV-08
#[test]
fn multiple_resources_keep_their_shape() {
    for (values, text) in
        [(&[(0, 1), (1, 5)][..], "8606 410001 410105"), (&[(0, 1)], "8306 410001"), (&[], "8006")]
    {
        let node = multiple(values);
        let path = Path::resource(3, 0, 6);
        assert_eq!(encode(TLV, &path, &node).unwrap(), hex(text));
        assert_eq!(read("/3/0/6", text), Ok(node));
    }
    let empty = ObjectInstance::default().with_multiple::<i64>(11, []);
    assert_eq!(read("/3/0", "800B"), Ok(Node::ObjectInstance(empty)));
    assert_eq!(read("/3/0/6", ""), Ok(multiple(&[])));
    let path = Path::resource(3, 0, 9);
    assert_eq!(read("/3/0/9", "8309410001"), Err(DecodeCause::Multiplicity { path }));
}

#[test]
fn answers_may_be_enclosed_in_higher_levels() {
    let level = Node::Resource(Resource::Single(Value::Integer(100)));
    for text in ["C10964", "0300C10964"] {
        assert_eq!(read("/3/0/9", text).as_ref(), Ok(&level), "{text}");
    }
    for text in ["410105", "8306410105", "080005 8306410105"] {
        assert_eq!(read("/3/0/6/1", text), Ok(Node::ResourceInstance(Value::Integer(5))), "{text}");
    }
    assert_eq!(read("/3/0/6", "410001 410105"), Ok(multiple(&[(0, 1), (1, 5)])));
}

#[test]
fn values_outside_of_the_request_are_refused() {
    let outside = |target: &str, path: &str| {
        let (target, path) = (target.parse().unwrap(), path.parse().unwrap());
        Err(DecodeCause::OutsideTarget { target, path })
    };
    assert_eq!(read("/3/0", "0301C10964"), outside("/3/0", "/3/1"));
    assert_eq!(read("/3/0/9", "C10A0F"), outside("/3/0/9", "/3/0/10"));
    assert_eq!(read("/3/0/6/1", "8606410001410105"), outside("/3/0/6/1", "/3/0/6/0"));
    assert_eq!(read("/3/0", "410001"), Err(DecodeCause::Id));
    assert_eq!(read("/3/0", "C10964 E1FFFF01"), Err(DecodeCause::Id));
    let unsupported = decode(TLV, &Path::ROOT, &hex("C10964"), &TestModel).unwrap_err();
    assert!(unsupported.is_unsupported_format());
}

#[test]
fn types_are_checked_and_unknown_resources_kept() {
    let wrong =
        |path: &str, expected| Err(DecodeCause::Type { path: path.parse().unwrap(), expected });
    assert_eq!(read("/3/0", "C309000001"), wrong("/3/0/9", DataType::Integer));
    assert_eq!(read("/1/0", "C10602"), wrong("/1/0/6", DataType::Boolean));
    assert_eq!(read("/1/0", "C2060001"), wrong("/1/0/6", DataType::Boolean));
    assert_eq!(read("/3303/0", "E316440102 03"), wrong("/3303/0/5700", DataType::Float));
    assert_eq!(read("/66/0", "C302004200"), wrong("/66/0/2", DataType::ObjectLink));
    assert_eq!(read("/3/0", "C10401"), wrong("/3/0/4", DataType::None));
    let path = Path::resource(3, 0, 0);
    assert_eq!(read("/3/0", "C100FF"), Err(DecodeCause::Utf8 { path }));
    let known = ObjectInstance::default().with(9, 100i64);
    let kept = known.with(999, Value::Opaque(vec![1, 2].into()));
    assert_eq!(read("/3/0", "E203E70102 C10964"), Ok(Node::ObjectInstance(kept)));
}

#[test]
fn duplicates_are_refused() {
    let twice = |path: &str| Err(DecodeCause::Duplicate { path: path.parse().unwrap() });
    assert_eq!(read("/3/0", "C10964 C10965"), twice("/3/0/9"));
    assert_eq!(read("/3/0/6", "8606410001410001"), twice("/3/0/6/0"));
    assert_eq!(read("/3/0", "8306410001 8306410101"), twice("/3/0/6"));
    assert_eq!(read("/1", "0300C10001 0300C10101"), twice("/1/0"));
}

#[test]
fn empty_containers_are_kept() {
    let Ok(Node::Object(object)) = read("/1", "0000 0001") else { panic!() };
    assert_eq!(object.instances.keys().copied().collect::<Vec<_>>(), [0, 1]);
    assert_eq!(read("/1/0", ""), Ok(Node::ObjectInstance(ObjectInstance::default())));
    let path = Path::resource(3, 0, 9);
    assert_eq!(read("/3/0/9", ""), Err(DecodeCause::NoValue { path }));
}
