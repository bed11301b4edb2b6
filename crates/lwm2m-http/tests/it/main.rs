//! The API on a real server on the loopback interface, with scripted devices.

mod clients;
mod composite;
mod device;
mod errors;
mod events;
mod operations;
mod page;
mod security;
mod serving;
mod support;
