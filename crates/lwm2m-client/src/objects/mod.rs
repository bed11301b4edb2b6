//! The objects of the device behind their definitions.
//!
//! Security (0) has no instance here: the accounts hold what OMA puts there, and no server may
//! read it. Server (1) is made from the accounts.

pub(crate) mod security;
pub(crate) mod server;
pub(crate) mod store;

/// Objects of which servers learn nothing: Security, OSCORE, and COSE.
pub(crate) const HIDDEN: [u16; 3] = [0, 21, 23];
