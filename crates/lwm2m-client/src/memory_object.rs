//! A ready-made object that holds its values in memory.

use crate::error::Refusal;
use crate::object::Object;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::fmt;
use lwm2m_core::{Arguments, ObjectInstance, ObjectVersion, Resource, Value};

type Action = Box<dyn FnMut(u16, &Arguments) -> Result<(), Refusal> + Send>;
type Guard = Box<dyn FnMut(u16, &ObjectInstance) -> Result<(), Refusal> + Send>;

/// An object that holds its values: the device sets them, servers write them, and actions run
/// when a server executes a resource.
///
/// ```
/// use lwm2m_client::MemoryObject;
/// let thermometer = MemoryObject::new(3303)
///     .instance(0, |values| values.with(5700, 21.5).with(5701, "Cel"))
///     .on_execute(5605, |_instance, _arguments| Ok(()))
///     .fixed();
/// assert_eq!(thermometer.value(0, 5700), Some(&21.5.into()));
/// ```
///
/// Servers may create and delete instances, unless it is [`fixed`](MemoryObject::fixed) or the object
/// definition forbids it.
pub struct MemoryObject {
    id: u16,
    version: Option<ObjectVersion>,
    instances: BTreeMap<u16, ObjectInstance>,
    supported: BTreeSet<u16>,
    template: ObjectInstance,
    actions: BTreeMap<u16, Action>,
    guard: Option<Guard>,
    fixed: bool,
    max_instances: usize,
}

impl fmt::Debug for MemoryObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryObject")
            .field("id", &self.id)
            .field("instances", &self.instances)
            .finish_non_exhaustive()
    }
}

impl MemoryObject {
    /// Object `id` without instances.
    #[must_use]
    pub fn new(id: u16) -> Self {
        Self {
            id,
            version: None,
            instances: BTreeMap::new(),
            supported: BTreeSet::new(),
            template: ObjectInstance::default(),
            actions: BTreeMap::new(),
            guard: None,
            fixed: false,
            max_instances: 64,
        }
    }

    /// Sets the version of the object definition.
    #[must_use]
    pub const fn version(mut self, version: ObjectVersion) -> Self {
        self.version = Some(version);
        self
    }

    /// Adds an instance with the values that `fill` puts in.
    #[must_use]
    pub fn instance(
        mut self,
        id: u16,
        fill: impl FnOnce(ObjectInstance) -> ObjectInstance,
    ) -> Self {
        self.insert(id, fill(ObjectInstance::default()));
        self
    }

    /// Sets the resources that a new instance has besides those of the server's Create.
    #[must_use]
    pub fn new_instances(mut self, fill: impl FnOnce(ObjectInstance) -> ObjectInstance) -> Self {
        self.template = fill(ObjectInstance::default());
        self.supported.extend(self.template.resources.keys());
        self
    }

    /// Says that servers may set this resource, though no instance has it yet.
    #[must_use]
    pub fn optional(mut self, resource: u16) -> Self {
        self.supported.insert(resource);
        self
    }

    /// Makes a resource executable; the action gets the instance and the arguments.
    #[must_use]
    pub fn on_execute(
        mut self,
        resource: u16,
        action: impl FnMut(u16, &Arguments) -> Result<(), Refusal> + Send + 'static,
    ) -> Self {
        self.actions.insert(resource, Box::new(action));
        self
    }

    /// Asks `guard` before a server's Write is stored; it gets the instance and the new values.
    #[must_use]
    pub fn on_write(
        mut self,
        guard: impl FnMut(u16, &ObjectInstance) -> Result<(), Refusal> + Send + 'static,
    ) -> Self {
        self.guard = Some(Box::new(guard));
        self
    }

    /// Keeps servers, other than bootstrap servers, from creating and deleting instances.
    #[must_use]
    pub const fn fixed(mut self) -> Self {
        self.fixed = true;
        self
    }

    /// Sets how many instances there may be for a server to create another; 64 by default. The
    /// device itself may have more.
    #[must_use]
    pub const fn max_instances(mut self, count: usize) -> Self {
        self.max_instances = count;
        self
    }

    /// Adds or replaces an instance. Tell the engine by
    /// [`Client::changed`](crate::Client::changed), so that the servers learn of it.
    pub fn insert(&mut self, id: u16, values: ObjectInstance) {
        self.supported.extend(values.resources.keys());
        self.instances.insert(id, values);
    }

