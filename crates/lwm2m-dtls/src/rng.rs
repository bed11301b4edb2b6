//! The generator behind all randomness of an endpoint.

/// ChaCha20, seeded by the owner of the endpoint.
pub(crate) type Rng = rand_chacha::ChaCha20Rng;
