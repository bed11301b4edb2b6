//! Bytes that only we can read: tickets and exported sessions (AES-128-GCM).

use crate::config::TicketKey;
use aes_gcm::Aes128Gcm;
use aes_gcm::aead::{AeadInOut, KeyInit};
use alloc::vec::Vec;
use zeroize::Zeroizing;

const NONCE: usize = 12;

/// Nonce and ciphertext of the plaintext; `purpose` keeps kinds of sealed bytes apart.
pub(crate) fn seal(key: &TicketKey, nonce: [u8; NONCE], purpose: &[u8], plain: &[u8]) -> Vec<u8> {
    let mut body = plain.to_vec();
    let sealed =
        Aes128Gcm::new(&(*key.bytes()).into()).encrypt_in_place(&nonce.into(), purpose, &mut body);
    // Only lengths of 64 GiB are refused.
    if sealed.is_err() {
        return Vec::new();
    }
    [&nonce[..], &body].concat()
}

/// What [`seal`] was given; nothing if the bytes are not authentic.
pub(crate) fn open(key: &TicketKey, purpose: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, body) = sealed.split_first_chunk::<NONCE>()?;
    let mut body = Zeroizing::new(body.to_vec());
    Aes128Gcm::new(&(*key.bytes()).into())
        .decrypt_in_place(&(*nonce).into(), purpose, &mut *body)
        .ok()?;
    Some(body)
}
