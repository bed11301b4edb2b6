//! SenML (RFC 8428) as JSON and CBOR: zero-copy records and writers.
#![cfg_attr(not(feature = "std"), no_std)]
#![warn(clippy::indexing_slicing)]

extern crate alloc;

mod error;

pub use error::Error;

/// The most bytes that base name and name may have together.
pub const MAX_NAME: usize = 1024;
