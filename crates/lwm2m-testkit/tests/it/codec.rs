//! Our codecs and Leshan's read each other: what we encode in a format, it decodes and encodes again
//! in every format that it has, and all of that decodes to the values that we began with. Where it
//! has no codec (LwM2M CBOR), a generic CBOR library reads what we wrote and writes what we read.

use ciborium::Value as Cbor;
use lwm2m_codec::{Reading, encode, link, supports};
use lwm2m_core::{
    ContentFormat, DataType, Node, ObjectInstance, ObjectLink, Path, Resource, Value,
};
use lwm2m_http::json::value::type_name;
use lwm2m_objects::{ObjectDefinition, Registry, ResourceDefinition};
use lwm2m_testkit::peer::PeerCodec;
use std::collections::{BTreeMap, BTreeSet};

/// The LwM2M v1.1 Test Object: a resource of every type, single and multiple.
const EVERY_TYPE: u16 = 3442;
/// The tree formats that Leshan supports.
const TREES: [ContentFormat; 4] =
    [ContentFormat::TLV, ContentFormat::JSON, ContentFormat::SENML_JSON, ContentFormat::SENML_CBOR];
const SINGLE: [ContentFormat; 3] =
    [ContentFormat::TEXT, ContentFormat::OPAQUE, ContentFormat::CBOR];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Values at the edges of a type.
fn values(data_type: DataType) -> Vec<Value> {
    let long = "x".repeat(300);
    match data_type {
        DataType::String => ["a", "0", "true", "grün €𝄞", "\"\\ \t\n\u{7f}", "a=b;c,d", &long]
            .map(|it| Value::String(it.to_owned()))
            .to_vec(),
        DataType::Integer => {
            let small = [0, 1, -1, 127, 128, -128, -129, 32_767, -32_769, 1 << 31, (1 << 53) + 1];
            small.into_iter().chain([i64::MIN, i64::MAX]).map(Value::Integer).collect()
        }
        // Leshan reads TLV of one with the highest bit set as a negative number.
        DataType::UnsignedInteger => [0, 127, 256, 65_536, 1 << 32, (1 << 53) + 1, i64::MAX as u64]
            .map(Value::UnsignedInteger)
            .to_vec(),
        DataType::Float => [0.0, 0.5, -1.25, 21.5, 0.1, 1.0, 1e300, f64::MIN_POSITIVE, f64::MAX]
            .map(Value::Float)
            .to_vec(),
        DataType::Boolean => [false, true].map(Value::Boolean).to_vec(),
        DataType::Opaque => [vec![0], vec![0xff; 8], (0..=255).collect()]
            .map(|it| Value::Opaque(it.into()))
            .to_vec(),
        DataType::Time => [0, 1, 1_367_491_215, 4_102_444_800].map(Value::Time).to_vec(),
        DataType::ObjectLink => [(0, 0), (66, 1), (65_534, 65_534)]
            .map(|(object, instance)| Value::ObjectLink(ObjectLink { object, instance }))
            .to_vec(),
        DataType::CoreLink => {
            ["</3/0>", "</1>;ver=1.1,</5/0>"].map(|it| Value::CoreLink(it.to_owned())).to_vec()
        }
        DataType::None => Vec::new(),
    }
}

/// An instance with the `number`th value of each type; multiple resources have two.
fn instance(object: &ObjectDefinition, number: usize) -> ObjectInstance {
    let resource = |definition: &ResourceDefinition| {
        let values = values(definition.data_type());
        let nth = |n: usize| values.get(n % values.len().max(1)).cloned();
        let resource = match definition.multiple() {
            true => Resource::Multiple([(0, nth(number)?), (65_534, nth(number + 1)?)].into()),
            false => Resource::Single(nth(number)?),
        };
        Some((definition.id(), resource))
    };
    ObjectInstance { resources: object.resources().filter_map(resource).collect() }
}

/// Leshan's codec with the definition of one object.
struct Cross<'r> {
    peer: PeerCodec,
    reading: Reading<'r>,
    /// The decoded nodes by format.
    crossed: BTreeMap<u16, usize>,
}

