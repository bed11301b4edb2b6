//! Tests of the endpoint against itself and against other implementations.

mod cid;
mod interop;
mod psk;
mod rpk;
mod support;
mod x509;
