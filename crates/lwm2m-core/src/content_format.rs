//! Content-Formats and their CoAP numbers: OMA LwM2M Core, section 7.4.

use core::fmt;

/// A CoAP Content-Format number (RFC 7252 section 12.3). Unknown numbers are kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentFormat(pub u16);

macro_rules! formats {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        impl ContentFormat {
            $($(#[$doc])* pub const $name: Self = Self($number);)*

            /// All formats with a name here, by number.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The name that command lines and the HTTP API use, if the number is known.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some($text),)*
                    _ => None,
                }
            }
        }
    };
}

formats! {
    /// `text/plain`: one value (OMA LwM2M Core 1.2, section 7.4.1).
    TEXT = 0, "TEXT";
    /// `application/link-format` (RFC 6690).
    LINK = 40, "LINK";
    /// `application/octet-stream`: one opaque value (OMA LwM2M Core 1.2, section 7.4.2).
    OPAQUE = 42, "OPAQUE";
    /// `application/cbor` (RFC 8949): one value (OMA LwM2M Core 1.2, section 7.4.3).
    CBOR = 60, "CBOR";
    /// `application/senml+json` (RFC 8428; OMA LwM2M Core 1.2, section 7.4.6).
    SENML_JSON = 110, "SENML_JSON";
    /// `application/senml+cbor` (RFC 8428; OMA LwM2M Core 1.2, section 7.4.7).
    SENML_CBOR = 112, "SENML_CBOR";
    /// `application/senml-etch+json` (RFC 8790).
    SENML_ETCH_JSON = 320, "SENML_ETCH_JSON";
    /// `application/senml-etch+cbor` (RFC 8790).
    SENML_ETCH_CBOR = 322, "SENML_ETCH_CBOR";
    /// `application/vnd.oma.lwm2m+tlv` (OMA LwM2M Core 1.2, section 7.4.5).
    TLV = 11542, "TLV";
    /// `application/vnd.oma.lwm2m+json` of LwM2M 1.0 (OMA LwM2M TS 1.0, section 6.4.4).
    JSON = 11543, "JSON";
    /// `application/vnd.oma.lwm2m+cbor`, since LwM2M 1.2 (OMA LwM2M Core 1.2, section 7.4.4).
    LWM2M_CBOR = 11544, "LWM2M_CBOR";
}

impl ContentFormat {
    /// No format: a server that asks for it sends no Accept, so the client chooses. The number is never
    /// sent.
    pub const UNSPECIFIED: Self = Self(u16::MAX);

    /// Maps the numbers 1541 to 1543, which old clients still send, to the registered ones. Returns
    /// other formats unchanged.
    #[must_use]
    pub const fn canonical(self) -> Self {
        match self.0 {
            1541 => Self::TEXT,
            1542 => Self::TLV,
            1543 => Self::JSON,
            _ => self,
        }
    }

    /// Parses a decimal number or a name as [`ContentFormat::name`] writes it. Ignores case, and
    /// accepts `-` for `_`.
    #[must_use]
    pub fn from_name(text: &str) -> Option<Self> {
        let same = |name: &str| {
            name.len() == text.len()
                && name
                    .bytes()
                    .zip(text.bytes())
                    .all(|(a, b)| a == b.to_ascii_uppercase() || (a == b'_' && b == b'-'))
        };
        let named = Self::ALL.iter().find(|format| format.name().is_some_and(same));
        named.copied().or_else(|| text.parse().ok().map(Self))
    }
}

impl fmt::Display for ContentFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

impl fmt::Debug for ContentFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContentFormat({} {self})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_numbers_and_legacy_numbers() {
        assert_eq!(ContentFormat::from_name("senml-cbor"), Some(ContentFormat::SENML_CBOR));
        assert_eq!(ContentFormat::from_name("TLV"), Some(ContentFormat::TLV));
        assert_eq!(ContentFormat::from_name("11544"), Some(ContentFormat::LWM2M_CBOR));
        assert_eq!(ContentFormat::from_name("xml"), None);
        assert_eq!(ContentFormat(1542).canonical(), ContentFormat::TLV);
        assert_eq!(ContentFormat(1543).canonical(), ContentFormat::JSON);
        assert_eq!(ContentFormat(99).canonical(), ContentFormat(99));
    }
}
