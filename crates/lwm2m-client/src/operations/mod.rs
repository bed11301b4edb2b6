//! The operations of device management (OMA LwM2M Core 6.3) and bootstrap (6.1) on the objects.
//!
//! Each is a function of the [store](crate::objects::store) that either does all that was asked,
//! or refuses and changes nothing. What a definition forbids never reaches an object.

pub(crate) mod attributes;
pub(crate) mod bootstrap;
pub(crate) mod composite;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod discover;
pub(crate) mod execute;
pub(crate) mod format;
pub(crate) mod read;
pub(crate) mod write;
