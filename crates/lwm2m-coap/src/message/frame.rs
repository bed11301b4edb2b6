//! Messages on a stream: RFC 8323 section 3.2.

use super::parts::{Fault, Parts, accessors};
use super::{Code, Options, Token};
use alloc::vec::Vec;
use nom::Parser;
use nom::number::complete::{be_u8, be_u16, be_u32};

/// The smallest lengths that take one, two and four bytes of extended length.
const EXTENDED_8: usize = 13;
const EXTENDED_16: usize = 269;
const EXTENDED_32: usize = 65_805;

/// The most bytes of a frame besides options and payload, unless its token is extended: length,
/// code, token and payload marker.
pub(crate) const FRAME_OVERHEAD: usize = 1 + 4 + 1 + Token::USUAL_LENGTH + 1;

/// A parsed and validated message that borrows from the stream.
///
/// ```
/// use lwm2m_coap::{Code, FrameView};
///
/// let stream = [0x11, 0x45, 0xAB, 0xC0, 0x01];
/// let (frame, rest) = FrameView::parse(&stream, 1_152)?.expect("it is complete");
/// assert_eq!((frame.code(), frame.token().as_bytes()), (Code::CONTENT, &[0xAB][..]));
/// assert_eq!(rest, [0x01]);
/// # Ok::<(), lwm2m_coap::FrameError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct FrameView<'a> {
    parts: Parts<'a>,
}

/// A format error that ends the connection: RFC 8323 section 3.4.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A message is longer than the Max-Message-Size of the receiver.
    #[error("a message is longer than the {0} bytes that this endpoint accepts")]
    TooLong(usize),
    /// A message is malformed, or its token is longer than the receiver accepts.
    #[error("a message is malformed: {0}")]
    Malformed(Fault),
}

impl<'a> FrameView<'a> {
    /// Parses the first message of a stream, validates the format of every option, and returns the
    /// remaining stream. Returns `None` while bytes are missing. `max` is the longest accepted
    /// message in bytes, from the length to the end of the payload.
    ///
    /// # Errors
    /// The message is malformed or longer than `max`. The first six bytes tell that it is too long.
    pub fn parse(stream: &'a [u8], max: usize) -> Result<Option<(Self, &'a [u8])>, FrameError> {
        let Some(length) = frame_length(stream, max)? else { return Ok(None) };
        let Some((frame, rest)) = stream.split_at_checked(length) else { return Ok(None) };
        Ok(Some((Self::parse_whole(frame)?, rest)))
    }

    /// Parses a complete message of the length that [`frame_length`] returned.
    pub(crate) fn parse_whole(frame: &'a [u8]) -> Result<Self, FrameError> {
        let cut_off = FrameError::Malformed(Fault::Token);
        let (rest, head) = head(frame).map_err(|_| cut_off)?;
        let (rest, code) = be_u8::<_, ()>(rest).map_err(|_| cut_off)?;
        let parts = Parts::parse(Code::from_byte(code), head.token_length, rest);
        parts.map(|parts| Self { parts }).map_err(FrameError::Malformed)
    }

    /// The method, the response code or the signaling code.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.parts.code
    }

    accessors!();
}

/// Appends one message to a buffer that the caller owns and may reuse. Options and payload have at
/// most 4 GiB together.
pub fn write_frame(
    buffer: &mut Vec<u8>,
    code: Code,
    token: Token,
    options: &Options,
    payload: &[u8],
) {
    let marker = usize::from(!payload.is_empty());
    let length = options.as_encoded().len() + marker + payload.len();
    let (token_length, extended) = token.announced();
    buffer.reserve(FRAME_OVERHEAD + token.len() + length);
    write_length(buffer, length, token_length);
    buffer.push(code.as_byte());
    buffer.extend(extended);
    buffer.extend_from_slice(token.as_bytes());
    buffer.extend_from_slice(options.as_encoded());
    if marker == 1 {
        buffer.push(0xFF);
        buffer.extend_from_slice(payload);
    }
}

fn write_length(buffer: &mut Vec<u8>, length: usize, token_length: u8) {
    match length {
        0..EXTENDED_8 => buffer.push(((length as u8) << 4) | token_length),
        EXTENDED_8..EXTENDED_16 => {
            buffer.extend_from_slice(&[0xD0 | token_length, (length - EXTENDED_8) as u8]);
        }
        EXTENDED_16..EXTENDED_32 => {
            buffer.push(0xE0 | token_length);
            buffer.extend_from_slice(&((length - EXTENDED_16) as u16).to_be_bytes());
        }
        _ => {
            buffer.push(0xF0 | token_length);
            buffer.extend_from_slice(&((length - EXTENDED_32) as u32).to_be_bytes());
        }
    }
}

