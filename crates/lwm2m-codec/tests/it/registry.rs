//! Every object of the registry, with generated values, in every format that can carry it.

use lwm2m_codec::composite::{encode_changes, encode_paths};
use lwm2m_codec::{Reading, encode, encode_create, supports};
use lwm2m_core::{
    ContentFormat, DataType, Node, ObjectInstance, ObjectLink, Path, Resource, Value,
};
use lwm2m_objects::{ObjectDefinition, Registry, ResourceDefinition};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// Formats of whole instances.
const TREES: [ContentFormat; 5] = [
    ContentFormat::SENML_JSON,
    ContentFormat::SENML_CBOR,
    ContentFormat::TLV,
    ContentFormat::JSON,
    ContentFormat::LWM2M_CBOR,
];

fn value(data_type: DataType) -> BoxedStrategy<Value> {
    match data_type {
        DataType::String => ".{0,12}".prop_map(Value::String).boxed(),
        DataType::Integer => any::<i64>().prop_map(Value::Integer).boxed(),
        DataType::UnsignedInteger => any::<u64>().prop_map(Value::UnsignedInteger).boxed(),
        DataType::Float => any::<f64>()
            .prop_filter("finite", |v| v.is_finite())
            // SenML JSON has no negative zero.
            .prop_map(|v| Value::Float(v + 0.0))
            .boxed(),
        DataType::Boolean => any::<bool>().prop_map(Value::Boolean).boxed(),
        DataType::Opaque => proptest::collection::vec(any::<u8>(), 0..12)
            .prop_map(|v| Value::Opaque(v.into()))
            .boxed(),
        DataType::Time => any::<i64>().prop_map(Value::Time).boxed(),
        DataType::ObjectLink => any::<(u16, u16)>()
            .prop_map(|(object, instance)| Value::ObjectLink(ObjectLink { object, instance }))
            .boxed(),
        DataType::CoreLink | DataType::None => "</[0-9]{1,3}>".prop_map(Value::CoreLink).boxed(),
    }
}

fn resource(definition: &ResourceDefinition) -> impl Strategy<Value = (u16, Resource)> + use<> {
    let (id, value) = (definition.id(), value(definition.data_type()));
    let resource = match definition.multiple() {
        true => proptest::collection::btree_map(0..u16::MAX, value, 1..3)
            .prop_map(Resource::Multiple)
            .boxed(),
        false => value.prop_map(Resource::Single).boxed(),
    };
    resource.prop_map(move |resource| (id, resource))
}

/// An instance with a value for each resource that is not executable.
fn instance(object: &ObjectDefinition) -> impl Strategy<Value = ObjectInstance> + use<> {
    let with_values = |r: &&ResourceDefinition| r.data_type() != DataType::None;
    let resources: Vec<_> = object.resources().filter(with_values).map(resource).collect();
    resources.prop_map(|all| ObjectInstance { resources: all.into_iter().collect() })
}

/// Encodes, and decodes strictly.
fn survives(reading: &Reading<'_>, path: &Path, node: &Node) -> Result<usize, TestCaseError> {
    let mut carried = 0;
    for format in ContentFormat::ALL.iter().copied().filter(|format| supports(*format, path)) {
        match encode(format, path, node) {
            Ok(payload) => {
                let read = reading.decode(format, path, &payload);
                prop_assert_eq!(read.as_ref(), Ok(node), "{} {}", format, path);
                carried += 1;
            }
            Err(error) => prop_assert!(error.is_not_acceptable(), "{} {}: {}", format, path, error),
        }
    }
    Ok(carried)
}

#[test]
fn every_object_round_trips_in_every_format() {
    let mut objects = 0;
    for definition in Registry::builtin().objects() {
        let object = definition.id();
        let model = Registry::builtin().model(&[(object, definition.version())]);
        let mut runner = TestRunner::new(Config { cases: 4, ..Config::default() });
        let run = runner.run(&instance(definition), |values| {
            if values.resources.is_empty() {
                return Ok(());
            }
            let reading = Reading::strict(&model);
            let path = Path::instance(object, 0);
            let node = Node::ObjectInstance(values.clone());
            prop_assert_eq!(survives(&reading, &path, &node)?, TREES.len());
            for (id, resource) in &values.resources {
                let path = Path::resource(object, 0, *id);
                let least = TREES.len() + 2 * usize::from(matches!(resource, Resource::Single(_)));
                prop_assert!(
                    survives(&reading, &path, &Node::Resource(resource.clone()))? >= least
                );
            }
            for format in TREES {
                let payload = encode_create(format, object, Some(7), &values).unwrap();
                let created = reading.decode_create(format, object, &payload);
                prop_assert_eq!(created, Ok((Some(7), values.clone())), "{} {}", format, object);
            }
            Ok(())
        });
        assert!(run.is_ok(), "{} {}: {run:?}", definition.id(), definition.version());
        objects += 1;
    }
    assert!(objects > 400, "{objects}");
}

/// All values of an object as a Patch Pack, and its paths as a Fetch Pack.
#[test]
fn every_object_round_trips_in_composite_operations() {
    for definition in Registry::builtin().objects() {
        let object = definition.id();
        let model = Registry::builtin().model(&[(object, definition.version())]);
        let mut runner = TestRunner::new(Config { cases: 4, ..Config::default() });
        let run = runner.run(&instance(definition), |values| {
            let reading = Reading::strict(&model);
            let node = Node::ObjectInstance(values);
            let leaves = node.leaves(&Path::instance(object, 0));
            let paths: Vec<_> = leaves.iter().map(|(path, _)| *path).collect();
            let changes: Vec<_> =
                leaves.iter().map(|(path, value)| (*path, Some((*value).clone()))).collect();
            for format in [ContentFormat::SENML_ETCH_JSON, ContentFormat::SENML_ETCH_CBOR] {
                let payload = encode_changes(format, &changes).unwrap();
                let read = reading.decode_changes(format, &payload);
                prop_assert_eq!(read.as_ref(), Ok(&changes), "{} {}", format, object);
                let payload = encode_paths(format, &paths).unwrap();
                let read = reading.decode_paths(format, &payload);
                prop_assert_eq!(read.as_ref(), Ok(&paths), "{} {}", format, object);
            }
            Ok(())
        });
        assert!(run.is_ok(), "{} {}: {run:?}", definition.id(), definition.version());
    }
}
