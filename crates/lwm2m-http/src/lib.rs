//! The HTTP API of the LwM2M server: REST and server-sent events

pub mod json;
