//! Writing nodes as the dialect's JSON, straight from the tree.

use crate::json::value::{ValueJson, type_name};
use crate::json::{Each, Entries};
use lwm2m_core::{DataType, Node, Object, ObjectInstance, Path, Resource, Value};
use serde::ser::{Serialize, SerializeStruct, Serializer};
use std::collections::BTreeMap;

/// The JSON of a node that lives at some path.
#[derive(Clone, Copy, Debug)]
pub struct NodeJson<'a> {
    id: u16,
    node: View<'a>,
}

/// A node or a part of one.
#[derive(Clone, Copy, Debug)]
enum View<'a> {
    Root(&'a BTreeMap<u16, Object>),
    Object(&'a Object),
    Instance(&'a ObjectInstance),
    Multiple(&'a BTreeMap<u16, Value>),
    Single(&'a Value),
    ResourceInstance(&'a Value),
}

impl<'a> NodeJson<'a> {
    /// The JSON of the node at `path`.
    #[must_use]
    pub fn new(path: &Path, node: &'a Node) -> Self {
        Self { id: last_id(path), node: node.into() }
    }

    /// The JSON of the value of the resource or resource instance at `path`.
    #[must_use]
    pub fn of_value(path: &Path, value: &'a Value) -> Self {
        let node = match path.depth() {
            4 => View::ResourceInstance(value),
            _ => View::Single(value),
        };
        Self { id: last_id(path), node }
    }

    /// The JSON of what lives at `path` in `tree`, which is at the root; `None` if nothing does.
    fn within(tree: &'a Node, path: &Path) -> Option<Self> {
        let Node::Root(objects) = tree else { return None };
        let mut node = View::Root(objects);
        for id in path.ids() {
            node = node.child(*id)?;
        }
        Some(Self { id: last_id(path), node })
    }
}

fn last_id(path: &Path) -> u16 {
    path.ids().last().copied().unwrap_or_default()
}

impl<'a> View<'a> {
    fn child(self, id: u16) -> Option<Self> {
        Some(match self {
            Self::Root(objects) => Self::Object(objects.get(&id)?),
            Self::Object(object) => Self::Instance(object.instances.get(&id)?),
            Self::Instance(instance) => instance.resources.get(&id)?.into(),
            Self::Multiple(values) => Self::ResourceInstance(values.get(&id)?),
            Self::Single(_) | Self::ResourceInstance(_) => return None,
        })
    }
}

impl<'a> From<&'a Node> for View<'a> {
    fn from(node: &'a Node) -> Self {
        match node {
            Node::Root(objects) => Self::Root(objects),
            Node::Object(object) => Self::Object(object),
            Node::ObjectInstance(instance) => Self::Instance(instance),
            Node::Resource(resource) => resource.into(),
            Node::ResourceInstance(value) => Self::ResourceInstance(value),
        }
    }
}

impl<'a> From<&'a Resource> for View<'a> {
    fn from(resource: &'a Resource) -> Self {
        match resource {
            Resource::Single(value) => Self::Single(value),
            Resource::Multiple(values) => Self::Multiple(values),
        }
    }
}

impl Serialize for NodeJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut json = serializer.serialize_struct("Node", 4)?;
        match self.node {
            View::Root(objects) => {
                json.serialize_field("kind", "root")?;
                json.serialize_field("objects", &nodes(objects, View::Object))?;
            }
            View::Object(object) => {
                self.begin(&mut json, "obj")?;
                let instances = nodes(&object.instances, View::Instance);
                json.serialize_field("instances", &instances)?;
            }
            View::Instance(instance) => {
                self.begin(&mut json, "instance")?;
                let resources = nodes(&instance.resources, View::from);
                json.serialize_field("resources", &resources)?;
            }
            View::Multiple(values) => {
                self.begin(&mut json, "multiResource")?;
                let first = values.values().next();
                let data_type = first.map_or(DataType::String, Value::data_type);
                json.serialize_field("type", type_name(data_type))?;
                let entries = Entries(|| values.iter().map(|(id, it)| (id, ValueJson(it))));
                json.serialize_field("values", &entries)?;
            }
            View::Single(value) => self.single(&mut json, "singleResource", value)?,
            View::ResourceInstance(value) => self.single(&mut json, "resourceInstance", value)?,
        }
        json.end()
    }
}

impl NodeJson<'_> {
    fn begin<S: SerializeStruct>(&self, json: &mut S, kind: &'static str) -> Result<(), S::Error> {
        json.serialize_field("kind", kind)?;
        json.serialize_field("id", &self.id)
    }

    fn single<S: SerializeStruct>(
        &self,
        json: &mut S,
        kind: &'static str,
        value: &Value,
    ) -> Result<(), S::Error> {
        self.begin(json, kind)?;
        json.serialize_field("type", type_name(value.data_type()))?;
        json.serialize_field("value", &ValueJson(value))
    }
}

/// The JSON array of nodes of one level.
fn nodes<'a, T>(level: &'a BTreeMap<u16, T>, view: fn(&'a T) -> View<'a>) -> impl Serialize {
    Each(move || level.iter().map(move |(id, node)| NodeJson { id: *id, node: view(node) }))
}

/// The JSON of the answer to a composite operation: a node for each path, except for those of which the
/// device sent nothing.
#[derive(Clone, Copy, Debug)]
pub struct CompositeJson<'a> {
    paths: &'a [Path],
    tree: &'a Node,
}

impl<'a> CompositeJson<'a> {
    /// The JSON of what lives at `paths` in `tree`, which is at the root.
    #[must_use]
    pub const fn new(paths: &'a [Path], tree: &'a Node) -> Self {
        Self { paths, tree }
    }
}

impl Serialize for CompositeJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A path that was asked for twice is one member.
        let node = |path: &Path| Some((path.to_string(), NodeJson::within(self.tree, path)?));
        serializer.collect_map(self.paths.iter().filter_map(node).collect::<BTreeMap<_, _>>())
    }
}
