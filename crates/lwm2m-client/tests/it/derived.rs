//! Objects that are structs.

use crate::harness::{Harness, JSON, TEXT, config, delete, device, get, post, put};
use lwm2m_client::typed::{Arguments, Time};
use lwm2m_client::{Instance, Instances, Object, Refusal, ValueError};
use lwm2m_core::Path;
use std::collections::BTreeMap;

/// The object of OMA's registry that is in every tutorial.
#[derive(Object, Clone, Default)]
#[lwm2m(object = 3303, version = "1.1", execute(5605 = reset))]
struct Thermometer {
    #[lwm2m(resource = 5700)]
    value: f64,
    #[lwm2m(resource = 5601)]
    min: f64,
    #[lwm2m(resource = 5602)]
    max: f64,
    #[lwm2m(resource = 5750)]
    application: Option<String>,
    /// The device's own.
    resets: u32,
}

impl Thermometer {
    fn at(value: f64) -> Self {
        Self { value, min: value, max: value, ..Self::default() }
    }

    fn measured(&mut self, value: f64) {
        (self.value, self.min, self.max) = (value, self.min.min(value), self.max.max(value));
    }

    fn reset(&mut self, _: &Arguments) -> Result<(), Refusal> {
        (self.min, self.max) = (self.value, self.value);
        self.resets += 1;
        Ok(())
    }
}

/// An object that no registry has.
#[derive(Object, Clone, Default, Debug, PartialEq)]
#[lwm2m(object = 33_900, name = "Pump", version = "1.2", multiple, execute(9 = stop))]
struct Pump {
    #[lwm2m(resource = 0, operations = "RW", units = "1/s", range = "0..100")]
    speed: i64,
    #[lwm2m(resource = 1, operations = "RW")]
    names: BTreeMap<u16, String>,
    #[lwm2m(resource = 2)]
    since: Time,
    #[lwm2m(resource = 3, operations = "RW")]
    note: Option<String>,
}

impl Pump {
    fn stop(&mut self, arguments: &Arguments) -> Result<(), Refusal> {
        if !arguments.is_empty() {
            return Err(Refusal::BadRequest);
        }
        self.speed = 0;
        Ok(())
    }
}

fn harness() -> Harness {
    let thermometer =
        Instances::new().with(0, Thermometer::at(20.0)).with(2, Thermometer::at(-4.5));
    let pump = Pump { speed: 7, since: Time(1_000), ..Pump::default() };
    let pumps = Instances::new().with(0, pump).creatable(2);
    let config = config().definition(Pump::definition().unwrap());
    let mut harness =
        Harness::new(config, vec![Box::new(device()), Box::new(thermometer), Box::new(pumps)]);
    harness.start();
    harness
}

fn text(harness: &mut Harness, path: &str) -> String {
    let response = harness.ask(get(path).accept(TEXT));
    format!("{} {}", response.code, String::from_utf8_lossy(&response.payload))
}

#[test]
fn fields_are_read_and_methods_executed() {
    let mut harness = harness();
    let measured = |it: &mut Thermometer| it.measured(3.0);
    harness.sim.with(harness.client, |it, now| it.update_instance(now, 2, measured)).unwrap();
    assert_eq!(text(&mut harness, "3303/2/5700"), "2.05 3");
    assert_eq!(text(&mut harness, "3303/2/5601"), "2.05 -4.5");
    assert_eq!(text(&mut harness, "3303/0/5700"), "2.05 20");
    assert_eq!(harness.code(get("3303/0/5750")), "4.04", "it has no value");
    assert_eq!(harness.code(post("3303/2/5605")), "2.04");
    assert_eq!(text(&mut harness, "3303/2/5601"), "2.05 3");
    let object = harness.sim[harness.client].object::<Instances<Thermometer>>(3303).unwrap();
    let resets: Vec<_> = object.iter().map(|(id, it)| (id, it.resets)).collect();
    assert_eq!(resets, [(0, 0), (2, 1)]);
}

#[test]
fn what_servers_write_is_in_the_fields_or_nothing_is() {
    let mut harness = harness();
    assert_eq!(harness.code(put("33900/0/0").content_format(TEXT).payload("12")), "2.04");
    assert_eq!(harness.code(put("33900/0/0").content_format(TEXT).payload("101")), "4.00", "range");
    let both = r#"[{"bn":"/33900/0/","n":"0","v":1},{"n":"1/4","vs":"left"},{"n":"3","vs":"x"}]"#;
    assert_eq!(harness.code(post("33900/0").content_format(JSON).payload(both)), "2.04");
    let wrong = r#"[{"bn":"/33900/0/","n":"0","v":2},{"n":"1/4","v":5}]"#;
    assert_eq!(harness.code(post("33900/0").content_format(JSON).payload(wrong)), "4.00");
    let expected = Pump {
        speed: 1,
        names: BTreeMap::from([(4, "left".into())]),
        since: Time(1_000),
        note: Some("x".into()),
    };
    let pumps = harness.sim[harness.client].object::<Instances<Pump>>(33_900).unwrap();
    assert_eq!(pumps.get(0), Some(&expected));
    assert_eq!(harness.code(post("33900/0/9").content_format(TEXT).payload("0")), "4.00");
    assert_eq!(harness.code(post("33900/0/9")), "2.04");
    assert_eq!(text(&mut harness, "33900/0/0"), "2.05 0");
}

#[test]
fn servers_create_as_many_as_there_may_be() {
    let mut harness = harness();
    let new = r#"[{"bn":"/33900/5/","n":"0","v":3}]"#;
    let create = || post("33900").content_format(JSON).payload(new);
    assert_eq!(harness.code(create()), "2.01");
    assert_eq!(text(&mut harness, "33900/5/0"), "2.05 3");
    let another = post("33900").content_format(JSON).payload(new.replace("/5/", "/6/"));
    assert_eq!(harness.code(another), "4.00", "there are two");
    assert_eq!(harness.code(delete("33900/5")), "2.02");
    assert_eq!(harness.code(get("33900/5")), "4.04");
    assert_eq!(harness.code(delete("3303/0")), "4.05", "servers create none");
}

#[test]
fn there_is_nothing_to_update_where_there_is_no_instance() {
    let mut harness = harness();
    let change = |_: &mut Thermometer| ();
    let missing = harness.sim.with(harness.client, |it, now| it.update_instance(now, 1, change));
    assert_eq!(missing, Err(ValueError::NoInstance(Path::instance(3303, 1))));
}
