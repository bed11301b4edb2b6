//! The object definitions of the OMA registry as compact tables, and checks of values against them.
//!
//! | module | what | section of OMA LwM2M Core |
//! |---|---|---|
//! | [`definition`] | objects and resources: ids, names, types, operations | Appendix D |
//! | [`range`] | ranges and enumerations, and whether a value fits | Appendix D |
//! | [`registry`] | built-in definitions and those of the application | 7.2 |
//! | [`model`] | the definitions of one device | 7.2 |
//! | `xml` | definitions in the XML of the registry (feature `xml`) | Appendix D |
//! | [`default_version()`] | the version of an object that is registered without one | 7.2 |
//!
//! ```
//! use lwm2m_objects::{Registry, Value};
//!
//! let device = Registry::builtin().object(3, None).expect("Device is built in");
//! let battery = device.resource(9).expect("Battery Level");
//! assert_eq!((battery.name(), battery.units()), ("Battery Level", "/100"));
//! assert!(battery.check(&Value::Integer(100)).is_ok());
//! assert!(battery.check(&Value::Integer(101)).is_err());
//! ```
//!
//! # The built-in tables
//! `data/registry.tsv` has the facts of the registry without the descriptions. A line
//! `object, id, version, name, LwM2M version, M(ultiple) or S(ingle), M(andatory) or O(ptional),
//! URN` is followed by the lines of its resources: `id, name, operations or -, M or S, M or O,
//! type, range, units`. Tabs separate the fields; empty fields at the end are left out.
//!
//! `build.rs` generates constants of 215 KiB. The 4,506 resources of 424 object versions have 2,362
//! distinct definitions, so each object version lists indices into one table. Texts are offsets into
//! one pool instead of pointers, which avoids relocations. Only ranges are parsed at run time, when a
//! value is checked.
#![cfg_attr(not(feature = "std"), no_std)]
#![warn(clippy::indexing_slicing)]

extern crate alloc;

mod default_version;
pub mod definition;
pub mod model;
pub mod range;
pub mod registry;
mod resources;
mod tables;
mod text;
#[cfg(feature = "xml")]
pub mod xml;

pub use default_version::default_version;
pub use definition::{ObjectDefinition, ResourceDefinition};
pub use lwm2m_core::{
    DataType, Model, ObjectVersion, Operations, Resource, ResourceModel, Value, Version,
};
pub use model::DeviceModel;
pub use range::{Range, RangeError};
pub use registry::Registry;
