//! The seam to the libraries of cryptography: elliptic curves by [`Provider`], the PRF.

#[cfg(feature = "aws-lc")]
mod aws_lc;
pub(crate) mod prf;
mod rust_crypto;

#[cfg(feature = "aws-lc")]
pub use aws_lc::AwsLc;
pub use rust_crypto::RustCrypto;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Debug;
use rustls_pki_types::{
    AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id,
};
use zeroize::Zeroizing;

/// An uncompressed point of the curve P-256: 4, x, y.
pub type Point = [u8; 65];

/// The library refused: a key, a point or a signature is not what it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key, point or signature is not valid; check that it is one for the curve P-256")]
pub struct CryptoError;

/// P-256 by a library. [`RustCrypto`] is always there, `AwsLc` with the feature `aws-lc`.
pub trait Provider: Send + Sync + Debug {
    /// Makes an ephemeral key pair for ECDH. Whoever has no randomness of its own makes it of
    /// `seed`, and refuses the few seeds that are no key.
    fn key_exchange(&self, seed: &[u8; 32]) -> Result<Box<dyn KeyExchange>, CryptoError>;

    /// Reads a private key: PKCS #8, OneAsymmetricKey or ECPrivateKey, DER (RFC 5958, RFC 5915).
    fn signing_key(&self, der: &[u8]) -> Result<Arc<dyn SigningKey>, CryptoError>;

    /// Checks an ECDSA signature (DER) with SHA-256 over `message`.
    fn verify(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), CryptoError>;

    /// The algorithms for the signatures of certificates.
    fn certificate_algorithms(&self) -> &'static [&'static dyn SignatureVerificationAlgorithm];
}

/// ECDSA on P-256 with SHA-256 by a provider, as `webpki` asks for it.
#[derive(Debug)]
struct EcdsaP256Sha256<P>(P);

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
    /// Our half.
    fn public_key(&self) -> Point;

    /// The x coordinate of the shared point; the peer's half must be on the curve.
    fn agree(self: Box<Self>, peer: &[u8]) -> Result<Zeroizing<[u8; 32]>, CryptoError>;
}

/// A private key for ECDSA with SHA-256.
pub trait SigningKey: Send + Sync + Debug {
    /// The public half.
    fn public_key(&self) -> Point;

    /// Signs; the signature is DER.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError>;

    /// The private half, ECPrivateKey (DER, RFC 5915), for a backend that signs by itself; nothing
    /// if it does not leave its store.
    fn private_key(&self) -> Option<Zeroizing<Vec<u8>>> {
        None
    }
}
