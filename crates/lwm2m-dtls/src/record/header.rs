//! The header of a record: RFC 6347 section 4.1 and RFC 9146 section 4.

use alloc::vec::Vec;
use nom::Parser;
use nom::bytes::complete::take;
use nom::number::complete::{be_u8, be_u16};

/// DTLS 1.2 on the wire.
pub(crate) const VERSION: u16 = 0xfefd;
/// TLS 1.2 on the wire.
pub(crate) const TLS_VERSION: u16 = 0x0303;
/// DTLS 1.0: allowed in the records of hellos.
pub(crate) const VERSION_1_0: u16 = 0xfeff;
/// The greatest sequence number: 48 bits.
pub(crate) const MAX_SEQUENCE: u64 = (1 << 48) - 1;
/// The length of a header without Connection ID.
pub(crate) const HEADER_LENGTH: usize = 13;

/// What a record carries.
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

/// A record's header but for its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header<'a> {
    pub(crate) content: ContentType,
    pub(crate) version: u16,
    pub(crate) epoch: u16,
    pub(crate) sequence: u64,
    pub(crate) cid: &'a [u8],
}

/// A record as it came in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    pub(crate) header: Header<'a>,
    pub(crate) body: &'a [u8],
}

impl Record<'_> {
    /// Its length on the wire.
    pub(crate) fn length(&self) -> usize {
        HEADER_LENGTH + self.header.cid.len() + self.body.len()
    }
}

impl Header<'_> {
    /// Epoch and sequence number as the 8 bytes that they are on the wire.
    pub(crate) fn number(&self) -> [u8; 8] {
        ((u64::from(self.epoch) << 48) | self.sequence).to_be_bytes()
    }

    /// Writes the header with a length to be patched by [`patch_length`].
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.content.0);
        out.extend_from_slice(&self.version.to_be_bytes());
        out.extend_from_slice(&self.number());
        out.extend_from_slice(self.cid);
        out.extend_from_slice(&[0; 2]);
    }
}

/// Writes the length of what follows the two bytes that end at `body`.
pub(crate) fn patch_length(out: &mut [u8], body: usize) {
    let length = u16::try_from(out.len().saturating_sub(body)).unwrap_or(u16::MAX);
    if let Some(field) = out.get_mut(body.wrapping_sub(2)..body) {
        field.copy_from_slice(&length.to_be_bytes());
    }
}

/// Takes the next record off a datagram; `cid_length` is that of the Connection IDs we hand out.
/// Neither versions nor types are judged here.
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
    Some((Record { header: Header { content, version, epoch, sequence, cid }, body }, rest))
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
