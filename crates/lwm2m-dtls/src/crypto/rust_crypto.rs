//! P-256 by RustCrypto: pure Rust, without `std`.

use super::provider::{CryptoError, EcdsaP256Sha256, KeyExchange, Point, Provider, SigningKey};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use p256::ecdsa::signature::{Signer, Verifier};
use p256::ecdsa::{Signature, VerifyingKey};
use rustls_pki_types::SignatureVerificationAlgorithm;
use zeroize::Zeroizing;

/// The provider for small devices.
#[derive(Clone, Copy, Debug, Default)]
pub struct RustCrypto;

impl Provider for RustCrypto {
    fn key_exchange(&self, seed: &[u8; 32]) -> Result<Box<dyn KeyExchange>, CryptoError> {
        let secret = p256::SecretKey::from_slice(seed).map_err(|_| CryptoError)?;
        Ok(Box::new(Ephemeral(secret)))
    }

    fn signing_key(&self, der: &[u8]) -> Result<Arc<dyn SigningKey>, CryptoError> {
        let key = p256::SecretKey::from_der(der).map_err(|_| CryptoError)?;
        Ok(Arc::new(Key(key.into())))
    }

    fn verify(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        let key = VerifyingKey::from_sec1_bytes(key).map_err(|_| CryptoError)?;
        let signature = Signature::from_der(signature).map_err(|_| CryptoError)?;
        key.verify(message, &signature).map_err(|_| CryptoError)
    }

    fn certificate_algorithms(&self) -> &'static [&'static dyn SignatureVerificationAlgorithm] {
        &[&EcdsaP256Sha256(Self)]
    }
}

struct Ephemeral(p256::SecretKey);

impl KeyExchange for Ephemeral {
    fn public_key(&self) -> Point {
        point(&self.0.public_key())
    }

    fn agree(self: Box<Self>, peer: &[u8]) -> Result<Zeroizing<[u8; 32]>, CryptoError> {
        if peer.len() != size_of::<Point>() {
            return Err(CryptoError);
        }
        let peer = p256::PublicKey::from_sec1_bytes(peer).map_err(|_| CryptoError)?;
        let shared = self.0.diffie_hellman(&peer);
        Ok(Zeroizing::new((*shared.raw_secret_bytes()).into()))
    }
}

fn point(key: &p256::PublicKey) -> Point {
    let mut point = [0; 65];
    for (to, from) in point.iter_mut().zip(key.to_sec1_bytes()) {
        *to = from;
    }
    point
}

struct Key(p256::ecdsa::SigningKey);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

impl SigningKey for Key {
    fn public_key(&self) -> Point {
        point(&(*self.0.verifying_key()).into())
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let signature: Signature = self.0.try_sign(message).map_err(|_| CryptoError)?;
        Ok(signature.to_der().as_bytes().to_vec())
    }

    fn private_key(&self) -> Option<Zeroizing<Vec<u8>>> {
        p256::SecretKey::from(&self.0).to_sec1_der().ok()
    }
}
