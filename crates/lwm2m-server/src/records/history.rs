//! Numbers that devices told, one after the other, as records.

use super::node::KeptTyped;
use super::{SEPARATOR, decode, key_of};
use bytes::Bytes;
use lwm2m_core::{Path, Value};
use lwm2m_time::Instant;

/// A number that a device told, for the history of its resource.
#[derive(Clone, PartialEq, Debug)]
pub struct KeptNumber {
    /// The time that the device gave it, or else when it came.
    pub at: Instant,
    /// The number.
    pub value: Value,
}

impl KeptNumber {
    /// Whether a value is a number.
    pub(crate) const fn is_one(value: &Value) -> bool {
        matches!(value, Value::Integer(_) | Value::UnsignedInteger(_) | Value::Float(_))
    }

    /// The beginning of the keys of a resource, or of an instance of one.
    #[must_use]
    pub fn prefix(endpoint: &str, path: &Path) -> Bytes {
        [&key_of(endpoint, &path.to_string())[..], &[SEPARATOR]].concat().into()
    }

    /// The key of the number that a resource had at a time.
    #[must_use]
    pub fn key(endpoint: &str, path: &Path, at: Instant) -> Bytes {
        [&Self::prefix(endpoint, path)[..], &at.as_micros().to_be_bytes()].concat().into()
    }

    pub(crate) fn to_bytes(value: &Value) -> Bytes {
        super::encode(&KeptTyped(value.clone()))
    }

    /// Reads a record of the table of numbers.
    #[must_use]
    pub fn read(key: &[u8], record: &[u8]) -> Option<Self> {
        let at = Instant::from_micros(u64::from_be_bytes(*key.last_chunk()?));
        let KeptTyped(value) = decode(record)?;
        Some(Self { at, value })
    }
}
