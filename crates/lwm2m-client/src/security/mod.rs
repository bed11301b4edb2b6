//! How an account is secured: mode and keys, as the Security object (0) has them (OMA LwM2M Core
//! E.1), and what DTLS makes of them (OMA LwM2M Transport 5.2).

mod chain;
mod error;
mod profile;
mod values;

pub use error::SecurityError;
pub use lwm2m_dtls::certificate::{CertificateUsage, Matching};
pub use lwm2m_dtls::crypto::{Provider, RustCrypto};
pub use lwm2m_dtls::{CipherSuite, ClientProfile};

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;
use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

/// The Security Mode (/0/x/2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum SecurityMode {
    /// 0: a pre-shared key.
    Psk,
    /// 1: raw public keys.
    RawPublicKey,
    /// 2: X.509 certificates.
    Certificate,
    /// 3: nothing.
    NoSec,
    /// 4: X.509 certificates, the device's issued by EST (RFC 9148) for a key that it has made.
    Enrolled,
}

impl SecurityMode {
    /// The mode of a number, if there is one.
    #[must_use]
    pub const fn from_number(number: i64) -> Option<Self> {
        Some(match number {
            0 => Self::Psk,
            1 => Self::RawPublicKey,
            2 => Self::Certificate,
            3 => Self::NoSec,
            4 => Self::Enrolled,
            _ => return None,
        })
    }

    /// The number of the mode.
    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Self::Psk => 0,
            Self::RawPublicKey => 1,
            Self::Certificate => 2,
            Self::NoSec => 3,
            Self::Enrolled => 4,
        }
    }
}

/// The security of an account, with the values that its instance of the Security object has.
#[derive(Clone, PartialEq, Eq)]
pub struct Security {
    /// The mode (/0/x/2).
    pub mode: SecurityMode,
    /// Public Key or Identity (/0/x/3): the PSK identity of up to 128 bytes; our
    /// SubjectPublicKeyInfo in DER, which may be left out; or our certificates in DER, the device's
    /// first and then what leads to its authority.
    pub public_key_or_identity: Bytes,
    /// Server Public Key (/0/x/4): the server's SubjectPublicKeyInfo, or the certificate that
    /// `usage` speaks of, in DER or as the hash that `matching` names.
    pub server_public_key: Bytes,
    /// Secret Key (/0/x/5): the pre-shared key of 1 to 64 bytes, or the private P-256 key in DER
    /// (PKCS #8, OneAsymmetricKey or ECPrivateKey).
    pub secret_key: Zeroizing<Vec<u8>>,
    /// Matching Type (/0/x/13): how `server_public_key` is compared; exactly, as it must be with raw
    /// public keys.
    pub matching: Matching,
    /// SNI (/0/x/14): the server's name, where it is another one than that in its URI.
    pub sni: Option<String>,
    /// Certificate Usage (/0/x/15): what `server_public_key` is; the server's own certificate.
    pub usage: CertificateUsage,
    /// DTLS/TLS Ciphersuite (/0/x/16): exactly what is offered, in this order; empty for the
    /// defaults of the mode.
    pub suites: Vec<CipherSuite>,
    /// Whether Connection IDs (RFC 9146) are offered, with which a session outlasts a new address;
    /// yes. No resource says so.
    pub connection_ids: bool,
    /// Whether TLS 1.3 is spoken and nothing older, over TCP and with a raw public key or
    /// certificate; no. It takes the feature `tls13` of `lwm2m-dtls`. No resource says so.
    pub tls13: bool,
}

impl Security {
    /// No security: mode 3.
    #[must_use]
    pub fn no_sec() -> Self {
        Self {
            mode: SecurityMode::NoSec,
            public_key_or_identity: Bytes::new(),
            server_public_key: Bytes::new(),
            secret_key: Zeroizing::new(Vec::new()),
            matching: Matching::Exact,
            sni: None,
            usage: CertificateUsage::DomainIssued,
            suites: Vec::new(),
            connection_ids: true,
            tls13: false,
        }
    }

    /// A pre-shared key of 1 to 64 bytes (16 or more are wise), with the identity that tells the
    /// server which one it is, of up to 128 bytes.
    #[must_use]
    pub fn psk(identity: impl Into<Bytes>, key: &[u8]) -> Self {
        Self {
            mode: SecurityMode::Psk,
            public_key_or_identity: identity.into(),
            secret_key: Zeroizing::new(key.to_vec()),
            ..Self::no_sec()
        }
    }

