//! Sockets as their peers see them, on loopback.

#![allow(clippy::unwrap_used)] // a test that cannot go on panics

mod bootstrap;
mod harness;
mod kept;
#[cfg(feature = "server")]
mod lwm2m;
mod races;
mod secured;
mod tcp;

/// What the model checker replaces in the modules that it checks.
mod sync {
    pub(crate) use loom::sync::{Arc, Mutex};
}
