//! Records on a stream: RFC 5246 section 6.2. Their sequence numbers are counted, not sent.

use super::header::{ContentType, Header, MAX_PLAINTEXT, MAX_SEQUENCE, TLS_VERSION};
use super::keys::Protection;
use crate::error::Reason;
use crate::rng::Rng;
use crate::suite::Cipher;
use alloc::vec::Vec;
use nom::Parser;
use nom::bytes::complete::take;
use nom::number::complete::{be_u8, be_u16};
use rand_chacha::rand_core::RngCore;

/// The most bytes that protection may add to a plaintext: RFC 5246 section 6.2.3.
const MAX_EXPANSION: usize = 2048;
const HEADER_LENGTH: usize = 5;

/// A received record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamRecord<'a> {
    pub(crate) content: ContentType,
    pub(crate) body: &'a [u8],
}

/// Why the bytes of a stream are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRecord {
    /// The peer speaks another protocol.
    NotTls,
    /// The record is longer than allowed.
    TooLong,
}

/// Parses the next record of a stream; `None` if it is incomplete.
pub(crate) fn parse(input: &[u8]) -> Result<Option<(StreamRecord<'_>, &[u8])>, NoRecord> {
    let Ok((rest, (content, version, length))) = (be_u8::<_, ()>, be_u16, be_u16).parse(input)
    else {
        // The first byte decides: a peer of another protocol may send less than a header and wait.
        return match input.first() {
            Some(content) if !is_known(*content) => Err(NoRecord::NotTls),
            _ => Ok(None),
        };
    };
    if !is_known(content) || version >> 8 != TLS_VERSION >> 8 {
        return Err(NoRecord::NotTls);
    }
    let length = usize::from(length);
    if length > MAX_PLAINTEXT + MAX_EXPANSION {
        return Err(NoRecord::TooLong);
    }
    let record = take::<_, _, ()>(length)(rest).ok();
    Ok(record.map(|(rest, body)| (StreamRecord { content: ContentType(content), body }, rest)))
}

const fn is_known(content: u8) -> bool {
    let (first, last) = (ContentType::CHANGE_CIPHER_SPEC.0, ContentType::APPLICATION_DATA.0);
    first <= content && content <= last
}

/// One direction of a stream. It has no keys until the ChangeCipherSpec.
#[derive(Default)]
pub(crate) struct Direction {
    keys: Option<Protection>,
    sequence: u64,
}

impl Direction {
    /// Creates the direction after the ChangeCipherSpec.
    pub(crate) fn protected(keys: Protection) -> Self {
        Self { keys: Some(keys), sequence: 0 }
    }

    pub(crate) const fn is_protected(&self) -> bool {
        self.keys.is_some()
    }

    /// Appends a record; `None` when all sequence numbers are used.
    pub(crate) fn seal(
        &mut self,
        content: ContentType,
        plaintext: &[u8],
        rng: &mut Rng,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        let header = self.next_header(content)?;
        out.push(content.0);
        out.extend_from_slice(&TLS_VERSION.to_be_bytes());
        out.extend_from_slice(&[0; 2]);
        let start = out.len();
        match &self.keys {
            Some(keys) => {
                let mut iv = [0; 16];
                if keys.cipher == Cipher::CbcSha256 {
                    rng.fill_bytes(&mut iv);
                }
                keys.seal_body(&header, (plaintext, None), &iv, out);
            }
            None => out.extend_from_slice(plaintext),
        }
        let record = out.get_mut(start - HEADER_LENGTH..).unwrap_or_default();
        super::header::patch_length(record, HEADER_LENGTH);
        Some(())
    }

    /// Returns the plaintext of a record.
    ///
    /// # Errors
    /// The record is not authentic or too long, or it is empty and not application data.
    pub(crate) fn open(&mut self, record: StreamRecord<'_>) -> Result<Vec<u8>, Reason> {
        let header = self.next_header(record.content).ok_or(Reason::BadRecord)?;
        let plaintext = match &self.keys {
            Some(keys) => keys.open(&header, record.body).ok_or(Reason::BadRecord)?.1,
            None => record.body.to_vec(),
        };
        match plaintext.len() {
            0 if record.content != ContentType::APPLICATION_DATA => Err(Reason::UnexpectedMessage),
            0..=MAX_PLAINTEXT => Ok(plaintext),
            _ => Err(Reason::RecordOverflow),
        }
    }

    fn next_header(&mut self, content: ContentType) -> Option<Header<'static>> {
        let sequence = self.sequence;
        self.sequence = sequence.checked_add(1).filter(|_| sequence <= MAX_SEQUENCE)?;
        // The epoch takes the place of the highest bits of the number, which are 0 here.
        Some(Header { content, version: TLS_VERSION, epoch: 0, sequence, cid: &[] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_cut_off_a_stream() {
        let stream = b"\x16\x03\x01\x00\x02ab\x17\x03\x03\x00\x01c";
        let Ok(Some((first, rest))) = parse(stream) else { panic!("no record") };
        assert_eq!((first.content, first.body), (ContentType::HANDSHAKE, &b"ab"[..]));
        for length in 0..6 {
            assert_eq!(parse(&rest[..length]), Ok(None));
        }
        assert_eq!(parse(b"GET / HTTP/1.1"), Err(NoRecord::NotTls));
        assert_eq!(parse(b"\x16\x02\x00\x00\x01a"), Err(NoRecord::NotTls));
        assert_eq!(parse(b"\x17\x03\x03\x48\x01"), Err(NoRecord::TooLong));
    }
}
