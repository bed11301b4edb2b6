//! The library's callbacks during a handshake, which ask the [`Owner`].
#![allow(unsafe_code)]

use crate::failure::Unusable;
use mbedtls::Error;
use mbedtls::alloc::List;
use mbedtls::error::codes;
use mbedtls::pk::Pk;
use mbedtls::ssl::context::HandshakeContext;
use mbedtls::ssl::cookie::CookieCallback;
use mbedtls::x509::{Certificate, VerifyError};
use mbedtls_sys as sys;
use mbedtls_sys::types::raw_types::{c_int, c_uchar, c_void};
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The longest pre-shared key that the library supports, in bytes.
pub const MAX_PSK: usize = 32;

/// certificate_expired, unknown_ca, bad_certificate: RFC 5246 section 7.2.
const CERTIFICATE_EXPIRED: u8 = 45;
const UNKNOWN_CA: u8 = 48;
const BAD_CERTIFICATE: u8 = 42;

/// The credentials and the randomness of a connection. A panic in a method aborts the process,
/// because it must not unwind through C.
pub trait Owner: Send + Sync {
    /// Fills `bytes` with unpredictable bytes.
    fn random(&self, bytes: &mut [u8]);

    /// The pre-shared key of a client's identity, at most [`MAX_PSK`] bytes (RFC 4279).
    fn psk(&self, identity: &[u8]) -> Option<Zeroizing<Vec<u8>>>;

    /// The server's certificate for the name that the client asked for (SNI, RFC 6066).
    fn certificate(&self, server_name: &str) -> Option<Arc<OwnCertificate>>;

    /// Verifies the peer's chain (DER), leaf first.
    ///
    /// # Errors
    /// The number of the alert to refuse it with (RFC 5246 section 7.2).
    fn verify(&self, chain: Vec<Vec<u8>>) -> Result<(), u8>;
}

/// A chain and key of ours, parsed once for any number of connections.
pub struct OwnCertificate {
    pub(crate) chain: Arc<List<Certificate>>,
    pub(crate) key: Arc<Pk>,
}

impl OwnCertificate {
    /// Parses certificates, leaf first, and the private key of the leaf, all DER.
    ///
    /// # Errors
    /// The library rejects one of them.
    pub fn new(chain: &[&[u8]], key: &[u8]) -> Result<Self, Unusable> {
        let chain = list(chain)?;
        let key = Pk::from_private_key(key, None)?;
        Ok(Self { chain: Arc::new(chain), key: Arc::new(key) })
    }
}

impl fmt::Debug for OwnCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnCertificate(..)")
    }
}

fn list(certificates: &[&[u8]]) -> Result<List<Certificate>, Unusable> {
    let mut list = List::new();
    for der in certificates {
        list.push(Certificate::from_der(der)?);
    }
    Ok(list)
}

/// The authorities that a server names to clients. One that the library cannot parse is left out,
/// because the owner verifies the chains; but the library needs at least one.
pub(crate) fn authorities(certificates: &[&[u8]], own: &OwnCertificate) -> Arc<List<Certificate>> {
    let mut list = List::new();
    let readable = certificates.iter().filter_map(|der| Certificate::from_der(der).ok());
    readable.for_each(|authority| list.push(authority));
    if list.is_empty() { Arc::clone(&own.chain) } else { Arc::new(list) }
}

/// The random number callback.
pub(crate) fn random(
    owner: Arc<dyn Owner>,
) -> impl Fn(*mut c_uchar, usize) -> c_int + Send + Sync + 'static {
    move |bytes, length| {
        // SAFETY: the library passes a buffer of that length.
        owner.random(unsafe { std::slice::from_raw_parts_mut(bytes, length) });
        0
    }
}

/// The callback of `ssl_conf_psk_cb`: sets the key of an identity.
///
/// # Safety
/// `owner` points to an `Arc<dyn Owner>`; the other arguments are those of the library.
pub(crate) unsafe extern "C" fn psk(
    owner: *mut c_void,
    ssl: *mut sys::ssl_context,
    identity: *const c_uchar,
    length: usize,
) -> c_int {
    // SAFETY: as promised by the caller. The library rejects empty identities, so the pointer is
    // valid.
    let (owner, identity) = unsafe {
        let owner = &*owner.cast_const().cast::<Arc<dyn Owner>>();
        (owner, std::slice::from_raw_parts(identity, length))
    };
    match owner.psk(identity) {
        // SAFETY: the library copies the key.
        Some(key) => unsafe { sys::ssl_set_hs_psk(ssl, key.as_ptr(), key.len()) },
        None => sys::ERR_SSL_UNKNOWN_IDENTITY,
    }
}

/// The SNI callback: sets the certificate for a name.
pub(crate) fn certificate(
    owner: Arc<dyn Owner>,
) -> impl Fn(&mut HandshakeContext, &[u8]) -> Result<(), Error> + Send + Sync + 'static {
    move |handshake, name| {
        let name = std::str::from_utf8(name).map_err(|_| codes::SslBadHsClientHello)?;
        match owner.certificate(name) {
            Some(own) => handshake.push_cert(Arc::clone(&own.chain), Arc::clone(&own.key)),
            None => Ok(()),
        }
    }
}

/// The verify callback: the owner's verdict replaces the library's. The library calls it for each
/// certificate of the path that it has found, and for the leaf last.
pub(crate) fn verify(
    owner: Arc<dyn Owner>,
) -> impl Fn(&Certificate, i32, &mut VerifyError) -> Result<(), Error> + Send + Sync + 'static {
    move |certificate, depth, flags| {
        *flags = VerifyError::empty();
        if depth == 0
            && let Err(alert) =
                chain(certificate).ok_or(BAD_CERTIFICATE).and_then(|chain| owner.verify(chain))
        {
            *flags = match alert {
                CERTIFICATE_EXPIRED => VerifyError::CERT_EXPIRED,
                UNKNOWN_CA => VerifyError::CERT_NOT_TRUSTED,
                // The library sends bad_certificate for this flag,
                BAD_CERTIFICATE => VerifyError::CERT_CN_MISMATCH,
                // and certificate_unknown for this one.
                _ => VerifyError::CERT_FUTURE,
            };
        }
        Ok(())
    }
}

/// The DER of a leaf and the certificates after it. The library leaves out certificates with
/// unknown algorithms; if all are, it keeps an empty entry.
fn chain(leaf: &Certificate) -> Option<Vec<Vec<u8>>> {
    let mut next: *const sys::x509_crt = leaf.into();
    let mut chain = Vec::new();
    // SAFETY: the library's list outlives the callback, and ends with null.
    while let Some(certificate) = unsafe { next.as_ref() } {
        if certificate.raw.p.is_null() {
            return None;
        }
        // SAFETY: points to the certificate's copy of its DER.
        let der = unsafe { std::slice::from_raw_parts(certificate.raw.p, certificate.raw.len) };
        chain.push(der.to_vec());
        next = certificate.next;
    }
    Some(chain)
}

/// Accepts every cookie: the endpoint has checked it before.
pub(crate) struct CheckedBefore;

impl CookieCallback for CheckedBefore {
    unsafe extern "C" fn cookie_write(
        _: *mut c_void,
        _: *mut *mut c_uchar,
        _: *mut c_uchar,
        _: *const c_uchar,
        _: usize,
    ) -> c_int {
        0
    }

    unsafe extern "C" fn cookie_check(
        _: *mut c_void,
        _: *const c_uchar,
        _: usize,
        _: *const c_uchar,
        _: usize,
    ) -> c_int {
        0
    }

    fn data_ptr(&self) -> *mut c_void {
        std::ptr::null_mut()
    }
}
