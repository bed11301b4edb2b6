//! Tests of the endpoint against itself and against other implementations.

mod attack;
mod cid;
#[cfg(feature = "mbedtls")]
mod engines;
mod interop;
mod interop_stream;
mod lossy;
mod paths;
mod protocol;
mod psk;
mod reference;
mod resumption;
mod rpk;
mod rules;
mod stream;
mod support;
#[cfg(feature = "tls13")]
mod tls13;
#[cfg(feature = "tls13")]
mod tls13_proof;
mod x509;
