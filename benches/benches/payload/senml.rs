//! SenML in JSON and CBOR: records whose texts stay in the payload.

use criterion::Criterion;
use lwm2m_benches::{BASE_NAME, Resource, Value, leaves};
use lwm2m_senml::{Error, Record, cbor, json};
use std::hint::black_box;

pub(crate) fn measure(criterion: &mut Criterion, name: &str, resources: &[Resource]) {
    let leaves = leaves(resources);
    let records = records(&leaves);
    let text = json::write(&records).expect("finite numbers");
    let bytes = cbor::write(&records).expect("finite numbers");
    criterion.bench_function(&format!("senml-json/encode/{name}"), |bencher| {
        bencher.iter(|| json::write(black_box(&records)));
    });
    criterion.bench_function(&format!("senml-cbor/encode/{name}"), |bencher| {
        bencher.iter(|| cbor::write(black_box(&records)));
    });
    criterion.bench_function(&format!("senml-json/decode/{name}"), |bencher| {
        bencher.iter(|| {
            let mut reader = json::Reader::new(black_box(text.as_bytes()));
            visit_all(|record| reader.read_into(record))
        });
    });
    criterion.bench_function(&format!("senml-cbor/decode/{name}"), |bencher| {
        bencher.iter(|| {
            let mut reader = cbor::Reader::new(black_box(&bytes));
            visit_all(|record| reader.read_into(record))
        });
    });
    measure_writer(criterion, name, &leaves);
}

/// Records one by one, as the codec above makes them: none is kept.
fn measure_writer(criterion: &mut Criterion, name: &str, leaves: &[(String, Value)]) {
    criterion.bench_function(&format!("senml-cbor/write/{name}"), |bencher| {
        bencher.iter(|| {
            let mut writer = cbor::Writer::new(leaves.len());
            let mut base = Some(BASE_NAME.into());
            for leaf in black_box(leaves) {
                let record = Record { base_name: base.take(), ..record(leaf) };
                writer.record(&record).expect("finite numbers");
            }
            writer.finish()
        });
    });
}

/// Reads record after record.
fn visit_all<'a>(mut read_into: impl FnMut(&mut Record<'a>) -> Result<bool, Error>) -> usize {
    let (mut record, mut sum) = (Record::default(), 0);
    while read_into(&mut record).expect("our own pack") {
        sum += visit(&record);
    }
    sum
}

/// The sum keeps the compiler from leaving the work out.
fn visit(record: &Record<'_>) -> usize {
    let value = match &record.value {
        Some(lwm2m_senml::Value::Integer(value)) => usize::from(*value == 0),
        Some(lwm2m_senml::Value::String(value)) => value.len(),
        _ => 0,
    };
    value + record.name.as_ref().map_or(0, |name| name.len())
}

fn records(leaves: &[(String, Value)]) -> Vec<Record<'_>> {
    let mut records: Vec<_> = leaves.iter().map(record).collect();
    records[0].base_name = Some(BASE_NAME.into());
    records
}

fn record((name, value): &(String, Value)) -> Record<'_> {
    let value = match *value {
        Value::Integer(value) => lwm2m_senml::Value::Integer(value),
        Value::String(value) => lwm2m_senml::Value::String(value.into()),
    };
    Record { name: Some(name.into()), value: Some(value), ..Record::default() }
}