impl Cross<'_> {
    fn define(&mut self, object: &ObjectDefinition) {
        self.peer.tell(&format!("object {}", object.id())).unwrap();
        for resource in object.resources() {
            let (id, kind) = (resource.id(), type_name(resource.data_type()));
            self.peer.tell(&format!("resource {id} {kind} {}", resource.multiple())).unwrap();
        }
    }

    /// Passes a node through Leshan in every format that can represent it.
    fn cross(&mut self, path: &Path, node: &Node) {
        for format in TREES.into_iter().chain(SINGLE).filter(|format| supports(*format, path)) {
            let Ok(payload) = encode(format, path, node) else { continue };
            let command = format!("recode {path} {} {}", format.0, hex(&payload));
            let answer = self.peer.ask(&command).unwrap();
            let back = answer.unwrap_or_else(|why| panic!("{command}: {why}"));
            let formats: BTreeSet<_> = back.iter().map(|(format, _)| *format).collect();
            for format in TREES {
                assert!(formats.contains(&format.0), "{command}: nothing back in {format}");
            }
            for (format, payload) in back {
                let read = self.reading.decode(ContentFormat(format), path, &payload);
                let text = payload.escape_ascii();
                assert_eq!(read.as_ref(), Ok(node), "{command}: {format} {text}");
                *self.crossed.entry(format).or_default() += 1;
            }
        }
    }
}

#[test]
fn values_of_every_type_cross_in_every_format() {
    let Some(peer) = PeerCodec::start().unwrap() else { return };
    let object = Registry::builtin().object(EVERY_TYPE, None).unwrap();
    let model = Registry::builtin().model(&[(EVERY_TYPE, object.version())]);
    let mut cross = Cross { peer, reading: Reading::lenient(&model), crossed: BTreeMap::new() };
    cross.define(object);
    for resource in object.resources() {
        let path = Path::resource(EVERY_TYPE, 0, resource.id());
        let values = values(resource.data_type());
        for value in &values {
            if resource.multiple() {
                let path = path.child(7).unwrap();
                cross.cross(&path, &Node::ResourceInstance(value.clone()));
            } else {
                cross.cross(&path, &Node::Resource(Resource::Single(value.clone())));
            }
        }
        if resource.multiple() {
            let values = values.into_iter().zip([0, 1, 255, 256, 65_534]);
            let values = values.map(|(value, id)| (id, value)).collect();
            cross.cross(&path, &Node::Resource(Resource::Multiple(values)));
        }
    }
    for format in TREES.into_iter().chain(SINGLE) {
        assert!(cross.crossed.contains_key(&format.0), "{format} never crossed");
    }
    println!("crossed: {:?}", cross.crossed);
}

#[test]
fn every_object_crosses_in_every_format_of_trees() {
    let Some(mut peer) = PeerCodec::start().unwrap() else { return };
    for object in Registry::builtin().objects() {
        let model = Registry::builtin().model(&[(object.id(), object.version())]);
        let crossed = BTreeMap::new();
        let mut cross = Cross { peer, reading: Reading::lenient(&model), crossed };
        cross.define(object);
        for number in 0..3 {
            let values = instance(object, number);
            if !values.resources.is_empty() {
                cross.cross(&Path::instance(object.id(), 3), &Node::ObjectInstance(values.clone()));
                let instances = [(0, values.clone()), (65_534, values)].into();
                let node = Node::Object(lwm2m_core::Object { instances });
                cross.cross(&Path::object(object.id()), &node);
            }
        }
        peer = cross.peer;
    }
}

