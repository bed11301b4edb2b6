//! TLS for the API.

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use tokio_rustls::TlsAcceptor;

/// The certificate and key of the API, from files that may be replaced while it runs.
#[derive(Clone, Debug)]
pub struct Https(Arc<Files>);

#[derive(Debug)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<CertifiedKey>>,
}

/// Why files cannot be used for TLS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpsError {
    /// The file has no certificate.
    #[error("{0} has no certificate in PEM: {1}")]
    Certificate(PathBuf, #[source] rustls::pki_types::pem::Error),
    /// The file has no key.
    #[error("{0} has no private key in PEM: {1}")]
    Key(PathBuf, #[source] rustls::pki_types::pem::Error),
    /// Certificate and key do not fit.
    #[error("the certificate in {0} and the key in {1} cannot be used together: {2}")]
    Pair(PathBuf, PathBuf, #[source] rustls::Error),
}

impl Https {
    /// Reads a certificate, followed by intermediate ones, and its key, both in PEM.
    ///
    /// # Errors
    /// See [`HttpsError`].
    pub fn load(certificate: PathBuf, key: PathBuf) -> Result<Self, HttpsError> {
        let current = RwLock::new(read(&certificate, &key)?);
        Ok(Self(Arc::new(Files { certificate, key, current })))
    }

    /// Reads the files again, for connections from now on.
    ///
    /// # Errors
    /// See [`HttpsError`]. Then what was read before stays.
    pub fn reload(&self) -> Result<(), HttpsError> {
        let new = read(&self.0.certificate, &self.0.key)?;
        *self.0.current.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// What accepts connections.
    pub(crate) fn acceptor(&self) -> Result<TlsAcceptor, rustls::Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&self.0) as _);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

impl ResolvesServerCert for Files {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn read(certificate: &Path, key: &Path) -> Result<Arc<CertifiedKey>, HttpsError> {
    let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect);
    let chain: Vec<_> =
        chain.map_err(|error| HttpsError::Certificate(certificate.to_owned(), error))?;
    let der = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| HttpsError::Key(key.to_owned(), error))?;
    let provider = aws_lc_rs::default_provider();
    let pair = CertifiedKey::from_der(chain, der, &provider);
    let pair = pair.map_err(|error| HttpsError::Pair(certificate.into(), key.into(), error))?;
    Ok(Arc::new(pair))
}
