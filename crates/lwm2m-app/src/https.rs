//! HTTPS as a client.

use crate::{Failure, keys};
use std::path::Path;
use std::sync::Arc;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

/// TLS with the cryptography that the server has, so that there is one in the program. Trusted are the
/// authorities in `ca`; without it those of the system.
///
/// # Errors
/// The file cannot be used.
pub fn tls(ca: Option<&Path>) -> Result<TlsConfig, Failure> {
    let roots = match ca {
        Some(file) => keys::authorities(file).map_err(Failure::usage)?,
        // What the system has and cannot be read is of no use; if nothing is left, no server is trusted.
        None => rustls_native_certs::load_native_certs().certs,
    };
    let roots: Vec<_> = roots.iter().map(|it| Certificate::from_der(it).to_owned()).collect();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(provider)
        .root_certs(RootCerts::Specific(Arc::new(roots)));
    Ok(tls.build())
}
