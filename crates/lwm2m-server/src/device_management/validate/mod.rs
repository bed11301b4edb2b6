//! Refuses operations that the device would refuse, before they are sent.
//!
//! Objects and resources that are not in the registry are not checked, because the device may know
//! them. Secrets (`/0`, `/21`) are not checked either: the device answers 4.01.

mod composite;

use crate::error::Invalid;
use crate::operation::{Operation, WriteMode};
use crate::registration::Registration;
use lwm2m_core::{
    Arguments, Attribute, Node, ObjectInstance, Operations, Path, Resource, Value, Version,
};
use lwm2m_objects::{DeviceModel, Registry, ResourceDefinition};

/// The rules that hold for one device.
struct Rules<'r> {
    version: Version,
    model: DeviceModel<'r>,
}

/// Checks an operation on a device.
pub(crate) fn check(
    operation: &Operation,
    registration: &Registration,
    registry: &Registry,
) -> Result<(), Invalid> {
    let path = operation.path();
    let model = registration.model_at(registry, path);
    let rules = Rules { version: registration.version, model };
    match operation {
        Operation::Read { .. } | Operation::Observe { .. } => rules.read(path),
        Operation::Discover { .. } => depth(path, (1..=3).contains(&path.depth())),
        Operation::Write { node, mode, .. } => rules.write(path, node, *mode),
        Operation::WriteAttributes { attributes, .. } => rules.attributes(path, attributes),
        Operation::Execute { arguments, .. } => rules.execute(path, arguments),
        Operation::Create { instance, node, .. } => rules.create(path, *instance, node),
        Operation::Delete { .. } => rules.delete(path),
        Operation::ReadComposite { paths, .. } | Operation::ObserveComposite { paths, .. } => {
            rules.paths(paths)
        }
        Operation::WriteComposite { changes, .. } => rules.changes(changes),
        Operation::CancelObservation { .. } => Ok(()),
    }
}

fn depth(path: &Path, fits: bool) -> Result<(), Invalid> {
    if fits { Ok(()) } else { Err(Invalid::Path(*path)) }
}

/// The operations of servers on a resource; `None` if only bootstrap servers have any, so that
/// the device gives the refusal.
fn operations(definition: &ResourceDefinition) -> Option<Operations> {
    Some(definition.operations()).filter(|operations| *operations != Operations::NONE)
}

