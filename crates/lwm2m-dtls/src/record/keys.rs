//! The keys of one direction of a session.

use crate::suite::Cipher;
use zeroize::Zeroize;

/// The keys of one direction. They are kept raw, because expanded AES keys would take ten times the
/// memory of an idle session's keys.
#[derive(Clone)]
pub(crate) struct Protection {
    pub(crate) cipher: Cipher,
    pub(crate) encrypt_then_mac: bool,
    pub(crate) key: [u8; 16],
    pub(crate) fixed_iv: [u8; 4],
    pub(crate) mac_key: [u8; 32],
}

impl Drop for Protection {
    fn drop(&mut self) {
        self.key.zeroize();
        self.fixed_iv.zeroize();
        self.mac_key.zeroize();
    }
}
