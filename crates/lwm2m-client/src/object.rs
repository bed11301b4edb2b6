//! The objects of a device, as the engine sees them.

use crate::error::Refusal;
use alloc::vec::Vec;
use core::any::Any;
use lwm2m_core::{Arguments, ObjectInstance, ObjectVersion, Resource};

/// An object with all of its instances. [`MemoryObject`](crate::MemoryObject) is the ready-made one.
///
/// The engine asks the object definition before it calls: an implementation sees only operations
/// that the definition allows, on instances that [exist](Object::instances), with values that are
/// of the right type and within their range. What is left to it is to hold values.
pub trait Object: Any + Send {
    /// The object id.
    fn id(&self) -> u16;

    /// The version of the object definition; `None` is the one that goes with the LwM2M version
    /// of the client (1.0 for all but the core objects).
    fn version(&self) -> Option<ObjectVersion> {
        None
    }

    /// The ids of the instances, ascending.
    fn instances(&self) -> Vec<u16>;

    /// The ids of the resources that an instance has, executable ones included, ascending.
    fn resources(&self, instance: u16) -> Vec<u16>;

    /// Whether instances can have this resource; a Write to one they cannot have is refused, or
    /// ignored if it is one of several.
    fn supports(&self, _resource: u16) -> bool {
        true
    }

    /// The value of a resource that the instance has.
    ///
    /// # Errors
    /// The answer that the server gets instead; nothing is read of the instance then.
    fn read(&mut self, instance: u16, resource: u16) -> Result<Resource, Refusal>;

    /// Sets the resources in `values`, which are complete (a multiple-instance resource has all
    /// of its values), and removes those in `removed`: either all of it, or nothing.
    ///
    /// # Errors
    /// The answer that the server gets; nothing may have changed then.
    fn write(
        &mut self,
        _instance: u16,
        _values: ObjectInstance,
        _removed: &[u16],
    ) -> Result<(), Refusal> {
        Err(Refusal::MethodNotAllowed)
    }

    /// Runs an executable resource.
    ///
    /// # Errors
    /// The answer that the server gets.
    fn execute(
        &mut self,
        _instance: u16,
        _resource: u16,
        _arguments: &Arguments,
    ) -> Result<(), Refusal> {
        Err(Refusal::MethodNotAllowed)
    }

    /// The resources that a new instance has besides those of the server's request.
    fn template(&self) -> ObjectInstance {
        ObjectInstance::default()
    }

    /// Makes an instance that does not exist; `values` has the [template](Object::template)
    /// already in it.
    ///
    /// # Errors
    /// The answer that the server gets; there is no instance then.
    fn create(&mut self, _instance: u16, _values: ObjectInstance) -> Result<(), Refusal> {
        Err(Refusal::MethodNotAllowed)
    }

    /// Sets and removes resources as [`write`](Object::write) does, for a bootstrap server, which
    /// no access right limits: resources may be read-only, and the instance need not exist.
    ///
    /// # Errors
    /// The answer that the bootstrap server gets; nothing may have changed then.
    fn bootstrap_write(
        &mut self,
        instance: u16,
        values: ObjectInstance,
        removed: &[u16],
    ) -> Result<(), Refusal> {
        match self.instances().contains(&instance) {
            true => self.write(instance, values, removed),
            false => self.create(instance, values),
        }
    }

    /// Removes an instance for a bootstrap server, which no access right limits.
    ///
    /// # Errors
    /// The answer that the bootstrap server gets; the instance stays then.
    fn bootstrap_delete(&mut self, instance: u16) -> Result<(), Refusal> {
        self.delete(instance)
    }

    /// Removes an instance.
    ///
    /// # Errors
    /// The answer that the server gets; the instance stays then.
    fn delete(&mut self, _instance: u16) -> Result<(), Refusal> {
        Err(Refusal::MethodNotAllowed)
    }
}
