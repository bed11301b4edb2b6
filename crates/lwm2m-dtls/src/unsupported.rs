//! What a backend does not support, and what to do about it.

/// A setting or call that the configured backend does not support.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Unsupported {
    /// Connection IDs (RFC 9146).
    #[error(
        "the mbedtls backend does not support Connection IDs (RFC 9146): set their length to 0, or \
         use the native backend"
    )]
    ConnectionIds,
    /// Raw public keys (RFC 7250).
    #[error(
        "the mbedtls backend does not support raw public keys (RFC 7250): use a pre-shared key or \
         certificates, or the native backend"
    )]
    RawPublicKeys,
    /// Sessions that are exported, imported or kept over a restart.
    #[error(
        "the mbedtls backend cannot export, import or keep sessions: leave their key out, or use the \
         native backend"
    )]
    Export,
    /// The key log.
    #[error("the mbedtls backend writes no key log: leave it off, or use the native backend")]
    KeyLog,
    /// Session tickets (RFC 5077).
    #[error(
        "the mbedtls backend issues no session tickets: leave their key out, or use the native \
         backend"
    )]
    Tickets,
    /// record_size_limit (RFC 8449).
    #[error(
        "the mbedtls backend does not support record_size_limit (RFC 8449): use max_fragment_length, \
         or the native backend"
    )]
    RecordSizeLimit,
    /// Refusing servers without extended master secret (RFC 7627).
    #[error(
        "the mbedtls backend cannot require extended master secret: leave it off, or use the \
         native backend"
    )]
    RequiredExtendedMasterSecret,
    /// A pre-shared key of more than 32 bytes.
    #[error(
        "the mbedtls backend supports pre-shared keys of up to 32 bytes: use a shorter one, or the \
         native backend"
    )]
    LongKey,
    /// TLS 1.3 as a client.
    #[error(
        "TLS 1.3 needs a certificate or raw public key, the native backend and a program built \
         with the feature tls13: use version 1.2"
    )]
    Tls13,
    /// A private key that its store does not reveal.
    #[error(
        "the mbedtls backend needs the private key itself, which its store does not reveal: use \
         the native backend"
    )]
    HiddenKey,
}
