//! Who the peer is, once authenticated.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;

/// Who a session is with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Identity {
    /// The PSK identity: of the client, on both sides (RFC 4279).
    Psk(Bytes),
    /// The peer's SubjectPublicKeyInfo, DER (RFC 7250).
    RawPublicKey(Bytes),
    /// What the peer's certificate says.
    Certificate(Arc<CertificateIdentity>),
}

/// The names of a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CertificateIdentity {
    /// The first common name of the subject.
    pub common_name: Option<String>,
    /// The dNSNames of the subject alternative name.
    pub dns_names: Vec<String>,
    /// SHA-256 of the certificate's DER.
    pub sha256: [u8; 32],
}
