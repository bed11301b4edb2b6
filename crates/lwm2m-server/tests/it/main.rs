//! The server engine against devices made of hand-written datagrams, in virtual time.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod as_it_was;
mod codes;
mod command_ends;
mod commands;
mod composite;
mod formats;
mod harness;
mod hostile;
mod keeping;
mod lifetime;
mod management;
#[cfg(feature = "mbedtls")]
mod mbedtls;
mod migration;
mod observe;
mod past;
mod queueing;
mod register;
mod scale;
mod send;
mod sleeping;
mod update;
mod waiting;
mod wishes;
mod writing;
