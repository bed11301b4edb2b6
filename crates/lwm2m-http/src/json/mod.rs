//! The JSON of the dialect: values, nodes, registrations, answers of devices, object definitions.

pub mod node;
pub mod objectspec;
pub mod registration;
pub mod response;
pub mod security;
pub mod value;
