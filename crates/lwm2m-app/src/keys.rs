//! Keys and certificates from the files that `lwm2m keys` and OpenSSL make.

use lwm2m_dtls::certificate::subject_public_key_info;
use lwm2m_dtls::crypto::{Provider, SigningKey};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, SubjectPublicKeyInfoDer};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use webpki::{EndEntityCert, anchor_from_trusted_cert};
use zeroize::Zeroizing;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// It cannot be read.
    #[error("cannot read {0}: {1}")]
    Read(PathBuf, #[source] io::Error),
    /// No private key.
    #[error("{0} holds no private key for P-256 in PEM; `lwm2m keys rpk` makes one")]
    PrivateKey(PathBuf),
    /// No public key.
    #[error("{0} holds no public key, in PEM or DER; `lwm2m keys rpk` makes one as .pub")]
    PublicKey(PathBuf),
    /// No pre-shared key.
    #[error("{0} holds no line of identity:key, the key in hex; `lwm2m keys psk` makes one")]
    PreSharedKey(PathBuf),
    /// No certificate.
    #[error("{0} holds no legible certificate in PEM; `lwm2m keys ca` and `keys cert` make some")]
    Certificate(PathBuf),
    /// The certificate has another key.
    #[error("the certificate in {0} is not for the private key; take the two files of one name")]
    OtherKey(PathBuf),
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let bytes = std::fs::read(path).map_err(|error| KeyFileError::Read(path.to_owned(), error))?;
    Ok(Zeroizing::new(bytes))
}

/// A pre-shared key and its identity: a line of `identity:key`, the key 1 to 64 bytes in hex.
///
/// # Errors
/// The file cannot be read or holds something else.
pub fn pre_shared_key(path: &Path) -> Result<(String, Zeroizing<Vec<u8>>), KeyFileError> {
    warn_if_shared(path);
    let bytes = read(path)?;
    let line = str::from_utf8(&bytes).ok().map(str::trim_end);
    let parts = line.and_then(|line| line.rsplit_once(':'));
    let psk = parts.and_then(|(identity, key)| Some((identity.to_owned(), from_hex(key)?)));
    psk.ok_or_else(|| KeyFileError::PreSharedKey(path.to_owned()))
}

/// A pre-shared key of 1 to 64 bytes from hexadecimal digits.
pub(crate) fn from_hex(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    secret_from_hex(text).filter(|key| (1..=64).contains(&key.len()))
}

/// A secret of any length from pairs of hexadecimal digits.
#[must_use]
pub fn secret_from_hex(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    // All at once: what a vector outgrows is not wiped.
    let mut secret = Zeroizing::new(Vec::with_capacity(text.len() / 2));
    for pair in text.as_bytes().chunks(2) {
        let [high, low] = pair else { return None };
        secret.push(u8::try_from(digit(high)? << 4 | digit(low)?).ok()?);
    }
    Some(secret)
}

/// A private key in PEM, as DER.
///
/// # Errors
/// The file cannot be read or holds none.
pub fn private_key_der(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    warn_if_shared(path);
    let key = PrivateKeyDer::from_pem_slice(&read(path)?);
    let key = key.map_err(|_| KeyFileError::PrivateKey(path.to_owned()))?;
    Ok(Zeroizing::new(key.secret_der().to_vec()))
}

/// A private key in PEM.
///
/// # Errors
/// The file cannot be read or holds no private key for P-256.
pub fn private_key(
    path: &Path,
    provider: &dyn Provider,
) -> Result<Arc<dyn SigningKey>, KeyFileError> {
    let der = private_key_der(path)?;
    provider.signing_key(&der).map_err(|_| KeyFileError::PrivateKey(path.to_owned()))
}

/// A SubjectPublicKeyInfo in PEM or DER, as DER.
///
/// # Errors
/// The file cannot be read, or is PEM without a public key.
pub fn public_key(path: &Path) -> Result<Vec<u8>, KeyFileError> {
    let bytes = read(path)?;
    if !bytes.starts_with(b"-----") {
        return Ok(bytes.to_vec());
    }
    let key = SubjectPublicKeyInfoDer::from_pem_slice(&bytes);
    let key = key.map_err(|_| KeyFileError::PublicKey(path.to_owned()))?;
    Ok(key.to_vec())
}

/// All certificates of a PEM file, in its order.
///
/// # Errors
/// The file cannot be read or holds none.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, KeyFileError> {
    let wrong = || KeyFileError::Certificate(path.to_owned());
    let bytes = read(path)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    // One that cannot be read would trust nobody, and nobody would know why.
    let is_legible = |der: &CertificateDer<'_>| anchor_from_trusted_cert(der).is_ok();
    all.ok().filter(|all| !all.is_empty() && all.iter().all(is_legible)).ok_or_else(wrong)
}

/// A chain whose leaf belongs to `key`.
///
/// # Errors
/// The file cannot be read, holds no certificate, or one for another key.
pub fn chain(
    path: &Path,
    key: &dyn SigningKey,
) -> Result<Vec<CertificateDer<'static>>, KeyFileError> {
    let chain = certificates(path)?;
    let leaf = chain.first().and_then(|leaf| EndEntityCert::try_from(leaf).ok());
    let leaf = leaf.ok_or_else(|| KeyFileError::Certificate(path.to_owned()))?;
    if *leaf.subject_public_key_info() != *subject_public_key_info(&key.public_key()) {
        return Err(KeyFileError::OtherKey(path.to_owned()));
    }
    Ok(chain)
}

/// Says so in the log if others than the owner may read a file of secrets.
pub fn warn_if_shared(path: &Path) {
    #[cfg(unix)]
    if let Ok(metadata) = path.metadata() {
        let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions());
        if mode & 0o077 != 0 {
            let path = path.display();
            tracing::warn!("others may read or write the secrets in {path}; `chmod 600 {path}`");
        }
    }
    #[cfg(not(unix))]
    let _ = path;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_not_only_pem() {
        let name = format!("lwm2m-legible-{}.crt", std::process::id());
        let path = std::env::temp_dir().join(name);
        let pem = "-----BEGIN CERTIFICATE-----\nAAECAwQF\n-----END CERTIFICATE-----\n";
        std::fs::write(&path, pem).unwrap();
        let read = certificates(&path);
        // What stays in the folder for temporary files hurts nobody.
        let _ = std::fs::remove_file(&path);
        assert!(matches!(read, Err(KeyFileError::Certificate(_))), "{read:?}");
    }
}
