//! Cryptography from libraries: P-256 by [`Provider`], and the PRF of version 1.2.

#[cfg(feature = "aws-lc")]
pub(crate) mod aws_lc;
pub(crate) mod prf;
pub(crate) mod provider;
pub(crate) mod rust_crypto;

#[cfg(feature = "aws-lc")]
pub use aws_lc::AwsLc;
pub use provider::{CryptoError, KeyExchange, Point, Provider, SigningKey};
pub use rust_crypto::RustCrypto;
