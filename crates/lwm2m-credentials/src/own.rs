//! What a server is itself, and whom it trusts to issue certificates.

use lwm2m_dtls::CertifiedKey;
use lwm2m_dtls::crypto::SigningKey;
use rustls_pki_types::CertificateDer;
use std::sync::Arc;

/// The server's own key and certificate, and what it demands of clients. It does not change while
/// the server runs.
#[derive(Clone, Debug, Default)]
pub struct OwnCredentials {
    /// The key of the mode of raw public keys; without it the mode is off.
    pub raw_key: Option<Arc<dyn SigningKey>>,
    /// The certificate of the X.509 mode; without it the mode is off.
    pub certificate: Option<Arc<CertifiedKey>>,
    /// Certificates of further hosts: a client that asks for a host (SNI) gets the first
    /// certificate that is for it, and `certificate` if none is.
    pub hosts: Vec<Arc<CertifiedKey>>,
    /// The authorities whose client certificates are accepted; without any the X.509 mode is off.
    pub authorities: Vec<CertificateDer<'static>>,
    /// What endpoints without stored credentials may do.
    pub unlisted: Unlisted,
}

/// What an endpoint without stored credentials may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Unlisted {
    /// Use plain CoAP (security mode 3).
    #[default]
    NoSec,
    /// Show a certificate of a trusted authority whose common name is the endpoint name. To turn one
    /// of them out, give its endpoint a credential of another mode.
    Certified,
    /// Nothing.
    Refused,
}
