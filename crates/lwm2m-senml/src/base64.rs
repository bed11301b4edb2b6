//! Base64 of `vd`: RFC 8428 section 4.3.

use ::base64::Engine as _;
use ::base64::alphabet;
use ::base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use ::base64::engine::{DecodePaddingMode, general_purpose};
use alloc::string::String;
use alloc::vec::Vec;

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);

/// Decodes the standard and the URL-safe alphabet, with or without padding.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let standard = text.bytes().any(|byte| matches!(byte, b'+' | b'/'));
    let engine = if standard { &STANDARD } else { &URL_SAFE };
    engine.decode(text).ok()
}

/// Appends base64url without padding.
pub(crate) fn encode(bytes: &[u8], output: &mut String) {
    general_purpose::URL_SAFE_NO_PAD.encode_string(bytes, output);
}

/// Appends Base64 with padding.
pub(crate) fn encode_padded(bytes: &[u8], output: &mut String) {
    general_purpose::STANDARD.encode_string(bytes, output);
}

#[cfg(test)]
mod tests {
    use super::*;

    // proves: SENML-05
    #[test]
    fn all_variants_are_read_and_one_is_written() {
        for text in ["AQIDBAU=", "AQIDBAU"] {
            assert_eq!(decode(text), Some(Vec::from([1, 2, 3, 4, 5])), "{text}");
        }
        for text in ["-_8", "+/8="] {
            assert_eq!(decode(text), Some(Vec::from([0xFB, 0xFF])), "{text}");
        }
        for text in ["A", "*", "AQ=I", "-/8"] {
            assert_eq!(decode(text), None, "{text}");
        }
        let written = |bytes: &[u8]| {
            let mut text = String::new();
            encode(bytes, &mut text);
            text
        };
        assert_eq!(written(&[1, 2, 3, 4, 5]), "AQIDBAU");
        assert_eq!(written(&[0xFB, 0xFF]), "-_8");
    }
}
