//! P-256 by aws-lc-rs, for servers: several times faster than [`super::RustCrypto`].

use super::provider::{CryptoError, EcdsaP256Sha256, KeyExchange, Point, Provider, SigningKey};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use aws_lc_rs::agreement::{self, ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey};
use aws_lc_rs::encoding::{AsBigEndian, EcPrivateKeyBin};
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
        // `p256` parses the key, because aws-lc-rs rejects keys without their public half.
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

    fn private_key(&self) -> Option<Zeroizing<Vec<u8>>> {
        let secret = AsBigEndian::<EcPrivateKeyBin<'_>>::as_be_bytes(&self.0.private_key()).ok()?;
        p256::SecretKey::from_slice(secret.as_ref()).ok()?.to_sec1_der().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::rust_crypto::RustCrypto;

    const DER: &[u8] = include_bytes!("../../tests/data/server.key.der");

    #[test]
    fn both_libraries_agree() {
        let ours = AwsLc.key_exchange(&[7; 32]).expect("randomness");
        let theirs = RustCrypto.key_exchange(&[7; 32]).expect("a key");
        let (our_point, their_point) = (ours.public_key(), theirs.public_key());
        let shared = ours.agree(&their_point).expect("a point");
        assert_eq!(*shared, *theirs.agree(&our_point).expect("a point"));

        let (ours, theirs) = (AwsLc.signing_key(DER), RustCrypto.signing_key(DER));
        let (ours, theirs) = (ours.expect("a key"), theirs.expect("a key"));
        let key = ours.public_key();
        assert_eq!(key, theirs.public_key());
        assert_eq!(ours.private_key(), theirs.private_key());
        assert!(ours.private_key().is_some_and(|der| AwsLc.signing_key(&der).is_ok()));
        for signature in [ours.sign(b"message"), theirs.sign(b"message")] {
            let mut signature = signature.expect("a signature");
            for provider in [&AwsLc as &dyn Provider, &RustCrypto] {
                assert_eq!(provider.verify(&key, b"message", &signature), Ok(()));
                assert_eq!(provider.verify(&key, b"another", &signature), Err(CryptoError));
            }
            *signature.last_mut().expect("bytes") ^= 1;
            for provider in [&AwsLc as &dyn Provider, &RustCrypto] {
                assert_eq!(provider.verify(&key, b"message", &signature), Err(CryptoError));
            }
        }
    }

    #[test]
    fn points_that_are_none_are_refused_by_both() {
        let good = RustCrypto.key_exchange(&[9; 32]).expect("a key").public_key();
        let mut off_the_curve = good;
        off_the_curve[64] ^= 1;
        let compressed = [&[2 + (good[64] & 1)], &good[1..33]].concat();
        for bad in [&off_the_curve[..], &compressed, &[0], &[0; 65], &good[..64], &[]] {
            for provider in [&AwsLc as &dyn Provider, &RustCrypto] {
                let own = provider.key_exchange(&[7; 32]).expect("a key");
                assert_eq!(own.agree(bad), Err(CryptoError));
                assert_eq!(provider.verify(bad, b"message", &[]), Err(CryptoError));
            }
        }
    }
}
