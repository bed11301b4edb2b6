//! Content formats and their CoAP numbers (OMA LwM2M Core 7.4).

use core::fmt;

/// The CoAP number of a payload format. Unknown numbers are kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentFormat(pub u16);

macro_rules! formats {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        impl ContentFormat {
            $($(#[$doc])* pub const $name: Self = Self($number);)*

            /// All formats that LwM2M names.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The name used on command lines and in the HTTP API, if the number is known.
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
    /// text/plain
    TEXT = 0, "TEXT";
    /// application/link-format (RFC 6690)
    LINK = 40, "LINK";
    /// application/octet-stream
    OPAQUE = 42, "OPAQUE";
    /// application/cbor: one value
    CBOR = 60, "CBOR";
    /// application/senml+json (RFC 8428)
    SENML_JSON = 110, "SENML_JSON";
    /// application/senml+cbor (RFC 8428)
    SENML_CBOR = 112, "SENML_CBOR";
    /// application/senml-etch+json (RFC 8790)
    SENML_ETCH_JSON = 320, "SENML_ETCH_JSON";
    /// application/senml-etch+cbor (RFC 8790)
    SENML_ETCH_CBOR = 322, "SENML_ETCH_CBOR";
    /// application/vnd.oma.lwm2m+tlv
    TLV = 11542, "TLV";
    /// application/vnd.oma.lwm2m+json, of LwM2M 1.0
    JSON = 11543, "JSON";
    /// application/vnd.oma.lwm2m+cbor, since LwM2M 1.2
    LWM2M_CBOR = 11544, "LWM2M_CBOR";
}

impl ContentFormat {
    /// The format meant by a number from the time before registration (1541 to 1543), which old
    /// clients still send; any other number is itself.
    #[must_use]
    pub const fn canonical(self) -> Self {
        match self.0 {
            1541 => Self::TEXT,
            1542 => Self::TLV,
            1543 => Self::JSON,
            _ => self,
        }
    }

    /// Reads a name as [`ContentFormat::name`] writes it, in any case and with `-` for `_`, or a
    /// number.
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
