//! Values that the device sets: their types, and what follows of a change.

use crate::harness::{Harness, config, device, get, objects};
use lwm2m_client::{
    Client, ConfigError, Event, MemoryObject, Object, ObjectDefinition, ValueError,
};
use lwm2m_core::{
    DataType, ObjectInstance, ObjectVersion, Operations, Path, Resource, Value, Version,
};
use lwm2m_objects::ResourceDefinition;
use std::collections::BTreeMap;

const TEMPERATURE: Path = Path::resource(3303, 0, 5700);

fn refused(object: MemoryObject) -> ConfigError {
    let objects: Vec<Box<dyn Object>> = vec![Box::new(device()), Box::new(object)];
    Client::new(config(), objects, [0; 32]).unwrap_err()
}

fn text_for_a_float(path: Path) -> ValueError {
    ValueError::Type { path, expected: DataType::Float, found: DataType::String }
}

#[test]
fn a_client_takes_no_object_with_a_value_of_another_type() {
    let with = |value: Value| MemoryObject::new(3303).instance(0, |it| it.with(5700, value));
    assert_eq!(refused(with("abc".into())), text_for_a_float(TEMPERATURE).into());
    let several = MemoryObject::new(3303).instance(0, |it| it.with_multiple(5700, [(0, 21.5)]));
    assert_eq!(refused(several), ValueError::Instances(TEMPERATURE).into());
    let single = MemoryObject::new(16).instance(3, |it| it.with(0, "a"));
    assert_eq!(refused(single), ValueError::Instances(Path::resource(16, 3, 0)).into());
    // An executable resource has no value, and new instances get the template.
    let valued = MemoryObject::new(3303).instance(0, |it| it.with(5700, 1.0).with(5605, 1_i64));
    assert!(matches!(refused(valued), ConfigError::Value(ValueError::Type { .. })));
    let template = MemoryObject::new(3303).new_instances(|it| it.with(5700, "abc"));
    assert_eq!(refused(template), text_for_a_float(TEMPERATURE).into());
}

#[test]
fn a_value_of_another_type_is_not_set_and_the_old_one_stays() {
    let mut harness = Harness::registered(config());
    let mut update = |change: &dyn Fn(&mut MemoryObject) -> Result<(), ValueError>| {
        harness
            .sim
            .with(harness.client, |it, now| it.update::<MemoryObject>(now, 3303, |it| change(it)))
    };
    let wrong = Err(text_for_a_float(TEMPERATURE));
    assert_eq!(update(&|it| it.set(0, 5700, "abc")), wrong);
    let several = || Resource::Multiple(BTreeMap::from([(0, 21.5.into())]));
    let instances = Err(ValueError::Instances(TEMPERATURE));
    assert_eq!(update(&|it| it.set_resource(0, 5700, several())), instances);
    let bad = || ObjectInstance::default().with(5701, "K").with(5700, "abc");
    assert_eq!(update(&|it| it.insert(0, bad())), wrong);
    assert_eq!(
        update(&|it| it.set(7, 5700, 1.0)),
        Err(ValueError::NoInstance(Path::instance(3303, 7)))
    );
    assert_eq!(
        (harness.text("3303/0/5700"), harness.text("3303/0/5701")),
        ("20".into(), "Cel".into())
    );
}

#[test]
fn the_definition_of_the_configuration_holds() {
    let own = ObjectDefinition::new(3303, ObjectVersion::new(1, 0), "Thermometer in words")
        .with_multiple_instances()
        .with_resource(ResourceDefinition::new(5700, "Words", DataType::String, Operations::R));
    let words = || MemoryObject::new(3303).instance(0, |it| it.with(5700, "warm"));
    assert_eq!(refused(words()), text_for_a_float(TEMPERATURE).into());
    let objects: Vec<Box<dyn Object>> = vec![Box::new(device()), Box::new(words())];
    let mut harness = Harness::new(config().definition(own), objects);
    harness.start();
    assert_eq!(harness.text("3303/0/5700"), "warm");
    let number = |it: &mut MemoryObject| it.set(0, 5700, 21.5);
    assert!(harness.sim.with(harness.client, |it, now| it.update(now, 3303, number)).is_err());
}

#[test]
fn without_a_definition_the_first_value_fixes_the_type() {
    let mut object = MemoryObject::new(3303).instance(0, |it| it.with(60_000, 1_i64));
    let wrong = |path, found| Err(ValueError::Type { path, expected: DataType::Integer, found });
    let path = Path::resource(3303, 0, 60_000);
    assert_eq!(object.set(0, 60_000, "abc"), wrong(path, DataType::String));
    assert_eq!(object.set(0, 60_000, 2_i64), Ok(()));
    let other = ObjectInstance::default().with(60_000, 1.0);
    assert_eq!(object.insert(1, other), wrong(Path::resource(3303, 1, 60_000), DataType::Float));
    let many = Resource::Multiple(BTreeMap::from([(0, 1_i64.into())]));
    assert_eq!(object.set_resource(0, 60_000, many), Err(ValueError::Instances(path)));
}

#[test]
fn an_update_reports_what_changed_before_its_error() {
    let mut harness = Harness::registered(config());
    harness.ask(get("3303/0/5700").observe(0));
    let outcome = harness.sim.with(harness.client, |it, now| {
        it.update::<MemoryObject>(now, 3303, |it| {
            it.set(0, 5700, 25.0)?;
            it.set(0, 5700, "abc")
        })
    });
    assert_eq!(outcome, Err(text_for_a_float(TEMPERATURE)));
    harness.settle();
    assert_eq!(harness.notified(), [(0.0, "25".into())]);
}

#[test]
fn an_update_tells_servers_of_instances() {
    let mut harness = Harness::registered(config());
    harness.ask(get("16").accept(110).observe(0));
    harness.insert(16, 5, ObjectInstance::default().with_multiple(0, [(0, "x")]));
    let heard = harness.heard();
    assert!(heard.len() == 1 && heard[0].contains("</16/5>"), "{heard:?}");
    assert_eq!(harness.notified().len(), 1);
    // Nothing changes: nothing is told.
    harness.set("3303/0/5700", 20.0);
    harness
        .sim
        .with(harness.client, |it, now| it.update::<MemoryObject>(now, 16, |_| Ok(())))
        .unwrap();
    harness.settle();
    assert!(harness.heard().is_empty() && harness.notified().is_empty());
    let news = harness.events.iter().filter(|event| matches!(event, Event::Updated { .. }));
    assert_eq!(news.count(), 1);
}

#[test]
fn an_update_needs_the_type_of_the_object() {
    struct Other;
    impl Object for Other {
        fn id(&self) -> u16 {
            3302
        }

        fn for_each_instance(&self, _: &mut dyn FnMut(u16)) {}

        fn for_each_resource(&self, _: u16, _: &mut dyn FnMut(u16)) {}

        fn read(
            &self,
            _: u16,
            _: u16,
        ) -> Result<std::borrow::Cow<'_, Resource>, lwm2m_client::Refusal> {
            Err(lwm2m_client::Refusal::NotFound)
        }
    }
    let mut client = Client::new(config().version(Version::V1_2), objects(), [0; 32]).unwrap();
    let now = lwm2m_time::Instant::ZERO;
    assert_eq!(client.update::<Other>(now, 3302, |_| Ok(())), Err(ValueError::NoObject(3302)));
    let missing = client.update::<MemoryObject>(now, 50, |_| Ok(()));
    assert_eq!(missing, Err(ValueError::NoObject(50)));
    assert!(
        client.object::<Other>(3302).is_none() && client.object::<MemoryObject>(3302).is_some()
    );
}
