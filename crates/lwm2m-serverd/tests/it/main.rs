//! The daemon as a process.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod broker;
mod crash;
#[cfg(unix)]
mod ending;
mod mqtt;
mod nats;
mod outputs;
mod process;
mod webhooks;
