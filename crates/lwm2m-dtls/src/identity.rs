//! The authenticated identity of a peer.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;

/// The identity of the peer of a session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Identity {
    /// The PSK identity, which on both sides is the client's (RFC 4279).
    Psk(Bytes),
    /// The peer's SubjectPublicKeyInfo (DER, RFC 7250).
    RawPublicKey(Bytes),
    /// The names in the peer's certificate (RFC 5280).
    Certificate(Arc<CertificateIdentity>),
}

impl Identity {
    /// The identity as bytes, to keep it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        crate::resumption::encode_identity(self)
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote; `None` for anything else.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        crate::resumption::decode_identity(bytes)
    }
}

/// The names of a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CertificateIdentity {
    /// The common name of the subject, if there is exactly one.
    pub common_name: Option<String>,
    /// The dNSNames of the subject alternative name.
    pub dns_names: Vec<String>,
    /// The SHA-256 of the certificate (DER).
    pub sha256: [u8; 32],
}