/// The length of the first message of a stream in bytes, or `None` while too few bytes are there.
pub(crate) fn frame_length(stream: &[u8], max: usize) -> Result<Option<usize>, FrameError> {
    if stream.first().is_some_and(|first| first & 15 > 13) {
        return Err(FrameError::Malformed(Fault::Token));
    }
    let Ok((rest, head)) = head(stream) else { return Ok(None) };
    let token = match (head.token_length, rest.get(1)) {
        (length @ 0..=12, _) => usize::from(length),
        // The extended token length follows the code: RFC 8974 section 2.1.
        (_, Some(more)) => 1 + 13 + usize::from(*more),
        (_, None) => return Ok(None),
    };
    if token > 1 + Token::MAX_LENGTH {
        return Err(FrameError::Malformed(Fault::Token));
    }
    let before = stream.len() - rest.len() + 1 + token;
    match before.checked_add(head.length) {
        Some(length) if length <= max => Ok(Some(length)),
        _ => Err(FrameError::TooLong(max)),
    }
}

struct Head {
    token_length: u8,
    /// The length of options, payload marker and payload in bytes.
    length: usize,
}

/// Parses everything before the code.
fn head(input: &[u8]) -> nom::IResult<&[u8], Head, ()> {
    let (rest, first) = be_u8.parse(input)?;
    let (rest, length) = match first >> 4 {
        13 => be_u8.map(|length| EXTENDED_8 + usize::from(length)).parse(rest)?,
        14 => be_u16.map(|length| EXTENDED_16 + usize::from(length)).parse(rest)?,
        15 => be_u32.map(|length| EXTENDED_32.saturating_add(length as usize)).parse(rest)?,
        length => (rest, usize::from(length)),
    };
    Ok((rest, Head { token_length: first & 15, length }))
}

#[cfg(test)]
mod tests {
    use super::super::OptionNumber;
    use super::*;
    use alloc::vec;

    fn written(token: &[u8], options: &Options, payload: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        write_frame(&mut frame, Code::POST, Token::new(token).unwrap(), options, payload);
        frame
    }

    // proves: TCP-01
    #[test]
    fn lengths_extend_at_13_269_and_65805() {
        for (length, golden) in [
            (0_usize, &[0x02_u8][..]),
            (12, &[0xC2]),
            (13, &[0xD2, 0]),
            (268, &[0xD2, 255]),
            (269, &[0xE2, 0, 0]),
            (65_804, &[0xE2, 0xFF, 0xFF]),
            (65_805, &[0xF2, 0, 0, 0, 0]),
            (65_805 + 258, &[0xF2, 0, 0, 1, 2]),
        ] {
            let payload = vec![7; length.saturating_sub(1)];
            let frame = written(&[0xAB, 0xCD], &Options::new(), &payload);
            let head = [golden, &[0x02, 0xAB, 0xCD]].concat();
            assert_eq!(frame[..head.len()], head);
            assert_eq!(frame.len(), head.len() + length);
            if length > 0 {
                assert_eq!(frame[head.len()], 0xFF);
            }
            let (view, rest) = FrameView::parse(&frame, usize::MAX).unwrap().unwrap();
            assert_eq!((view.code(), view.token().as_bytes()), (Code::POST, &[0xAB, 0xCD][..]));
            assert_eq!((view.payload(), rest), (&payload[..], &[][..]));
            assert_eq!(view.options().count(), 0);
        }
    }

    #[test]
    fn every_truncation_needs_more_bytes() {
        let mut options = Options::new();
        options.push(OptionNumber::URI_PATH, b"rd");
        options.push(OptionNumber::URI_QUERY, b"ep=a-name-that-needs-an-extended-length");
        let frame = written(b"token", &options, &[9; 300]);
        for length in 0..frame.len() {
            assert!(FrameView::parse(&frame[..length], 1_152).unwrap().is_none(), "at {length}");
        }
        let (view, _) = FrameView::parse(&frame, 1_152).unwrap().unwrap();
        assert_eq!((view.to_options(), view.payload()), (options, &[9; 300][..]));
    }

    #[test]
    fn malformed_frames_are_refused_as_early_as_possible() {
        let malformed = |fault| FrameError::Malformed(fault);
        for (error, bytes) in [
            (malformed(Fault::Token), &[0x0E][..]),
            (malformed(Fault::Token), &[0x0D, 1, 20]),
            (malformed(Fault::Token), &[0xFF]),
            (FrameError::TooLong(64), &[0xF0, 0x7F, 0xFF, 0xFF, 0xFF]),
            (FrameError::TooLong(64), &[0xF8, 0xFF, 0xFF, 0xFF, 0xFF]),
            (FrameError::TooLong(64), &[0xE0, 0, 0]),
            (FrameError::TooLong(64), &[0xD0, 50]),
            (malformed(Fault::EmptyPayload), &[0x10, 2, 0xFF]),
            (malformed(Fault::Option), &[0x10, 2, 0xB1]),
        ] {
            assert_eq!(FrameView::parse(bytes, 64).unwrap_err(), error, "{bytes:x?}");
        }
        // 2 + 49 + 13 = 64 bytes in all.
        assert!(FrameView::parse(&[0xD0, 48], 64).unwrap().is_none());
    }
}
