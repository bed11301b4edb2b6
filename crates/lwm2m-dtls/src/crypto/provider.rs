//! The traits that connect a library for P-256.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Debug;
use rustls_pki_types::{
    AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id,
};
use zeroize::Zeroizing;

/// An uncompressed point of the curve P-256: the byte 4, then x and y (SEC 1 section 2.3.3).
pub type Point = [u8; 65];

/// The library rejected a key, a point or a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key, point or signature is not valid; check that it is for the curve P-256")]
pub struct CryptoError;

/// ECDH and ECDSA on P-256. [`RustCrypto`](super::RustCrypto) is always available, `AwsLc` with the
/// feature `aws-lc`.
pub trait Provider: Send + Sync + Debug {
    /// Generates an ephemeral key pair for ECDH. A provider without its own randomness uses `seed`,
    /// and rejects the few seeds that are not valid keys.
    fn key_exchange(&self, seed: &[u8; 32]) -> Result<Box<dyn KeyExchange>, CryptoError>;

    /// Parses a private key (DER): PKCS #8, OneAsymmetricKey (RFC 5958) or ECPrivateKey (RFC 5915).
    fn signing_key(&self, der: &[u8]) -> Result<Arc<dyn SigningKey>, CryptoError>;

    /// Verifies an ECDSA signature (DER) with SHA-256 over `message`.
    fn verify(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), CryptoError>;

    /// The algorithms to verify certificates with.
    fn certificate_algorithms(&self) -> &'static [&'static dyn SignatureVerificationAlgorithm];
}

/// A provider's ECDSA as an algorithm of `webpki`.
#[derive(Debug)]
pub(super) struct EcdsaP256Sha256<P>(pub(super) P);

impl<P: Provider> SignatureVerificationAlgorithm for EcdsaP256Sha256<P> {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        self.0.verify(public_key, message, signature).map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_P256
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_SHA256
    }
}

/// An ephemeral key pair.
pub trait KeyExchange: Send + Sync {
    /// The public half.
    fn public_key(&self) -> Point;

    /// Returns the x coordinate of the shared point. The peer's half must be a point on the curve.
    fn agree(self: Box<Self>, peer: &[u8]) -> Result<Zeroizing<[u8; 32]>, CryptoError>;
}

/// A private key for ECDSA with SHA-256.
pub trait SigningKey: Send + Sync + Debug {
    /// The public half.
    fn public_key(&self) -> Point;

    /// Signs `message`; the signature is DER.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError>;

    /// The private half as ECPrivateKey (DER, RFC 5915), for a backend that signs by itself; `None`
    /// if the store does not reveal it.
    fn private_key(&self) -> Option<Zeroizing<Vec<u8>>> {
        None
    }
}
