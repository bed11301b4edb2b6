//! The device object as an application sees it: nodes with checked types, in each format.

use criterion::Criterion;
use lwm2m_benches::{Resource, Value, device};
use lwm2m_codec::{decode, encode};
use lwm2m_core::{ContentFormat, Node, ObjectInstance, ObjectVersion, Path};
use lwm2m_objects::Registry;
use std::hint::black_box;

pub(crate) fn measure(criterion: &mut Criterion) {
    let (path, node) = (Path::instance(3, 0), Node::ObjectInstance(instance()));
    let model = Registry::builtin().model(&[(3, ObjectVersion::V1_0)]);
    for format in [ContentFormat::TLV, ContentFormat::SENML_JSON, ContentFormat::SENML_CBOR] {
        let payload = encode(format, &path, &node).expect("the node fits the path");
        criterion.bench_function(&format!("codec/encode/{format}"), |bencher| {
            bencher.iter(|| encode(format, &path, black_box(&node)));
        });
        decode(format, &path, &payload, &model).expect("our own payload");
        criterion.bench_function(&format!("codec/decode/{format}"), |bencher| {
            bencher.iter(|| decode(format, &path, black_box(&payload), &model));
        });
    }
}

fn instance() -> ObjectInstance {
    device().into_iter().fold(ObjectInstance::default(), |instance, resource| match resource {
        Resource::Single(13, Value::Integer(time)) => {
            instance.with(13, lwm2m_core::Value::Time(time))
        }
        Resource::Single(id, Value::Integer(value)) => instance.with(id, value),
        Resource::Single(id, Value::String(value)) => instance.with(id, value),
        Resource::Multiple(id, values) => instance.with_multiple(id, values),
    })
}
