//! A DTLS client at every stage of a handshake, given any datagrams.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|script: &[u8]| lwm2m_fuzz::dtls::feed(script, false));
