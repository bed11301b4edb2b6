//! Sealed bytes for tickets and exported sessions (AES-128-GCM).

use crate::config::TicketKey;
use aes_gcm::Aes128Gcm;
use aes_gcm::aead::{AeadInOut, KeyInit};
use alloc::vec::Vec;
use zeroize::Zeroizing;

const NONCE: usize = 12;

/// Seals a plaintext as nonce and ciphertext. `purpose` separates the kinds of sealed bytes.
pub(crate) fn seal(key: &TicketKey, nonce: [u8; NONCE], purpose: &[u8], plain: &[u8]) -> Vec<u8> {
    let mut body = plain.to_vec();
    let sealed =
        Aes128Gcm::new(&(*key.bytes()).into()).encrypt_in_place(&nonce.into(), purpose, &mut body);
    // Fails only for plaintexts of 64 GiB.
    if sealed.is_err() {
        return Vec::new();
    }
    [&nonce[..], &body].concat()
}

/// Opens the bytes of [`seal`]; `None` if they are not authentic.
pub(crate) fn open(key: &TicketKey, purpose: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, body) = sealed.split_first_chunk::<NONCE>()?;
    let mut body = Zeroizing::new(body.to_vec());
    Aes128Gcm::new(&(*key.bytes()).into())
        .decrypt_in_place(&(*nonce).into(), purpose, &mut *body)
        .ok()?;
    Some(body)
}
