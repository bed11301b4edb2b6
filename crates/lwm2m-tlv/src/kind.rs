//! The kinds of entries: OMA LwM2M Core 1.2, section 7.4.5.

/// The kind of an entry: bits 7 and 6 of its type byte.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// An object instance, which holds resources.
    ObjectInstance,
    /// One value of a multiple-instance resource.
    ResourceInstance,
    /// A multiple-instance resource, which holds resource instances.
    MultipleResource,
    /// A single-instance resource with its value.
    Resource,
}

impl Kind {
    /// The name of the kind in the standard.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ObjectInstance => "Object Instance",
            Self::ResourceInstance => "Resource Instance",
            Self::MultipleResource => "Multiple Resource",
            Self::Resource => "Resource with Value",
        }
    }

    pub(crate) const fn bits(self) -> u8 {
        match self {
            Self::ObjectInstance => 0b0000_0000,
            Self::ResourceInstance => 0b0100_0000,
            Self::MultipleResource => 0b1000_0000,
            Self::Resource => 0b1100_0000,
        }
    }

    pub(crate) const fn of(head: u8) -> Self {
        match head >> 6 {
            0 => Self::ObjectInstance,
            1 => Self::ResourceInstance,
            2 => Self::MultipleResource,
            _ => Self::Resource,
        }
    }
}
