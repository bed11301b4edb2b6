//! A TLS client on a connection that is cut, altered and added to.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|script: &[u8]| lwm2m_fuzz::tls::attack(script, false));
