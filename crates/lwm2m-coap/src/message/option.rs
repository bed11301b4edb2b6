//! Option numbers and their properties: RFC 7252 sections 5.4 and 5.10, later registrations.

use core::fmt;
use core::ops::RangeInclusive;

/// The number of an option: any 16-bit value. The numbers that this crate knows have names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OptionNumber(pub u16);

macro_rules! options {
    ($($name:ident = $number:literal, $length:expr, $repeatable:literal, $text:literal;)*) => {
        impl OptionNumber {
            $(
                #[doc = $text]
                pub const $name: Self = Self($number);
            )*

            /// The allowed lengths of the value in bytes, and whether the option is repeatable.
            /// `None` for an unknown option.
            pub(crate) const fn definition(self) -> Option<(RangeInclusive<usize>, bool)> {
                match self.0 {
                    $($number => Some(($length, $repeatable)),)*
                    _ => None,
                }
            }

            /// The name in the standard, or `None` for an unknown option.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some($text),)*
                    _ => None,
                }
            }
        }
    };
}

options! {
    IF_MATCH = 1, 0..=8, true, "If-Match";
    URI_HOST = 3, 1..=255, false, "Uri-Host";
    ETAG = 4, 1..=8, true, "ETag";
    IF_NONE_MATCH = 5, 0..=0, false, "If-None-Match";
    OBSERVE = 6, 0..=3, false, "Observe";
    URI_PORT = 7, 0..=2, false, "Uri-Port";
    LOCATION_PATH = 8, 0..=255, true, "Location-Path";
    OSCORE = 9, 0..=255, false, "OSCORE";
    URI_PATH = 11, 0..=255, true, "Uri-Path";
    CONTENT_FORMAT = 12, 0..=2, false, "Content-Format";
    MAX_AGE = 14, 0..=4, false, "Max-Age";
    URI_QUERY = 15, 0..=255, true, "Uri-Query";
    ACCEPT = 17, 0..=2, false, "Accept";
    LOCATION_QUERY = 20, 0..=255, true, "Location-Query";
    BLOCK2 = 23, 0..=3, false, "Block2";
    BLOCK1 = 27, 0..=3, false, "Block1";
    SIZE2 = 28, 0..=4, false, "Size2";
    PROXY_URI = 35, 1..=1034, false, "Proxy-Uri";
    PROXY_SCHEME = 39, 1..=255, false, "Proxy-Scheme";
    SIZE1 = 60, 0..=4, false, "Size1";
    ECHO = 252, 1..=40, false, "Echo";
    NO_RESPONSE = 258, 0..=1, false, "No-Response";
    REQUEST_TAG = 292, 0..=8, true, "Request-Tag";
}

impl OptionNumber {
    /// Whether a receiver that does not know the option must reject the message (RFC 7252 section
    /// 5.4.1).
    #[must_use]
    pub const fn is_critical(self) -> bool {
        self.0 & 1 == 1
    }

    /// Whether a proxy that does not know the option must not forward it (RFC 7252 section 5.4.2).
    #[must_use]
    pub const fn is_unsafe_to_forward(self) -> bool {
        self.0 & 2 == 2
    }

    /// Whether the option is not part of the cache key (RFC 7252 section 5.4.6).
    #[must_use]
    pub const fn is_no_cache_key(self) -> bool {
        self.0 & 0x1E == 0x1C
    }
}

impl fmt::Debug for OptionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "Option {}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn properties_follow_from_the_number() {
        assert!(OptionNumber::URI_PATH.is_critical() && OptionNumber::BLOCK1.is_critical());
        assert!(!OptionNumber::OBSERVE.is_critical() && !OptionNumber::ECHO.is_critical());
        assert!(OptionNumber::PROXY_URI.is_unsafe_to_forward());
        assert!(OptionNumber::SIZE1.is_no_cache_key());
        assert!(!OptionNumber::ACCEPT.is_no_cache_key());
    }

    #[test]
    fn unknown_numbers_are_kept_and_shown() {
        assert_eq!(OptionNumber(65_001).definition(), None);
        assert_eq!(
            format!("{:?} {:?}", OptionNumber(65_001), OptionNumber::SIZE1),
            "Option 65001 Size1"
        );
    }
}
