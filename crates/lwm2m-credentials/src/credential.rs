//! What proves the endpoint name of a client.

use bytes::Bytes;
use lwm2m_dtls::certificate::subject_public_key_info;
use lwm2m_dtls::crypto::Point;
use lwm2m_dtls::{Backend, Identity, Mode, Unsupported};
use std::fmt;
use zeroize::Zeroizing;

/// The longest PSK identity in bytes (RFC 4279 section 5.3).
const MAX_IDENTITY: usize = 128;
/// The longest pre-shared key in bytes (RFC 4279 section 5.3).
const MAX_KEY: usize = 64;

/// What a client has to prove to register as an endpoint. `Debug` shows no secrets.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credential {
    /// A pre-shared key (security mode 0).
    Psk {
        /// The identity, 1 to 128 bytes, compared exactly.
        identity: Bytes,
        /// The key, 1 to 64 bytes; erased when it is dropped.
        key: Zeroizing<Vec<u8>>,
    },
    /// The client's SubjectPublicKeyInfo, DER (security mode 1).
    RawPublicKey(Bytes),
    /// A certificate of a trusted authority whose common name is the endpoint name (security mode 2).
    X509,
}

impl Credential {
    /// A pre-shared key and its identity.
    ///
    /// # Errors
    /// The identity or the key is empty or too long.
    pub fn psk(identity: &[u8], key: &[u8]) -> Result<Self, CredentialError> {
        if !(1..=MAX_IDENTITY).contains(&identity.len()) {
            return Err(CredentialError::Identity(identity.len()));
        }
        if !(1..=MAX_KEY).contains(&key.len()) {
            return Err(CredentialError::Key(key.len()));
        }
        let identity = Bytes::copy_from_slice(identity);
        Ok(Self::Psk { identity, key: Zeroizing::new(key.to_vec()) })
    }

    /// A raw public key: a SubjectPublicKeyInfo, DER.
    ///
    /// # Errors
    /// [`CredentialError::PublicKey`]: not an uncompressed point of P-256.
    pub fn raw_public_key(spki: &[u8]) -> Result<Self, CredentialError> {
        let point: Option<&Point> = spki.last_chunk();
        let whole = point.map(subject_public_key_info).filter(|whole| whole == spki);
        whole.map(|spki| Self::RawPublicKey(spki.into())).ok_or(CredentialError::PublicKey)
    }

    /// The security mode (/0/x/2).
    #[must_use]
    pub const fn mode(&self) -> Mode {
        match self {
            Self::Psk { .. } => Mode::Psk,
            Self::RawPublicKey(_) => Mode::RawPublicKey,
            Self::X509 => Mode::Certificate,
        }
    }

    /// Checks that a DTLS backend has the mode of this credential.
    ///
    /// # Errors
    /// The backend lacks the mode, or does not take a key of this length.
    pub fn check(&self, backend: Backend) -> Result<(), Unsupported> {
        match self {
            Self::Psk { key, .. } => backend.check_psk(key),
            Self::RawPublicKey(_) => backend.check_raw_public_keys(),
            Self::X509 => Ok(()),
        }
    }

    /// Whether `identity`, which a handshake has authenticated, matches this credential of `endpoint`.
    #[must_use]
    pub fn is_proven_by(&self, identity: &Identity, endpoint: &str) -> bool {
        match (self, identity) {
            (Self::Psk { identity: known, .. }, Identity::Psk(proven)) => known == proven,
            (Self::RawPublicKey(known), Identity::RawPublicKey(proven)) => known == proven,
            (Self::X509, Identity::Certificate(proven)) => {
                proven.common_name.as_deref() == Some(endpoint)
            }
            _ => false,
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Psk { identity, .. } => write!(f, "Psk({identity:?})"),
            Self::RawPublicKey(_) => f.write_str("RawPublicKey"),
            Self::X509 => f.write_str("X509"),
        }
    }
}

/// The input is not a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// The identity is empty or too long.
    #[error("a PSK identity has 1 to 128 bytes, not {0}")]
    Identity(usize),
    /// The key is empty or too long.
    #[error("a pre-shared key has 1 to 64 bytes, not {0}; 16 random ones are usual")]
    Key(usize),
    /// Not the public key of an uncompressed point of P-256.
    #[error(
        "the public key must be a SubjectPublicKeyInfo (DER, 91 bytes) of an uncompressed point \
         of P-256; `lwm2m keys rpk` makes one"
    )]
    PublicKey,
}
