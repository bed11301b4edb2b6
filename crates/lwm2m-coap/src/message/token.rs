//! Tokens: RFC 7252 section 5.3.1.

use core::fmt;

/// A token: up to eight bytes by which a client finds the request that a response belongs to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Token {
    bytes: [u8; 8],
    length: u8,
}

impl Token {
    /// The longest token that the message format allows.
    pub const MAX_LENGTH: usize = 8;

    /// The token without bytes.
    pub const EMPTY: Self = Self { bytes: [0; 8], length: 0 };

    /// The token of these bytes; `None` if there are more than eight.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let mut token = Self { bytes: [0; 8], length: u8::try_from(bytes.len()).ok()? };
        token.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(token)
    }

    /// The bytes of the token.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

impl From<[u8; 8]> for Token {
    fn from(bytes: [u8; 8]) -> Self {
        Self { bytes, length: 8 }
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
    fn tokens_hold_up_to_eight_bytes_exactly() {
        for length in 0..=8 {
            let bytes = &[0, 1, 2, 3, 4, 5, 6, 7][..length];
            assert_eq!(Token::new(bytes).unwrap().as_bytes(), bytes);
        }
        assert_eq!(Token::new(&[0; 9]), None);
        assert_ne!(Token::new(&[0]), Token::new(&[0, 0]));
        assert_eq!(format!("{:?}", Token::new(&[0xAB, 1]).unwrap()), "0xab01");
    }
}
