//! The header of a record: RFC 6347 section 4.1 and RFC 9146 section 4.

use alloc::vec::Vec;
use nom::Parser;
use nom::bytes::complete::take;
use nom::number::complete::{be_u8, be_u16};

/// DTLS 1.2 on the wire.
pub(crate) const VERSION: u16 = 0xfefd;
/// TLS 1.2 on the wire.
pub(crate) const TLS_VERSION: u16 = 0x0303;
/// DTLS 1.0 on the wire, allowed in the records of hellos.
pub(crate) const VERSION_1_0: u16 = 0xfeff;
/// The greatest sequence number: 48 bits.
pub(crate) const MAX_SEQUENCE: u64 = (1 << 48) - 1;
/// The length of a header without a Connection ID, in bytes.
pub(crate) const HEADER_LENGTH: usize = 13;

/// The longest plaintext of a record, in bytes: RFC 5246 section 6.2.1.
pub(crate) const MAX_PLAINTEXT: usize = 1 << 14;

/// The content type of a record. Unknown numbers are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ContentType(pub(crate) u8);

impl ContentType {
    pub(crate) const CHANGE_CIPHER_SPEC: Self = Self(20);
    pub(crate) const ALERT: Self = Self(21);
    pub(crate) const HANDSHAKE: Self = Self(22);
    pub(crate) const APPLICATION_DATA: Self = Self(23);
    pub(crate) const TLS12_CID: Self = Self(25);
    pub(crate) const RETURN_ROUTABILITY_CHECK: Self = Self(27);
}

/// The header of a record without its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header<'a> {
    pub(crate) content: ContentType,
    pub(crate) version: u16,
    pub(crate) epoch: u16,
    pub(crate) sequence: u64,
    pub(crate) cid: &'a [u8],
}

/// A received record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    pub(crate) header: Header<'a>,
    pub(crate) body: &'a [u8],
    /// The bytes of header and body.
    pub(crate) raw: &'a [u8],
}

impl Header<'_> {
    /// Epoch and sequence number as on the wire.
    pub(crate) fn number(&self) -> [u8; 8] {
        ((u64::from(self.epoch) << 48) | self.sequence).to_be_bytes()
    }

    /// Writes the header; its length is to be patched by [`patch_length`].
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.content.0);
        out.extend_from_slice(&self.version.to_be_bytes());
        out.extend_from_slice(&self.number());
        out.extend_from_slice(self.cid);
        out.extend_from_slice(&[0; 2]);
    }
}

/// Writes the length of the bytes from `body` on into the two bytes before it.
pub(crate) fn patch_length(out: &mut [u8], body: usize) {
    let length = u16::try_from(out.len().saturating_sub(body)).unwrap_or(u16::MAX);
    if let Some(field) = out.get_mut(body.wrapping_sub(2)..body) {
        field.copy_from_slice(&length.to_be_bytes());
    }
}

/// Writes an unprotected record of epoch 0.
pub(crate) fn write_plain(out: &mut Vec<u8>, content: ContentType, sequence: u64, body: &[u8]) {
    let header = Header { content, version: VERSION, epoch: 0, sequence, cid: &[] };
    header.encode(out);
    let start = out.len();
    out.extend_from_slice(body);
    patch_length(out.get_mut(start - HEADER_LENGTH..).unwrap_or_default(), HEADER_LENGTH);
}

/// Parses the next record of a datagram; `cid_length` is that of the Connection IDs that we hand
/// out. Versions and types are not checked.
pub(crate) fn parse(input: &[u8], cid_length: usize) -> Option<(Record<'_>, &[u8])> {
    let (rest, (content, version, epoch, high, low)) =
        (be_u8::<_, ()>, be_u16, be_u16, be_u16, nom::number::complete::be_u32)
            .parse(input)
            .ok()?;
    let content = ContentType(content);
    let cid_length = if content == ContentType::TLS12_CID { cid_length } else { 0 };
    let (rest, cid) = take::<_, _, ()>(cid_length)(rest).ok()?;
    let (rest, body) = nom::multi::length_data(be_u16::<_, ()>).parse(rest).ok()?;
    let sequence = (u64::from(high) << 32) | u64::from(low);
    let header = Header { content, version, epoch, sequence, cid };
    let raw = input.get(..input.len() - rest.len())?;
    Some((Record { header, body, raw }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_survives_the_wire_and_truncation_does_not() {
        let header = Header {
            content: ContentType::TLS12_CID,
            version: VERSION,
            epoch: 1,
            sequence: 0x0102_0304_0506,
            cid: &[9, 8, 7],
        };
        let mut bytes = Vec::new();
        header.encode(&mut bytes);
        let start = bytes.len();
        bytes.extend_from_slice(b"body");
        patch_length(&mut bytes, start);
        let (record, rest) = parse(&bytes, 3).expect("a record");
        assert_eq!((record.header, record.body, rest.len()), (header, &b"body"[..], 0));
        for length in 0..bytes.len() {
            assert!(parse(&bytes[..length], 3).is_none());
        }
    }
}
