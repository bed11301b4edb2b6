//! Nodes (objects, instances, resources) in the dialect's JSON.
//!
//! Each node tells its `kind`: `root`, `obj`, `instance`, `singleResource`, `multiResource` or
//! `resourceInstance`. Only the top needs it on input; below, the place tells.

use super::value::{self, ValueError, type_from_name, type_name};
use lwm2m_codec::composite::Change;
use lwm2m_core::path::MAX_ID;
use lwm2m_core::{DataType, Model, Node, Object, ObjectInstance, Path, Resource, Value};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

/// Why a body is not the JSON of a node, and where in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("at {path}: {reason}")]
pub struct NodeError {
    /// The innermost node that could still be addressed.
    pub path: Path,
    /// What is wrong with it.
    pub reason: Reason,
}

/// What is wrong with a node in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// A node is not a JSON object.
    #[error("a JSON object with the field `kind` is expected")]
    NotAnObject,
    /// The name of a field is no path of a resource or resource instance.
    #[error("each field is named by the path of a resource or resource instance")]
    Path,
    /// The kind is not the one that lives at this path.
    #[error("`kind` does not fit the path; {0} is expected")]
    Kind(&'static str),
    /// A field that is needed is not there, or is not of its JSON type.
    #[error("the field `{0}` is missing or is not {1}")]
    Field(&'static str, &'static str),
    /// An id is not a number of the range.
    #[error("an id is a whole number from 0 to 65534")]
    Id,
    /// The id in the body is not the id in the path.
    #[error("the `id` {0} in the body is not the last id of the path; change one of them")]
    OtherId(u16),
    /// Two nodes of one level have the same id.
    #[error("the id {0} is there twice")]
    Duplicate(u16),
    /// The field `type` names no data type.
    #[error(
        "`type` is none of STRING, INTEGER, UNSIGNED_INTEGER, FLOAT, BOOLEAN, OPAQUE, TIME, OBJLNK, CORELINK"
    )]
    Type,
    /// The value does not fit its type.
    #[error(transparent)]
    Value(#[from] ValueError),
}

type Result<T, E = NodeError> = std::result::Result<T, E>;

/// The JSON of the node that lives at `path`.
#[must_use]
pub fn write_node(path: &Path, node: &Node) -> Json {
    let id = path.ids().last().copied().unwrap_or_default();
    match node {
        Node::Root(objects) => {
            let objects: Vec<_> = objects.iter().map(|(id, o)| write_object(*id, o)).collect();
            json!({"kind": "root", "objects": objects})
        }
        Node::Object(object) => write_object(id, object),
        Node::ObjectInstance(instance) => write_instance(id, instance),
        Node::Resource(resource) => write_resource(id, resource),
        Node::ResourceInstance(value) => write_single("resourceInstance", id, value),
    }
}

/// The JSON of the value of the resource or resource instance at `path`.
#[must_use]
pub fn write_value(path: &Path, value: Value) -> Json {
    let node = match path.depth() {
        4 => Node::ResourceInstance(value),
        _ => Node::Resource(Resource::Single(value)),
    };
    write_node(path, &node)
}

/// The JSON of the answer to a composite operation: a node for each path, and null where the device
/// told none. `tree` is what there is at the root.
#[must_use]
pub fn write_composite(paths: &[Path], tree: &Node) -> Json {
    let node = |path: &Path| node_at(tree, path).map_or(Json::Null, |node| write_node(path, &node));
    paths.iter().map(|path| (path.to_string(), node(path))).collect::<Map<_, _>>().into()
}

/// What lives at `path` in a tree at the root.
fn node_at(tree: &Node, path: &Path) -> Option<Node> {
    let Node::Root(objects) = tree else { return None };
    let (Some(object), rest) = (path.object_id(), path.ids().get(1..).unwrap_or_default()) else {
        return Some(tree.clone());
    };
    let object = objects.get(&object)?;
    let (instance, rest) = match rest {
        [] => return Some(Node::Object(object.clone())),
        [instance, rest @ ..] => (object.instances.get(instance)?, rest),
    };
    let (resource, rest) = match rest {
        [] => return Some(Node::ObjectInstance(instance.clone())),
        [resource, rest @ ..] => (instance.resources.get(resource)?, rest),
    };
    match (rest, resource) {
        ([], resource) => Some(Node::Resource(resource.clone())),
        ([id, ..], Resource::Multiple(values)) => {
            Some(Node::ResourceInstance(values.get(id)?.clone()))
        }
        _ => None,
    }
}

