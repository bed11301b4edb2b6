//! Structs of one type as an object.

use super::Instance;
use crate::error::Refusal;
use crate::objects::object::Object;
use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use lwm2m_core::{Arguments, ObjectInstance, ObjectVersion, Resource};

/// An object whose instances are structs.
#[derive(Clone, Debug)]
pub struct Instances<T> {
    instances: BTreeMap<u16, T>,
    /// Makes what a server creates, and how many there may be; `None` if servers create none.
    make: Option<(fn() -> T, usize)>,
}

impl<T: Instance> Default for Instances<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Instance> Instances<T> {
    /// An object without instances, of which servers create and delete none.
    #[must_use]
    pub const fn new() -> Self {
        Self { instances: BTreeMap::new(), make: None }
    }

    /// Adds an instance.
    #[must_use]
    pub fn with(mut self, id: u16, instance: T) -> Self {
        self.instances.insert(id, instance);
        self
    }

    /// Lets servers create instances, up to `max` in all, and delete any.
    #[must_use]
    pub fn creatable(mut self, max: usize) -> Self
    where
        T: Default,
    {
        self.make = Some((T::default, max));
        self
    }

    /// An instance.
    #[must_use]
    pub fn get(&self, id: u16) -> Option<&T> {
        self.instances.get(&id)
    }

    /// An instance, to be changed within [`Client::update`](crate::Client::update).
    pub fn get_mut(&mut self, id: u16) -> Option<&mut T> {
        self.instances.get_mut(&id)
    }

    /// Adds an instance, or replaces it.
    pub fn insert(&mut self, id: u16, instance: T) {
        self.instances.insert(id, instance);
    }

    /// Removes an instance.
    pub fn remove(&mut self, id: u16) -> Option<T> {
        self.instances.remove(&id)
    }

    /// Their IDs and values, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u16, &T)> {
        self.instances.iter().map(|(id, instance)| (*id, instance))
    }
}

/// An instance with resources set and removed; the one before stays as it is.
fn changed<T: Instance>(before: &T, values: ObjectInstance, removed: &[u16]) -> Result<T, Refusal> {
    let mut after = before.clone();
    for (id, value) in values.resources {
        after.write(id, Some(value))?;
    }
    removed.iter().try_for_each(|id| after.write(*id, None))?;
    Ok(after)
}

impl<T: Instance> Object for Instances<T> {
    fn id(&self) -> u16 {
        T::OBJECT
    }

    fn version(&self) -> Option<ObjectVersion> {
        T::VERSION
    }

    fn for_each_instance(&self, visit: &mut dyn FnMut(u16)) {
        self.instances.keys().for_each(|id| visit(*id));
    }

    fn has_instance(&self, instance: u16) -> bool {
        self.instances.contains_key(&instance)
    }

    fn for_each_resource(&self, instance: u16, visit: &mut dyn FnMut(u16)) {
        let Some(instance) = self.get(instance) else { return };
        T::RESOURCES.iter().filter(|id| instance.has(**id)).for_each(|id| visit(*id));
    }

    fn has_resource(&self, instance: u16, resource: u16) -> bool {
        self.get(instance).is_some_and(|it| it.has(resource))
    }

    fn supports(&self, resource: u16) -> bool {
        T::RESOURCES.binary_search(&resource).is_ok()
    }

    fn read(&self, instance: u16, resource: u16) -> Result<Cow<'_, Resource>, Refusal> {
        let value = self.get(instance).and_then(|it| it.read(resource));
        value.map(Cow::Owned).ok_or(Refusal::NotFound)
    }

    fn write(
        &mut self,
        instance: u16,
        values: ObjectInstance,
        removed: &[u16],
    ) -> Result<(), Refusal> {
        let known = self.get_mut(instance).ok_or(Refusal::NotFound)?;
        *known = changed(known, values, removed)?;
        Ok(())
    }

    fn execute(
        &mut self,
        instance: u16,
        resource: u16,
        arguments: &Arguments,
    ) -> Result<(), Refusal> {
        self.get_mut(instance).ok_or(Refusal::NotFound)?.execute(resource, arguments)
    }

    fn create(&mut self, instance: u16, values: ObjectInstance) -> Result<(), Refusal> {
        let (make, max) = self.make.ok_or(Refusal::MethodNotAllowed)?;
        // None of the codes that a Create may be answered with says "full" (Core 6.3.6).
        if self.instances.len() >= max {
            return Err(Refusal::BadRequest);
        }
        self.instances.insert(instance, changed(&make(), values, &[])?);
        Ok(())
    }

    fn delete(&mut self, instance: u16) -> Result<(), Refusal> {
        match (&self.make, self.instances.contains_key(&instance)) {
            (Some(_), true) => {
                self.instances.remove(&instance);
                Ok(())
            }
            (Some(_), false) => Err(Refusal::NotFound),
            (None, _) => Err(Refusal::MethodNotAllowed),
        }
    }
}
