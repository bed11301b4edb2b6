//! Public keys and certificates: RFC 5480, RFC 5280, RFC 7250.

mod der;
mod request;
mod verify;

pub use request::{certification_request, private_key};
pub use verify::{Association, CertificateUsage, Matching, ServerVerification};
pub(crate) use verify::{is_for, verify_client, verify_server};

use crate::crypto::Point;
use alloc::vec::Vec;

/// All of a SubjectPublicKeyInfo for an uncompressed point of P-256 but the point.
const P256_SPKI: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// The SubjectPublicKeyInfo (DER, 91 bytes) of a point of P-256.
pub fn subject_public_key_info(point: &Point) -> Vec<u8> {
    [&P256_SPKI[..], point].concat()
}

/// The point of a SubjectPublicKeyInfo; nothing if it is not an uncompressed one of P-256.
pub(crate) fn point_of(spki: &[u8]) -> Option<&[u8]> {
    spki.strip_prefix(&P256_SPKI).filter(|point| point.len() == size_of::<Point>())
}
