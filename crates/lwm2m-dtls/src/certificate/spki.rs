//! SubjectPublicKeyInfo of P-256: RFC 5480.

use crate::crypto::provider::Point;
use alloc::vec::Vec;

/// The SubjectPublicKeyInfo of an uncompressed P-256 point, up to the point.
const P256_SPKI: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// Encodes a point of P-256 as SubjectPublicKeyInfo (DER, 91 bytes; RFC 5480 section 2).
pub fn subject_public_key_info(point: &Point) -> Vec<u8> {
    [&P256_SPKI[..], point].concat()
}

/// Returns the point of a SubjectPublicKeyInfo; `None` if it is not an uncompressed point of P-256.
pub(crate) fn point_of(spki: &[u8]) -> Option<&[u8]> {
    spki.strip_prefix(&P256_SPKI).filter(|point| point.len() == size_of::<Point>())
}
