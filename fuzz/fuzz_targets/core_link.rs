//! Links that parse are written in one way, and that parses to the same links, strictly if the input did.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lwm2m_codec::link::parse_registration;
use lwm2m_fuzz::allocation::within;
use lwm2m_fuzz::payload::check_links;

fuzz_target!(|payload: &[u8]| {
    // Three bytes are a link, two a parameter; of a registration, objects and instances are kept too.
    let _ = within(1024 + 256 * payload.len(), || parse_registration(payload));
    if let Ok(text) = core::str::from_utf8(payload) {
        check_links(text);
    }
});
