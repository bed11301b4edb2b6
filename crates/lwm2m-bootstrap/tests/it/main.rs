//! The bootstrap server and raw devices, made of CoAP endpoints alone, on a virtual clock.

#![allow(clippy::unwrap_used)] // a test that cannot go on panics

mod harness;
mod hostile;
#[cfg(feature = "mbedtls")]
mod mbedtls;
mod packs;
mod sessions;
