//! The definitions of one device.

use crate::definition::ObjectDefinition;
use crate::registry::Registry;
use alloc::vec::Vec;
use lwm2m_core::{Model, ObjectVersion, ResourceModel};

/// The definitions of the object versions that a device registered.
///
/// An object with an unknown major version is unknown. An object that the device did not list, such
/// as Security and OSCORE, has its newest definition.
#[derive(Clone, Debug)]
pub struct DeviceModel<'r> {
    registry: &'r Registry,
    /// By ID. Most models are made for one answer about one object.
    listed: Vec<(u16, Option<&'r ObjectDefinition>)>,
}

impl<'r> DeviceModel<'r> {
    fn new(registry: &'r Registry, versions: &[(u16, ObjectVersion)]) -> Self {
        let find = |(id, version): &(u16, _)| (*id, registry.object(*id, Some(*version)));
        // Of an object that is listed twice, the last version counts.
        let mut listed: Vec<_> = versions.iter().rev().map(find).collect();
        listed.sort_by_key(|(id, _)| *id);
        listed.dedup_by_key(|(id, _)| *id);
        Self { registry, listed }
    }

    /// The definition of an object on this device.
    #[must_use]
    pub fn object(&self, id: u16) -> Option<&'r ObjectDefinition> {
        match self.listed.binary_search_by_key(&id, |(id, _)| *id) {
            Ok(place) => self.listed.get(place).and_then(|(_, definition)| *definition),
            Err(_) => self.registry.object(id, None),
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
