//! Alerts: RFC 5246 section 7.2.

use core::fmt;

/// The description of an alert, by its number in the IANA registry. Unknown numbers are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Alert(pub u8);

macro_rules! alerts {
    ($($name:ident = $number:literal, $text:literal;)*) => {
        impl Alert {
            $(#[doc = concat!("`", $text, "`")] pub const $name: Self = Self($number);)*

            /// The registered name, if the number is known.
            pub const fn name(self) -> Option<&'static str> {
                match self { $(Self::$name => Some($text),)* _ => None }
            }
        }
    };
}

alerts! {
    CLOSE_NOTIFY = 0, "close_notify";
    UNEXPECTED_MESSAGE = 10, "unexpected_message";
    BAD_RECORD_MAC = 20, "bad_record_mac";
    RECORD_OVERFLOW = 22, "record_overflow";
    HANDSHAKE_FAILURE = 40, "handshake_failure";
    BAD_CERTIFICATE = 42, "bad_certificate";
    UNSUPPORTED_CERTIFICATE = 43, "unsupported_certificate";
    CERTIFICATE_REVOKED = 44, "certificate_revoked";
    CERTIFICATE_EXPIRED = 45, "certificate_expired";
    CERTIFICATE_UNKNOWN = 46, "certificate_unknown";
    ILLEGAL_PARAMETER = 47, "illegal_parameter";
    UNKNOWN_CA = 48, "unknown_ca";
    ACCESS_DENIED = 49, "access_denied";
    DECODE_ERROR = 50, "decode_error";
    DECRYPT_ERROR = 51, "decrypt_error";
    PROTOCOL_VERSION = 70, "protocol_version";
    INSUFFICIENT_SECURITY = 71, "insufficient_security";
    INTERNAL_ERROR = 80, "internal_error";
    INAPPROPRIATE_FALLBACK = 86, "inappropriate_fallback";
    USER_CANCELED = 90, "user_canceled";
    NO_RENEGOTIATION = 100, "no_renegotiation";
    UNSUPPORTED_EXTENSION = 110, "unsupported_extension";
    UNRECOGNIZED_NAME = 112, "unrecognized_name";
    UNKNOWN_PSK_IDENTITY = 115, "unknown_psk_identity";
    NO_APPLICATION_PROTOCOL = 120, "no_application_protocol";
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} ({})", self.0),
            None => write!(f, "alert {}", self.0),
        }
    }
}

/// The levels of RFC 5246 section 7.2.
const WARNING: u8 = 1;
const FATAL: u8 = 2;

impl Alert {
    /// Whether we send it as fatal: all but `close_notify` and `no_renegotiation`.
    pub(crate) const fn is_fatal(self) -> bool {
        !matches!(self, Self::CLOSE_NOTIFY | Self::NO_RENEGOTIATION)
    }

    /// The body of the record.
    pub(crate) const fn encode(self) -> [u8; 2] {
        [if self.is_fatal() { FATAL } else { WARNING }, self.0]
    }

    /// Whether clients ignore it because no server has a reason to send it: three alerts of older
    /// versions, and `unsupported_extension` (OMA LwM2M Transport section 5.2.9).
    pub(crate) fn is_not_for_clients(self) -> bool {
        matches!(self.0, 30 | 41 | 60 | 110)
    }

    /// Decodes the body of a record as an alert, and whether it is fatal.
    pub(crate) fn decode(body: &[u8]) -> Option<(Self, bool)> {
        match body {
            [level @ (WARNING | FATAL), description] => Some((Self(*description), *level == FATAL)),
            _ => None,
        }
    }
}
