//! Links that parse are written in one way, and that parses to the same links.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lwm2m_codec::link::{parse, parse_registration, write};
use lwm2m_fuzz::allocation::within;

fuzz_target!(|payload: &[u8]| {
    // Three bytes are a link, two a parameter; of a registration, objects and instances are kept too.
    let _ = within(1024 + 256 * payload.len(), || parse_registration(payload));
    let Ok(text) = core::str::from_utf8(payload) else { return };
    if let Ok(links) = within(1024 + 128 * payload.len(), || parse(text)) {
        assert_eq!(parse(&write(&links)), Ok(links));
    }
});
