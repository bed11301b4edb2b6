//! Nodes as JSON, there and back.

use super::*;
use bytes::Bytes;
use lwm2m_core::model::NoModel;
use lwm2m_core::path::MAX_ID;
use lwm2m_core::{
    DataType, Model, Node, Object, ObjectInstance, ObjectLink, Operations, Resource, ResourceModel,
    Value,
};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

fn write_node(path: &Path, node: &Node) -> Json {
    serde_json::to_value(NodeJson::new(path, node)).unwrap()
}

struct Device;

impl Model for Device {
    fn resource(&self, object: u16, resource: u16) -> Option<ResourceModel> {
        let data_type = match (object, resource) {
            (3, 4) => DataType::None,
            (3, 6 | 9) => DataType::Integer,
            (3, 13) => DataType::Time,
            (3, 14) => DataType::String,
            _ => return None,
        };
        let operations = Operations::RW;
        Some(ResourceModel { data_type, multiple: resource == 6, operations, mandatory: false })
    }

    fn multiple_instances(&self, _: u16) -> Option<bool> {
        None
    }
}

fn refused(path: &str, json: Json) -> (String, Reason) {
    let error = read_node(&path.parse().unwrap(), &json, &Device).unwrap_err();
    (error.path.to_string(), error.reason)
}

#[test]
fn the_instance_of_the_device_object() {
    let instance = ObjectInstance::default()
        .with(0, "Open Mobile Alliance")
        .with_multiple(6, [(0, 1i64), (1, 5)])
        .with(13, Value::Time(1_367_491_215));
    let golden = json!({
        "kind": "instance", "id": 0,
        "resources": [
            {"kind": "singleResource", "id": 0, "type": "STRING", "value": "Open Mobile Alliance"},
            {"kind": "multiResource", "id": 6, "type": "INTEGER", "values": {"0": "1", "1": "5"}},
            {"kind": "singleResource", "id": 13, "type": "TIME", "value": 1_367_491_215_000_i64},
        ],
    });
    let path = Path::instance(3, 0);
    let node = Node::ObjectInstance(instance.clone());
    assert_eq!(write_node(&path, &node), golden);
    assert_eq!(read_node(&path, &golden, &Device), Ok(node));

    let object = Node::Object(Object { instances: [(0, instance)].into() });
    let json = json!({"kind": "obj", "id": 3, "instances": [golden]});
    assert_eq!(write_node(&Path::object(3), &object), json);
    assert_eq!(read_node(&Path::object(3), &json, &Device), Ok(object));
}

#[test]
fn kind_id_and_type_may_be_left_out_where_the_path_and_the_model_tell() {
    let json = json!({"value": 60});
    let node = Node::Resource(Resource::Single(Value::Integer(60)));
    assert_eq!(read_node(&Path::resource(3, 0, 9), &json, &Device), Ok(node));
    let json = json!({"values": {"0": 1}});
    let node = Node::Resource(Resource::Multiple([(0, Value::Integer(1))].into()));
    assert_eq!(read_node(&Path::resource(3, 0, 6), &json, &Device), Ok(node));
    let json = json!({"value": "5"});
    let node = Node::ResourceInstance(Value::Integer(5));
    assert_eq!(read_node(&Path::resource_instance(3, 0, 6, 1), &json, &Device), Ok(node));
}

#[test]
fn what_does_not_fit_is_refused_with_its_place() {
    let text = |place: &str, reason: Reason| (place.to_owned(), reason);
    assert_eq!(refused("/3/0", json!(5)), text("/3/0", Reason::NotAnObject));
    let kind = Reason::Kind("instance");
    assert_eq!(refused("/3/0", json!({"kind": "obj", "id": 0})), text("/3/0", kind));
    let field = Reason::Field("resources", "an array");
    assert_eq!(refused("/3/0", json!({"kind": "instance"})), text("/3/0", field));
    assert_eq!(refused("/3/0", json!({"id": 1})), text("/3/0", Reason::OtherId(1)));
    assert_eq!(refused("/3/0", json!({"id": 65535})), text("/3/0", Reason::Id));
    let twice = json!({"resources": [{"id": 9, "value": 1}, {"id": 9, "value": 2}]});
    assert_eq!(refused("/3/0", twice), text("/3/0", Reason::Duplicate(9)));
    let nested = json!({"resources": [{"id": 14, "value": "x"}, {"id": 9, "value": "x"}]});
    let reason = Reason::Value(ValueError::Expected(DataType::Integer));
    assert_eq!(refused("/3/0", nested), text("/3/0/9", reason));
    let named = json!({"type": "NUMBER", "value": 1});
    assert_eq!(refused("/3/0/9", named), text("/3/0/9", Reason::Type));
    assert_eq!(refused("/3/0", json!({"id": "x"})), text("/3/0", Reason::Id));
    assert_eq!(refused("/3/0", json!({"id": "65535"})), text("/3/0", Reason::Id));
    let negative = json!({"kind": "multiResource", "values": {"-1": 1}});
    assert_eq!(refused("/3/0/6", negative), text("/3/0/6", Reason::Id));
    let no_value = Reason::Field("value", "there");
    assert_eq!(refused("/3/0/9", json!({})), text("/3/0/9", no_value));
}

