//! The daemon as a process.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bootstrap;
mod crash;
mod process;
