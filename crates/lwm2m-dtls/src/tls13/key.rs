//! Our own key in the form that `rustls` asks for.

use crate::certificate::spki::subject_public_key_info;
use crate::config;
use crate::crypto::provider::SigningKey;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use rustls::client::ResolvesClientCert;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::{self, CertifiedKey};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};
use rustls_pki_types::CertificateDer;

/// A certificate chain or raw public key, and the private key.
#[derive(Debug)]
pub(super) struct Own {
    key: Arc<CertifiedKey>,
    is_raw: bool,
}

impl Own {
    pub(super) fn raw(key: Arc<dyn SigningKey>) -> Self {
        let spki = CertificateDer::from(subject_public_key_info(&key.public_key()));
        let key = CertifiedKey::new([spki].to_vec(), Arc::new(Key(key)));
        Self { key: Arc::new(key), is_raw: true }
    }

    pub(super) fn certified(certified: &config::CertifiedKey) -> Self {
        let key = Arc::new(Key(Arc::clone(&certified.key)));
        let key = CertifiedKey::new(certified.chain.clone(), key);
        Self { key: Arc::new(key), is_raw: false }
    }
}

impl ResolvesServerCert for Own {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.key))
    }

    fn only_raw_public_keys(&self) -> bool {
        self.is_raw
    }
}

impl ResolvesClientCert for Own {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.key))
    }

    fn only_raw_public_keys(&self) -> bool {
        self.is_raw
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[derive(Clone, Debug)]
struct Key(Arc<dyn SigningKey>);

impl sign::SigningKey for Key {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn sign::Signer>> {
        let fits = offered.contains(&SignatureScheme::ECDSA_NISTP256_SHA256);
        fits.then(|| Box::new(self.clone()) as Box<dyn sign::Signer>)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }
}

impl sign::Signer for Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.0.sign(message).map_err(|_| Error::General("our own key cannot sign".into()))
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ECDSA_NISTP256_SHA256
    }
}
