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
    /// The object, if there is but one: most models are made for one answer, and allocate nothing.
    only: Option<Listed<'r>>,
    /// The objects, if there are several, by ID.
    listed: Vec<Listed<'r>>,
}

/// The ID of an object, and its definition if that is known.
type Listed<'r> = (u16, Option<&'r ObjectDefinition>);

impl<'r> DeviceModel<'r> {
    fn new(registry: &'r Registry, versions: &[(u16, ObjectVersion)]) -> Self {
        let find = |(id, version): &(u16, _)| (*id, registry.object(*id, Some(*version)));
        if let [only] = versions {
            return Self { registry, only: Some(find(only)), listed: Vec::new() };
        }
        // Of an object that is listed twice, the last version counts.
        let mut listed: Vec<_> = versions.iter().rev().map(find).collect();
        listed.sort_by_key(|(id, _)| *id);
        listed.dedup_by_key(|(id, _)| *id);
        Self { registry, only: None, listed }
    }

    /// The definition of an object on this device.
    #[must_use]
    pub fn object(&self, id: u16) -> Option<&'r ObjectDefinition> {
        let of_several = || {
            let place = self.listed.binary_search_by_key(&id, |(id, _)| *id).ok()?;
            self.listed.get(place)
        };
        match self.only.as_ref().filter(|(only, _)| *only == id).or_else(of_several) {
            Some((_, definition)) => *definition,
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
