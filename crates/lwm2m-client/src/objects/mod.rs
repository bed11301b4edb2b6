//! The objects of the device behind their definitions (OMA LwM2M Core 7.2).
//!
//! Security (0) has no instance here unless the client can bootstrap: the accounts hold what OMA
//! puts there, and no server may read it. Server (1) is made from the accounts.

mod kind;
mod memory;
mod object;
pub(crate) mod read;
pub(crate) mod security;
pub(crate) mod security_ids;
pub(crate) mod server;
pub(crate) mod store;
pub mod typed;

pub use memory::MemoryObject;
pub use object::{Block, Object};

/// Objects of which servers learn nothing: Security, OSCORE, and COSE.
pub(crate) const HIDDEN: [u16; 3] = [0, 21, 23];
