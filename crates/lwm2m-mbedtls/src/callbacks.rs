//! What the library asks during a handshake, and who answers.
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

/// The longest pre-shared key that the library takes, in bytes.
pub const MAX_PSK: usize = 32;

/// certificate_expired, unknown_ca, bad_certificate: RFC 5246 section 7.2.
const CERTIFICATE_EXPIRED: u8 = 45;
const UNKNOWN_CA: u8 = 48;
const BAD_CERTIFICATE: u8 = 42;

/// Whom a connection asks during its handshake. A panic in an answer ends the process, because it
/// may not run through the library's own code.
pub trait Owner: Send + Sync {
    /// Fills with bytes that nobody can predict.
    fn random(&self, bytes: &mut [u8]);

    /// As a server: the key of an identity, at most [`MAX_PSK`] bytes.
    fn psk(&self, identity: &[u8]) -> Option<Zeroizing<Vec<u8>>>;

    /// As a server: the certificate for the name that the client asked for.
    fn certificate(&self, server_name: &str) -> Option<Arc<OwnCertificate>>;

    /// Judges the peer's chain as it came, DER, its own certificate first.
    ///
    /// # Errors
    /// The number of the alert that says why it is not trusted.
    fn verify(&self, chain: Vec<Vec<u8>>) -> Result<(), u8>;
}

/// An own chain and key, read once for any number of connections.
pub struct OwnCertificate {
    pub(crate) chain: Arc<List<Certificate>>,
    pub(crate) key: Arc<Pk>,
}

impl OwnCertificate {
    /// Of certificates, leaf first, and the private key of the leaf, all DER.
    ///
    /// # Errors
    /// One of them cannot be read.
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

/// The authorities to name to clients. The owner judges what they show, so one that the library
/// cannot read is only left out; but it wants one at least.
pub(crate) fn authorities(certificates: &[&[u8]], own: &OwnCertificate) -> Arc<List<Certificate>> {
    let mut list = List::new();
    let readable = certificates.iter().filter_map(|der| Certificate::from_der(der).ok());
    readable.for_each(|authority| list.push(authority));
    if list.is_empty() { Arc::clone(&own.chain) } else { Arc::new(list) }
}

/// The library's source of randomness.
pub(crate) fn random(
    owner: Arc<dyn Owner>,
) -> impl Fn(*mut c_uchar, usize) -> c_int + Send + Sync + 'static {
    move |bytes, length| {
        // SAFETY: the library passes a buffer of its own of that length.
        owner.random(unsafe { std::slice::from_raw_parts_mut(bytes, length) });
        0
    }
}

/// `ssl_conf_psk_cb`: gives the key of an identity to the handshake.
///
/// # Safety
/// `owner` points to an `Arc<dyn Owner>`; the others are the library's.
pub(crate) unsafe extern "C" fn psk(
    owner: *mut c_void,
    ssl: *mut sys::ssl_context,
    identity: *const c_uchar,
    length: usize,
) -> c_int {
    // SAFETY: the caller's; an identity has at least one byte, so its pointer is good.
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

/// Gives the certificate for a name to the handshake.
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

/// Has the owner judge the chain; what the library makes of it does not count. It asks for each
/// certificate of the path that it has found, for the peer's own at the end.
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
                // The flag that the library turns into bad_certificate.
                BAD_CERTIFICATE => VerifyError::CERT_CN_MISMATCH,
                // The one that it turns into certificate_unknown.
                _ => VerifyError::CERT_FUTURE,
            };
        }
        Ok(())
    }
}

/// The DER of a certificate and of those that came behind it, but for those of unknown algorithms,
/// which the library leaves out; if that is all there is, it keeps an empty place.
fn chain(leaf: &Certificate) -> Option<Vec<Vec<u8>>> {
    let mut next: *const sys::x509_crt = leaf.into();
    let mut chain = Vec::new();
    // SAFETY: a list of the library's that lives through the callback; its end is null.
    while let Some(certificate) = unsafe { next.as_ref() } {
        if certificate.raw.p.is_null() {
            return None;
        }
        // SAFETY: the certificate's own copy of its DER.
        let der = unsafe { std::slice::from_raw_parts(certificate.raw.p, certificate.raw.len) };
        chain.push(der.to_vec());
        next = certificate.next;
    }
    Some(chain)
}

/// Takes every cookie: the owner gives no hello to a connection that has not shown a good one.
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
