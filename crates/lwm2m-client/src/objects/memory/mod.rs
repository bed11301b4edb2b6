//! A ready-made object that holds its values in memory.

mod serve;

use super::kind::Kind;
use super::object::Block;
use crate::error::{Refusal, ValueError};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use core::fmt;
use lwm2m_core::{Arguments, ObjectInstance, ObjectVersion, Path, Resource, Value};
use lwm2m_objects::ObjectDefinition;

type Action = Box<dyn FnMut(u16, &Arguments) -> Result<(), Refusal> + Send>;
type Receiver = Box<dyn FnMut(u16, Block<'_>) -> Result<(), Refusal> + Send>;
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
///
/// # Types
/// A value has to be of the type that the object definition gives its resource (OMA LwM2M Core,
/// Appendix C), and multiple-instance exactly if the resource is. The builder collects values
/// unchecked, because only the client knows which definition holds:
/// [`Client::new`](crate::Client::new) returns [`ConfigError::Value`](crate::ConfigError::Value)
/// if one does not fit. From then on [`set`](MemoryObject::set) and the other setters refuse such a
/// value, and the old one stays. Before that, and for resources that the definition does not have,
/// the first value of a resource fixes its type. Ranges are not checked: a sensor may well measure
/// what its definition does not expect.
pub struct MemoryObject {
    id: u16,
    version: Option<ObjectVersion>,
    definition: Option<ObjectDefinition>,
    instances: BTreeMap<u16, ObjectInstance>,
    supported: BTreeSet<u16>,
    template: ObjectInstance,
    handlers: BTreeMap<u16, Handler>,
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

/// What happens instead of keeping a value.
enum Handler {
    Execute(Action),
    Receive(Receiver),
}

/// Building an object.
impl MemoryObject {
    /// Object `id` without instances.
    #[must_use]
    pub fn new(id: u16) -> Self {
        Self {
            id,
            version: None,
            definition: None,
            instances: BTreeMap::new(),
            supported: BTreeSet::new(),
            template: ObjectInstance::default(),
            handlers: BTreeMap::new(),
            guard: None,
            fixed: false,
            max_instances: 64,
        }
    }

    /// Sets the version of the object definition. Default: the version that goes with the LwM2M
    /// version of the client (OMA LwM2M Core 7.2).
    #[must_use]
    pub const fn version(mut self, version: ObjectVersion) -> Self {
        self.version = Some(version);
        self
    }

    /// Adds an instance with the values that `fill` puts in. [`Client::new`](crate::Client::new)
    /// checks their types.
    #[must_use]
    pub fn instance(
        mut self,
        id: u16,
        fill: impl FnOnce(ObjectInstance) -> ObjectInstance,
    ) -> Self {
        self.store(id, fill(ObjectInstance::default()));
        self
    }

    /// Sets the resources that a new instance has besides those of the server's Create.
    #[must_use]
    pub fn new_instances(mut self, fill: impl FnOnce(ObjectInstance) -> ObjectInstance) -> Self {
        self.template = fill(ObjectInstance::default());
        self.supported.extend(self.template.resources.keys());
        self
    }

    /// Lets servers set this resource, though no instance has it yet.
    #[must_use]
    pub fn optional(mut self, resource: u16) -> Self {
        self.supported.insert(resource);
        self
    }

    /// Makes a resource executable; the action gets the instance and the arguments (OMA LwM2M Core
    /// 6.3.5).
    #[must_use]
    pub fn on_execute(
        mut self,
        resource: u16,
        action: impl FnMut(u16, &Arguments) -> Result<(), Refusal> + Send + 'static,
    ) -> Self {
        self.handlers.insert(resource, Handler::Execute(Box::new(action)));
        self
    }

    /// Hands what servers write to an Opaque resource to `receiver`, block by block, instead of
    /// keeping it: the object holds no value of it, and reads as empty. For the Package of Firmware
    /// Update (/5/0/0), say. `receiver` gets the instance and the block; what it refuses, the
    /// server has to begin anew. A value that arrives whole is one block.
    ///
    /// ```
    /// use lwm2m_client::{MemoryObject, Refusal};
    /// let mut flash = vec![0; 1 << 20]; // the memory for images of the device
    /// let firmware = MemoryObject::new(5).on_block(0, move |_instance, block| {
    ///     let end = block.offset + block.bytes.len();
    ///     let place = flash.get_mut(block.offset..end).ok_or(Refusal::BadRequest)?;
    ///     place.copy_from_slice(block.bytes);
    ///     Ok(())
    /// });
    /// ```
    #[must_use]
    pub fn on_block(
        mut self,
        resource: u16,
        receiver: impl FnMut(u16, Block<'_>) -> Result<(), Refusal> + Send + 'static,
    ) -> Self {
        self.handlers.insert(resource, Handler::Receive(Box::new(receiver)));
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

    /// Sets the number of instances from which on servers cannot create another. The device itself
    /// may add more. Default: 64.
    #[must_use]
    pub const fn max_instances(mut self, count: usize) -> Self {
        self.max_instances = count;
        self
    }
}

/// Values. Change those of an object that a client has taken by
/// [`Client::update`](crate::Client::update), which reports the changes.
impl MemoryObject {
    /// Adds or replaces an instance.
    ///
    /// # Errors
    /// A value is not of the type of its resource; nothing has changed.
    pub fn insert(&mut self, id: u16, values: ObjectInstance) -> Result<(), ValueError> {
        values.resources.iter().try_for_each(|(resource, it)| self.check(id, *resource, it))?;
        self.store(id, values);
        Ok(())
    }

    /// Removes an instance; `false` if it does not exist.
    pub fn remove(&mut self, id: u16) -> bool {
        self.instances.remove(&id).is_some()
    }

    /// Sets the value of a single-instance resource.
    ///
    /// # Errors
    /// The instance does not exist, or the value is not of the type of the resource; the old value
    /// stays.
    pub fn set(
        &mut self,
        instance: u16,
        resource: u16,
        value: impl Into<Value>,
    ) -> Result<(), ValueError> {
        self.set_resource(instance, resource, Resource::Single(value.into()))
    }

    /// Sets a resource with all of its values.
    ///
    /// # Errors
    /// As [`set`](MemoryObject::set).
    pub fn set_resource(
        &mut self,
        instance: u16,
        resource: u16,
        value: Resource,
    ) -> Result<(), ValueError> {
        self.check(instance, resource, &value)?;
        let path = Path::instance(self.id, instance);
        let values = self.instances.get_mut(&instance).ok_or(ValueError::NoInstance(path))?;
        self.supported.insert(resource);
        values.resources.insert(resource, value);
        Ok(())
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

    fn store(&mut self, id: u16, values: ObjectInstance) {
        self.supported.extend(values.resources.keys());
        self.instances.insert(id, values);
    }

    /// Checks a value against the definition, or else against an earlier value of the resource.
    fn check(&self, instance: u16, resource: u16, value: &Resource) -> Result<(), ValueError> {
        let defined = self.definition.as_ref().and_then(|object| object.resource(resource));
        let kind = defined.map(|definition| Kind::of_definition(&definition.model()));
        let first = || {
            let values = self.instances.values().chain([&self.template]);
            values.filter_map(|values| values.resources.get(&resource)).find_map(Kind::of_value)
        };
        let path = Path::resource(self.id, instance, resource);
        kind.or_else(first).map_or(Ok(()), |kind| kind.check(path, value))
    }

    /// Sets and removes values that the engine has checked, if the guard agrees.
    fn apply(
        &mut self,
        instance: u16,
        mut values: ObjectInstance,
        removed: &[u16],
    ) -> Result<(), Refusal> {
        self.admit(instance, &mut values)?;
        let stored = self.instances.entry(instance).or_default();
        stored.resources.extend(values.resources);
        stored.resources.retain(|id, _| !removed.contains(id));
        Ok(())
    }

    /// Asks the guard, and hands out what is not kept.
    fn admit(&mut self, instance: u16, values: &mut ObjectInstance) -> Result<(), Refusal> {
        if let Some(guard) = &mut self.guard {
            guard(instance, values)?;
        }
        for (id, handler) in &mut self.handlers {
            let Handler::Receive(receiver) = handler else { continue };
            if let Some(Resource::Single(Value::Opaque(bytes))) = values.resources.remove(id) {
                let size = Some(bytes.len() as u64);
                receiver(
                    instance,
                    Block { offset: 0, bytes: &bytes, more: false, size, server: None },
                )?;
            }
        }
        Ok(())
    }
}
