//! The newest values of resources as records.

use super::node::KeptTyped;
use super::{decode, key_of, parts};
use bytes::Bytes;
use lwm2m_core::{Path, Value};
use lwm2m_time::Instant;
use minicbor::{Decode, Encode};

/// A value that a device told.
#[derive(Clone, PartialEq, Debug)]
pub struct KeptValue {
    /// When it came.
    pub received_at: Instant,
    /// The time that the device gave it, as in SenML: [`Timed::time`](lwm2m_codec::Timed::time).
    pub time: Option<f64>,
    /// The value.
    pub value: Value,
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct Fields {
    /// Microseconds.
    #[n(0)]
    received_at: u64,
    #[n(1)]
    time: Option<f64>,
    #[n(2)]
    value: KeptTyped,
}

impl KeptValue {
    pub(crate) fn key(endpoint: &str, path: &Path) -> Bytes {
        key_of(endpoint, &path.to_string())
    }

    pub(crate) fn to_bytes(&self) -> Bytes {
        let (received_at, value) = (self.received_at.as_micros(), KeptTyped(self.value.clone()));
        super::encode(&Fields { received_at, time: self.time, value })
    }

    /// Reads a record of the table of values: the endpoint name, the path and the value.
    #[must_use]
    pub fn read<'k>(key: &'k [u8], record: &[u8]) -> Option<(&'k str, Path, Self)> {
        let (endpoint, path) = parts(key)?;
        let Fields { received_at, time, value } = decode(record)?;
        let received_at = Instant::from_micros(received_at);
        Some((endpoint, path.parse().ok()?, Self { received_at, time, value: value.0 }))
    }
}
