//! What a backend cannot do, and what to do about it.

use core::fmt;

/// What the backend of the configuration lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unsupported {
    /// Connection IDs (RFC 9146).
    ConnectionIds,
    /// Raw public keys (RFC 7250).
    RawPublicKeys,
    /// Sessions as sealed bytes.
    Export,
    /// The key log.
    KeyLog,
    /// Session tickets.
    Tickets,
    /// A limit for what we take in a record (RFC 8449).
    RecordSizeLimit,
    /// Refusing servers without extended master secret.
    RequiredExtendedMasterSecret,
    /// A pre-shared key of more than 32 bytes.
    LongKey,
    /// TLS 1.3, asked for by a client.
    Tls13,
    /// A private key that does not leave its store.
    HiddenKey,
}

impl Unsupported {
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::ConnectionIds => {
                "the mbedtls backend has no Connection IDs (RFC 9146): set their length to 0, or use \
                 the native backend"
            }
            Self::RawPublicKeys => {
                "the mbedtls backend has no raw public keys (RFC 7250): use a pre-shared key or \
                 certificates, or the native backend"
            }
            Self::Export => {
                "the mbedtls backend cannot export or import sessions: use the native backend"
            }
            Self::KeyLog => {
                "the mbedtls backend writes no key log: leave it off, or use the native backend"
            }
            Self::Tickets => {
                "the mbedtls backend issues no session tickets: leave their key out, or use the \
                 native backend"
            }
            Self::RecordSizeLimit => {
                "the mbedtls backend has no record_size_limit (RFC 8449): use max_fragment_length, \
                 or the native backend"
            }
            Self::RequiredExtendedMasterSecret => {
                "the mbedtls backend cannot insist on extended master secret: leave it off, or use \
                 the native backend"
            }
            Self::Tls13 => {
                "TLS 1.3 takes a certificate or raw public key, the native backend and a program \
                 built with the feature tls13: use version 1.2"
            }
            Self::LongKey => {
                "the mbedtls backend takes pre-shared keys of up to 32 bytes: use a shorter one, or \
                 the native backend"
            }
            Self::HiddenKey => {
                "the mbedtls backend needs the private key itself, which its store does not give: \
                 use the native backend"
            }
        }
    }
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl core::error::Error for Unsupported {}
