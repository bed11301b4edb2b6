//! What messages have in common over UDP and on a stream: code, token, options, payload.

use super::option_encoding::{extended, split_option};
use super::{Code, Options, Token};

const PAYLOAD_MARKER: u8 = 0xFF;

/// Defines the accessors that views of datagrams and of frames have in common, over `self.parts`.
macro_rules! accessors {
    () => {
        /// The token.
        #[must_use]
        pub const fn token(&self) -> $crate::Token {
            self.parts.token
        }

        /// The options in ascending order of their numbers.
        #[must_use]
        pub const fn options(&self) -> $crate::OptionIter<'a> {
            $crate::OptionIter::new(self.parts.options)
        }

        /// Copies the options.
        #[must_use]
        pub fn to_options(&self) -> $crate::Options {
            self.parts.to_options()
        }

        /// The payload, possibly empty.
        #[must_use]
        pub const fn payload(&self) -> &'a [u8] {
            self.parts.payload
        }

        pub(crate) const fn parts(&self) -> &Parts<'a> {
            &self.parts
        }
    };
}

pub(super) use accessors;

/// A format error: RFC 7252 section 3.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The token is longer than the receiver accepts, or cut off.
    #[error("the token is too long or cut off")]
    Token,
    /// An option has a reserved length, is cut off, or has a number above 65,535.
    #[error("an option is malformed or cut off")]
    Option,
    /// The payload marker is the last byte.
    #[error("no payload follows the payload marker")]
    EmptyPayload,
    /// An empty message has a token, or bytes after its header (RFC 7252 section 4.1).
    #[error("an empty message has content")]
    NotEmpty,
}

/// A message without what its transport adds; all of it points into the received bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts<'a> {
    pub(crate) code: Code,
    pub(crate) token: Token,
    pub(crate) options: &'a [u8],
    pub(crate) last_option: u16,
    pub(crate) payload: &'a [u8],
}

impl<'a> Parts<'a> {
    /// Parses what follows the header, and validates the format of every option.
    #[inline]
    pub(super) fn parse(code: Code, token_length: u8, input: &'a [u8]) -> Result<Self, Fault> {
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
        Ok(Self { code, token, options, last_option, payload })
    }

    pub(crate) fn to_options(self) -> Options {
        Options::from_validated(self.options, self.last_option)
    }
}

#[inline]
fn token(nibble: u8, input: &[u8]) -> Option<(&[u8], Token)> {
    // Token lengths are extended like those of options: RFC 8974 section 2.1.
    let (length, input) = extended(nibble, input)?;
    let token = Token::at_front(length, input)?;
    Some((input.get(length..)?, token))
}
