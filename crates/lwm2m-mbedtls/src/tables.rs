//! The library's global tables, which it fills at their first use without a lock.
#![allow(unsafe_code)]

use mbedtls_sys as sys;
use std::sync::Once;

static MADE: Once = Once::new();

/// Fills the tables once, so that connections can be used on any number of threads.
pub(crate) fn make() {
    MADE.call_once(|| {
        let mut aes = sys::aes_context::default();
        let key = [0; 16];
        // SAFETY: the context lives on the stack until it is freed; the key has 128 bits; the lists
        // are static.
        unsafe {
            sys::aes_init(&mut aes);
            // A key of 128 bits is always accepted.
            let _ = sys::aes_setkey_enc(&mut aes, key.as_ptr(), 128);
            let _ = sys::aes_setkey_dec(&mut aes, key.as_ptr(), 128);
            sys::aes_free(&mut aes);
            let _ = (sys::cipher_list(), sys::ecp_grp_id_list(), sys::ssl_list_ciphersuites());
        }
    });
}
