//! The JSON of the dialect: values, nodes, registrations, answers of devices, events.

pub mod node;
pub mod value;
