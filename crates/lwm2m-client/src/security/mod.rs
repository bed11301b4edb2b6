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
}

impl SecurityMode {
    /// The mode of a number; none of a mode that this client lacks, 4 (EST) among them.
    #[must_use]
    pub const fn from_number(number: i64) -> Option<Self> {
        Some(match number {
            0 => Self::Psk,
            1 => Self::RawPublicKey,
            2 => Self::Certificate,
            3 => Self::NoSec,
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

    /// Sets exactly the suites to offer.
    #[must_use]
    pub fn suites(mut self, suites: impl Into<Vec<CipherSuite>>) -> Self {
        self.suites = suites.into();
        self
    }
}

/// What makes profiles of accounts: the roots that the device trusts, and a library.
pub(crate) struct Trust {
    pub(crate) roots: Vec<CertificateDer<'static>>,
    pub(crate) provider: Arc<dyn Provider>,
}

impl Trust {
    pub(crate) fn profile(
        &self,
        security: &Security,
        uri: &str,
    ) -> Result<Option<Arc<ClientProfile>>, SecurityError> {
        security.profile(uri, &self.roots, &*self.provider)
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
