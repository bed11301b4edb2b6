//! The security mode of a session and the two sides of a handshake.

/// A security mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Pre-shared key (RFC 4279).
    Psk,
    /// Raw public keys (RFC 7250).
    RawPublicKey,
    /// X.509 certificates (RFC 5280).
    Certificate,
}

/// A side of a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Sends the ClientHello.
    Client,
    /// Answers the ClientHello.
    Server,
}
