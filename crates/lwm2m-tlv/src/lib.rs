//! The TLV format of LwM2M: a zero-copy reader and a writer. OMA LwM2M Core 1.2, section 7.4.5.
//!
//! | module | what | section |
//! |---|---|---|
//! | [`Reader`], [`Entry`] | headers and nesting | 7.4.5 |
//! | [`Writer`] | writes entries in their shortest form | 7.4.5 |
//! | [`value`] | decodes values by data type | Appendix C |
//!
//! The format does not carry data types; they come from the object definition.
//!
//! ```
//! use lwm2m_tlv::{Kind, Reader, Writer};
//!
//! let mut writer = Writer::new();
//! writer.bytes(Kind::Resource, 0, b"Open Mobile Alliance");
//! writer.nested(Kind::MultipleResource, 6, |writer| {
//!     writer.integer(Kind::ResourceInstance, 0, 1);
//!     writer.integer(Kind::ResourceInstance, 1, 5);
//! });
//! let bytes = writer.finish()?;
//!
//! let mut reader = Reader::new(&bytes);
//! let manufacturer = reader.next().unwrap()?;
//! assert_eq!(lwm2m_tlv::value::string(manufacturer.value), Ok("Open Mobile Alliance"));
//! let sources = reader.next().unwrap()?;
//! assert_eq!((sources.kind, sources.id), (Kind::MultipleResource, 6));
//! let second = sources.children().nth(1).unwrap()?;
//! assert_eq!(second.integer(), Ok(5));
//! # Ok::<(), lwm2m_tlv::Error>(())
//! ```
#![cfg_attr(not(feature = "std"), no_std)]
#![warn(clippy::indexing_slicing)]

extern crate alloc;

mod error;
mod reader;
pub mod value;
mod writer;

pub use error::Error;
pub use reader::{Entry, Reader};
pub use writer::Writer;

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

    const fn bits(self) -> u8 {
        match self {
            Self::ObjectInstance => 0b0000_0000,
            Self::ResourceInstance => 0b0100_0000,
            Self::MultipleResource => 0b1000_0000,
            Self::Resource => 0b1100_0000,
        }
    }

    const fn of(head: u8) -> Self {
        match head >> 6 {
            0 => Self::ObjectInstance,
            1 => Self::ResourceInstance,
            2 => Self::MultipleResource,
            _ => Self::Resource,
        }
    }
}