#[test]
fn links_cross() {
    let Some(mut peer) = PeerCodec::start().unwrap() else { return };
    for text in [
        "</>;rt=\"oma.lwm2m\";ct=\"60 110 112 11542 11544\",</1/0>,</3/0>,</5>",
        "</lwm2m>;rt=\"oma.lwm2m\",</lwm2m/3303>;ver=1.1,</lwm2m/3303/65534>",
        "</3/0>;pmin=10;pmax=60,</3/0/9>;gt=50;lt=42.2,</3/0/11>;dim=8",
    ] {
        let ours = link::parse(text).unwrap();
        let written = link::write(&ours);
        let back = peer.ask(&format!("links {}", hex(written.as_bytes()))).unwrap();
        let back = back.unwrap_or_else(|why| panic!("{written}: {why}"));
        let back = String::from_utf8(back[0].1.clone()).unwrap();
        assert_eq!(link::parse(&back).as_ref(), Ok(&ours), "{written} came back as {back}");
    }
}

/// The values of a CBOR map by their keys: one id, or an array of ids from the outermost on.
fn leaves(cbor: &Cbor, prefix: &[u16], found: &mut BTreeMap<Vec<u16>, Cbor>) {
    let Some(map) = cbor.as_map() else {
        // The tag of a time is optional.
        let value = cbor.as_tag().map_or(cbor, |(_, value)| value);
        assert_eq!(found.insert(prefix.to_vec(), value.clone()), None, "{prefix:?} twice");
        return;
    };
    for (key, value) in map {
        let id = |cbor: &Cbor| u16::try_from(cbor.as_integer().unwrap()).unwrap();
        let ids = key.as_array().map_or_else(|| vec![id(key)], |ids| ids.iter().map(id).collect());
        leaves(value, &[prefix, &ids].concat(), found);
    }
}

fn generic(value: &Value) -> Cbor {
    match value {
        Value::String(text) | Value::CoreLink(text) => Cbor::Text(text.clone()),
        Value::Integer(number) => Cbor::Integer((*number).into()),
        Value::UnsignedInteger(number) => Cbor::Integer((*number).into()),
        Value::Float(number) => Cbor::Float(*number),
        Value::Boolean(value) => Cbor::Bool(*value),
        Value::Opaque(bytes) => Cbor::Bytes(bytes.to_vec()),
        Value::Time(seconds) => Cbor::Tag(1, Box::new(Cbor::Integer((*seconds).into()))),
        Value::ObjectLink(link) => Cbor::Text(link.to_string()),
    }
}

fn generic_instance(values: &ObjectInstance) -> Cbor {
    let key = |id: &u16| Cbor::Integer((*id).into());
    let resource = |resource: &Resource| match resource {
        Resource::Single(value) => generic(value),
        Resource::Multiple(values) => {
            Cbor::Map(values.iter().map(|(id, value)| (key(id), generic(value))).collect())
        }
    };
    Cbor::Map(values.resources.iter().map(|(id, it)| (key(id), resource(it))).collect())
}

#[test]
fn lwm2m_cbor_is_what_a_generic_library_reads_and_writes() {
    for object in Registry::builtin().objects() {
        let model = Registry::builtin().model(&[(object.id(), object.version())]);
        let path = Path::instance(object.id(), 3);
        for number in 0..3 {
            let values = instance(object, number);
            if values.resources.is_empty() {
                continue;
            }
            let theirs = generic_instance(&values);
            let nested = Cbor::Map(vec![(
                Cbor::Array([object.id(), 3].map(Cbor::from).to_vec()),
                theirs.clone(),
            )]);
            let node = Node::ObjectInstance(values);
            let ours = encode(ContentFormat::LWM2M_CBOR, &path, &node).unwrap();
            let read: Cbor = ciborium::from_reader(&ours[..]).unwrap();
            let [mut found, mut wanted] = [BTreeMap::new(), BTreeMap::new()];
            leaves(&read, &[], &mut found);
            leaves(&theirs, &[object.id(), 3], &mut wanted);
            assert_eq!(found, wanted, "{path}");
            let mut payload = Vec::new();
            ciborium::into_writer(&nested, &mut payload).unwrap();
            let back = Reading::lenient(&model).decode(ContentFormat::LWM2M_CBOR, &path, &payload);
            assert_eq!(back, Ok(node), "{path}");
        }
    }
}