/// Reads what a Write-Composite changes: `{path: node}`, where a node is a resource or a resource
/// instance; null removes a resource instance (LwM2M 1.2).
///
/// # Errors
/// What is wrong in the body, and where.
pub fn read_changes(json: &Json, model: &dyn Model) -> Result<Vec<Change>> {
    let entries = json.as_object().ok_or(error(Path::ROOT, Reason::NotAnObject))?;
    let mut changes = Vec::new();
    for (name, json) in entries {
        let path: Path = name.parse().map_err(|_| error(Path::ROOT, Reason::Path))?;
        if path.depth() < 3 {
            return Err(error(path, Reason::Path));
        }
        if json.is_null() {
            changes.push((path, None));
            continue;
        }
        let node = read_node(&path, json, model)?;
        let leaves = node.leaves(&path);
        changes.extend(leaves.into_iter().map(|(leaf, value)| (leaf, Some(value.clone()))));
    }
    Ok(changes)
}

fn write_object(id: u16, object: &Object) -> Json {
    let instances: Vec<_> = object.instances.iter().map(|(id, i)| write_instance(*id, i)).collect();
    json!({"kind": "obj", "id": id, "instances": instances})
}

fn write_instance(id: u16, instance: &ObjectInstance) -> Json {
    let resources = instance.resources.iter();
    let resources: Vec<_> = resources.map(|(id, r)| write_resource(*id, r)).collect();
    json!({"kind": "instance", "id": id, "resources": resources})
}

fn write_resource(id: u16, resource: &Resource) -> Json {
    match resource {
        Resource::Single(value) => write_single("singleResource", id, value),
        Resource::Multiple(values) => {
            let data_type = values.values().next().map_or(DataType::String, Value::data_type);
            let entries = values.iter().map(|(id, v)| (id.to_string(), value::write_value(v)));
            json!({
                "kind": "multiResource",
                "id": id,
                "type": type_name(data_type),
                "values": entries.collect::<Map<_, _>>(),
            })
        }
    }
}

fn write_single(kind: &str, id: u16, value: &Value) -> Json {
    let data_type = type_name(value.data_type());
    json!({"kind": kind, "id": id, "type": data_type, "value": value::write_value(value)})
}

/// Reads the node that is to live at `path`. The types of values come from `model`, else from the
/// fields `type`, else from the JSON; see [`value::read_value`].
///
/// # Errors
/// What is wrong in the body, and where.
pub fn read_node(path: &Path, json: &Json, model: &dyn Model) -> Result<Node> {
    let reader = Reader { model };
    if let (Some(id), Some(last)) = (read_id(*path, json)?, path.ids().last())
        && id != *last
    {
        return Err(error(*path, Reason::OtherId(id)));
    }
    match path.depth() {
        0 => reader.root(json).map(Node::Root),
        1 => reader.object(*path, json).map(Node::Object),
        2 => reader.instance(*path, json).map(Node::ObjectInstance),
        3 => reader.resource(*path, json).map(Node::Resource),
        _ => reader.resource_instance(*path, json).map(Node::ResourceInstance),
    }
}

/// Reads the instance that is to be created below the object `object`, with its id if the body
/// tells one; without, the device chooses.
///
/// # Errors
/// What is wrong in the body, and where.
pub fn read_new_instance(
    object: u16,
    json: &Json,
    model: &dyn Model,
) -> Result<(Option<u16>, ObjectInstance)> {
    let id = read_id(Path::object(object), json)?;
    // Types do not depend on the instance, so an instance without id is read as if it were 0.
    let path = Path::instance(object, id.unwrap_or_default());
    Ok((id, Reader { model }.instance(path, json)?))
}

const fn error(path: Path, reason: Reason) -> NodeError {
    NodeError { path, reason }
}

/// The field `id`, if it is there.
fn read_id(path: Path, json: &Json) -> Result<Option<u16>> {
    let id = |json: &Json| json.as_u64().and_then(|id| u16::try_from(id).ok());
    match json.get("id") {
        None | Some(Json::Null) => Ok(None),
        Some(json) => match id(json) {
            Some(id) if id != MAX_ID => Ok(Some(id)),
            _ => Err(error(path, Reason::Id)),
        },
    }
}

struct Reader<'a> {
    model: &'a dyn Model,
}

