//! Test tools of the workspace.
//!
//! | module | what |
//! |---|---|
//! | [`sim`] | engines in virtual time, their network and its faults |
//! | [`peer`] | other implementations and our daemons, as child processes |

pub mod peer;
pub mod sim;

pub use sim::disk::Disk;
pub use sim::network::{Conditions, Network};
pub use sim::streams::{Fate, Streams};
pub use sim::{CoapPeer, Node, Sim};