    /// Removes an instance; `false` if there is none.
    pub fn remove(&mut self, id: u16) -> bool {
        self.instances.remove(&id).is_some()
    }

    /// Sets the value of a single-instance resource; `false` if there is no such instance.
    pub fn set(&mut self, instance: u16, resource: u16, value: impl Into<Value>) -> bool {
        self.set_resource(instance, resource, Resource::Single(value.into()))
    }

    /// Sets a resource with all of its values; `false` if there is no such instance.
    pub fn set_resource(&mut self, instance: u16, resource: u16, value: Resource) -> bool {
        let Some(values) = self.instances.get_mut(&instance) else { return false };
        self.supported.insert(resource);
        values.resources.insert(resource, value);
        true
    }

    /// A resource with all of its values.
    #[must_use]
    pub fn resource(&self, instance: u16, resource: u16) -> Option<&Resource> {
        self.instances.get(&instance)?.resources.get(&resource)
    }

    /// The value of a single-instance resource.
    #[must_use]
    pub fn value(&self, instance: u16, resource: u16) -> Option<&Value> {
        match self.resource(instance, resource)? {
            Resource::Single(value) => Some(value),
            Resource::Multiple(_) => None,
        }
    }
}

impl Object for MemoryObject {
    fn id(&self) -> u16 {
        self.id
    }

    fn version(&self) -> Option<ObjectVersion> {
        self.version
    }

    fn instances(&self) -> Vec<u16> {
        self.instances.keys().copied().collect()
    }

    fn resources(&self, instance: u16) -> Vec<u16> {
        let Some(values) = self.instances.get(&instance) else { return Vec::new() };
        let ids: BTreeSet<u16> =
            values.resources.keys().chain(self.actions.keys()).copied().collect();
        ids.into_iter().collect()
    }

    fn supports(&self, resource: u16) -> bool {
        self.supported.contains(&resource) || self.actions.contains_key(&resource)
    }

    fn read(&mut self, instance: u16, resource: u16) -> Result<Resource, Refusal> {
        self.resource(instance, resource).cloned().ok_or(Refusal::NotFound)
    }

    fn write(
        &mut self,
        instance: u16,
        values: ObjectInstance,
        removed: &[u16],
    ) -> Result<(), Refusal> {
        let stored = self.instances.get_mut(&instance).ok_or(Refusal::NotFound)?;
        if let Some(guard) = &mut self.guard {
            guard(instance, &values)?;
        }
        stored.resources.extend(values.resources);
        stored.resources.retain(|id, _| !removed.contains(id));
        Ok(())
    }

    fn bootstrap_write(
        &mut self,
        instance: u16,
        values: ObjectInstance,
        removed: &[u16],
    ) -> Result<(), Refusal> {
        let known = self.instances.contains_key(&instance);
        if !known && self.instances.len() >= self.max_instances {
            return Err(Refusal::BadRequest);
        }
        if let Some(guard) = &mut self.guard {
            guard(instance, &values)?;
        }
        let stored = self.instances.entry(instance).or_default();
        stored.resources.extend(values.resources);
        stored.resources.retain(|id, _| !removed.contains(id));
        Ok(())
    }

    fn bootstrap_delete(&mut self, instance: u16) -> Result<(), Refusal> {
        if self.remove(instance) { Ok(()) } else { Err(Refusal::NotFound) }
    }

    fn execute(
        &mut self,
        instance: u16,
        resource: u16,
        arguments: &Arguments,
    ) -> Result<(), Refusal> {
        let action = self.actions.get_mut(&resource).ok_or(Refusal::MethodNotAllowed)?;
        action(instance, arguments)
    }

    fn template(&self) -> ObjectInstance {
        self.template.clone()
    }

    fn create(&mut self, instance: u16, values: ObjectInstance) -> Result<(), Refusal> {
        if self.fixed {
            return Err(Refusal::MethodNotAllowed);
        }
        // None of the codes that a Create may be answered with says "full" (Core 6.3.6).
        if self.instances.len() >= self.max_instances {
            return Err(Refusal::BadRequest);
        }
        if let Some(guard) = &mut self.guard {
            guard(instance, &values)?;
        }
        self.insert(instance, values);
        Ok(())
    }

    fn delete(&mut self, instance: u16) -> Result<(), Refusal> {
        if self.fixed {
            return Err(Refusal::MethodNotAllowed);
        }
        if self.remove(instance) { Ok(()) } else { Err(Refusal::NotFound) }
    }
}
