//! Our daemons against other implementations, on loopback.

#![allow(clippy::unwrap_used)] // a test that cannot go on panics

mod aiocoap;
mod aiocoap_device;
mod bootstrap;
mod bootstrap_streams;
mod browser;
mod capture;
mod coap;
mod codec;
mod composite;
mod crowds;
mod demo_server;
mod device_durability;
mod device_restarts;
mod dtls;
mod durability;
mod enrolment;
mod faults;
mod fleet_heap;
mod goodput;
mod heap;
mod identities;
mod libcoap;
mod libcoap_streams;
mod link_local;
mod lossy;
mod management;
mod nat;
mod noise;
mod odd_device;
mod openssl_device;
mod queue;
mod reconciling;
mod restarts;
mod secure_bootstrap;
mod secure_leshan;
mod secure_leshan_server;
mod secure_lossy;
mod send;
mod sensors;
mod streams;
mod streams_kept;
mod transports;
mod trio;
mod versions;
