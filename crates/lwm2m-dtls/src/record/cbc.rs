//! AES-128-CBC with HMAC-SHA256: RFC 5246 section 6.2.3.2, RFC 7366, RFC 9146 section 5.1.

use super::additional_data::AdditionalData;
use super::ct_hmac;
use super::header::Header;
use super::keys::Protection;
use aes::Aes128;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit, block_padding::NoPadding};
use alloc::vec::Vec;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq, ConstantTimeLess};

const BLOCK: usize = 16;
const MAC: usize = 32;

/// Appends the IV, the ciphertext and, with encrypt-then-MAC, the MAC.
pub(super) fn seal(
    keys: &Protection,
    header: &Header<'_>,
    (plaintext, inner): (&[u8], Option<u8>),
    iv: &[u8; BLOCK],
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(iv);
    let start = out.len();
    out.extend_from_slice(plaintext);
    out.extend(inner);
    if !keys.encrypt_then_mac {
        let content = out.get(start..).unwrap_or_default();
        let tag = mac(keys, header, content.len(), &[content]);
        out.extend_from_slice(&tag);
    }
    let padding = BLOCK - 1 - (out.len() - start) % BLOCK;
    out.resize(out.len() + padding + 1, padding as u8);
    let length = out.len() - start;
    let message = out.get_mut(start..).unwrap_or_default();
    // The length is a multiple of the block, so this cannot fail.
    let _ = ::cbc::Encryptor::<Aes128>::new(&keys.key.into(), &(*iv).into())
        .encrypt_padded::<NoPadding>(message, length);
    if keys.encrypt_then_mac {
        let ciphertext = out.get(start..).unwrap_or_default();
        let tag = mac(keys, header, BLOCK + length, &[iv, ciphertext]);
        out.extend_from_slice(&tag);
    }
}

/// Returns the plaintext of an authentic record.
pub(super) fn open(keys: &Protection, header: &Header<'_>, body: &[u8]) -> Option<Vec<u8>> {
    if keys.encrypt_then_mac {
        let (body, tag) = body.split_at_checked(body.len().checked_sub(MAC)?)?;
        let expected = mac(keys, header, body.len(), &[body]);
        if !bool::from(expected.as_slice().ct_eq(tag)) {
            return None;
        }
        let mut plaintext = decrypt(keys, body)?;
        let padding = usize::from(*plaintext.last()?);
        let length = plaintext.len().checked_sub(padding + 1)?;
        if plaintext.get(length..)?.iter().any(|&byte| usize::from(byte) != padding) {
            return None;
        }
        plaintext.truncate(length);
        return Some(plaintext);
    }
    open_mac_then_encrypt(keys, header, body)
}

/// Opens a record whose MAC is encrypted. Faults of padding and MAC look alike and take the same
/// time: malformed padding counts as none, and neither the computation of the MAC nor the search
/// for it depends on the claimed padding.
fn open_mac_then_encrypt(keys: &Protection, header: &Header<'_>, body: &[u8]) -> Option<Vec<u8>> {
    let mut plaintext = decrypt(keys, body)?;
    let greatest = plaintext.len().checked_sub(MAC + 1)?;
    let (padding_ok, padding) = padding(&plaintext, greatest);
    let length = greatest - padding;
    let head = AdditionalData::new(header, length);
    let content = plaintext.get(..greatest)?;
    let expected = ct_hmac::hmac(&keys.mac_key, head.as_slice(), content, length);
    let tag = ct_hmac::window(&plaintext, greatest, length);
    if !bool::from(expected.ct_eq(&tag) & padding_ok) {
        return None;
    }
    plaintext.truncate(length);
    Some(plaintext)
}

/// Whether the padding is well-formed, and its length, or 0 if it is not.
fn padding(plaintext: &[u8], greatest: usize) -> (Choice, usize) {
    let claimed = plaintext.last().copied().unwrap_or(0);
    let mut good = !(greatest as u64).ct_lt(&u64::from(claimed));
    for (distance, byte) in (0u64..=255).zip(plaintext.iter().rev()) {
        let inside = !u64::from(claimed).ct_lt(&distance);
        good &= !inside | byte.ct_eq(&claimed);
    }
    let length = u64::conditional_select(&0, &u64::from(claimed), good);
    (good, length as usize)
}

