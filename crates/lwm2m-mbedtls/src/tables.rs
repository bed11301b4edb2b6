//! The tables that the library makes at their first use, without a lock.
#![allow(unsafe_code)]

use mbedtls_sys as sys;
use std::sync::Once;

static MADE: Once = Once::new();

/// Makes the tables, once: connections may then be on any number of threads.
pub(crate) fn make() {
    MADE.call_once(|| {
        let mut aes = sys::aes_context::default();
        let key = [0; 16];
        // SAFETY: the context is on the stack and ends here; the key has 128 bits; the lists are
        // static.
        unsafe {
            sys::aes_init(&mut aes);
            // A key of 128 bits is never refused.
            let _ = sys::aes_setkey_enc(&mut aes, key.as_ptr(), 128);
            let _ = sys::aes_setkey_dec(&mut aes, key.as_ptr(), 128);
            sys::aes_free(&mut aes);
            let _ = (sys::cipher_list(), sys::ecp_grp_id_list(), sys::ssl_list_ciphersuites());
        }
    });
}
