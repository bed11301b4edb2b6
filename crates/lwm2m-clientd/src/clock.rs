//! The object Device with a running clock (/3/0/13).

use crate::objects::{CURRENT_TIME, DEVICE};
use lwm2m_client::{MemoryObject, Object, ObjectDefinition, Refusal, ValueError};
use lwm2m_core::{Arguments, ObjectInstance, Resource, Value};
use std::borrow::Cow;

/// Device (3), whose Current Time comes from a clock. A server that writes it sets the clock of the
/// device, not that of the machine.
pub(crate) struct Clocked<C> {
    values: MemoryObject,
    /// Seconds since 1970-01-01T00:00:00Z.
    clock: C,
    /// Seconds by which the device is ahead of `clock`.
    ahead: i64,
}

impl<C: Fn() -> i64 + Send + 'static> Clocked<C> {
    pub(crate) const fn new(values: MemoryObject, clock: C) -> Self {
        Self { values, clock, ahead: 0 }
    }
}

impl<C: Fn() -> i64 + Send + 'static> Object for Clocked<C> {
    fn id(&self) -> u16 {
        DEVICE
    }

    fn define(&mut self, definition: &ObjectDefinition) -> Result<(), ValueError> {
        self.values.define(definition)
    }

    fn for_each_instance(&self, visit: &mut dyn FnMut(u16)) {
        self.values.for_each_instance(visit);
    }

    fn has_instance(&self, instance: u16) -> bool {
        self.values.has_instance(instance)
    }

    fn for_each_resource(&self, instance: u16, visit: &mut dyn FnMut(u16)) {
        self.values.for_each_resource(instance, visit);
    }

    fn has_resource(&self, instance: u16, resource: u16) -> bool {
        self.values.has_resource(instance, resource)
    }

    fn supports(&self, resource: u16) -> bool {
        self.values.supports(resource)
    }

    fn read(&self, instance: u16, resource: u16) -> Result<Cow<'_, Resource>, Refusal> {
        match resource {
            CURRENT_TIME => {
                let seconds = (self.clock)().saturating_add(self.ahead);
                Ok(Cow::Owned(Resource::Single(Value::Time(seconds))))
            }
            _ => self.values.read(instance, resource),
        }
    }

    fn write(
        &mut self,
        instance: u16,
        values: ObjectInstance,
        removed: &[u16],
    ) -> Result<(), Refusal> {
        let set = values.resources.get(&CURRENT_TIME).cloned();
        self.values.write(instance, values, removed)?;
        if let Some(Resource::Single(Value::Time(seconds))) = set {
            self.ahead = seconds.saturating_sub((self.clock)());
        }
        Ok(())
    }

    fn execute(
        &mut self,
        instance: u16,
        resource: u16,
        arguments: &Arguments,
    ) -> Result<(), Refusal> {
        self.values.execute(instance, resource, arguments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    #[test]
    fn the_clock_goes_and_can_be_set() {
        let time = Arc::new(AtomicI64::new(1_000));
        let clock = Arc::clone(&time);
        let values =
            MemoryObject::new(DEVICE).instance(0, |it| it.with(CURRENT_TIME, Value::Time(0)));
        let mut device = Clocked::new(values, move || clock.load(Ordering::Relaxed));
        let read = |device: &Clocked<_>| device.read(0, CURRENT_TIME).unwrap().into_owned();
        assert_eq!(read(&device), Resource::Single(Value::Time(1_000)));
        time.store(1_005, Ordering::Relaxed);
        assert_eq!(read(&device), Resource::Single(Value::Time(1_005)));
        let set = ObjectInstance::default().with(CURRENT_TIME, Value::Time(60));
        device.write(0, set, &[]).unwrap();
        time.store(1_007, Ordering::Relaxed);
        assert_eq!(read(&device), Resource::Single(Value::Time(62)));
    }
}
