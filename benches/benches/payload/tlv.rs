//! TLV: entries without copies.

use criterion::Criterion;
use lwm2m_benches::{Resource, Value};
use lwm2m_tlv::{Kind, Reader, Writer};
use std::hint::black_box;

pub(crate) fn measure(criterion: &mut Criterion, name: &str, resources: &[Resource]) {
    let payload = encode(resources);
    criterion.bench_function(&format!("tlv/encode/{name}"), |bencher| {
        bencher.iter(|| encode(black_box(resources)));
    });
    criterion.bench_function(&format!("tlv/decode/{name}"), |bencher| {
        bencher.iter(|| decode(Reader::new(black_box(&payload))));
    });
}

fn encode(resources: &[Resource]) -> Vec<u8> {
    let mut writer = Writer::with_capacity(resources.len() * 16);
    for resource in resources {
        match resource {
            Resource::Single(id, Value::Integer(value)) => {
                writer.integer(Kind::Resource, *id, *value);
            }
            Resource::Single(id, Value::String(value)) => {
                writer.bytes(Kind::Resource, *id, value.as_bytes());
            }
            Resource::Multiple(id, values) => {
                writer.nested(Kind::MultipleResource, *id, |writer| {
                    for (id, value) in values {
                        writer.integer(Kind::ResourceInstance, *id, *value);
                    }
                })
            }
        }
    }
    writer.finish().expect("short values")
}

/// Visits every value; the sum keeps the compiler from leaving the work out.
fn decode(reader: Reader<'_>) -> usize {
    let mut sum = 0;
    for entry in reader {
        let entry = entry.expect("our own payload");
        sum += usize::from(entry.id);
        sum += match entry.kind {
            Kind::MultipleResource => decode(entry.children()),
            _ => entry.value.len(),
        };
    }
    sum
}
