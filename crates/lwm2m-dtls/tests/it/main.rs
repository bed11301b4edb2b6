//! Tests of the endpoint against itself and against other implementations.

mod attack;
#[cfg(feature = "mbedtls")]
mod backends;
mod cid;
mod durable;
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