impl Reader<'_> {
    fn root(&self, json: &Json) -> Result<BTreeMap<u16, Object>> {
        let path = Path::ROOT;
        expect_kind(path, json, &["root"], "root")?;
        children(path, json, "objects", |path, json| self.object(path, json))
    }

    fn object(&self, path: Path, json: &Json) -> Result<Object> {
        expect_kind(path, json, &["obj"], "obj")?;
        let instances = children(path, json, "instances", |path, json| self.instance(path, json))?;
        Ok(Object { instances })
    }

    fn instance(&self, path: Path, json: &Json) -> Result<ObjectInstance> {
        expect_kind(path, json, &["instance"], "instance")?;
        let resources = children(path, json, "resources", |path, json| self.resource(path, json))?;
        Ok(ObjectInstance { resources })
    }

    fn resource(&self, path: Path, json: &Json) -> Result<Resource> {
        const KINDS: &str = "singleResource or multiResource";
        expect_kind(path, json, &["singleResource", "multiResource"], KINDS)?;
        let multiple = match json.get("kind").and_then(Json::as_str) {
            Some(kind) => kind == "multiResource",
            None => json.get("values").is_some(),
        };
        match multiple {
            true => self.values(path, json).map(Resource::Multiple),
            false => self.value(path, json).map(Resource::Single),
        }
    }

    fn resource_instance(&self, path: Path, json: &Json) -> Result<Value> {
        expect_kind(path, json, &["resourceInstance"], "resourceInstance")?;
        self.value(path, json)
    }

    fn value(&self, path: Path, json: &Json) -> Result<Value> {
        let value =
            json.get("value").ok_or_else(|| error(path, Reason::Field("value", "there")))?;
        self.typed(path, declared_type(path, json)?, value)
    }

    fn values(&self, path: Path, json: &Json) -> Result<BTreeMap<u16, Value>> {
        let declared = declared_type(path, json)?;
        let values = json.get("values").and_then(Json::as_object);
        let values = values.ok_or_else(|| error(path, Reason::Field("values", "a JSON object")))?;
        let entry = |(id, json): (&String, &Json)| {
            let ids = [id.as_bytes()];
            let id = Path::from_segments(ids).ok().and_then(|path| path.object_id());
            let id = id.ok_or_else(|| error(path, Reason::Id))?;
            let path = path.child(id).unwrap_or(path);
            Ok((id, self.typed(path, declared, json)?))
        };
        values.iter().map(entry).collect()
    }

    fn typed(&self, path: Path, declared: Option<DataType>, json: &Json) -> Result<Value> {
        let defined = match (path.object_id(), path.resource_id()) {
            (Some(object), Some(resource)) => self.model.resource(object, resource),
            _ => None,
        };
        value::read_value(json, declared, defined.map(|resource| resource.data_type))
            .map_err(|reason| error(path, reason.into()))
    }
}

/// Checks that `json` is an object whose `kind`, if it tells one, is in `kinds`.
fn expect_kind(path: Path, json: &Json, kinds: &[&str], text: &'static str) -> Result<()> {
    let fields = json.as_object().ok_or_else(|| error(path, Reason::NotAnObject))?;
    match fields.get("kind") {
        None => Ok(()),
        Some(kind) if kind.as_str().is_some_and(|kind| kinds.contains(&kind)) => Ok(()),
        Some(_) => Err(error(path, Reason::Kind(text))),
    }
}

fn declared_type(path: Path, json: &Json) -> Result<Option<DataType>> {
    match json.get("type") {
        None | Some(Json::Null) => Ok(None),
        Some(json) => match json.as_str().and_then(type_from_name) {
            Some(data_type) => Ok(Some(data_type)),
            None => Err(error(path, Reason::Type)),
        },
    }
}

/// Reads the array `field` of nodes below `path`, each with its id.
fn children<T>(
    path: Path,
    json: &Json,
    field: &'static str,
    read: impl Fn(Path, &Json) -> Result<T>,
) -> Result<BTreeMap<u16, T>> {
    let nodes = json.get(field).and_then(Json::as_array);
    let nodes = nodes.ok_or_else(|| error(path, Reason::Field(field, "an array")))?;
    let mut children = BTreeMap::new();
    for json in nodes {
        let id = read_id(path, json)?.ok_or_else(|| error(path, Reason::Id))?;
        let child = path.child(id).map_err(|_| error(path, Reason::Id))?;
        if children.insert(id, read(child, json)?).is_some() {
            return Err(error(path, Reason::Duplicate(id)));
        }
    }
    Ok(children)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use lwm2m_core::model::NoModel;
    use lwm2m_core::{ObjectLink, Operations, ResourceModel};
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

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
        let executable = Reason::Value(ValueError::Executable);
        assert_eq!(refused("/3/0/4", json!({"value": 1})), text("/3/0/4", executable));
        let negative = json!({"kind": "multiResource", "values": {"-1": 1}});
        assert_eq!(refused("/3/0/6", negative), text("/3/0/6", Reason::Id));
        let no_value = Reason::Field("value", "there");
        assert_eq!(refused("/3/0/9", json!({})), text("/3/0/9", no_value));
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
            any::<(u16, u16)>()
                .prop_map(|(object, instance)| ObjectLink { object, instance }.into()),
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
        let instance = btree_map(0..MAX_ID, resources(), 0..4)
            .prop_map(|resources| ObjectInstance { resources });
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
}
