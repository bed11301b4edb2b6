//! The part of object definitions that codecs and engines use: OMA LwM2M Core, Appendix D.
//!
//! The registry of `lwm2m-objects` implements [`Model`].

use crate::value::DataType;
use core::fmt;

/// The operations that a resource definition allows (OMA LwM2M Core, Appendix D).
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Operations(u8);

impl Operations {
    /// No operation: only a bootstrap server accesses the resource.
    pub const NONE: Self = Self(0);
    /// Read. It includes Observe, Discover and Write-Attributes.
    pub const R: Self = Self(1);
    /// Write.
    pub const W: Self = Self(2);
    /// Read and Write.
    pub const RW: Self = Self(3);
    /// Execute.
    pub const E: Self = Self(4);

    /// Whether Read is allowed.
    #[must_use]
    pub const fn readable(self) -> bool {
        self.0 & Self::R.0 != 0
    }

    /// Whether Write is allowed.
    #[must_use]
    pub const fn writable(self) -> bool {
        self.0 & Self::W.0 != 0
    }

    /// Whether Execute is allowed.
    #[must_use]
    pub const fn executable(self) -> bool {
        self.0 & Self::E.0 != 0
    }
}

impl fmt::Debug for Operations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = [(self.readable(), "R"), (self.writable(), "W"), (self.executable(), "E")];
        flags.iter().filter(|(on, _)| *on).try_for_each(|(_, letter)| f.write_str(letter))
    }
}

/// The part of a resource definition that decoding and access checks depend on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ResourceModel {
    /// The data type; [`DataType::None`] for executable resources.
    pub data_type: DataType,
    /// Whether the resource is a multiple-instance resource.
    pub multiple: bool,
    /// The operations that servers may perform.
    pub operations: Operations,
    /// Whether every object instance must have the resource.
    pub mandatory: bool,
}

/// The object definitions of one device.
pub trait Model {
    /// The definition of a resource, or `None` if the object or the resource is unknown.
    fn resource(&self, object: u16, resource: u16) -> Option<ResourceModel>;

    /// Whether the object may have several instances, or `None` if the object is unknown.
    fn multiple_instances(&self, object: u16) -> Option<bool>;
}

/// A model without definitions. Formats that carry data types, such as SenML, still decode.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoModel;

impl Model for NoModel {
    fn resource(&self, _: u16, _: u16) -> Option<ResourceModel> {
        None
    }

    fn multiple_instances(&self, _: u16) -> Option<bool> {
        None
    }
}
