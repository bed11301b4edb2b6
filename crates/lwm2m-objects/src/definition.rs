//! Object and resource definitions: OMA LwM2M Core, Appendix D.

use crate::range::{Range, RangeError};
use crate::text::Text;
use alloc::vec::Vec;
use lwm2m_core::{DataType, ObjectVersion, Operations, Resource, ResourceModel, Value, Version};

/// The definition of one version of an object.
#[derive(Clone, Debug)]
pub struct ObjectDefinition {
    pub(crate) id: u16,
    pub(crate) version: ObjectVersion,
    pub(crate) lwm2m_version: Version,
    pub(crate) multiple: bool,
    pub(crate) mandatory: bool,
    pub(crate) name: Text,
    pub(crate) urn: Text,
    pub(crate) resources: Resources,
}

/// The resource definitions of an object.
#[derive(Clone, Debug)]
pub(crate) enum Resources {
    /// A part of the built-in list of indices.
    Shared { start: u16, len: u16 },
    /// Definitions of the application, sorted by ID.
    Owned(Vec<ResourceDefinition>),
}

/// The definition of one resource.
#[derive(Clone, PartialEq, Debug)]
pub struct ResourceDefinition {
    pub(crate) id: u16,
    pub(crate) data_type: DataType,
    pub(crate) operations: Operations,
    pub(crate) multiple: bool,
    pub(crate) mandatory: bool,
    pub(crate) name: Text,
    pub(crate) range: Text,
    pub(crate) units: Text,
}

impl ObjectDefinition {
    /// Creates an optional single-instance object of LwM2M 1.0 without resources and URN. The `with_`
    /// methods change that.
    #[must_use]
    pub fn new(id: u16, version: ObjectVersion, name: &str) -> Self {
        Self {
            id,
            version,
            lwm2m_version: Version::V1_0,
            multiple: false,
            mandatory: false,
            name: name.into(),
            urn: Text::empty(),
            resources: Resources::Owned(Vec::new()),
        }
    }

    /// Allows several instances.
    #[must_use]
    pub fn with_multiple_instances(mut self) -> Self {
        self.multiple = true;
        self
    }

    /// Makes the object mandatory.
    #[must_use]
    pub fn with_mandatory(mut self) -> Self {
        self.mandatory = true;
        self
    }

    /// Sets the lowest LwM2M version of the object. Default: 1.0.
    #[must_use]
    pub fn with_lwm2m_version(mut self, version: Version) -> Self {
        self.lwm2m_version = version;
        self
    }

    /// Sets the URN.
    #[must_use]
    pub fn with_urn(mut self, urn: &str) -> Self {
        self.urn = urn.into();
        self
    }

    /// Adds a resource. Replaces an earlier one of the same ID.
    #[must_use]
    pub fn with_resource(mut self, resource: ResourceDefinition) -> Self {
        let mut list: Vec<_> = self.resources().cloned().collect();
        match list.binary_search_by_key(&resource.id, |r| r.id) {
            Ok(place) => list.splice(place..=place, [resource]).for_each(drop),
            Err(place) => list.insert(place, resource),
        }
        self.resources = Resources::Owned(list);
        self
    }

    /// The object ID.
    #[must_use]
    pub const fn id(&self) -> u16 {
        self.id
    }

    /// The version of this definition.
    #[must_use]
    pub const fn version(&self) -> ObjectVersion {
        self.version
    }

    /// The lowest LwM2M version of the object.
    #[must_use]
    pub const fn lwm2m_version(&self) -> Version {
        self.lwm2m_version
    }

    /// Whether several instances are allowed.
    #[must_use]
    pub const fn multiple(&self) -> bool {
        self.multiple
    }

    /// Whether every client must have the object.
    #[must_use]
    pub const fn mandatory(&self) -> bool {
        self.mandatory
    }

    /// The English name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// The URN, for example `urn:oma:lwm2m:oma:3:1.1`. Empty if the application set none.
    #[must_use]
    pub fn urn(&self) -> &str {
        self.urn.as_str()
    }
}

