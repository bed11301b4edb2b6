//! The server's own key and certificates, and the authorities that it trusts.

use lwm2m_dtls::CertifiedKey;
use lwm2m_dtls::crypto::SigningKey;
use rustls_pki_types::CertificateDer;
use std::sync::Arc;

/// The server's own key and certificates, and what it demands of clients. Fixed while the server
/// runs.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct OwnCredentials {
    /// The key of the mode of raw public keys; without it the mode is off.
    pub raw_key: Option<Arc<dyn SigningKey>>,
    /// The certificate of the X.509 mode; without it the mode is off.
    pub certificate: Option<Arc<CertifiedKey>>,
    /// Certificates of further host names. A client that asks for a host by SNI (RFC 6066 section 3)
    /// gets the first certificate for that host, or else `certificate`.
    pub hosts: Vec<Arc<CertifiedKey>>,
    /// The authorities whose client certificates are accepted; without any the X.509 mode is off.
    pub authorities: Vec<CertificateDer<'static>>,
    /// What endpoints without stored credentials may do.
    pub unlisted: Unlisted,
}

impl OwnCredentials {
    /// Sets the key of the mode of raw public keys.
    #[must_use]
    pub fn raw_key(self, key: Arc<dyn SigningKey>) -> Self {
        Self { raw_key: Some(key), ..self }
    }

    /// Sets the certificate of the X.509 mode.
    #[must_use]
    pub fn certificate(self, certificate: Arc<CertifiedKey>) -> Self {
        Self { certificate: Some(certificate), ..self }
    }

    /// Adds the certificate of a further host name.
    #[must_use]
    pub fn host(mut self, certificate: Arc<CertifiedKey>) -> Self {
        self.hosts.push(certificate);
        self
    }

    /// Sets the authorities whose client certificates are accepted.
    #[must_use]
    pub fn authorities(self, authorities: Vec<CertificateDer<'static>>) -> Self {
        Self { authorities, ..self }
    }

    /// Sets what endpoints without stored credentials may do. Default: [`Unlisted::NoSec`].
    #[must_use]
    pub fn unlisted(self, unlisted: Unlisted) -> Self {
        Self { unlisted, ..self }
    }
}

/// What an endpoint without stored credentials may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Unlisted {
    /// They may use plain CoAP (security mode 3).
    #[default]
    NoSec,
    /// They need a certificate of a trusted authority whose common name is the endpoint name. To
    /// lock one of them out, give its endpoint a credential of another mode.
    Certified,
    /// They may not register.
    Refused,
}
