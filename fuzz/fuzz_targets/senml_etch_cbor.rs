//! SenML-ETCH CBOR (322): bounded memory, and what decodes round trips.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lwm2m_core::ContentFormat;
use lwm2m_fuzz::payload::check_pack;

fuzz_target!(|input: &[u8]| check_pack(ContentFormat::SENML_ETCH_CBOR, input));
