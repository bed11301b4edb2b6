//! The JSON of LwM2M 1.0.

use crate::model::TestModel;
use lwm2m_codec::{DecodeCause, decode, decode_create, encode};
use lwm2m_core::{ContentFormat, Node, ObjectInstance, Path, Resource, Value};

const FORMAT: ContentFormat = ContentFormat::JSON;

fn read(path: &str, text: &str) -> Result<Node, DecodeCause> {
    decode(FORMAT, &path.parse().unwrap(), text.as_bytes(), &TestModel).map_err(|error| error.cause)
}

#[test]
fn an_instance_and_a_resource() {
    let text = r#"{"bn":"/3/0/","e":[{"n":"0","sv":"Open Mobile Alliance"},{"n":"6/0","v":1},{"n":"6/1","v":5},{"n":"9","v":100}]}"#;
    let device = ObjectInstance::default()
        .with(0, "Open Mobile Alliance")
        .with_multiple(6, [(0, 1i64), (1, 5)])
        .with(9, 100i64);
    let node = Node::ObjectInstance(device);
    assert_eq!(encode(FORMAT, &Path::instance(3, 0), &node).unwrap(), text);
    assert_eq!(read("/3/0", text), Ok(node));
    let level = Node::Resource(Resource::Single(Value::Integer(100)));
    let text = r#"{"bn":"/3/0/","e":[{"n":"9","v":100}]}"#;
    assert_eq!(encode(FORMAT, &Path::resource(3, 0, 9), &level).unwrap(), text);
    for text in [text, r#"{"e":[{"v":100}],"bn":"/3/0/9"}"#, r#"{"e":[{"n":"/3/0/9","v":100}]}"#] {
        assert_eq!(read("/3/0/9", text).as_ref(), Ok(&level), "{text}");
    }
    assert_eq!(
        decode(ContentFormat(1543), &Path::resource(3, 0, 9), text.as_bytes(), &TestModel),
        Ok(level)
    );
}

#[test]
fn opaque_is_base64_in_a_string() {
    let package = Node::Resource(Resource::Single(Value::Opaque(vec![0xFB, 0xFF].into())));
    let text = r#"{"bn":"/5/0/","e":[{"n":"0","sv":"+/8="}]}"#;
    assert_eq!(encode(FORMAT, &Path::resource(5, 0, 0), &package).unwrap(), text);
    assert_eq!(read("/5/0/0", text), Ok(package));
    assert!(read("/5/0/0", r#"{"bn":"/5/0/","e":[{"n":"0","sv":"*"}]}"#).is_err());
}

#[test]
fn create_and_errors() {
    let text = r#"{"bn":"/1/7/","e":[{"n":"1","v":60}]}"#;
    let created = decode_create(FORMAT, 1, text.as_bytes(), &TestModel);
    assert_eq!(created, Ok((Some(7), ObjectInstance::default().with(1, 60i64))));
    assert!(read("/3/0", text).is_err());
    assert!(read("/", text).unwrap_err().is_unsupported_format());
}
