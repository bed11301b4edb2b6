//! A TLV payload that reads well is written again in its smallest form, with the same entries.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lwm2m_fuzz::allocation::within;
use lwm2m_tlv::{Error, Kind, Reader, Writer, value};

/// An entry without where it stood.
type Flat = (usize, Kind, u16, Vec<u8>);

fuzz_target!(|payload: &[u8]| {
    within(0, || walk(Reader::new(payload)));
    let Ok(entries) = flatten(payload) else { return };
    let written = rewrite(payload);
    assert!(written.len() <= payload.len());
    assert_eq!(flatten(&written), Ok(entries));
    assert_eq!(rewrite(&written), written);
});

/// Visits all entries without keeping any: that takes no memory.
fn walk(reader: Reader<'_>) {
    for entry in reader.flatten() {
        read_as_every_type(entry.value);
        walk(entry.children());
    }
}

fn holds_entries(kind: Kind) -> bool {
    matches!(kind, Kind::ObjectInstance | Kind::MultipleResource)
}

fn flatten(payload: &[u8]) -> Result<Vec<Flat>, Error> {
    let mut flat = Vec::new();
    flatten_level(Reader::new(payload), 0, &mut flat)?;
    Ok(flat)
}

fn flatten_level(reader: Reader<'_>, depth: usize, flat: &mut Vec<Flat>) -> Result<(), Error> {
    assert!(depth <= 3, "object instance, multiple resource, resource instance");
    for entry in reader {
        let entry = entry?;
        if holds_entries(entry.kind) {
            flat.push((depth, entry.kind, entry.id, Vec::new()));
            flatten_level(entry.children(), depth + 1, flat)?;
        } else {
            read_as_every_type(entry.value);
            flat.push((depth, entry.kind, entry.id, entry.value.to_vec()));
        }
    }
    Ok(())
}

fn read_as_every_type(bytes: &[u8]) {
    let _ = value::integer(bytes);
    let _ = value::unsigned(bytes);
    let _ = value::float(bytes);
    let _ = value::boolean(bytes);
    let _ = value::string(bytes);
    let _ = value::object_link(bytes);
}

fn rewrite(payload: &[u8]) -> Vec<u8> {
    let mut writer = Writer::new();
    rewrite_level(Reader::new(payload), &mut writer);
    writer.finish().expect("no value is longer than it was")
}

fn rewrite_level(reader: Reader<'_>, writer: &mut Writer) {
    for entry in reader.flatten() {
        if holds_entries(entry.kind) {
            writer.nested(entry.kind, entry.id, |writer| rewrite_level(entry.children(), writer));
        } else {
            writer.bytes(entry.kind, entry.id, entry.value);
        }
    }
}
