//! Reading a message without copying it: RFC 7252 section 3.

use super::{Code, MessageType, OptionIter, Options, Token};
use nom::Parser;
use nom::number::complete::{be_u8, be_u16};

const PAYLOAD_MARKER: u8 = 0xFF;

/// A message that was parsed in full; everything in it points into the datagram.
#[derive(Clone, Copy, Debug)]
pub struct MessageView<'a> {
    kind: MessageType,
    code: Code,
    message_id: u16,
    token: Token,
    options: &'a [u8],
    last_option: u16,
    payload: &'a [u8],
}

/// Why a datagram is no message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// Shorter than the header of four bytes; such a datagram is dropped in silence.
    #[error("the datagram is shorter than a message header")]
    TooShort,
    /// Not version 1; such a datagram is dropped in silence.
    #[error("the message has version {0}, only version 1 is defined")]
    Version(u8),
    /// A format error behind a good header: RFC 7252 section 4.2 and 4.3 say that a confirmable
    /// message is answered with a Reset and all others are dropped.
    #[error("message {message_id} breaks the format: {fault}")]
    Malformed {
        /// The type of the message.
        kind: MessageType,
        /// Its message ID.
        message_id: u16,
        /// What is wrong with it.
        fault: Fault,
    },
}

/// What is wrong with a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The token is longer than the reader takes, or cut off.
    #[error("the token is too long or cut off")]
    Token,
    /// An option uses a reserved nibble, is cut off, or has a number above 65,535.
    #[error("an option is malformed or cut off")]
    Option,
    /// A payload marker with nothing behind it.
    #[error("the payload marker has no payload behind it")]
    EmptyPayload,
    /// Bytes follow the header of an empty message, or it has a token.
    #[error("an empty message has content")]
    NotEmpty,
}

impl<'a> MessageView<'a> {
    /// Parses a datagram and validates the format of every option.
    ///
    /// # Errors
    /// When the datagram is no well-formed CoAP message.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, ParseError> {
        let (rest, (first, code, message_id)) =
            header(datagram).map_err(|_| ParseError::TooShort)?;
        if first >> 6 != 1 {
            return Err(ParseError::Version(first >> 6));
        }
        let kind = MessageType::from_bits(first >> 4);
        let body = if code == 0 { empty(first, rest) } else { body(first & 15, rest) };
        let body = body.map_err(|fault| ParseError::Malformed { kind, message_id, fault })?;
        let Body { token, options, last_option, payload } = body;
        Ok(Self {
            kind,
            code: Code::from_byte(code),
            message_id,
            token,
            options,
            last_option,
            payload,
        })
    }

    /// The type of the message.
    #[must_use]
    pub const fn kind(&self) -> MessageType {
        self.kind
    }

    /// The method, the response code, or [`Code::EMPTY`].
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// The message ID.
    #[must_use]
    pub const fn message_id(&self) -> u16 {
        self.message_id
    }

    /// The token.
    #[must_use]
    pub const fn token(&self) -> Token {
        self.token
    }

    /// The options in the order of their numbers.
    #[must_use]
    pub const fn options(&self) -> OptionIter<'a> {
        OptionIter::new(self.options)
    }

    /// An owned copy of the options.
    #[must_use]
    pub fn to_options(&self) -> Options {
        Options::from_validated(self.options, self.last_option)
    }

    /// The payload; empty if there is none.
    #[must_use]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

/// All of a message behind its header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Body<'a> {
    pub(crate) token: Token,
    pub(crate) options: &'a [u8],
    pub(crate) last_option: u16,
    pub(crate) payload: &'a [u8],
}

type Parsed<'a, T> = nom::IResult<&'a [u8], T, ()>;

#[inline]
fn header(input: &[u8]) -> Parsed<'_, (u8, u8, u16)> {
    (be_u8, be_u8, be_u16).parse(input)
}

const fn empty(first: u8, rest: &[u8]) -> Result<Body<'_>, Fault> {
    if first & 15 != 0 || !rest.is_empty() {
        return Err(Fault::NotEmpty);
    }
    Ok(Body { token: Token::EMPTY, options: &[], last_option: 0, payload: &[] })
}

/// Parses all behind the header, and validates the format of every option.
#[inline]
pub(crate) fn body(token_length: u8, input: &[u8]) -> Result<Body<'_>, Fault> {
    let (input, token) = token(token_length, input).ok_or(Fault::Token)?;
    let mut rest = input;
    let mut last_option = 0_u16;
    while let Some((delta, _, after)) = split_option(rest) {
        last_option = last_option.checked_add(delta).ok_or(Fault::Option)?;
        rest = after;
    }
    let options = input.get(..input.len() - rest.len()).unwrap_or_default();
    let payload = match rest {
        [] => rest,
        [PAYLOAD_MARKER] => return Err(Fault::EmptyPayload),
        [PAYLOAD_MARKER, payload @ ..] => payload,
        _ => return Err(Fault::Option),
    };
    Ok(Body { token, options, last_option, payload })
}

