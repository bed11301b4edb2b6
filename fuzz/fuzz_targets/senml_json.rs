//! A pack of SenML JSON that reads well is written, in JSON and in CBOR, and reads the same again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lwm2m_fuzz::allocation::within;
use lwm2m_senml::{Error, Record, cbor, json, resolve};

fn list<'a>(
    records: impl Iterator<Item = Result<Record<'a>, Error>>,
) -> Result<Vec<Record<'a>>, Error> {
    records.collect()
}

fuzz_target!(|payload: &[u8]| {
    // One record at a time takes memory for escapes and Base64 only.
    within(1024 + 4 * payload.len(), || json::Reader::new(payload).for_each(drop));
    let records = list(json::Reader::new(payload));
    let Ok(records) = records else { return };
    let written = json::write(&records).expect("records that were read");
    assert_eq!(list(json::Reader::new(written.as_bytes())).as_ref(), Ok(&records));
    let written = cbor::write(&records).expect("records that were read");
    assert_eq!(list(cbor::Reader::new(&written)).as_ref(), Ok(&records));
    resolve(records).for_each(|resolved| drop(resolved.map(|record| record.name.to_string())));
});
