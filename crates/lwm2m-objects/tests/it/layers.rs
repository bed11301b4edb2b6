//! Definitions of the application, choice of versions, models of devices.

use lwm2m_core::{DataType, Model, ObjectVersion, Operations};
use lwm2m_objects::{ObjectDefinition, Registry, ResourceDefinition};

const fn v(major: u8, minor: u8) -> ObjectVersion {
    ObjectVersion::new(major, minor)
}

fn own() -> Registry {
    let level = ResourceDefinition::new(2, "Level", DataType::Float, Operations::R);
    let reset = ResourceDefinition::new(1, "Reset", DataType::None, Operations::E);
    let tank = ObjectDefinition::new(32769, v(1, 0), "Tank")
        .with_multiple_instances()
        .with_resource(level)
        .with_resource(reset);
    let temperature = ObjectDefinition::new(3303, v(1, 1), "Own Temperature");
    let newer = ObjectDefinition::new(3303, v(2, 0), "Next Temperature");
    Registry::with([tank, newer, temperature])
}

#[test]
fn an_unknown_version_falls_back_to_the_newest_of_its_major() {
    let registry = Registry::builtin();
    let chosen = |id, version| registry.object(id, version).map(ObjectDefinition::version);
    assert_eq!(chosen(3, None), Some(v(1, 2)));
    assert_eq!(chosen(3, Some(v(1, 0))), Some(v(1, 0)));
    assert_eq!(chosen(3, Some(v(1, 9))), Some(v(1, 2)));
    assert_eq!(chosen(3, Some(v(2, 0))), None);
    assert_eq!(chosen(65000, None), None);
}

#[test]
fn own_definitions_override_the_built_in_ones() {
    let registry = own();
    assert_eq!(registry.objects().count(), 424 + 2);
    let ids: Vec<_> = registry.object(32769, None).unwrap().resources().map(|r| r.id()).collect();
    assert_eq!(ids, [1, 2]);
    let names: Vec<_> = registry.versions(3303).iter().map(|d| d.name()).collect();
    assert_eq!(names, ["Temperature", "Own Temperature", "Next Temperature"]);
    assert_eq!(registry.object(3303, Some(v(1, 7))).unwrap().name(), "Own Temperature");
    assert_eq!(Registry::builtin().object(3303, None).unwrap().name(), "Temperature");
}

#[test]
fn a_later_definition_replaces_an_earlier_one() {
    let first = ObjectDefinition::new(32769, v(1, 0), "First");
    let second = ObjectDefinition::new(32769, v(1, 0), "Second");
    let registry = Registry::with([first, second]);
    assert_eq!(registry.versions(32769).len(), 1);
    assert_eq!(registry.object(32769, None).unwrap().name(), "Second");
}

#[test]
fn a_built_in_object_can_be_extended() {
    let extra = ResourceDefinition::new(26241, "Extra", DataType::Boolean, Operations::RW);
    let battery = ResourceDefinition::new(9, "Battery", DataType::Integer, Operations::R);
    let device = Registry::builtin().object(3, Some(v(1, 1))).unwrap().clone();
    let before = device.resources().count();
    let device = device.with_resource(extra).with_resource(battery);
    assert_eq!(device.resources().count(), before + 1);
    assert_eq!(device.resource(9).unwrap().name(), "Battery");
    assert!(device.resource(26241).is_some());
}

#[test]
fn a_device_model_follows_the_registration() {
    let registry = own();
    let model = registry.model(&[(3303, v(1, 0)), (3, v(9, 0)), (32769, v(1, 0))]);
    assert!(model.resource(3303, 5700).is_some_and(|r| r.mandatory && !r.multiple));
    assert_eq!(model.resource(3303, 5518), None, "Timestamp came with 1.1");
    assert_eq!(model.resource(3, 0), None, "an incompatible version is unknown");
    assert_eq!(model.multiple_instances(3), None);
    assert_eq!(model.multiple_instances(32769), Some(true));
    assert_eq!(model.resource(32769, 2).unwrap().data_type, DataType::Float);
    assert_eq!(model.object(0).unwrap().version(), v(1, 2), "not listed: the newest");
}
