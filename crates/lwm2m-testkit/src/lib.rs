//! Test tools of the workspace.
//!
//! | module | what |
//! |---|---|
//! | [`sim`] | engines in virtual time, their network and its faults |
//! | `virtual_disk` | [`VirtualDisk`]: a disk that crashes, fills up and fails |
//! | [`peer`] | other implementations and our daemons, as child processes |

pub mod peer;
pub mod sim;
mod virtual_disk;

pub use sim::disk::Disk;
pub use sim::network::{Conditions, Network};
pub use sim::streams::{Fate, Streams};
pub use sim::{CoapPeer, Node, Sim};
pub use virtual_disk::{Computer, VirtualDisk};
