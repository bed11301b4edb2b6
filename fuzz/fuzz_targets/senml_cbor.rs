//! A pack of SenML CBOR that reads well is written, in CBOR and in JSON, and reads the same again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lwm2m_fuzz::allocation::within;
use lwm2m_senml::{cbor, json, resolve};

fuzz_target!(|payload: &[u8]| {
    // One record at a time takes memory for strings in pieces only.
    within(1024 + 4 * payload.len(), || cbor::Reader::new(payload).for_each(drop));
    // All of them: an empty record of one byte takes 240, and the list grows by doubling.
    let records = within(1024 + 720 * payload.len(), || cbor::read(payload));
    let Ok(records) = records else { return };
    let written = cbor::write(&records).expect("records that were read");
    assert_eq!(cbor::read(&written).as_ref(), Ok(&records));
    let written = json::write(&records).expect("records that were read");
    assert_eq!(json::read(written.as_bytes()).as_ref(), Ok(&records));
    resolve(records).for_each(|resolved| drop(resolved.map(|record| record.name.to_string())));
});
