//! What the engine asks of the object.

use super::{Handler, MemoryObject};
use crate::error::{Refusal, ValueError};
use crate::objects::object::{Block, Object};
use alloc::borrow::Cow;
use bytes::Bytes;
use lwm2m_core::{Arguments, ObjectInstance, ObjectVersion, Resource, Value};
use lwm2m_objects::ObjectDefinition;

impl Object for MemoryObject {
    fn id(&self) -> u16 {
        self.id
    }

    fn version(&self) -> Option<ObjectVersion> {
        self.version
    }

    fn define(&mut self, definition: &ObjectDefinition) -> Result<(), ValueError> {
        self.definition = Some(definition.clone());
        for (instance, values) in self.instances.iter().chain([(&0, &self.template)]) {
            let mut resources = values.resources.iter();
            resources.try_for_each(|(id, value)| self.check(*instance, *id, value))?;
        }
        Ok(())
    }

    fn for_each_instance(&self, visit: &mut dyn FnMut(u16)) {
        self.instances.keys().for_each(|id| visit(*id));
    }

    fn has_instance(&self, instance: u16) -> bool {
        self.instances.contains_key(&instance)
    }

    fn for_each_resource(&self, instance: u16, visit: &mut dyn FnMut(u16)) {
        let Some(values) = self.instances.get(&instance) else { return };
        let mut handled = self.handlers.keys().copied().peekable();
        for id in values.resources.keys() {
            while let Some(before) = handled.next_if(|handled| handled < id) {
                visit(before);
            }
            handled.next_if_eq(id);
            visit(*id);
        }
        handled.for_each(visit);
    }

    fn has_resource(&self, instance: u16, resource: u16) -> bool {
        self.instances.get(&instance).is_some_and(|values| {
            values.resources.contains_key(&resource) || self.handlers.contains_key(&resource)
        })
    }

    fn supports(&self, resource: u16) -> bool {
        self.supported.contains(&resource) || self.handlers.contains_key(&resource)
    }

    fn read(&self, instance: u16, resource: u16) -> Result<Cow<'_, Resource>, Refusal> {
        match (self.resource(instance, resource), self.handlers.get(&resource)) {
            (Some(value), _) => Ok(Cow::Borrowed(value)),
            (None, Some(Handler::Receive(_))) => {
                Ok(Cow::Owned(Resource::Single(Value::Opaque(Bytes::new()))))
            }
            (None, _) => Err(Refusal::NotFound),
        }
    }

    fn write(
        &mut self,
        instance: u16,
        values: ObjectInstance,
        removed: &[u16],
    ) -> Result<(), Refusal> {
        match self.has_instance(instance) {
            true => self.apply(instance, values, removed),
            false => Err(Refusal::NotFound),
        }
    }

    fn bootstrap_write(
        &mut self,
        instance: u16,
        values: ObjectInstance,
        removed: &[u16],
    ) -> Result<(), Refusal> {
        match !self.has_instance(instance) && self.instances.len() >= self.max_instances {
            true => Err(Refusal::BadRequest),
            false => self.apply(instance, values, removed),
        }
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
        match self.handlers.get_mut(&resource) {
            Some(Handler::Execute(action)) => action(instance, arguments),
            _ => Err(Refusal::MethodNotAllowed),
        }
    }

    fn takes_blocks(&self, resource: u16) -> bool {
        matches!(self.handlers.get(&resource), Some(Handler::Receive(_)))
    }

    fn write_block(
        &mut self,
        instance: u16,
        resource: u16,
        block: Block<'_>,
    ) -> Result<(), Refusal> {
        match self.handlers.get_mut(&resource) {
            Some(Handler::Receive(receiver)) => receiver(instance, block),
            _ => Err(Refusal::MethodNotAllowed),
        }
    }

    fn template(&self) -> ObjectInstance {
        self.template.clone()
    }

    fn create(&mut self, instance: u16, mut values: ObjectInstance) -> Result<(), Refusal> {
        if self.fixed {
            return Err(Refusal::MethodNotAllowed);
        }
        // None of the codes that a Create may be answered with says "full" (Core 6.3.6).
        if self.instances.len() >= self.max_instances {
            return Err(Refusal::BadRequest);
        }
        self.admit(instance, &mut values)?;
        self.store(instance, values);
        Ok(())
    }

    fn delete(&mut self, instance: u16) -> Result<(), Refusal> {
        match self.fixed {
            true => Err(Refusal::MethodNotAllowed),
            false => self.bootstrap_delete(instance),
        }
    }
}
