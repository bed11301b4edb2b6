//! Trees of values: objects with instances with resources. OMA LwM2M Core, section 7.2.

use crate::path::Path;
use crate::value::Value;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// A resource: one value, or any number of resource instances.
#[derive(Clone, PartialEq, Debug)]
pub enum Resource {
    /// The value of a single-instance resource.
    Single(Value),
    /// The values of a multiple-instance resource by resource instance ID, possibly empty.
    Multiple(BTreeMap<u16, Value>),
}

/// An object instance.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ObjectInstance {
    /// The resources by ID.
    pub resources: BTreeMap<u16, Resource>,
}

/// An object.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Object {
    /// The object instances by ID.
    pub instances: BTreeMap<u16, ObjectInstance>,
}

/// What a path addresses. The number of IDs in the path determines the variant.
#[derive(Clone, PartialEq, Debug)]
pub enum Node {
    /// At `/`: objects by ID.
    Root(BTreeMap<u16, Object>),
    /// At `/o`.
    Object(Object),
    /// At `/o/i`.
    ObjectInstance(ObjectInstance),
    /// At `/o/i/r`.
    Resource(Resource),
    /// At `/o/i/r/ri`.
    ResourceInstance(Value),
}

impl ObjectInstance {
    /// Sets a single-instance resource.
    #[must_use]
    pub fn with(mut self, resource: u16, value: impl Into<Value>) -> Self {
        self.resources.insert(resource, Resource::Single(value.into()));
        self
    }

    /// Sets a multiple-instance resource.
    #[must_use]
    pub fn with_multiple<V: Into<Value>>(
        mut self,
        resource: u16,
        values: impl IntoIterator<Item = (u16, V)>,
    ) -> Self {
        let values = values.into_iter().map(|(id, value)| (id, value.into())).collect();
        self.resources.insert(resource, Resource::Multiple(values));
        self
    }
}

impl Node {
    /// Creates an empty node for `path`, to be filled by [`Node::insert`]. A resource begins as a
    /// multiple-instance resource without values. Returns `None` for the path of a resource
    /// instance, which cannot be empty.
    #[must_use]
    pub fn empty_at(path: &Path) -> Option<Self> {
        match path.depth() {
            0 => Some(Self::Root(BTreeMap::new())),
            1 => Some(Self::Object(Object::default())),
            2 => Some(Self::ObjectInstance(ObjectInstance::default())),
            3 => Some(Self::Resource(Resource::Multiple(BTreeMap::new()))),
            _ => None,
        }
    }

    /// The number of IDs in the path of such a node: 0 for the root, 4 for a resource instance.
    #[must_use]
    pub const fn depth(&self) -> usize {
        match self {
            Self::Root(_) => 0,
            Self::Object(_) => 1,
            Self::ObjectInstance(_) => 2,
            Self::Resource(_) => 3,
            Self::ResourceInstance(_) => 4,
        }
    }

    /// Inserts `value` at `target` into this tree, whose root is at `base`, and creates the nodes in
    /// between. Replaces an earlier value at `target`. A value at `/o/i/r` makes a single-instance
    /// resource, a value at `/o/i/r/ri` a multiple-instance one.
    ///
    /// Returns `false` and changes nothing if `target` is not a resource or resource instance below
    /// `base`, or if the resource is single-instance in one place and multiple-instance in the other.
    pub fn insert(&mut self, base: &Path, target: &Path, value: Value) -> bool {
        if !base.contains(target) || base.depth() != self.depth() {
            return false;
        }
        let (Some(object), Some(instance), Some(resource)) =
            (target.object_id(), target.instance_id(), target.resource_id())
        else {
            return false;
        };
        let ri = target.resource_instance_id();
        match self {
            Self::Root(objects) => {
                let object = objects.entry(object).or_default();
                insert_resource(object.instances.entry(instance).or_default(), resource, ri, value)
            }
            Self::Object(object) => {
                insert_resource(object.instances.entry(instance).or_default(), resource, ri, value)
            }
            Self::ObjectInstance(node) => insert_resource(node, resource, ri, value),
            Self::Resource(node) => merge_resource(node, ri, value),
            Self::ResourceInstance(old) => {
                *old = value;
                true
            }
        }
    }

