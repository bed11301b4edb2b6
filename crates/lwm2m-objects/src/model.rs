//! The definitions of one device.

use crate::definition::ObjectDefinition;
use crate::registry::Registry;
use alloc::collections::BTreeMap;
use lwm2m_core::{Model, ObjectVersion, ResourceModel};

/// The definitions of the object versions that a device registered.
///
/// An object with an unknown major version is unknown. An object that the device did not list, such
/// as Security and OSCORE, has its newest definition.
#[derive(Clone, Debug)]
pub struct DeviceModel<'r> {
    registry: &'r Registry,
    listed: BTreeMap<u16, Option<&'r ObjectDefinition>>,
}

impl<'r> DeviceModel<'r> {
    fn new(registry: &'r Registry, versions: &[(u16, ObjectVersion)]) -> Self {
        let find = |(id, version): &(u16, _)| (*id, registry.object(*id, Some(*version)));
        Self { registry, listed: versions.iter().map(find).collect() }
    }

    /// The definition of an object on this device.
    #[must_use]
    pub fn object(&self, id: u16) -> Option<&'r ObjectDefinition> {
        match self.listed.get(&id) {
            Some(definition) => *definition,
            None => self.registry.object(id, None),
        }
    }
}

impl Registry {
    /// The definitions of a device with these object versions, see [`DeviceModel`].
    #[must_use]
    pub fn model(&self, versions: &[(u16, ObjectVersion)]) -> DeviceModel<'_> {
        DeviceModel::new(self, versions)
    }
}

impl Model for DeviceModel<'_> {
    fn resource(&self, object: u16, resource: u16) -> Option<ResourceModel> {
        Some(self.object(object)?.resource(resource)?.model())
    }

    fn multiple_instances(&self, object: u16) -> Option<bool> {
        Some(self.object(object)?.multiple())
    }
}
