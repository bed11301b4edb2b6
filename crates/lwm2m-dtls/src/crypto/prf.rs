//! The pseudo-random function of TLS 1.2 with SHA-256: RFC 5246 section 5.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Fills `out` with `PRF(secret, label, seed)`; the parts of the seed are concatenated.
pub(crate) fn prf(secret: &[u8], label: &str, seed: &[&[u8]], out: &mut [u8]) {
    let Ok(keyed) = Hmac::<Sha256>::new_from_slice(secret) else {
        return;
    };
    let with_seed = |mut hash: Hmac<Sha256>| {
        hash.update(label.as_bytes());
        seed.iter().for_each(|part| hash.update(part));
        hash.finalize().into_bytes()
    };
    let mut a = with_seed(keyed.clone());
    for chunk in out.chunks_mut(32) {
        let mut hash = keyed.clone();
        hash.update(&a);
        let block = with_seed(hash);
        for (to, from) in chunk.iter_mut().zip(block) {
            *to = from;
        }
        let mut hash = keyed.clone();
        hash.update(&a);
        a = hash.finalize().into_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published vector for P_SHA256 (IETF TLS list, "Test vectors for TLS 1.2 PRF").
    #[test]
    fn published_vector() {
        let secret = [
            0x9b, 0xbe, 0x43, 0x6b, 0xa9, 0x40, 0xf0, 0x17, 0xb1, 0x76, 0x52, 0x84, 0x9a, 0x71,
            0xdb, 0x35,
        ];
        let seed = [
            0xa0, 0xba, 0x9f, 0x93, 0x6c, 0xda, 0x31, 0x18, 0x27, 0xa6, 0xf7, 0x96, 0xff, 0xd5,
            0x19, 0x8c,
        ];
        let mut out = [0; 100];
        prf(&secret, "test label", &[&seed[..5], &seed[5..]], &mut out);
        let start = [
            0xe3, 0xf2, 0x29, 0xba, 0x72, 0x7b, 0xe1, 0x7b, 0x8d, 0x12, 0x26, 0x20, 0x55, 0x7c,
            0xd4, 0x53, 0xc2, 0xaa, 0xb2, 0x1d, 0x07, 0xc3, 0xd4, 0x95, 0x32, 0x9b, 0x52, 0xd4,
            0xe6, 0x1e, 0xdb, 0x5a,
        ];
        assert_eq!(out[..32], start);
        assert_eq!(out[96..], [0x87, 0x34, 0x7b, 0x66]);
    }
}