    /// Raw public keys: our private key and the server's SubjectPublicKeyInfo, both DER.
    #[must_use]
    pub fn raw_public_key(key: &[u8], server: impl Into<Bytes>) -> Self {
        Self {
            mode: SecurityMode::RawPublicKey,
            server_public_key: server.into(),
            secret_key: Zeroizing::new(key.to_vec()),
            ..Self::no_sec()
        }
    }

    /// Certificates: ours (the device's first, then what leads to its authority), its private key,
    /// and the server's certificate; all DER. Set [`usage`](Self::usage) for another meaning of the
    /// last one.
    #[must_use]
    pub fn certificate(chain: impl Into<Bytes>, key: &[u8], server: impl Into<Bytes>) -> Self {
        Self {
            mode: SecurityMode::Certificate,
            public_key_or_identity: chain.into(),
            server_public_key: server.into(),
            secret_key: Zeroizing::new(key.to_vec()),
            ..Self::no_sec()
        }
    }

    /// The bootstrap server's account of a device that gets itself a certificate there (mode 4): the
    /// certificate and private key that it was made with, by which the server knows it, and the
    /// server's certificate; all DER. The Security object shows neither of the first two.
    #[must_use]
    pub fn enrolled(chain: impl Into<Bytes>, key: &[u8], server: impl Into<Bytes>) -> Self {
        Self { mode: SecurityMode::Enrolled, ..Self::certificate(chain, key, server) }
    }

    /// Sets what the server's certificate means.
    #[must_use]
    pub const fn usage(mut self, usage: CertificateUsage) -> Self {
        self.usage = usage;
        self
    }

    /// Sets how the server's certificate is compared.
    #[must_use]
    pub const fn matching(mut self, matching: Matching) -> Self {
        self.matching = matching;
        self
    }

    /// Sets the server's name.
    #[must_use]
    pub fn sni(mut self, name: impl Into<String>) -> Self {
        self.sni = Some(name.into());
        self
    }

    /// Sets whether Connection IDs are offered.
    #[must_use]
    pub const fn connection_ids(mut self, offered: bool) -> Self {
        self.connection_ids = offered;
        self
    }

    /// Sets whether TLS 1.3 is spoken and nothing older.
    #[must_use]
    pub const fn tls13(mut self, only: bool) -> Self {
        self.tls13 = only;
        self
    }

    /// Sets exactly the suites to offer.
    #[must_use]
    pub fn suites(mut self, suites: impl Into<Vec<CipherSuite>>) -> Self {
        self.suites = suites.into();
        self
    }
}

/// Certificates and the private key of the first one.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct KeyPair {
    /// DER after DER.
    pub(crate) chain: Bytes,
    pub(crate) key: Zeroizing<Vec<u8>>,
}

/// What makes profiles of accounts: the roots that the device trusts, what certificates it has of
/// its own, and a library.
pub(crate) struct Trust {
    pub(crate) roots: Vec<CertificateDer<'static>>,
    pub(crate) provider: Arc<dyn Provider>,
    /// What a device in mode 4 was made with: only the bootstrap server gets to see it.
    pub(crate) built_in: Option<KeyPair>,
    /// What the bootstrap server has issued, for all other servers, and who signed it.
    pub(crate) enrolled: Option<KeyPair>,
    pub(crate) authority: Option<CertificateDer<'static>>,
}

impl Trust {
    pub(crate) fn profile(
        &self,
        security: &Security,
        uri: &str,
    ) -> Result<Option<Arc<ClientProfile>>, SecurityError> {
        let roots: Vec<_> = self.roots.iter().chain(&self.authority).cloned().collect();
        security.profile(uri, &roots, &*self.provider)
    }

    /// Adds our own certificate and key where the account leaves them out because the device got
    /// them by itself.
    pub(crate) fn complete(
        &self,
        mut security: Security,
        for_bootstrap: bool,
    ) -> Result<Security, SecurityError> {
        let is_bare = security.public_key_or_identity.is_empty() && security.secret_key.is_empty();
        let own = if for_bootstrap { &self.built_in } else { &self.enrolled };
        match (security.mode, own) {
            (SecurityMode::Enrolled, None) => return Err(SecurityError::NotEnrolled),
            (SecurityMode::Enrolled, Some(_)) => {}
            (SecurityMode::Certificate, Some(_)) if is_bare => {}
            _ => return Ok(security),
        }
        if let Some(KeyPair { chain, key }) = own.clone() {
            (security.public_key_or_identity, security.secret_key) = (chain, key);
        }
        Ok(security)
    }
}

/// Keys are not printed.
impl fmt::Debug for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Security")
            .field("mode", &self.mode)
            .field("sni", &self.sni)
            .field("usage", &self.usage)
            .field("suites", &self.suites)
            .finish_non_exhaustive()
    }
}
