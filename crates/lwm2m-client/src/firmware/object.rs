//! Firmware Update as an object of the client.

use super::{Firmware, FirmwareStore};
use crate::error::Refusal;
use crate::objects::{Block, Object};
use alloc::borrow::Cow;
use lwm2m_core::{Arguments, ObjectInstance, ObjectVersion, Resource, Value};

const PACKAGE: u16 = 0;
const URI: u16 = 1;
const UPDATE: u16 = 2;
const STATE: u16 = 3;
const RESULT: u16 = 5;
const DELIVERY: u16 = 9;
const CANCEL: u16 = 10;
/// Delivery method: push alone.
const PUSH: i64 = 1;

impl<S: FirmwareStore> Object for Firmware<S> {
    fn id(&self) -> u16 {
        5
    }

    fn version(&self) -> Option<ObjectVersion> {
        let minor = u8::from(self.cancellable);
        Some(ObjectVersion::new(1, minor))
    }

    fn for_each_instance(&self, visit: &mut dyn FnMut(u16)) {
        visit(0);
    }

    fn for_each_resource(&self, _instance: u16, visit: &mut dyn FnMut(u16)) {
        [PACKAGE, URI, UPDATE, STATE, RESULT, DELIVERY].into_iter().for_each(&mut *visit);
        if self.cancellable {
            visit(CANCEL);
        }
    }

    fn supports(&self, resource: u16) -> bool {
        self.has_resource(0, resource)
    }

    fn read(&self, _instance: u16, resource: u16) -> Result<Cow<'_, Resource>, Refusal> {
        let value = match resource {
            URI => Value::from(""),
            STATE => Value::Integer(self.state as i64),
            RESULT => Value::Integer(self.result as i64),
            DELIVERY => Value::Integer(PUSH),
            _ => return Err(Refusal::MethodNotAllowed),
        };
        Ok(Cow::Owned(Resource::Single(value)))
    }

    fn write(
        &mut self,
        _instance: u16,
        values: ObjectInstance,
        _removed: &[u16],
    ) -> Result<(), Refusal> {
        let resources = &values.resources;
        match (resources.len(), resources.first_key_value()) {
            (1, Some((&PACKAGE, Resource::Single(Value::Opaque(bytes))))) => {
                self.push(Block { offset: 0, bytes, more: false, size: None, server: None })
            }
            (1, Some((&URI, Resource::Single(Value::String(uri))))) => self.set_uri(uri),
            _ => Err(Refusal::BadRequest),
        }
    }

    fn takes_blocks(&self, resource: u16) -> bool {
        resource == PACKAGE
    }

    fn write_block(
        &mut self,
        _instance: u16,
        _resource: u16,
        block: Block<'_>,
    ) -> Result<(), Refusal> {
        self.push(block)
    }

    fn execute(
        &mut self,
        _instance: u16,
        resource: u16,
        _arguments: &Arguments,
    ) -> Result<(), Refusal> {
        match resource {
            UPDATE => self.update(),
            CANCEL => self.cancel(),
            _ => Err(Refusal::MethodNotAllowed),
        }
    }
}
