//! What the engine asks of an object.

use crate::error::{Refusal, ValueError};
use alloc::borrow::Cow;
use core::any::Any;
use lwm2m_core::{Arguments, ObjectInstance, ObjectVersion, Resource};
use lwm2m_objects::ObjectDefinition;

/// An object with all of its instances (OMA LwM2M Core 7.2).
/// [`MemoryObject`](crate::MemoryObject) is the ready-made one.
///
/// The engine checks each operation against the object definition first: an implementation sees
/// only operations that the definition allows, on instances that [exist](Object::has_instance),
/// with values of the right type and within their range.
///
/// The engine visits instances and resources instead of asking for lists, and
/// [reads](Object::read) values by reference where the object holds them: a Read of a large object
/// allocates little more than its payload.
pub trait Object: Any + Send {
    /// The Object ID.
    fn id(&self) -> u16;

    /// The version of the object definition. Default: `None`, the version that goes with the LwM2M
    /// version of the client (1.0 for all but the core objects; OMA LwM2M Core 7.2).
    fn version(&self) -> Option<ObjectVersion> {
        None
    }

    /// Takes the definition that holds for this object. [`Client::new`](crate::Client::new) calls
    /// it once, before anything else. Default: does nothing.
    ///
    /// # Errors
    /// The object holds a value that does not fit the definition.
    fn define(&mut self, _definition: &ObjectDefinition) -> Result<(), ValueError> {
        Ok(())
    }

    /// Calls `visit` with the id of each instance, ascending.
    fn for_each_instance(&self, visit: &mut dyn FnMut(u16));

    /// Whether the instance exists. Default: visits them all.
    fn has_instance(&self, instance: u16) -> bool {
        let mut found = false;
        self.for_each_instance(&mut |id| found |= id == instance);
        found
    }

    /// Calls `visit` with the id of each resource of an instance, executable ones included,
    /// ascending.
    fn for_each_resource(&self, instance: u16, visit: &mut dyn FnMut(u16));

    /// Whether the instance has the resource. Default: visits them all.
    fn has_resource(&self, instance: u16, resource: u16) -> bool {
        let mut found = false;
        self.for_each_resource(instance, &mut |id| found |= id == resource);
        found
    }

    /// Whether instances can have this resource. A Write to a resource that they cannot have is
    /// refused, or ignored if the Write has several resources. Default: `true`.
    fn supports(&self, _resource: u16) -> bool {
        true
    }

    /// Reads a resource that the instance has: borrowed if the object holds the value, owned if it
    /// is computed (OMA LwM2M Core 6.3.1).
    ///
    /// # Errors
    /// The response to the server; the whole Read fails with it.
    fn read(&self, instance: u16, resource: u16) -> Result<Cow<'_, Resource>, Refusal>;

    /// Sets the resources in `values`, which are complete (a multiple-instance resource has all
    /// of its values), and removes those in `removed`: all of it, or nothing (OMA LwM2M Core 6.3.3).
    ///
    /// # Errors
    /// The response to the server; nothing may have changed.
    fn write(
        &mut self,
        _instance: u16,
        _values: ObjectInstance,
        _removed: &[u16],
    ) -> Result<(), Refusal> {
        Err(Refusal::MethodNotAllowed)
    }

    /// Runs an executable resource (OMA LwM2M Core 6.3.5).
    ///
    /// # Errors
    /// The response to the server.
    fn execute(
        &mut self,
        _instance: u16,
        _resource: u16,
        _arguments: &Arguments,
    ) -> Result<(), Refusal> {
        Err(Refusal::MethodNotAllowed)
    }

    /// The resources that a new instance has besides those of the server's Create. Default: none.
    fn template(&self) -> ObjectInstance {
        ObjectInstance::default()
    }

    /// Creates an instance that does not exist; the [template](Object::template) has been added to
    /// `values` (OMA LwM2M Core 6.3.6).
    ///
    /// # Errors
    /// The response to the server; the instance must not exist.
    fn create(&mut self, _instance: u16, _values: ObjectInstance) -> Result<(), Refusal> {
        Err(Refusal::MethodNotAllowed)
    }

    /// Sets and removes resources for a bootstrap server, as [`write`](Object::write) does. No
    /// access right limits it: resources may be read-only, and the instance need not exist (OMA
    /// LwM2M Core 6.1.7.5).
    ///
    /// # Errors
    /// The response to the bootstrap server; nothing may have changed.
    fn bootstrap_write(
        &mut self,
        instance: u16,
        values: ObjectInstance,
        removed: &[u16],
    ) -> Result<(), Refusal> {
        match self.has_instance(instance) {
            true => self.write(instance, values, removed),
            false => self.create(instance, values),
        }
    }

    /// Deletes an instance for a bootstrap server, which no access right limits (OMA LwM2M Core
    /// 6.1.7.6).
    ///
    /// # Errors
    /// The response to the bootstrap server; the instance must still exist.
    fn bootstrap_delete(&mut self, instance: u16) -> Result<(), Refusal> {
        self.delete(instance)
    }

    /// Deletes an instance (OMA LwM2M Core 6.3.7).
    ///
    /// # Errors
    /// The response to the server; the instance must still exist.
    fn delete(&mut self, _instance: u16) -> Result<(), Refusal> {
        Err(Refusal::MethodNotAllowed)
    }
}
