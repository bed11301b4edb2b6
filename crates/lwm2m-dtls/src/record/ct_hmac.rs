//! HMAC-SHA256 (RFC 2104, FIPS 180-4) over a secret length. When the MAC is encrypted, the time to
//! check a record must not reveal the length of its padding (Lucky Thirteen).

use core::array;
use core::hint::black_box;
use sha2::block_api::compress256;

const BLOCK: usize = 64;
const MAC: usize = 32;
/// The longest padding.
const MAX_PADDING: usize = 255;

type State = [u32; 8];

/// The initial state of SHA-256: FIPS 180-4 section 5.3.3.
const INITIAL: State = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// The MAC over `head` and the first `length` bytes of `content`. Only `length` is secret.
pub(super) fn hmac(key: &[u8; 32], head: &[u8], content: &[u8], length: usize) -> [u8; MAC] {
    let compress = |state: &mut State, block: &[u8; BLOCK]| {
        compress256(state, core::slice::from_ref(block));
    };
    hmac_by(compress, key, head, content, length)
}

fn hmac_by(
    mut compress: impl FnMut(&mut State, &[u8; BLOCK]),
    key: &[u8; 32],
    head: &[u8],
    content: &[u8],
    length: usize,
) -> [u8; MAC] {
    let mut state = INITIAL;
    compress(&mut state, &padded_key(key, 0x36));
    let inner = hash(&mut compress, state, head, content, length);
    let mut state = INITIAL;
    compress(&mut state, &padded_key(key, 0x5c));
    digest(hash(&mut compress, state, &digest(inner), &[], 0))
}

/// Continues the hash after one block with `head` and the first `length` bytes of `content`.
fn hash(
    compress: &mut impl FnMut(&mut State, &[u8; BLOCK]),
    mut state: State,
    head: &[u8],
    content: &[u8],
    length: usize,
) -> State {
    let blocks = |bytes: usize| (bytes + 1 + 8).div_ceil(BLOCK);
    let total = head.len() + length;
    let bit_length = ((BLOCK + total) as u64 * 8).to_be_bytes();
    let mut result = [0; 8];
    let mut bytes = head.iter().chain(content);
    for index in 0..blocks(head.len() + content.len()) {
        let is_last = equal(index + 1, blocks(total));
        let mut block: [u8; BLOCK] = array::from_fn(|place| {
            let position = index * BLOCK + place;
            let byte = bytes.next().copied().unwrap_or(0);
            (byte & less(position, total)) | (0x80 & equal(position, total))
        });
        for (to, from) in block.iter_mut().rev().zip(bit_length.iter().rev()) {
            *to |= from & is_last;
        }
        compress(&mut state, &block);
        let mask = u32::from_ne_bytes([is_last; 4]);
        for (to, from) in result.iter_mut().zip(state) {
            *to |= from & mask;
        }
    }
    result
}

/// The bytes from `start` on, which is at most 255 below `greatest`. Only `start` is secret.
pub(super) fn window(bytes: &[u8], greatest: usize, start: usize) -> [u8; MAC] {
    let mut found = [0; MAC];
    let first = greatest.saturating_sub(MAX_PADDING);
    let windows = bytes.get(first..).unwrap_or_default().windows(MAC);
    for (place, window) in (first..=greatest).zip(windows) {
        let mask = equal(place, start);
        for (to, from) in found.iter_mut().zip(window) {
            *to |= from & mask;
        }
    }
    found
}

fn padded_key(key: &[u8; 32], pad: u8) -> [u8; BLOCK] {
    array::from_fn(|place| key.get(place).copied().unwrap_or(0) ^ pad)
}

fn digest(state: State) -> [u8; MAC] {
    let mut bytes = [0; MAC];
    for (to, word) in bytes.as_chunks_mut().0.iter_mut().zip(state) {
        *to = word.to_be_bytes();
    }
    bytes
}

/// All bits set if the first number is smaller, without a branch. Both are far below 2^63.
fn less(one: usize, other: usize) -> u8 {
    black_box(((one as i64).wrapping_sub(other as i64) >> 63) as u8)
}

fn equal(one: usize, other: usize) -> u8 {
    !(less(one, other) | less(other, one))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use hmac::{Hmac, KeyInit, Mac};
    use sha2::Sha256;

    #[test]
    fn it_is_hmac_and_costs_the_same_for_every_length() {
        let content: Vec<u8> = (0..400u32).map(|index| (index * 7) as u8).collect();
        let key = [0x5a; 32];
        for head in [&[1; 13][..], &[2; 23]] {
            for length in 0..=content.len() {
                let mut expected = Hmac::<Sha256>::new_from_slice(&key).expect("any length");
                expected.update(head);
                expected.update(&content[..length]);
                let mut count = 0;
                let compress = |state: &mut State, block: &[u8; BLOCK]| {
                    count += 1;
                    compress256(state, core::slice::from_ref(block));
                };
                let code = hmac_by(compress, &key, head, &content, length);
                assert_eq!(code[..], expected.finalize().into_bytes()[..], "of {length}");
                // Two keys, the longest message, the digest.
                assert_eq!(count, 2 + 7 + 1);
            }
        }
    }

    #[test]
    fn windows_at_either_end() {
        let bytes: Vec<u8> = (0..=255).chain(0..=255).collect();
        for start in [225, 300, 479, 480] {
            assert_eq!(window(&bytes, 480, start), bytes[start..start + 32]);
        }
    }
}
