//! AES-128-CCM with nonces of 12 bytes: RFC 3610, RFC 6655.
//!
//! The mode is implemented here because the AES of the library is set up for each call. A library's
//! CCM calls it for each block, and that was most of a record's time. Here it is called once a
//! record, and one pass both encrypts and authenticates.

use aes::Aes128Enc;
use aes::cipher::consts::U16;
use aes::cipher::{
    Array, BlockCipherEncBackend, BlockCipherEncClosure, BlockCipherEncrypt, BlockSizeUser, KeyInit,
};

const BLOCK: usize = 16;
/// The length of the length field, which is what the nonce leaves of a block.
const LENGTH: u8 = 3;

/// The parameters of one record.
pub(super) struct Ccm<'a> {
    pub(super) key: &'a [u8; 16],
    /// The length of the tag in bytes: 8 or 16.
    pub(super) tag_length: usize,
    pub(super) nonce: &'a [u8; 12],
    /// The additional data.
    pub(super) data: &'a [u8],
}

impl Ccm<'_> {
    /// Encrypts the message in place. The tag is the first `tag_length` bytes of the result.
    pub(super) fn seal(&self, message: &mut [u8]) -> [u8; BLOCK] {
        self.run(message, false)
    }

    /// Decrypts the message in place. Returns the tag that it must have.
    pub(super) fn open(&self, message: &mut [u8]) -> [u8; BLOCK] {
        self.run(message, true)
    }

    fn run(&self, message: &mut [u8], is_sealed: bool) -> [u8; BLOCK] {
        let Self { key, tag_length, nonce, data } = *self;
        let mut tag = [0; BLOCK];
        let passes = Passes { tag_length, nonce, data, message, is_sealed, tag: &mut tag };
        Aes128Enc::new(key.into()).encrypt_with_backend(passes);
        tag
    }
}

/// The work on one record.
struct Passes<'a> {
    tag_length: usize,
    nonce: &'a [u8; 12],
    data: &'a [u8],
    message: &'a mut [u8],
    /// The message is encrypted: the work is to open it.
    is_sealed: bool,
    tag: &'a mut [u8; BLOCK],
}

impl BlockSizeUser for Passes<'_> {
    type BlockSize = U16;
}

impl BlockCipherEncClosure for Passes<'_> {
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = U16>>(self, aes: &B) {
        let Self { tag_length, nonce, data, message, is_sealed, tag } = self;
        let mut mac = first_block(tag_length, nonce, data.len(), message.len());
        encrypt(aes, &mut mac);
        authenticate(aes, &mut mac, data);
        let (blocks, rest) = message.as_chunks_mut();
        let mut counter = 0;
        let mut next = || {
            counter += 1;
            let mut stream = counter_block(nonce, counter);
            encrypt(aes, &mut stream);
            stream
        };
        for block in blocks {
            let other = xor(block, &next());
            mac = xor(&mac, if is_sealed { &other } else { block });
            encrypt(aes, &mut mac);
            *block = other;
        }
        if !rest.is_empty() {
            let mut content = padded(rest);
            copy(rest, &xor(&content, &next()));
            if is_sealed {
                content = padded(rest);
            }
            mac = xor(&mac, &content);
            encrypt(aes, &mut mac);
        }
        let mut stream = counter_block(nonce, 0);
        encrypt(aes, &mut stream);
        *tag = xor(&mac, &stream);
    }
}

/// Authenticates the additional data: its length, its bytes, and zeros to the end of the block.
#[inline(always)]
fn authenticate<B: BlockCipherEncBackend<BlockSize = U16>>(
    aes: &B,
    mac: &mut [u8; BLOCK],
    data: &[u8],
) {
    if data.is_empty() {
        return;
    }
    let (first, rest) = data.split_at(data.len().min(BLOCK - 2));
    let [high, low] = u16::try_from(data.len()).unwrap_or(u16::MAX).to_be_bytes();
    let mut block = [0; BLOCK];
    let [to_high, to_low, room @ ..] = &mut block;
    (*to_high, *to_low) = (high, low);
    copy(room, first);
    *mac = xor(mac, &block);
    encrypt(aes, mac);
    for part in rest.chunks(BLOCK) {
        *mac = xor(mac, &padded(part));
        encrypt(aes, mac);
    }
}

/// The first block of the MAC: flags, nonce and the length of the message (RFC 3610 section 2.2).
fn first_block(tag_length: usize, nonce: &[u8; 12], data: usize, message: usize) -> [u8; BLOCK] {
    let has_data = u8::from(data > 0) << 6;
    let flags = has_data | ((tag_length as u8 - 2) / 2) << 3 | (LENGTH - 1);
    block(flags, nonce, message as u32)
}

