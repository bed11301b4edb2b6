//! The OMA object registry as compact tables, with the checks that a definition implies.
//!
//! | module | what | section of OMA LwM2M Core |
//! |---|---|---|
//! | [`definition`] | objects and resources: ids, names, types, operations | Appendix D |
//! | [`range`] | ranges and enumerations, and whether a value fits | Appendix D |
//! | [`registry`] | all definitions, built-in and the application's own | 7.2 |
//! | [`model`] | the definitions that hold for one device | 7.2 |
//! | [`default_version()`] | object versions that a registration leaves out | 7.2 |
//!
//! ```
//! use lwm2m_core::Value;
//! use lwm2m_objects::Registry;
//! let device = Registry::builtin().object(3, None).expect("Device is built in");
//! let battery = device.resource(9).expect("Battery Level");
//! assert_eq!((battery.name(), battery.units()), ("Battery Level", "/100"));
//! assert!(battery.check(&Value::Integer(100)).is_ok());
//! assert!(battery.check(&Value::Integer(101)).is_err());
//! ```
//!
//! # The built-in tables
//! `data/registry.tsv` holds the facts of the registry, without its descriptions. A line
//! `object, id, version, name, LwM2M version, M(ultiple) or S(ingle), M(andatory) or O(ptional),
//! URN` is followed by the lines of its resources: `id, name, operations or -, M or S, M or O,
//! type, range, units`; fields are separated by tabs, and empty ones at the end are left out.
//!
//! `build.rs` makes constants of it, 215 KiB in all. The 4,506 resources of 424 object versions are
//! 2,362 distinct ones, so each object version holds places in one table. Texts are places in one
//! pool instead of pointers, which keeps the tables free of relocations. Nothing is read at run
//! time but the short text of a range, when a value is checked against it.
#![cfg_attr(not(feature = "std"), no_std)]
#![warn(clippy::indexing_slicing)]

extern crate alloc;

mod default_version;
pub mod definition;
pub mod model;
pub mod range;
pub mod registry;
mod tables;
mod text;

pub use default_version::default_version;
pub use definition::{ObjectDefinition, ResourceDefinition};
pub use model::DeviceModel;
pub use range::{Range, RangeError};
pub use registry::Registry;
