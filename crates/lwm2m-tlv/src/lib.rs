//! The OMA LwM2M TLV format (OMA LwM2M Core 7.4.5): a zero-copy reader and a writer.
#![cfg_attr(not(feature = "std"), no_std)]
#![warn(clippy::indexing_slicing)]

extern crate alloc;

mod error;

pub use error::Error;

/// The kind of an entry: bits 7 and 6 of its type byte.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// An object instance, which holds resources.
    ObjectInstance,
    /// One value of a multiple resource.
    ResourceInstance,
    /// A resource that holds resource instances.
    MultipleResource,
    /// A resource with one value.
    Resource,
}

impl Kind {
    /// The name of the kind in OMA's words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ObjectInstance => "Object Instance",
            Self::ResourceInstance => "Resource Instance",
            Self::MultipleResource => "Multiple Resource",
            Self::Resource => "Resource with Value",
        }
    }
}
