//! What all Mbed TLS connections of an endpoint share: randomness and parsed certificates.

use crate::config::CertifiedKey;
use crate::error::Error;
use crate::rng::Rng;
use crate::unsupported::Unsupported;
use alloc::sync::Arc;
use alloc::vec::Vec;
use lwm2m_mbedtls::OwnCertificate;
use rand_chacha::rand_core::SeedableRng;
use std::sync::{Mutex, PoisonError};

/// The shared state. The library asks for it in callbacks, hence the locks.
pub(crate) struct Library {
    pub(super) rng: Arc<Mutex<Rng>>,
    pub(super) certificates: Arc<Certificates>,
}

impl Library {
    /// Creates the state. Its generator has the endpoint's seed, but another stream.
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        let mut rng = Rng::from_seed(seed);
        rng.set_stream(1);
        Self { rng: Arc::new(Mutex::new(rng)), certificates: Arc::default() }
    }
}

/// The last used certificate of ours, as the library has parsed it.
#[derive(Default)]
pub(super) struct Certificates(Mutex<Option<(Arc<CertifiedKey>, Arc<OwnCertificate>)>>);

impl Certificates {
    /// Returns the parsed form of a certificate and its key.
    pub(super) fn get(&self, own: &Arc<CertifiedKey>) -> Result<Arc<OwnCertificate>, Error> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, parsed)) = last.as_ref().filter(|(known, _)| Arc::ptr_eq(known, own)) {
            return Ok(Arc::clone(parsed));
        }
        let key = own.key.private_key().ok_or(Unsupported::HiddenKey)?;
        let chain: Vec<&[u8]> = own.chain.iter().map(AsRef::as_ref).collect();
        let parsed = OwnCertificate::new(&chain, &key).map_err(|_| Error::UnusableProfile)?;
        let parsed = Arc::new(parsed);
        *last = Some((Arc::clone(own), Arc::clone(&parsed)));
        Ok(parsed)
    }
}
