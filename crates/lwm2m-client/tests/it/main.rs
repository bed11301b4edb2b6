//! The client against raw servers in virtual time, one module an area.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod allocations;
mod blocks;
mod bootstrap;
mod codes;
mod composite;
mod derived;
mod firmware;
mod formats;
mod harness;
mod kept;
mod manage;
mod multiple_servers;
mod random;
mod read;
mod register;
mod report;
mod secure;
mod send;
mod sleeping;
mod values;
mod write;
