//! Credentials as records.

use lwm2m_credentials::Credential;
use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

/// A credential. Its key is the endpoint name.
#[derive(Encode, Decode)]
#[cbor(map)]
pub(crate) struct KeptCredential {
    #[n(0)]
    mode: u8,
    /// The identity of a pre-shared key, or a SubjectPublicKeyInfo.
    #[cbor(n(1), with = "minicbor::bytes")]
    public: Vec<u8>,
    /// A pre-shared key.
    #[cbor(n(2), with = "minicbor::bytes")]
    secret: Vec<u8>,
    /// Tells it from others that the endpoint had before.
    #[n(3)]
    generation: Option<u64>,
}

impl KeptCredential {
    /// `None` for kinds that cannot be kept yet.
    pub(crate) fn of(credential: &Credential, generation: u64) -> Option<Self> {
        let (mode, public, secret) = match credential {
            Credential::Psk { identity, key } => (0, identity.to_vec(), key.to_vec()),
            Credential::RawPublicKey(spki) => (1, spki.to_vec(), Vec::new()),
            Credential::X509 => (2, Vec::new(), Vec::new()),
            _ => return None,
        };
        Some(Self { mode, public, secret, generation: Some(generation) })
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation.unwrap_or_default()
    }

    /// The credential; `None` if it is not a legal one.
    pub(crate) fn credential(mut self) -> Option<Credential> {
        let secret = Zeroizing::new(std::mem::take(&mut self.secret));
        match self.mode {
            0 => Credential::psk(&self.public, &secret).ok(),
            1 => Credential::raw_public_key(&self.public).ok(),
            2 => Some(Credential::X509),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::decode;
    use lwm2m_dtls::certificate::subject_public_key_info;

    #[test]
    fn every_kind_of_credential_is_kept_as_it_is() {
        for credential in [
            Credential::psk(b"identity", &[7; 16]).unwrap(),
            Credential::raw_public_key(&subject_public_key_info(&[4; 65])).unwrap(),
            Credential::X509,
        ] {
            let kept = KeptCredential::of(&credential, 42).unwrap();
            let bytes = minicbor::to_vec(&kept).unwrap();
            let kept: KeptCredential = decode(&bytes).unwrap();
            assert_eq!(kept.generation(), 42);
            assert!(kept.credential() == Some(credential));
        }
        let unknown = KeptCredential { mode: 9, public: vec![], secret: vec![], generation: None };
        assert!(unknown.credential().is_none());
    }
}
