//! The data model of LwM2M: paths, values, nodes, formats, attributes, versions.
//!
//! This crate has no protocol, no I/O and no policy; all other crates share it.
//!
//! | module | what | section of OMA LwM2M Core |
//! |---|---|---|
//! | [`path`] | addresses of objects, instances, resources | 7.2 |
//! | [`value`] | data types and values | Appendix C |
//! | [`node`] | values arranged as objects, instances and resources | 7.2 |
//! | [`content_format`] | payload formats and their CoAP numbers | 7.4 |
//! | [`attributes`] | notification attributes and their rules | 7.3 (5.1 in 1.1) |
//! | [`arguments`] | arguments of Execute | 6.3.5 |
//! | [`version`] | versions of the enabler and of objects | 6.2, 7.2 |
//! | [`model`] | the part of object definitions that codecs and engines use | Appendix D |
//!
//! ```
//! use lwm2m_core::{Path, Value};
//!
//! let path: Path = "/3303/0/5700".parse()?;
//! assert_eq!(path.object_id(), Some(3303));
//! assert_eq!(path.parent(), Some(Path::instance(3303, 0)));
//! assert_eq!(Value::Float(21.5).data_type().name(), "Float");
//! # Ok::<(), lwm2m_core::path::PathError>(())
//! ```
#![cfg_attr(not(feature = "std"), no_std)]
#![warn(clippy::indexing_slicing)]

extern crate alloc;

pub mod arguments;
pub mod attributes;
pub mod content_format;
pub mod model;
pub mod node;
pub mod path;
pub mod value;
pub mod version;

pub use arguments::Arguments;
pub use attributes::{Attribute, AttributeName, Attributes};
pub use bytes::Bytes;
pub use content_format::ContentFormat;
pub use model::{Model, Operations, ResourceModel};
pub use node::{Node, Object, ObjectInstance, Resource};
pub use path::Path;
pub use value::{DataType, ObjectLink, Value};
pub use version::{BindingMode, ObjectVersion, Version};