#[test]
fn ids_may_be_text() {
    let json = json!({"id": "0", "kind": "instance", "resources": [
        {"id": "9", "kind": "singleResource", "value": 1}]});
    let node = read_node(&Path::instance(3, 0), &json, &NoModel).unwrap();
    assert_eq!(node, Node::ObjectInstance(ObjectInstance::default().with(9, 1_i64)));
}

#[test]
fn errors_say_where_and_what_to_do() {
    let error = read_node(&Path::resource(3, 0, 9), &json!({"value": "x"}), &Device);
    let text = error.unwrap_err().to_string();
    assert!(text.starts_with("at /3/0/9: the value is no INTEGER"), "{text}");
}

#[test]
fn a_new_instance_may_leave_the_id_to_the_device() {
    let resources = json!([{"id": 0, "value": "a"}]);
    let with = json!({"kind": "instance", "id": 7, "resources": resources});
    let without = json!({"kind": "instance", "resources": resources});
    let instance = ObjectInstance::default().with(0, "a");
    assert_eq!(read_new_instance(3303, &with, &NoModel), Ok((Some(7), instance.clone())));
    assert_eq!(read_new_instance(3303, &without, &NoModel), Ok((None, instance)));
}

fn values() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<String>().prop_map(Value::String),
        any::<i64>().prop_map(Value::Integer),
        any::<u64>().prop_map(Value::UnsignedInteger),
        any::<f64>()
            .prop_filter("NaN is not equal to itself", |n| !n.is_nan())
            .prop_map(Value::Float),
        any::<bool>().prop_map(Value::Boolean),
        vec(any::<u8>(), 0..40).prop_map(|bytes| Value::Opaque(Bytes::from(bytes))),
        (-9_000_000_000_000_000_i64..9_000_000_000_000_000).prop_map(Value::Time),
        any::<(u16, u16)>().prop_map(|(object, instance)| ObjectLink { object, instance }.into()),
        any::<String>().prop_map(Value::CoreLink),
    ]
}

fn resources() -> impl Strategy<Value = Resource> {
    // All values of a resource have one type.
    let multiple = (values(), vec(0..MAX_ID, 1..4)).prop_map(|(value, ids)| {
        Resource::Multiple(ids.into_iter().map(|id| (id, value.clone())).collect())
    });
    prop_oneof![values().prop_map(Resource::Single), multiple]
}

fn objects() -> impl Strategy<Value = Object> {
    let instance =
        btree_map(0..MAX_ID, resources(), 0..4).prop_map(|resources| ObjectInstance { resources });
    btree_map(0..MAX_ID, instance, 0..3).prop_map(|instances| Object { instances })
}

proptest! {
    #[test]
    fn every_node_reads_back(objects in btree_map(0..MAX_ID, objects(), 0..3)) {
        let node = Node::Root(objects);
        let json = write_node(&Path::ROOT, &node);
        let text = serde_json::to_string(&json).unwrap();
        let json = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(read_node(&Path::ROOT, &json, &NoModel), Ok(node));
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "[\\[\\]{}:,\"a-z0-9.-]{0,60}") {
        if let Ok(json) = serde_json::from_str(&text) {
            for path in ["/", "/3", "/3/0", "/3/0/6", "/3/0/6/0"] {
                let _ = read_node(&path.parse().unwrap(), &json, &Device);
            }
        }
    }
}
