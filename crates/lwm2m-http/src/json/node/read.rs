//! Reading nodes from the dialect's JSON.

use super::{NodeError, Reason, Result};
use crate::json::value::{self, type_from_name};
use lwm2m_codec::composite::Change;
use lwm2m_core::path::MAX_ID;
use lwm2m_core::{DataType, Model, Node, Object, ObjectInstance, Path, Resource, Value};
use serde_json::Value as Json;
use std::collections::BTreeMap;

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

/// The field `id`, if it is there: a number, or text of one.
fn read_id(path: Path, json: &Json) -> Result<Option<u16>> {
    let id = match json.get("id") {
        None | Some(Json::Null) => return Ok(None),
        Some(Json::String(text)) => id_of_text(text),
        Some(json) => json.as_u64().and_then(|id| u16::try_from(id).ok()),
    };
    id.filter(|id| *id != MAX_ID).map(Some).ok_or_else(|| error(path, Reason::Id))
}

/// The ID that a text of digits stands for.
fn id_of_text(text: &str) -> Option<u16> {
    Path::from_segments([text.as_bytes()]).ok()?.object_id()
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
            let id = id_of_text(id).ok_or_else(|| error(path, Reason::Id))?;
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
