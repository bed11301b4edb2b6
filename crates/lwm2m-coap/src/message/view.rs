//! Reading a datagram without copying: RFC 7252 section 3.

use super::parts::{Fault, Parts, accessors};
use super::{Code, MessageType};
use nom::Parser;
use nom::number::complete::{be_u8, be_u16};

/// A parsed and validated message that borrows from the datagram.
#[derive(Clone, Copy, Debug)]
pub struct MessageView<'a> {
    kind: MessageType,
    message_id: u16,
    parts: Parts<'a>,
}

/// Why a datagram is not a CoAP message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// The datagram is shorter than the header of four bytes. A receiver ignores it.
    #[error("the datagram is shorter than a message header")]
    TooShort,
    /// The version is not 1. A receiver ignores the datagram (RFC 7252 section 3).
    #[error("the message has version {0}; only version 1 is defined")]
    Version(u8),
    /// The header is valid, the rest is not. A receiver rejects a confirmable message with a Reset
    /// and ignores others (RFC 7252 sections 4.2 and 4.3).
    #[error("message {message_id} breaks the format: {fault}")]
    Malformed {
        /// The message type.
        kind: MessageType,
        /// The message ID.
        message_id: u16,
        /// The format error.
        fault: Fault,
    },
}

impl<'a> MessageView<'a> {
    /// Parses a datagram and validates the format of every option.
    ///
    /// # Errors
    /// The datagram is not a well-formed CoAP message.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, ParseError> {
        let (rest, (first, code, message_id)) =
            header(datagram).map_err(|_| ParseError::TooShort)?;
        if first >> 6 != 1 {
            return Err(ParseError::Version(first >> 6));
        }
        let kind = MessageType::from_bits(first >> 4);
        let parts = match Code::from_byte(code) {
            Code::EMPTY if first & 15 != 0 || !rest.is_empty() => Err(Fault::NotEmpty),
            code => Parts::parse(code, first & 15, rest),
        };
        match parts {
            Ok(parts) => Ok(Self { kind, message_id, parts }),
            Err(fault) => Err(ParseError::Malformed { kind, message_id, fault }),
        }
    }

    /// The message type.
    #[must_use]
    pub const fn kind(&self) -> MessageType {
        self.kind
    }

    /// The method, the response code, or [`Code::EMPTY`].
    #[must_use]
    pub const fn code(&self) -> Code {
        self.parts.code
    }

    /// The message ID.
    #[must_use]
    pub const fn message_id(&self) -> u16 {
        self.message_id
    }

    accessors!();
}

type Parsed<'a, T> = nom::IResult<&'a [u8], T, ()>;

#[inline]
fn header(input: &[u8]) -> Parsed<'_, (u8, u8, u16)> {
    (be_u8, be_u8, be_u16).parse(input)
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
    fn all_parts_of_a_request_are_parsed() {
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
    fn every_truncation_is_an_error_or_a_shorter_message() {
        for length in 0..GET.len() {
            let outcome = MessageView::parse(&GET[..length]);
            match length {
                0..4 => assert_eq!(outcome.unwrap_err(), ParseError::TooShort),
                // An option ends here, so this is a valid shorter message.
                8 | 9 | 11 | 13 | 16 => assert!(outcome.is_ok(), "at {length}"),
                _ => assert!(matches!(outcome, Err(ParseError::Malformed { .. })), "at {length}"),
            }
        }
    }

    #[test]
    fn format_errors_carry_type_and_message_id() {
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
