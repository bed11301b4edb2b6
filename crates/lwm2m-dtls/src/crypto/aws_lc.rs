//! P-256 by aws-lc-rs: several times faster than [`super::RustCrypto`], for servers.

use super::{CryptoError, EcdsaP256Sha256, KeyExchange, Point, Provider, SigningKey};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use aws_lc_rs::agreement::{self, ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair,
};
use core::fmt;
use rustls_pki_types::SignatureVerificationAlgorithm;
use zeroize::Zeroizing;

/// The provider for servers.
#[derive(Clone, Copy, Debug, Default)]
pub struct AwsLc;

impl Provider for AwsLc {
    fn key_exchange(&self, _: &[u8; 32]) -> Result<Box<dyn KeyExchange>, CryptoError> {
        let secret = EphemeralPrivateKey::generate(&ECDH_P256, &SystemRandom::new())
            .map_err(|_| CryptoError)?;
        let public = secret.compute_public_key().map_err(|_| CryptoError)?;
        let public = public.as_ref().try_into().map_err(|_| CryptoError)?;
        Ok(Box::new(Ephemeral { secret, public }))
    }

    fn signing_key(&self, der: &[u8]) -> Result<Arc<dyn SigningKey>, CryptoError> {
        // Read by the other library: this one refuses keys without their public half.
        let key = p256::SecretKey::from_der(der).map_err(|_| CryptoError)?;
        let secret = Zeroizing::new(key.to_bytes());
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let public = key.public_key().to_sec1_bytes();
        let pair = EcdsaKeyPair::from_private_key_and_public_key(algorithm, &secret, &public);
        Ok(Arc::new(Key(pair.map_err(|_| CryptoError)?)))
    }

    fn verify(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        signature::UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key)
            .verify(message, signature)
            .map_err(|_| CryptoError)
    }

    fn certificate_algorithms(&self) -> &'static [&'static dyn SignatureVerificationAlgorithm] {
        &[&EcdsaP256Sha256(Self)]
    }
}

struct Ephemeral {
    secret: EphemeralPrivateKey,
    public: Point,
}

impl KeyExchange for Ephemeral {
    fn public_key(&self) -> Point {
        self.public
    }

    fn agree(self: Box<Self>, peer: &[u8]) -> Result<Zeroizing<[u8; 32]>, CryptoError> {
        if peer.len() != size_of::<Point>() {
            return Err(CryptoError);
        }
        let peer = UnparsedPublicKey::new(&ECDH_P256, peer);
        agreement::agree_ephemeral(self.secret, peer, CryptoError, |shared| {
            shared.try_into().map(Zeroizing::new).map_err(|_| CryptoError)
        })
    }
}

struct Key(EcdsaKeyPair);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

impl SigningKey for Key {
    fn public_key(&self) -> Point {
        self.0.public_key().as_ref().try_into().unwrap_or([0; 65])
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let signature = self.0.sign(&SystemRandom::new(), message).map_err(|_| CryptoError)?;
        Ok(signature.as_ref().to_vec())
    }
}
