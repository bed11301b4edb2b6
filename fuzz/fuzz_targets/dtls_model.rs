//! DTLS sessions under attack, against a model of what must hold.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|script: &[u8]| lwm2m_fuzz::dtls_model::play(script));
