//! A DTLS server that restores sessions from a store whose values have any content.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|script: &[u8]| lwm2m_fuzz::dtls_restore::play(script));