impl<'r> Rules<'r> {
    fn resource(&self, path: &Path) -> Option<&'r ResourceDefinition> {
        self.model.object(path.object_id()?)?.resource(path.resource_id()?)
    }

    /// Whether paths of this length can be addressed: resource instances only since 1.1.
    fn address(&self, path: &Path, shortest: usize) -> Result<(), Invalid> {
        let longest = if self.version == Version::V1_0 { 3 } else { 4 };
        depth(path, (shortest..=longest).contains(&path.depth()))?;
        match self.resource(path) {
            Some(definition) if path.depth() == 4 && !definition.multiple() => {
                Err(Invalid::Multiplicity(path.prefix(3)))
            }
            _ => Ok(()),
        }
    }

    fn read(&self, path: &Path) -> Result<(), Invalid> {
        self.address(path, 1)?;
        match self.resource(path) {
            Some(definition) if operations(definition).is_some_and(|it| !it.readable()) => {
                Err(Invalid::NotReadable(*path))
            }
            _ => Ok(()),
        }
    }

    fn write(&self, path: &Path, node: &Node, mode: WriteMode) -> Result<(), Invalid> {
        self.address(path, 2)?;
        if node.depth() != path.depth() {
            return Err(Invalid::Node(*path));
        }
        let array = matches!(node, Node::Resource(Resource::Multiple(_)));
        let partial = path.depth() == 2 || (array && self.version >= Version::V1_2);
        depth(path, mode == WriteMode::Replace || partial)?;
        match node {
            Node::ObjectInstance(instance) => {
                self.writable_all(path, instance)?;
                self.values(path, instance)
            }
            Node::Resource(resource) => {
                self.writable(path)?;
                self.resource_value(path, resource)
            }
            Node::ResourceInstance(value) => {
                self.writable(path)?;
                self.value(path, value)
            }
            Node::Root(_) | Node::Object(_) => Err(Invalid::Node(*path)),
        }
    }

    fn writable_all(&self, path: &Path, instance: &ObjectInstance) -> Result<(), Invalid> {
        let paths = instance.resources.keys().filter_map(|id| path.child(*id).ok());
        paths.into_iter().try_for_each(|path| self.writable(&path))
    }

    fn writable(&self, path: &Path) -> Result<(), Invalid> {
        match self.resource(path) {
            Some(definition) if operations(definition).is_some_and(|it| !it.writable()) => {
                Err(Invalid::NotWritable(*path))
            }
            _ => Ok(()),
        }
    }

    fn values(&self, path: &Path, instance: &ObjectInstance) -> Result<(), Invalid> {
        instance.resources.iter().try_for_each(|(id, resource)| {
            let path = path.child(*id).map_err(|_| Invalid::Path(*path))?;
            self.resource_value(&path, resource)
        })
    }

    fn resource_value(&self, path: &Path, resource: &Resource) -> Result<(), Invalid> {
        let Some(definition) = self.resource(path) else { return Ok(()) };
        let multiple = matches!(resource, Resource::Multiple(_));
        if definition.multiple() != multiple {
            return Err(Invalid::Multiplicity(*path));
        }
        let checked = definition.check_resource(resource);
        checked.map_err(|error| Invalid::Value { path: *path, error })
    }

    fn value(&self, path: &Path, value: &Value) -> Result<(), Invalid> {
        let Some(definition) = self.resource(path) else { return Ok(()) };
        definition.check(value).map_err(|error| Invalid::Value { path: *path, error })
    }

    fn attributes(&self, path: &Path, attributes: &[Attribute]) -> Result<(), Invalid> {
        self.address(path, 1)?;
        if attributes.is_empty() {
            return Err(Invalid::NoAttributes);
        }
        let data_type = self.resource(path).map(|definition| definition.data_type());
        let fits = |attribute: &&Attribute| {
            let name = attribute.name;
            name.since() <= self.version && name.fits(path.depth(), data_type)
        };
        match attributes.iter().find(|attribute| !fits(attribute)) {
            Some(attribute) => Err(Invalid::Attribute { path: *path, name: attribute.name }),
            None => Ok(()),
        }
    }

    fn execute(&self, path: &Path, arguments: &str) -> Result<(), Invalid> {
        depth(path, path.depth() == 3)?;
        let _: Arguments = arguments.parse()?;
        match self.resource(path) {
            Some(definition) if operations(definition).is_some_and(|it| !it.executable()) => {
                Err(Invalid::NotExecutable(*path))
            }
            _ => Ok(()),
        }
    }

    /// A Create may hold read-only resources: the client takes or ignores them.
    fn create(&self, path: &Path, instance: Option<u16>, node: &Node) -> Result<(), Invalid> {
        depth(path, path.depth() == 1)?;
        let single = path.object_id().and_then(|id| self.model.object(id));
        let single = single.is_some_and(|definition| !definition.multiple());
        if single && instance.is_some_and(|id| id != 0) {
            return Err(Invalid::SingleInstance(*path));
        }
        let Node::ObjectInstance(values) = node else { return Err(Invalid::Node(*path)) };
        let path = path.child(instance.unwrap_or(0)).map_err(|_| Invalid::Path(*path))?;
        self.values(&path, values)
    }

    /// Single resource instances can be deleted since 1.2.
    fn delete(&self, path: &Path) -> Result<(), Invalid> {
        depth(path, path.depth() == 2 || (path.depth() == 4 && self.version >= Version::V1_2))
    }
}
