//! Codes: RFC 7252 section 12.1, RFC 7959, RFC 8132, RFC 8323, RFC 8516.

use core::fmt;

/// A code: three bits of class, five bits of detail, written `c.dd` (RFC 7252 section 3).
///
/// Codes without a name here are kept. A receiver treats an unknown response code as the `x.00` of
/// its class (RFC 7252 section 5.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(u8);

macro_rules! codes {
    ($($name:ident = $class:literal . $detail:literal, $doc:literal;)*) => {
        impl Code {
            $(
                #[doc = $doc]
                pub const $name: Self = Self::new($class, $detail);
            )*
        }
    };
}

codes! {
    EMPTY = 0 . 0, "0.00: an empty message, neither request nor response.";
    GET = 0 . 1, "0.01";
    POST = 0 . 2, "0.02";
    PUT = 0 . 3, "0.03";
    DELETE = 0 . 4, "0.04";
    FETCH = 0 . 5, "0.05 (RFC 8132)";
    PATCH = 0 . 6, "0.06 (RFC 8132)";
    IPATCH = 0 . 7, "0.07 (RFC 8132)";
    CREATED = 2 . 1, "2.01";
    DELETED = 2 . 2, "2.02";
    VALID = 2 . 3, "2.03";
    CHANGED = 2 . 4, "2.04";
    CONTENT = 2 . 5, "2.05";
    CONTINUE = 2 . 31, "2.31 (RFC 7959)";
    BAD_REQUEST = 4 . 0, "4.00";
    UNAUTHORIZED = 4 . 1, "4.01";
    BAD_OPTION = 4 . 2, "4.02";
    FORBIDDEN = 4 . 3, "4.03";
    NOT_FOUND = 4 . 4, "4.04";
    METHOD_NOT_ALLOWED = 4 . 5, "4.05";
    NOT_ACCEPTABLE = 4 . 6, "4.06";
    REQUEST_ENTITY_INCOMPLETE = 4 . 8, "4.08 (RFC 7959)";
    CONFLICT = 4 . 9, "4.09 (RFC 8132)";
    PRECONDITION_FAILED = 4 . 12, "4.12";
    REQUEST_ENTITY_TOO_LARGE = 4 . 13, "4.13";
    UNSUPPORTED_CONTENT_FORMAT = 4 . 15, "4.15";
    UNPROCESSABLE_ENTITY = 4 . 22, "4.22 (RFC 8132)";
    TOO_MANY_REQUESTS = 4 . 29, "4.29 (RFC 8516)";
    INTERNAL_SERVER_ERROR = 5 . 0, "5.00";
    NOT_IMPLEMENTED = 5 . 1, "5.01";
    BAD_GATEWAY = 5 . 2, "5.02";
    SERVICE_UNAVAILABLE = 5 . 3, "5.03";
    GATEWAY_TIMEOUT = 5 . 4, "5.04";
    PROXYING_NOT_SUPPORTED = 5 . 5, "5.05";
    CSM = 7 . 1, "7.01: Capabilities and Settings Message (RFC 8323 section 5.3).";
    PING = 7 . 2, "7.02 (RFC 8323)";
    PONG = 7 . 3, "7.03 (RFC 8323)";
    RELEASE = 7 . 4, "7.04 (RFC 8323)";
    ABORT = 7 . 5, "7.05 (RFC 8323)";
}

impl Code {
    /// The code `class.detail`, from the low three bits of `class` and the low five of `detail`.
    #[must_use]
    pub const fn new(class: u8, detail: u8) -> Self {
        Self(((class & 7) << 5) | (detail & 31))
    }

    /// Decodes the byte on the wire.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Self {
        Self(byte)
    }

    /// The byte on the wire.
    #[must_use]
    pub const fn as_byte(self) -> u8 {
        self.0
    }

    /// The class: 0 request, 2 success, 4 client error, 5 server error, 7 signaling.
    #[must_use]
    pub const fn class(self) -> u8 {
        self.0 >> 5
    }

    /// The detail within the class, 0 to 31.
    #[must_use]
    pub const fn detail(self) -> u8 {
        self.0 & 31
    }

    /// Whether this is a method: class 0, but not 0.00.
    #[must_use]
    pub const fn is_request(self) -> bool {
        self.class() == 0 && self.0 != 0
    }

    /// Whether this is a response code: class 2, 4 or 5.
    #[must_use]
    pub const fn is_response(self) -> bool {
        matches!(self.class(), 2 | 4 | 5)
    }

    /// Whether this is a response code of class 2.
    #[must_use]
    pub const fn is_success(self) -> bool {
        self.class() == 2
    }

    /// Whether this is a signaling code: class 7 (RFC 8323 section 5).
    #[must_use]
    pub const fn is_signal(self) -> bool {
        self.class() == 7
    }

    /// Whether this is a response code of class 4.
    #[must_use]
    pub const fn is_client_error(self) -> bool {
        self.class() == 4
    }

    /// Whether this is a response code of class 5.
    #[must_use]
    pub const fn is_server_error(self) -> bool {
        self.class() == 5
    }
}

impl From<u8> for Code {
    fn from(byte: u8) -> Self {
        Self(byte)
    }
}

impl From<Code> for u8 {
    fn from(code: Code) -> Self {
        code.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.class(), self.detail())
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn codes_have_the_registered_bytes() {
        for (code, byte, text) in [
            (Code::GET, 0x01, "0.01"),
            (Code::POST, 0x02, "0.02"),
            (Code::PUT, 0x03, "0.03"),
            (Code::DELETE, 0x04, "0.04"),
            (Code::FETCH, 0x05, "0.05"),
            (Code::IPATCH, 0x07, "0.07"),
            (Code::CREATED, 0x41, "2.01"),
            (Code::DELETED, 0x42, "2.02"),
            (Code::CHANGED, 0x44, "2.04"),
            (Code::CONTENT, 0x45, "2.05"),
            (Code::CONTINUE, 0x5F, "2.31"),
            (Code::UNAUTHORIZED, 0x81, "4.01"),
            (Code::PRECONDITION_FAILED, 0x8C, "4.12"),
            (Code::REQUEST_ENTITY_TOO_LARGE, 0x8D, "4.13"),
            (Code::UNSUPPORTED_CONTENT_FORMAT, 0x8F, "4.15"),
            (Code::NOT_IMPLEMENTED, 0xA1, "5.01"),
        ] {
            assert_eq!(code.as_byte(), byte);
            assert_eq!(code.to_string(), text);
        }
    }

    #[test]
    fn unknown_codes_keep_their_class() {
        let odd = Code::from_byte(0x96);
        assert!(odd.is_client_error() && odd.is_response() && !odd.is_success());
        assert!(Code::new(5, 7).is_server_error());
        assert!(Code::new(0, 31).is_request());
        assert!(!Code::EMPTY.is_request() && !Code::EMPTY.is_response());
        assert!(!Code::new(1, 0).is_request() && !Code::new(7, 1).is_response());
    }
}
