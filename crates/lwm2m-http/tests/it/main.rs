//! The API on a real server on the loopback interface, with scripted devices.

mod access;
mod bootstrap;
mod bulk;
mod cached;
mod clients;
mod commands;
mod composite;
mod device;
mod devices;
mod errors;
mod events;
mod messages;
mod metrics;
mod models;
mod observations;
mod openapi;
mod operations;
mod outputs;
mod page;
mod past;
mod security;
mod serving;
mod sleeping;
mod support;
mod why;
