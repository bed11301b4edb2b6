//! What a Read allocates.

use crate::harness::{Harness, address, config, device, get};
use allocation_counter::measure;
use lwm2m_client::{MemoryObject, Object};
use lwm2m_core::{DataType, ObjectInstance, ObjectVersion, Operations};
use lwm2m_link::{Engine, Input, Output};
use lwm2m_objects::{ObjectDefinition, ResourceDefinition};

const OBJECT: u16 = 33_000;
const INSTANCES: u16 = 64;
const RESOURCES: u16 = 20;

/// An object with a number and a text by turns.
fn large() -> (ObjectDefinition, MemoryObject) {
    let text = |id: u16| id % 2 == 1;
    let empty = ObjectDefinition::new(OBJECT, ObjectVersion::new(1, 0), "Large");
    let definition = (0..RESOURCES).fold(empty.with_multiple_instances(), |object, id| {
        let data_type = if text(id) { DataType::String } else { DataType::Integer };
        object.with_resource(ResourceDefinition::new(id, "A value", data_type, Operations::R))
    });
    let values = |values: ObjectInstance| {
        (0..RESOURCES).fold(values, |values, id| match text(id) {
            true => values.with(id, "some text"),
            false => values.with(id, i64::from(id)),
        })
    };
    let object = MemoryObject::new(OBJECT);
    (definition, (0..INSTANCES).fold(object, |object, id| object.instance(id, values)))
}

#[test]
fn a_read_of_a_large_object_allocates_little_more_than_its_payload() {
    let (definition, object) = large();
    let objects: Vec<Box<dyn Object>> = vec![Box::new(device()), Box::new(object)];
    let mut harness = Harness::new(config().definition(definition), objects);
    harness.start();
    for (path, format, bound) in [("33000", 112, 40), ("33000", 110, 40), ("33000/0", 112, 25)] {
        let id = harness.begin(0, get(path).accept(format));
        let datagram = harness.sim.network.arrive(harness.sim.now).unwrap().payload;
        let (now, client) = (harness.sim.now, &mut harness.sim[harness.client]);
        let allocations = measure(|| {
            client.handle(now, Input::datagram(address(0), &datagram));
            assert!(matches!(client.poll(), Some(Output::Transmit(_))));
        });
        harness.coap(0).cancel(id);
        assert!(allocations.count_total <= bound, "{path} {format}: {allocations:?}");
    }
}
