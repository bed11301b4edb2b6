//! Keys and certificates from the files that `lwm2m keys` and OpenSSL make.

use lwm2m_dtls::certificate::{CertificateFlaw, check_authority, subject_public_key_info};
use lwm2m_dtls::crypto::{Provider, SigningKey};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, SubjectPublicKeyInfoDer};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use webpki::{EndEntityCert, anchor_from_trusted_cert};
use zeroize::Zeroizing;

/// The reason why a key file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// The file cannot be read.
    #[error("cannot read {0}: {1}")]
    Read(PathBuf, #[source] io::Error),
    /// The file has no private key.
    #[error("{0} has no private key of curve P-256 in PEM; `lwm2m keys rpk` makes one")]
    PrivateKey(PathBuf),
    /// The file has no public key.
    #[error("{0} has no public key in PEM or DER; `lwm2m keys rpk` makes one (.pub)")]
    PublicKey(PathBuf),
    /// The file has no pre-shared key.
    #[error("{0} has no line identity:key with the key in hex; `lwm2m keys psk` makes one")]
    PreSharedKey(PathBuf),
    /// The file has no certificate, or one that cannot be parsed.
    #[error("{0} has no valid PEM certificate; `lwm2m keys ca` and `lwm2m keys cert` make them")]
    Certificate(PathBuf),
    /// The certificate belongs to another private key.
    #[error(
        "the certificate in {0} belongs to another private key; use the .crt and .key of one name"
    )]
    OtherKey(PathBuf),
    /// No certificate of the authorities in the file could be accepted.
    #[error("{0} has no authority that can be trusted: {1}")]
    Authority(PathBuf, #[source] CertificateFlaw),
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let bytes = std::fs::read(path).map_err(|error| KeyFileError::Read(path.to_owned(), error))?;
    Ok(Zeroizing::new(bytes))
}

/// Reads a pre-shared key and its identity: a line `identity:key`, the key 1 to 64 bytes in hex.
///
/// # Errors
/// The file cannot be read or has other content.
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
    // Allocates once: growing a vector leaves copies that are not wiped.
    let mut secret = Zeroizing::new(Vec::with_capacity(text.len() / 2));
    for pair in text.as_bytes().chunks(2) {
        let [high, low] = pair else { return None };
        secret.push(u8::try_from(digit(high)? << 4 | digit(low)?).ok()?);
    }
    Some(secret)
}

/// Reads a private key in PEM and returns its DER.
///
/// # Errors
/// The file cannot be read or has none.
pub fn private_key_der(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    warn_if_shared(path);
    let key = PrivateKeyDer::from_pem_slice(&read(path)?);
    let key = key.map_err(|_| KeyFileError::PrivateKey(path.to_owned()))?;
    Ok(Zeroizing::new(key.secret_der().to_vec()))
}

/// Reads a private key in PEM.
///
/// # Errors
/// The file cannot be read or has no private key of curve P-256.
pub fn private_key(
    path: &Path,
    provider: &dyn Provider,
) -> Result<Arc<dyn SigningKey>, KeyFileError> {
    let der = private_key_der(path)?;
    provider.signing_key(&der).map_err(|_| KeyFileError::PrivateKey(path.to_owned()))
}

/// Reads a SubjectPublicKeyInfo in PEM or DER and returns its DER.
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

/// Reads all certificates of a PEM file, in their order.
///
/// # Errors
/// The file cannot be read or has none.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, KeyFileError> {
    let wrong = || KeyFileError::Certificate(path.to_owned());
    let bytes = read(path)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    // An authority that cannot be parsed would match no peer, without an error.
    let is_legible = |der: &CertificateDer<'_>| anchor_from_trusted_cert(der).is_ok();
    all.ok().filter(|all| !all.is_empty() && all.iter().all(is_legible)).ok_or_else(wrong)
}

/// Reads the certificates of authorities, in their order. Logs a warning about each whose
/// certificates could not be accepted, and leaves it out.
///
/// # Errors
/// The file cannot be read, or has no usable authority.
pub fn authorities(path: &Path) -> Result<Vec<CertificateDer<'static>>, KeyFileError> {
    let (mut usable, mut last) = (Vec::new(), CertificateFlaw::Malformed);
    for (place, authority) in (1..).zip(certificates(path)?) {
        match check_authority(&authority) {
            Ok(()) => usable.push(authority),
            Err(flaw) => {
                let path = path.display();
                tracing::warn!("authority {place} in {path} is not trusted: {flaw}");
                last = flaw;
            }
        }
    }
    match usable.is_empty() {
        true => Err(KeyFileError::Authority(path.to_owned(), last)),
        false => Ok(usable),
    }
}

/// Reads a certificate chain, leaf first, whose leaf belongs to `key`.
///
/// # Errors
/// The file cannot be read, has no certificate, or the leaf has another key.
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

/// Logs a warning if others than the owner may read or write a file of secrets.
pub fn warn_if_shared(path: &Path) {
    #[cfg(unix)]
    if let Ok(metadata) = path.metadata() {
        let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions());
        if mode & 0o077 != 0 {
            let path = path.display();
            tracing::warn!(
                "other users can read or write the secrets in {path}; run `chmod 600 {path}`"
            );
        }
    }
    #[cfg(not(unix))]
    let _ = path;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a function makes of a file with this content.
    fn with_file<T>(name: &str, content: &str, read: impl FnOnce(&Path) -> T) -> T {
        let name = format!("lwm2m-{name}-{}.crt", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, content).unwrap();
        let read = read(&path);
        // The file may stay if it cannot be removed.
        let _ = std::fs::remove_file(&path);
        read
    }

    #[test]
    fn an_authority_of_another_curve_is_refused_at_the_start() {
        use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384};
        let made = |kind| {
            let key = KeyPair::generate_for(kind).unwrap();
            CertificateParams::default().self_signed(&key).unwrap().pem()
        };
        let (good, odd) = (made(&PKCS_ECDSA_P256_SHA256), made(&PKCS_ECDSA_P384_SHA384));
        let read = with_file("odd", &odd, authorities);
        assert!(matches!(read, Err(KeyFileError::Authority(_, CertificateFlaw::Key))), "{read:?}");
        assert!(read.is_err_and(|error| error.to_string().contains("P-256")));
        let both = with_file("both", &(odd + &good), authorities);
        assert_eq!(both.unwrap().len(), 1);
    }

    #[test]
    fn a_certificate_is_not_only_pem() {
        let pem = "-----BEGIN CERTIFICATE-----\nAAECAwQF\n-----END CERTIFICATE-----\n";
        let read = with_file("legible", pem, certificates);
        assert!(matches!(read, Err(KeyFileError::Certificate(_))), "{read:?}");
    }
}
