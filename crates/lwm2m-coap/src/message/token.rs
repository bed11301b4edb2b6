//! Tokens: RFC 7252 section 5.3.1. Extended tokens: RFC 8974 section 2.

use core::fmt;
use core::hash::{Hash, Hasher};

/// A token, which matches a response to its request.
///
/// Tokens of RFC 7252 have at most [`Token::USUAL_LENGTH`] bytes. Extended tokens have at most
/// [`Token::MAX_LENGTH`] bytes here: enough for the state of a stateless client, and cheap to copy.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token {
    bytes: [u8; Self::MAX_LENGTH],
    length: u8,
}

impl Token {
    /// The longest token of RFC 7252, in bytes.
    pub const USUAL_LENGTH: usize = 8;

    /// The longest token that this crate accepts, in bytes. RFC 8974 section 2.2 leaves the limit to
    /// the implementation.
    pub const MAX_LENGTH: usize = 32;

    /// The empty token.
    pub const EMPTY: Self = Self { bytes: [0; Self::MAX_LENGTH], length: 0 };

    /// The token of these bytes, or `None` if there are more than [`Token::MAX_LENGTH`].
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let mut token = Self { length: u8::try_from(bytes.len()).ok()?, ..Self::EMPTY };
        token.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(token)
    }

    /// The token of the first `length` bytes of `input`, or `None` if there are fewer, or more than
    /// [`Token::MAX_LENGTH`].
    #[inline]
    pub(super) fn at_front(length: usize, input: &[u8]) -> Option<Self> {
        let Some(front) = input.first_chunk().filter(|_| length <= Self::USUAL_LENGTH) else {
            return Self::new(input.get(..length)?);
        };
        // One load and a mask are faster than copying a variable number of bytes.
        let unused = 8 * (Self::USUAL_LENGTH - length) as u32;
        let kept = u64::MAX.checked_shl(unused).unwrap_or_default();
        let mut token = Self { length: length as u8, ..Self::EMPTY };
        *token.bytes.first_chunk_mut()? = (u64::from_be_bytes(*front) & kept).to_be_bytes();
        Some(token)
    }

    /// The bytes of the token.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }

    /// The length in bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.length as usize
    }

    /// Whether the token is empty.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The token length field, and the extended length byte for long tokens (RFC 8974 section 2.1).
    pub(crate) const fn announced(&self) -> (u8, Option<u8>) {
        match self.length {
            0..=12 => (self.length, None),
            _ => (13, Some(self.length - 13)),
        }
    }
}

impl Default for Token {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl Hash for Token {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl From<[u8; 8]> for Token {
    fn from(bytes: [u8; 8]) -> Self {
        Self::new(&bytes).unwrap_or_default()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn tokens_keep_their_bytes() {
        for length in 0..=Token::MAX_LENGTH {
            let bytes = &[7; Token::MAX_LENGTH][..length];
            assert_eq!(Token::new(bytes).unwrap().as_bytes(), bytes);
        }
        for (length, input) in
            (0..=40).flat_map(|length| (0..=40).map(move |input| (length, input)))
        {
            let input = &[7; 40][..input];
            assert_eq!(Token::at_front(length, input), input.get(..length).and_then(Token::new));
        }
        assert_eq!(Token::new(&[0; Token::MAX_LENGTH + 1]), None);
        assert_ne!(Token::new(&[0]), Token::new(&[0, 0]));
        assert_eq!(format!("{:?}", Token::new(&[0xAB, 1]).unwrap()), "0xab01");
    }
}
