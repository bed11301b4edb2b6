//! HTTPS, and TLS of other protocols, as a client.

use crate::{Failure, keys};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use std::path::Path;
use std::sync::Arc;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

/// TLS with the cryptography that the server has, so that there is one in the program. Trusted are the
/// authorities in `ca`; without it those of the system.
///
/// # Errors
/// The file cannot be used.
pub fn tls(ca: Option<&Path>) -> Result<TlsConfig, Failure> {
    let roots = roots(ca)?;
    let roots: Vec<_> = roots.iter().map(|it| Certificate::from_der(it).to_owned()).collect();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(provider)
        .root_certs(RootCerts::Specific(Arc::new(roots)));
    Ok(tls.build())
}

/// The same for other protocols than HTTP, without a certificate of the client.
///
/// # Errors
/// The file cannot be used.
pub fn client(ca: Option<&Path>) -> Result<ClientConfig, Failure> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(roots(ca)?);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(builder.map_err(Failure::running)?.with_root_certificates(store).with_no_client_auth())
}

/// The authorities in a file, or those of the system.
fn roots(ca: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, Failure> {
    match ca {
        Some(file) => keys::authorities(file).map_err(Failure::usage),
        // What the system has and cannot be read is of no use; if nothing is left, no server is trusted.
        None => Ok(rustls_native_certs::load_native_certs().certs),
    }
}
