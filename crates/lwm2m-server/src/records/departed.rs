//! Devices that are not registered any more, as records.

use bytes::Bytes;

/// A device without a credential whose values are kept after it left. The key is a number.
pub(crate) struct KeptDeparted<'a> {
    pub(crate) endpoint: &'a str,
    /// Whether it had proven its name, by a certificate.
    pub(crate) is_certified: bool,
}

impl<'a> KeptDeparted<'a> {
    /// The name, which is UTF-8, and a byte that UTF-8 does not have if it was proven.
    pub(crate) fn to_bytes(&self) -> Bytes {
        match self.is_certified {
            true => super::prefix(self.endpoint),
            false => Bytes::copy_from_slice(self.endpoint.as_bytes()),
        }
    }

    pub(crate) fn read(value: &'a [u8]) -> Option<Self> {
        let (name, is_certified) = match value {
            [name @ .., super::SEPARATOR] => (name, true),
            name => (name, false),
        };
        Some(Self { endpoint: std::str::from_utf8(name).ok()?, is_certified })
    }
}