#[inline]
fn token(nibble: u8, input: &[u8]) -> Option<(&[u8], Token)> {
    // Lengths of tokens are extended as those of options are: RFC 8974 section 2.1.
    let (length, input) = extended(nibble, input)?;
    let token = Token::at_front(length, input)?;
    Some((input.get(length..)?, token))
}

/// Splits the first option off: its delta, its value, and the bytes behind it; `None` at the end
/// of the options, where there is nothing, a payload marker, or a fault.
#[inline]
pub(super) fn split_option(input: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (first, rest) = input.split_first()?;
    let (delta, rest) = extended(first >> 4, rest)?;
    let (length, rest) = extended(first & 15, rest)?;
    let (value, rest) = rest.split_at_checked(length)?;
    Some((u16::try_from(delta).ok()?, value, rest))
}

#[inline]
fn extended(nibble: u8, input: &[u8]) -> Option<(usize, &[u8])> {
    match nibble {
        13 => {
            let (rest, byte) = be_u8::<_, ()>(input).ok()?;
            Some((usize::from(byte) + 13, rest))
        }
        14 => {
            let (rest, number) = be_u16::<_, ()>(input).ok()?;
            Some((usize::from(number) + 269, rest))
        }
        15 => None,
        _ => Some((usize::from(nibble), input)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::OptionNumber;
    use alloc::vec::Vec;

    const GET: &[u8] = &[
        0x44, 0x01, 0x12, 0x34, 1, 2, 3, 4, 0x60, 0x51, b'3', 0x01, b'0', 0x02, b'1', b'3', 0xFF, 9,
    ];

    #[test]
    fn a_request_is_seen_in_all_its_parts() {
        let view = MessageView::parse(GET).unwrap();
        assert_eq!(view.kind(), MessageType::Confirmable);
        assert_eq!((view.code(), view.message_id()), (Code::GET, 0x1234));
        assert_eq!(view.token().as_bytes(), [1, 2, 3, 4]);
        assert_eq!(view.payload(), [9]);
        let options: Vec<_> = view.options().collect();
        assert_eq!(options[0], (OptionNumber::OBSERVE, &[][..]));
        assert_eq!(options[3], (OptionNumber::URI_PATH, &b"13"[..]));
        assert_eq!(view.to_options().iter().collect::<Vec<_>>(), options);
    }

    #[test]
    fn every_truncation_is_a_fault_or_a_shorter_message() {
        for length in 0..GET.len() {
            let outcome = MessageView::parse(&GET[..length]);
            match length {
                0..4 => assert_eq!(outcome.unwrap_err(), ParseError::TooShort),
                // Complete options end here, so this is a shorter message.
                8 | 9 | 11 | 13 | 16 => assert!(outcome.is_ok(), "at {length}"),
                _ => assert!(matches!(outcome, Err(ParseError::Malformed { .. })), "at {length}"),
            }
        }
    }

    #[test]
    fn format_errors_name_the_message_that_has_them() {
        for (fault, bytes) in [
            (Fault::Token, &[0x49, 1, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0][..]),
            (Fault::Token, &[0x4D, 1, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            (Fault::Token, &[[0x4E, 1, 0, 7, 0, 0].as_slice(), &[0; 269]].concat()),
            (Fault::Token, &[[0x4F, 1, 0, 7].as_slice(), &[0; 64]].concat()),
            (Fault::Option, &[0x40, 1, 0, 7, 0xF0]),
            (Fault::Option, &[0x40, 1, 0, 7, 0x0F]),
            (Fault::Option, &[0x40, 1, 0, 7, 0xE0, 0xFF, 0xFF]),
            (Fault::Option, &[0x40, 1, 0, 7, 0xE0, 0xFE, 0xF2, 0x10]),
            (Fault::EmptyPayload, &[0x40, 1, 0, 7, 0xFF]),
            (Fault::NotEmpty, &[0x40, 0, 0, 7, 0]),
            (Fault::NotEmpty, &[0x41, 0, 0, 7, 0]),
        ] {
            let kind = MessageType::Confirmable;
            let expected = ParseError::Malformed { kind, message_id: 7, fault };
            assert_eq!(MessageView::parse(bytes).unwrap_err(), expected, "{bytes:x?}");
        }
        assert_eq!(MessageView::parse(&[0x80, 1, 0, 7]).unwrap_err(), ParseError::Version(2));
    }
}
