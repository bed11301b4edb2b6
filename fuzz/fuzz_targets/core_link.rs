//! Links that parse are written in one way, and that parses to the same links.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lwm2m_codec::link::{parse, parse_registration, write};

fuzz_target!(|payload: &[u8]| {
    let _ = parse_registration(payload);
    let Ok(text) = core::str::from_utf8(payload) else { return };
    if let Ok(links) = parse(text) {
        assert_eq!(parse(&write(&links)), Ok(links));
    }
});
