//! Reading input from an argument or standard input, as hex or as it is.

use clap::ValueEnum;
use std::io::Read;

/// Largest input in bytes.
const LIMIT: u64 = 64 << 20;

/// How bytes are written in the input.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum InputKind {
    /// Hex if it consists of pairs of hex digits and blanks, else the bytes themselves
    #[default]
    Auto,
    /// Pairs of hex digits; blanks, colons and line ends between them are skipped
    Hex,
    /// The bytes themselves, for example text or JSON
    Binary,
}

/// The text is not hex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HexError {
    #[error("there is no hex digit at byte {0}")]
    Digit(usize),
    #[error("the number of digits is odd")]
    Odd,
}

impl InputKind {
    /// The bytes that the input stands for; and how it was read, and how else it can be, if that was
    /// a guess.
    pub(crate) fn bytes(self, input: Vec<u8>) -> Result<(Vec<u8>, Option<&'static str>), HexError> {
        match self {
            Self::Binary => Ok((input, None)),
            Self::Hex => from_hex(&input).map(|bytes| (bytes, None)),
            Self::Auto => Ok(match from_hex(&input) {
                Ok(bytes) => (bytes, Some("hex; --input binary reads its bytes")),
                Err(_) => (input, Some("bytes; --input hex reads hex")),
            }),
        }
    }
}

/// Reads the argument, or standard input without one.
pub(crate) fn read(argument: Option<&str>) -> std::io::Result<Vec<u8>> {
    match argument {
        Some(text) if text != "-" => Ok(text.as_bytes().to_vec()),
        _ => {
            let mut bytes = Vec::new();
            std::io::stdin().lock().take(LIMIT).read_to_end(&mut bytes)?;
            Ok(bytes)
        }
    }
}

/// Reads pairs of hex digits.
pub(crate) fn from_hex(text: &[u8]) -> Result<Vec<u8>, HexError> {
    let mut bytes = Vec::with_capacity(text.len() / 2);
    let mut high = None;
    for (place, byte) in text.iter().enumerate() {
        if byte.is_ascii_whitespace() || *byte == b':' {
            continue;
        }
        let digit = char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let digit = digit.ok_or(HexError::Digit(place))?;
        match high.take() {
            None => high = Some(digit << 4),
            Some(high) => bytes.push(high | digit),
        }
    }
    if high.is_some() { Err(HexError::Odd) } else { Ok(bytes) }
}

/// Writes pairs of hex digits.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_with_blanks() {
        assert_eq!(from_hex(b"C8 00:14\n4f"), Ok(vec![0xC8, 0x00, 0x14, 0x4F]));
        assert_eq!(from_hex(b"C8 0"), Err(HexError::Odd));
        assert_eq!(from_hex(b"zz"), Err(HexError::Digit(0)));
        assert_eq!(to_hex(&[0, 255]), "00ff");
    }

    #[test]
    fn auto_takes_what_is_not_hex_as_it_is() {
        let auto = |text: &[u8]| InputKind::Auto.bytes(text.to_vec()).unwrap();
        let (bytes, guess) = auto(b"[{}]");
        assert!(bytes == b"[{}]" && guess.unwrap().starts_with("bytes"));
        let (bytes, guess) = auto(b"4f4f");
        assert!(bytes == b"OO" && guess.unwrap().starts_with("hex"));
        assert_eq!(InputKind::Binary.bytes(b"4f".to_vec()), Ok((b"4f".to_vec(), None)));
        assert!(InputKind::Hex.bytes(b"[{}]".to_vec()).is_err());
    }
}