/// A block of the key stream before encryption: RFC 3610 section 2.3.
fn counter_block(nonce: &[u8; 12], counter: u32) -> [u8; BLOCK] {
    block(LENGTH - 1, nonce, counter)
}

fn block(flags: u8, nonce: &[u8; 12], number: u32) -> [u8; BLOCK] {
    let [_, number @ ..] = number.to_be_bytes();
    let mut block = [0; BLOCK];
    let [first, middle @ .., _, _, _] = &mut block;
    *first = flags;
    copy(middle, nonce);
    let [.., x, y, z] = &mut block;
    [*x, *y, *z] = number;
    block
}

#[inline(always)]
fn encrypt<B: BlockCipherEncBackend<BlockSize = U16>>(aes: &B, block: &mut [u8; BLOCK]) {
    let block: &mut Array<u8, U16> = block.into();
    aes.encrypt_block(block.into());
}

#[inline(always)]
fn xor(one: &[u8; BLOCK], other: &[u8; BLOCK]) -> [u8; BLOCK] {
    (u128::from_ne_bytes(*one) ^ u128::from_ne_bytes(*other)).to_ne_bytes()
}

/// Up to 16 bytes, padded with zeros.
#[inline(always)]
fn padded(bytes: &[u8]) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    copy(&mut block, bytes);
    block
}

/// Copies as many bytes as both have.
#[inline(always)]
fn copy(to: &mut [u8], from: &[u8]) {
    let length = to.len().min(from.len());
    if let (Some(to), Some(from)) = (to.get_mut(..length), from.get(..length)) {
        to.copy_from_slice(from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aes::Aes128;
    use aes::cipher::consts::{U8, U12};
    use alloc::vec::Vec;
    use ccm::aead::{AeadInOut, KeyInit};

    fn hex(text: &str) -> Vec<u8> {
        let digits = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex");
        (0..text.len()).step_by(2).map(digits).collect()
    }

    /// NIST SP 800-38C, appendix C.3: the only example with a nonce of 12 bytes.
    #[test]
    fn the_example_of_nist() {
        let key: [u8; 16] = core::array::from_fn(|index| 0x40 + index as u8);
        let nonce: [u8; 12] = core::array::from_fn(|index| 0x10 + index as u8);
        let data: Vec<u8> = (0..20).collect();
        let plain: Vec<u8> = (0x20..0x38).collect();
        let mut message = plain.clone();
        let tag = Ccm { key: &key, tag_length: 8, nonce: &nonce, data: &data }.seal(&mut message);
        assert_eq!(message, hex("e3b201a9f5b71a7a9b1ceaeccd97e70b6176aad9a4428aa5"));
        assert_eq!(tag[..8], hex("484392fbc1b09951"));
        assert_eq!(
            Ccm { key: &key, tag_length: 8, nonce: &nonce, data: &data }.open(&mut message),
            tag
        );
        assert_eq!(message, plain);
    }

    #[test]
    fn every_length_is_as_the_library_has_it() {
        let (key, nonce) = ([0x5a; 16], [0xc3; 12]);
        for length in 0..=70usize {
            for data in [0, 1, 13, 14, 15, 23, 30, 31, 278] {
                let plain: Vec<u8> = (0..length).map(|index| index as u8).collect();
                let data = vec![7; data];
                let (mut ours, mut theirs) = (plain.clone(), plain.clone());
                let tag =
                    Ccm { key: &key, tag_length: 8, nonce: &nonce, data: &data }.seal(&mut ours);
                ccm::Ccm::<Aes128, U8, U12>::new(&key.into())
                    .encrypt_in_place(&nonce.into(), &data, &mut theirs)
                    .expect("short");
                assert_eq!([&ours[..], &tag[..8]].concat(), theirs);
                let mut theirs = plain.clone();
                let tag =
                    Ccm { key: &key, tag_length: 16, nonce: &nonce, data: &data }.seal(&mut theirs);
                let mut expected = plain.clone();
                ccm::Ccm::<Aes128, U16, U12>::new(&key.into())
                    .encrypt_in_place(&nonce.into(), &data, &mut expected)
                    .expect("short");
                assert_eq!([&theirs[..], &tag].concat(), expected);
                assert_eq!(
                    Ccm { key: &key, tag_length: 16, nonce: &nonce, data: &data }.open(&mut theirs),
                    tag
                );
                assert_eq!(theirs, plain);
            }
        }
    }
}
