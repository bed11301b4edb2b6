//! LwM2M CBOR (11544): bounded memory, and what decodes round trips.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lwm2m_core::ContentFormat;
use lwm2m_fuzz::payload::check;

fuzz_target!(|input: &[u8]| check(ContentFormat::LWM2M_CBOR, input));
