//! The additional data that the protection of a record authenticates.

use super::header::{ContentType, Header};

/// Additional data: 13 bytes without a Connection ID (RFC 5246 section 6.2.3.3), the longer form of
/// RFC 9146 section 5 with one.
pub(super) struct AdditionalData {
    bytes: [u8; 23 + 255],
    length: usize,
}

impl AdditionalData {
    pub(super) fn new(header: &Header<'_>, length: usize) -> Self {
        let mut data = Self { bytes: [0; 23 + 255], length: 0 };
        let version = header.version.to_be_bytes();
        if header.content == ContentType::TLS12_CID {
            let cid_length = u8::try_from(header.cid.len()).unwrap_or(u8::MAX);
            data.push(&[0xff; 8]);
            data.push(&[header.content.0, cid_length, header.content.0]);
            data.push(&version);
            data.push(&header.number());
            data.push(header.cid);
        } else {
            data.push(&header.number());
            data.push(&[header.content.0]);
            data.push(&version);
        }
        data.push(&u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
        data
    }

    fn push(&mut self, bytes: &[u8]) {
        if let Some(room) = self.bytes.get_mut(self.length..self.length + bytes.len()) {
            room.copy_from_slice(bytes);
            self.length += bytes.len();
        }
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}
