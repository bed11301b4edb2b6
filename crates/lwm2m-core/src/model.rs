//! What codecs and engines need to know of an object definition; the registry implements it.

use crate::value::DataType;
use core::fmt;

/// The operations that a resource definition allows; none of them means "bootstrap only".
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Operations(u8);

impl Operations {
    /// No operation: only a bootstrap server may set the resource.
    pub const NONE: Self = Self(0);
    /// Read, Observe, Discover, Write-Attributes.
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

/// The part of a resource definition that decoding and rights depend on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ResourceModel {
    /// The data type; [`DataType::None`] for executables.
    pub data_type: DataType,
    /// Whether the resource has resource instances.
    pub multiple: bool,
    /// What servers may do with it.
    pub operations: Operations,
    /// Whether each instance must have it.
    pub mandatory: bool,
}

/// The object definitions that hold for one device.
pub trait Model {
    /// The definition of a resource; `None` if the object or resource is unknown.
    fn resource(&self, object: u16, resource: u16) -> Option<ResourceModel>;

    /// Whether the object may have several instances; `None` if it is unknown.
    fn multiple_instances(&self, object: u16) -> Option<bool>;
}

/// A model that knows nothing: formats that name their types still decode.
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