fn decrypt(keys: &Protection, body: &[u8]) -> Option<Vec<u8>> {
    let (iv, ciphertext) = body.split_first_chunk::<BLOCK>()?;
    if ciphertext.is_empty() || ciphertext.len() % BLOCK != 0 {
        return None;
    }
    let mut plaintext = ciphertext.to_vec();
    ::cbc::Decryptor::<Aes128>::new(&keys.key.into(), &(*iv).into())
        .decrypt_padded::<NoPadding>(&mut plaintext)
        .ok()?;
    Some(plaintext)
}

fn mac(keys: &Protection, header: &Header<'_>, length: usize, parts: &[&[u8]]) -> [u8; MAC] {
    let mut hash = Hmac::<Sha256>::new(&hmac_key(keys));
    hash.update(AdditionalData::new(header, length).as_slice());
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into_bytes().into()
}

/// Pads the key to a block with zeros: RFC 2104 section 2.
fn hmac_key(keys: &Protection) -> hmac::digest::Key<Hmac<Sha256>> {
    let mut key = [0; 64];
    if let Some(room) = key.first_chunk_mut::<32>() {
        *room = keys.mac_key;
    }
    key.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::header::{ContentType, VERSION};
    use crate::suite::Cipher;

    const CID: &[u8] = &[9, 8, 7];

    fn header(content: ContentType) -> Header<'static> {
        let cid = if content == ContentType::TLS12_CID { CID } else { &[] };
        Header { content, version: VERSION, epoch: 1, sequence: 5, cid }
    }

    /// The test of [`ct_hmac`] shows that the work is equal; `tests/it/interop.rs` tests against
    /// other implementations.
    // proves: SEC-16
    #[test]
    fn faults_of_padding_and_mac_look_alike() {
        for encrypt_then_mac in [false, true] {
            let keys = Protection {
                cipher: Cipher::CbcSha256,
                encrypt_then_mac,
                key: [1; 16],
                fixed_iv: [0; 4],
                mac_key: [3; 32],
            };
            for content in [ContentType::APPLICATION_DATA, ContentType::TLS12_CID] {
                for length in 0..=64 {
                    let (header, plaintext) = (header(content), vec![7; length]);
                    let mut body = Vec::new();
                    seal(&keys, &header, (&plaintext, None), &[length as u8; 16], &mut body);
                    assert_eq!(body[..16], [length as u8; 16]);
                    assert_eq!(body.len() % 16, 0);
                    assert_eq!(open(&keys, &header, &body), Some(plaintext));
                    // With the MAC first, a bit of one block of ciphertext is a bit of the next
                    // block's plaintext: of data, MAC, padding and its length in turn.
                    for place in 0..body.len() {
                        let mut altered = body.clone();
                        altered[place] ^= 1;
                        assert_eq!(open(&keys, &header, &altered), None, "{length} at {place}");
                    }
                    for shorter in 0..body.len() {
                        assert_eq!(open(&keys, &header, &body[..shorter]), None);
                    }
                }
            }
        }
    }

    /// RFC 5246 section 6.2.3.2: up to 255 bytes of padding, all of them checked.
    #[test]
    fn padding_of_every_length_is_taken_and_checked() {
        let keys = Protection {
            cipher: Cipher::CbcSha256,
            encrypt_then_mac: false,
            key: [1; 16],
            fixed_iv: [0; 4],
            mac_key: [3; 32],
        };
        let header = header(ContentType::APPLICATION_DATA);
        let encrypted = |mut plain: Vec<u8>| {
            let length = plain.len();
            ::cbc::Encryptor::<Aes128>::new(&keys.key.into(), &[4; 16].into())
                .encrypt_padded::<NoPadding>(&mut plain, length)
                .expect("whole blocks");
            [&[4; 16][..], &plain].concat()
        };
        for blocks in 0..16 {
            let content = vec![7; 5];
            let tag = mac(&keys, &header, content.len(), &[&content]);
            let padding = 10 + 16 * blocks;
            let plain = [&content[..], &tag, &vec![padding as u8; padding + 1]].concat();
            assert_eq!(open(&keys, &header, &encrypted(plain.clone())), Some(content));
            for place in plain.len() - padding - 1..plain.len() {
                let mut altered = plain.clone();
                altered[place] ^= 0x80;
                assert_eq!(open(&keys, &header, &encrypted(altered)), None, "{padding} at {place}");
            }
        }
    }
}
