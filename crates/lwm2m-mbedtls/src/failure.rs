//! The library's error codes as enums.

use mbedtls_sys as sys;
use mbedtls_sys::types::raw_types::c_int;

/// Why a connection has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// The peer sent close_notify.
    CloseNotify,
    /// The peer sent the fatal alert of this number (RFC 5246 section 7.2).
    Alert(u8),
    /// The peer did not answer the last flight.
    Timeout,
    /// A record does not authenticate.
    BadRecord,
    /// A record has a forbidden length or another version.
    InvalidRecord,
    /// Client and server share no cipher suite for which there are credentials.
    NoCommonSuite,
    /// There is no key for the identity.
    UnknownIdentity,
    /// The owner does not trust the chain.
    Distrusted,
    /// The peer sent no certificate.
    NoCertificate,
    /// A signature of the peer is wrong.
    BadSignature,
    /// The peer's Finished is wrong.
    BadFinished,
    /// The peer does not support version 1.2.
    Version,
    /// A message arrived out of order.
    UnexpectedMessage,
    /// A message is malformed or holds a forbidden value.
    Malformed,
    /// All sequence numbers are used.
    Exhausted,
    /// An internal failure of the library, with its code.
    Internal(i32),
}

/// The library rejects a key, certificate or setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the library refuses a key, certificate or setting (its code is {0})")]
pub struct Unusable(pub i32);

impl Unusable {
    pub(crate) fn check(code: c_int) -> Result<(), Self> {
        if code < 0 { Err(Self(code)) } else { Ok(()) }
    }
}

impl From<mbedtls::Error> for Unusable {
    fn from(error: mbedtls::Error) -> Self {
        Self(error.to_int())
    }
}

impl Failure {
    /// The failure of a negative code; `alert` reads the received alert.
    pub(crate) fn of(code: c_int, alert: impl FnOnce() -> u8) -> Self {
        // The low bits name the failed module below.
        match -(-code & 0xff80) {
            sys::ERR_SSL_PEER_CLOSE_NOTIFY => Self::CloseNotify,
            sys::ERR_SSL_FATAL_ALERT_MESSAGE => Self::Alert(alert()),
            sys::ERR_SSL_TIMEOUT => Self::Timeout,
            sys::ERR_SSL_INVALID_MAC => Self::BadRecord,
            sys::ERR_SSL_INVALID_RECORD => Self::InvalidRecord,
            sys::ERR_SSL_NO_CIPHER_CHOSEN | sys::ERR_SSL_NO_USABLE_CIPHERSUITE => {
                Self::NoCommonSuite
            }
            sys::ERR_SSL_UNKNOWN_IDENTITY => Self::UnknownIdentity,
            sys::ERR_X509_CERT_VERIFY_FAILED => Self::Distrusted,
            sys::ERR_SSL_NO_CLIENT_CERTIFICATE => Self::NoCertificate,
            sys::ERR_ECP_VERIFY_FAILED => Self::BadSignature,
            sys::ERR_SSL_BAD_HS_FINISHED => Self::BadFinished,
            sys::ERR_SSL_BAD_HS_PROTOCOL_VERSION | sys::ERR_SSL_VERSION_MISMATCH => Self::Version,
            sys::ERR_SSL_UNEXPECTED_MESSAGE | sys::ERR_SSL_UNEXPECTED_RECORD => {
                Self::UnexpectedMessage
            }
            sys::ERR_SSL_COUNTER_WRAPPING => Self::Exhausted,
            sys::ERR_SSL_INTERNAL_ERROR
            | sys::ERR_SSL_ALLOC_FAILED
            | sys::ERR_SSL_NO_RNG
            | sys::ERR_SSL_BAD_INPUT_DATA
            | sys::ERR_SSL_PRIVATE_KEY_REQUIRED
            | sys::ERR_SSL_CA_CHAIN_REQUIRED => Self::Internal(code),
            _ => Self::Malformed,
        }
    }
}
