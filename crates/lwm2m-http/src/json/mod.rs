//! The JSON of the dialect: values, nodes, registrations, answers of devices, object definitions.

pub mod bootstrap;
pub(crate) mod command;
pub(crate) mod happened;
pub mod node;
pub mod objectspec;
pub(crate) mod observation;
pub mod registration;
pub mod response;
pub mod security;
pub mod value;

use lwm2m_net::Clock;
use lwm2m_time::Instant;
use serde::ser::{Serialize, Serializer};
use std::time::UNIX_EPOCH;

/// An array of what the iterators of a function yield.
pub(crate) struct Each<F>(pub(crate) F);

impl<F, I> Serialize for Each<F>
where
    F: Fn() -> I,
    I: IntoIterator<Item: Serialize>,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

/// A JSON object of the members that the iterators of a function yield; no name comes twice.
pub(crate) struct Entries<F>(pub(crate) F);

impl<F, I, K, V> Serialize for Entries<F>
where
    F: Fn() -> I,
    I: IntoIterator<Item = (K, V)>,
    K: Serialize,
    V: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map((self.0)())
    }
}

/// Milliseconds since the epoch.
pub(crate) fn milliseconds(clock: Clock, instant: Instant) -> u64 {
    let since = clock.to_wall(instant).duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