    /// The number of values if each resource has one.
    fn width(&self) -> usize {
        let of = |object: &Object| object.instances.values().map(|i| i.resources.len()).sum();
        match self {
            Self::Root(objects) => objects.values().map(of).sum(),
            Self::Object(object) => of(object),
            Self::ObjectInstance(instance) => instance.resources.len(),
            Self::Resource(Resource::Multiple(values)) => values.len(),
            Self::Resource(Resource::Single(_)) | Self::ResourceInstance(_) => 1,
        }
    }

    /// All values with their paths, in ascending order. `base` is the path of this node.
    #[must_use]
    pub fn leaves(&self, base: &Path) -> Vec<(Path, &Value)> {
        let mut leaves = Vec::with_capacity(self.width());
        match self {
            Self::Root(objects) => {
                for (id, object) in objects {
                    object_leaves(object, Path::object(*id), &mut leaves);
                }
            }
            Self::Object(object) => object_leaves(object, *base, &mut leaves),
            Self::ObjectInstance(instance) => instance_leaves(instance, *base, &mut leaves),
            Self::Resource(resource) => resource_leaves(resource, *base, &mut leaves),
            Self::ResourceInstance(value) => leaves.push((*base, value)),
        }
        leaves
    }
}

fn insert_resource(node: &mut ObjectInstance, id: u16, ri: Option<u16>, value: Value) -> bool {
    let empty = || Resource::Multiple(BTreeMap::new());
    merge_resource(node.resources.entry(id).or_insert_with(empty), ri, value)
}

fn merge_resource(node: &mut Resource, ri: Option<u16>, value: Value) -> bool {
    match (node, ri) {
        (Resource::Multiple(values), Some(ri)) => {
            values.insert(ri, value);
            true
        }
        (Resource::Single(old), None) => {
            *old = value;
            true
        }
        (node @ Resource::Multiple(_), None) => {
            let fresh = matches!(&*node, Resource::Multiple(values) if values.is_empty());
            if fresh {
                *node = Resource::Single(value);
            }
            fresh
        }
        (Resource::Single(_), Some(_)) => false,
    }
}

fn object_leaves<'a>(object: &'a Object, path: Path, leaves: &mut Vec<(Path, &'a Value)>) {
    for (id, instance) in &object.instances {
        if let Ok(path) = path.child(*id) {
            instance_leaves(instance, path, leaves);
        }
    }
}

fn instance_leaves<'a>(
    instance: &'a ObjectInstance,
    path: Path,
    leaves: &mut Vec<(Path, &'a Value)>,
) {
    for (id, resource) in &instance.resources {
        if let Ok(path) = path.child(*id) {
            resource_leaves(resource, path, leaves);
        }
    }
}

fn resource_leaves<'a>(resource: &'a Resource, path: Path, leaves: &mut Vec<(Path, &'a Value)>) {
    match resource {
        Resource::Single(value) => leaves.push((path, value)),
        Resource::Multiple(values) => {
            let paths =
                values.iter().filter_map(|(id, value)| Some((path.child(*id).ok()?, value)));
            leaves.extend(paths);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_and_insert_are_inverse() {
        let instance = ObjectInstance::default()
            .with(0, "Open Mobile Alliance")
            .with_multiple(6, [(0, 1i64), (1, 5)])
            .with(9, 100i64);
        let base = Path::instance(3, 0);
        let node = Node::ObjectInstance(instance);
        let leaves = node.leaves(&base);
        assert_eq!(leaves.len(), 4);
        let mut copy = Node::empty_at(&base).unwrap();
        for (path, value) in &leaves {
            assert!(copy.insert(&base, path, (*value).clone()));
        }
        assert_eq!(copy, node);
    }

    #[test]
    fn insert_refuses_paths_outside_the_base_and_a_change_of_kind() {
        let base = Path::instance(3, 0);
        let mut node = Node::empty_at(&base).unwrap();
        assert!(!node.insert(&base, &Path::resource(4, 0, 0), Value::Integer(1)));
        assert!(!node.insert(&base, &Path::instance(3, 0), Value::Integer(1)));
        assert!(node.insert(&base, &Path::resource(3, 0, 9), Value::Integer(1)));
        assert!(!node.insert(&base, &Path::resource_instance(3, 0, 9, 0), Value::Integer(1)));
        assert!(node.insert(&base, &Path::resource_instance(3, 0, 6, 0), Value::Integer(1)));
        assert!(!node.insert(&base, &Path::resource(3, 0, 6), Value::Integer(1)));
    }
}
