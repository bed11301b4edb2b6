//! The same packs with `serde_json`, `minicbor` and `ciborium`.

use criterion::Criterion;
use lwm2m_benches::{BASE_NAME, Resource, Value, leaves};
use serde::{Deserialize, Deserializer as _, Serialize};
use std::hint::black_box;

/// A record whose texts are borrowed, with the fields that the packs use.
#[derive(Serialize, Deserialize, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
struct Record<'a> {
    #[serde(rename = "bn", skip_serializing_if = "Option::is_none")]
    #[n(-2)]
    base_name: Option<&'a str>,
    #[serde(rename = "n")]
    #[n(0)]
    name: &'a str,
    #[serde(rename = "v", skip_serializing_if = "Option::is_none")]
    #[n(2)]
    value: Option<i64>,
    #[serde(rename = "vs", skip_serializing_if = "Option::is_none")]
    #[n(3)]
    string: Option<&'a str>,
}

/// `ciborium` cannot borrow, and `serde` has no integer labels.
#[derive(Serialize, Deserialize)]
struct OwnedRecord {
    #[serde(rename = "bn", skip_serializing_if = "Option::is_none")]
    base_name: Option<String>,
    #[serde(rename = "n")]
    name: String,
    #[serde(rename = "v", skip_serializing_if = "Option::is_none")]
    value: Option<i64>,
    #[serde(rename = "vs", skip_serializing_if = "Option::is_none")]
    string: Option<String>,
}

pub(crate) fn measure(criterion: &mut Criterion, name: &str, resources: &[Resource]) {
    let leaves = leaves(resources);
    let mut records: Vec<_> = leaves.iter().map(record).collect();
    records[0].base_name = Some(BASE_NAME);
    measure_json(criterion, name, &records);
    measure_minicbor(criterion, name, &records);
    measure_ciborium(criterion, name, &records);
}

fn record((name, value): &(String, Value)) -> Record<'_> {
    let (value, string) = match *value {
        Value::Integer(value) => (Some(value), None),
        Value::String(value) => (None, Some(value)),
    };
    Record { base_name: None, name, value, string }
}

fn measure_json(criterion: &mut Criterion, name: &str, records: &[Record<'_>]) {
    let encode = |records| serde_json::to_vec(records).expect("a pack");
    let payload = encode(records);
    criterion.bench_function(&format!("senml-json/encode/{name}/serde_json"), |bencher| {
        bencher.iter(|| encode(black_box(records)));
    });
    criterion.bench_function(&format!("senml-json/decode/{name}/serde_json"), |bencher| {
        bencher.iter(|| {
            let mut deserializer = serde_json::Deserializer::from_slice(black_box(&payload));
            deserializer.deserialize_seq(Visit).expect("our own pack")
        });
    });
}

fn measure_minicbor(criterion: &mut Criterion, name: &str, records: &[Record<'_>]) {
    let encode = |records| minicbor::to_vec(records).expect("a pack");
    let payload = encode(records);
    criterion.bench_function(&format!("senml-cbor/encode/{name}/minicbor"), |bencher| {
        bencher.iter(|| encode(black_box(records)));
    });
    criterion.bench_function(&format!("senml-cbor/decode/{name}/minicbor"), |bencher| {
        bencher.iter(|| {
            let mut decoder = minicbor::Decoder::new(black_box(&payload));
            let records = decoder.array_iter::<Record<'_>>().expect("our own pack");
            records.map(|record| visit(&record.expect("our own pack"))).sum::<usize>()
        });
    });
}

/// What each record is looked at for, whoever reads it.
fn visit(record: &Record<'_>) -> usize {
    let integer = record.value.map_or(0, |value| usize::from(value == 0));
    integer + record.string.map_or(0, str::len) + record.name.len()
}

/// Takes the records of a pack one by one, so that none is kept.
struct Visit;

impl<'de> serde::de::Visitor<'de> for Visit {
    type Value = usize;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a pack")
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut records: A) -> Result<usize, A::Error> {
        let mut sum = 0;
        while let Some(record) = records.next_element::<Record<'de>>()? {
            sum += visit(&record);
        }
        Ok(sum)
    }
}

fn measure_ciborium(criterion: &mut Criterion, name: &str, records: &[Record<'_>]) {
    let encode = |records: &[Record<'_>]| {
        let mut payload = Vec::new();
        ciborium::into_writer(records, &mut payload).expect("a pack");
        payload
    };
    let payload = encode(records);
    criterion.bench_function(&format!("senml-cbor/encode/{name}/ciborium"), |bencher| {
        bencher.iter(|| encode(black_box(records)));
    });
    criterion.bench_function(&format!("senml-cbor/decode/{name}/ciborium"), |bencher| {
        bencher.iter(|| -> Vec<OwnedRecord> {
            ciborium::from_reader(black_box(&payload[..])).expect("our own pack")
        });
    });
}
