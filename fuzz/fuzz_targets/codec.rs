//! Payloads of any format; the first byte chooses it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lwm2m_core::ContentFormat;
use lwm2m_fuzz::payload::check;

fuzz_target!(|input: &[u8]| {
    let Some((&format, rest)) = input.split_first() else { return };
    check(ContentFormat::ALL[usize::from(format) % ContentFormat::ALL.len()], rest);
});
