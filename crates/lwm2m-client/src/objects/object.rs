//! What the engine asks of an object.

use crate::error::{Refusal, ValueError};
use alloc::borrow::Cow;
use core::any::Any;
use lwm2m_core::{Arguments, ObjectInstance, ObjectVersion, Resource};
use lwm2m_objects::ObjectDefinition;

/// A block of a value that a server writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Block<'a> {
    /// Where in the value the block begins, in bytes; 0 begins a value.
    pub offset: usize,
    /// The bytes.
    pub bytes: &'a [u8],
    /// Whether more blocks follow.
    pub more: bool,
    /// The size of the whole value in bytes, if the server has announced it (Size1); nothing
    /// guarantees it.
    pub size: Option<u64>,
    /// The short server ID of the server that sends the value in blocks; `None` for a value that came as
    /// a whole. Two servers may send blocks of one resource by turns.
    pub server: Option<u16>,
}

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

    /// Whether an Opaque resource takes the value of a Write block by block, so that a firmware
    /// image, say, is never in memory as a whole. Asked once, by
    /// [`Client::new`](crate::Client::new). Default: `false`, the client gathers values of up to
    /// [`max_body`](lwm2m_coap::Config::max_body) bytes and calls [`write`](Object::write).
    fn takes_blocks(&self, _resource: u16) -> bool {
        false
    }

    /// Takes a block of the value of a resource that [takes blocks](Object::takes_blocks). It
    /// arrives in a Write of the resource alone (`PUT /o/i/r`) in the format Opaque, split by
    /// Block1 (RFC 7959 section 2.5); a value in one message or another format comes by
    /// [`write`](Object::write), within its bound.
    ///
    /// Blocks come in order and without gaps. A block at offset 0 begins the value anew: the server
    /// may have given the one before up without telling.
    ///
    /// # Errors
    /// The response to the server, which has to begin anew then.
    fn write_block(
        &mut self,
        _instance: u16,
        _resource: u16,
        _block: Block<'_>,
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
