//! Test tools of the workspace.
//!
//! | module | what |
//! |---|---|
//! | [`network`] | a network that loses, delays, doubles and reorders datagrams, from a seed |
//! | [`pair`] | two engines at its ends, on a clock that jumps from event to event |
//! | [`streams`] | connections between them, cut anywhere |
//! | [`peer`] | other people's clients and servers, and our daemons, as child processes |

pub mod network;
pub mod pair;
pub mod peer;
pub mod streams;

pub use network::{Conditions, Network};
pub use pair::Pair;
pub use streams::{Fate, Streams};