impl ResourceDefinition {
    /// Creates an optional single-instance resource without range and units. The `with_` methods
    /// change that.
    #[must_use]
    pub fn new(id: u16, name: &str, data_type: DataType, operations: Operations) -> Self {
        Self {
            id,
            data_type,
            operations,
            multiple: false,
            mandatory: false,
            name: name.into(),
            range: Text::empty(),
            units: Text::empty(),
        }
    }

    /// Makes the resource multiple-instance.
    #[must_use]
    pub fn with_multiple_instances(mut self) -> Self {
        self.multiple = true;
        self
    }

    /// Makes the resource mandatory.
    #[must_use]
    pub fn with_mandatory(mut self) -> Self {
        self.mandatory = true;
        self
    }

    /// Sets the range as the registry writes it: `0..100`, `1..64 bytes`, `"on","off"`.
    #[must_use]
    pub fn with_range(mut self, range: &str) -> Self {
        self.range = range.into();
        self
    }

    /// Sets the units.
    #[must_use]
    pub fn with_units(mut self, units: &str) -> Self {
        self.units = units.into();
        self
    }

    /// The resource ID.
    #[must_use]
    pub const fn id(&self) -> u16 {
        self.id
    }

    /// The data type. [`DataType::None`] for executable resources and for resources without a type.
    #[must_use]
    pub const fn data_type(&self) -> DataType {
        self.data_type
    }

    /// The operations that servers may perform. [`Operations::NONE`] leaves access to the bootstrap
    /// server.
    #[must_use]
    pub const fn operations(&self) -> Operations {
        self.operations
    }

    /// Whether the resource is multiple-instance.
    #[must_use]
    pub const fn multiple(&self) -> bool {
        self.multiple
    }

    /// Whether every object instance must have the resource.
    #[must_use]
    pub const fn mandatory(&self) -> bool {
        self.mandatory
    }

    /// The English name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// The range as the registry writes it, possibly empty.
    #[must_use]
    pub fn range_text(&self) -> &str {
        self.range.as_str()
    }

    /// The parsed range. `None` if it is empty or not understood, see [`Range::parse`].
    #[must_use]
    pub fn range(&self) -> Option<Range> {
        Range::parse(self.range_text(), self.data_type)
    }

    /// The units as the registry writes them, possibly empty.
    #[must_use]
    pub fn units(&self) -> &str {
        self.units.as_str()
    }

    /// Checks the data type and the range of a value.
    ///
    /// # Errors
    /// The value has another data type, or is outside the range. An executable resource has no value.
    pub fn check(&self, value: &Value) -> Result<(), RangeError> {
        let (expected, found) = (self.data_type, value.data_type());
        // The registry omits the type of one readable resource. It accepts any value.
        let unknown = expected == DataType::None && !self.operations.executable();
        if expected != found && !unknown {
            return Err(RangeError::Type { resource: self.id, expected, found });
        }
        match self.range() {
            Some(range) if !range.contains(value) => {
                Err(RangeError::OutOfRange { resource: self.id })
            }
            _ => Ok(()),
        }
    }

    /// Checks that a resource is single-instance or multiple-instance as defined, and checks its
    /// values.
    ///
    /// # Errors
    /// As [`Self::check`], or [`RangeError::Instances`].
    pub fn check_resource(&self, resource: &Resource) -> Result<(), RangeError> {
        match (resource, self.multiple) {
            (Resource::Single(value), false) => self.check(value),
            (Resource::Multiple(values), true) => values.values().try_for_each(|v| self.check(v)),
            _ => Err(RangeError::Instances { resource: self.id }),
        }
    }

    /// The part that decoding and access checks depend on.
    #[must_use]
    pub const fn model(&self) -> ResourceModel {
        ResourceModel {
            data_type: self.data_type,
            multiple: self.multiple,
            operations: self.operations,
            mandatory: self.mandatory,
        }
    }
}
