//! Random trees round-trip in each format that can carry them.

use crate::model::TestModel;
use lwm2m_codec::{decode, decode_create, encode, encode_create, supports};
use lwm2m_core::path::MAX_ID;
use lwm2m_core::{ContentFormat, Node, Object, ObjectInstance, ObjectLink, Path, Resource, Value};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

const OBJECT: u16 = 1000;
const FORMATS: [ContentFormat; 5] = [
    ContentFormat::JSON,
    ContentFormat::TLV,
    ContentFormat::SENML_JSON,
    ContentFormat::SENML_CBOR,
    ContentFormat::LWM2M_CBOR,
];

fn value(kind: u16) -> BoxedStrategy<Value> {
    match kind % 10 {
        0 => ".{0,20}".prop_map(Value::String).boxed(),
        1 => any::<i64>().prop_map(Value::Integer).boxed(),
        2 => any::<u64>().prop_map(Value::UnsignedInteger).boxed(),
        3 => prop_oneof![any::<f64>(), any::<f32>().prop_map(f64::from), Just(5.0), Just(-0.0)]
            .prop_filter("finite", |v| v.is_finite())
            .prop_map(Value::Float)
            .boxed(),
        4 => any::<bool>().prop_map(Value::Boolean).boxed(),
        5 => vec(any::<u8>(), 0..300).prop_map(|v| Value::Opaque(v.into())).boxed(),
        6 => any::<i64>().prop_map(Value::Time).boxed(),
        7 => any::<(u16, u16)>()
            .prop_map(|(object, instance)| Value::ObjectLink(ObjectLink { object, instance }))
            .boxed(),
        _ => "[</0-9>;=]{0,20}".prop_map(Value::CoreLink).boxed(),
    }
}

/// A resource of object 1000 with its ID. Multiple-instance resources are never empty, which SenML cannot
/// express.
fn resource() -> impl Strategy<Value = (u16, Resource)> {
    (0u16..9, any::<bool>()).prop_flat_map(|(kind, multiple)| {
        if multiple {
            let values = btree_map(0..MAX_ID, value(kind), 1..4).prop_map(Resource::Multiple);
            (Just(kind + 10), values.boxed())
        } else {
            (Just(kind), value(kind).prop_map(Resource::Single).boxed())
        }
    })
}

fn instance() -> impl Strategy<Value = ObjectInstance> {
    vec(resource(), 1..8)
        .prop_map(|resources| ObjectInstance { resources: resources.into_iter().collect() })
}

fn object() -> impl Strategy<Value = Object> {
    btree_map(0..MAX_ID, instance(), 1..4).prop_map(|instances| Object { instances })
}

fn node() -> impl Strategy<Value = (Path, Node)> {
    let id = 0..MAX_ID;
    prop_oneof![
        object().prop_map(|object| (Path::ROOT, Node::Root([(OBJECT, object)].into()))),
        object().prop_map(|object| (Path::object(OBJECT), Node::Object(object))),
        (id.clone(), instance())
            .prop_map(|(i, node)| (Path::instance(OBJECT, i), Node::ObjectInstance(node))),
        (id.clone(), resource())
            .prop_map(|(i, (r, node))| (Path::resource(OBJECT, i, r), Node::Resource(node))),
        (id.clone(), id, 10u16..19).prop_flat_map(|(i, ri, r)| {
            let path = Path::resource_instance(OBJECT, i, r, ri);
            value(r).prop_map(move |value| (path, Node::ResourceInstance(value)))
        }),
    ]
}

proptest! {
    #[test]
    fn nodes((path, node) in node()) {
        for format in ContentFormat::ALL.iter().copied().filter(|f| supports(*f, &path)) {
            match encode(format, &path, &node) {
                Ok(bytes) => {
                    let read = decode(format, &path, &bytes, &TestModel);
                    prop_assert_eq!(read.as_ref(), Ok(&node), "{}", format);
                }
                // Formats of one value refuse several values and other types.
                Err(error) => prop_assert!(error.is_not_acceptable() && path.depth() >= 3),
            }
        }
    }

    #[test]
    fn created_instances(id in proptest::option::of(0..MAX_ID), values in instance()) {
        for format in FORMATS {
            let bytes = encode_create(format, OBJECT, id, &values).unwrap();
            let read = decode_create(format, OBJECT, &bytes, &TestModel);
            prop_assert_eq!(read, Ok((id, values.clone())), "{}", format);
        }
    }
}
