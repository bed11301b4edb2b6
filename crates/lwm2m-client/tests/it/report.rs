//! Observe and Notify.

use crate::harness::{Harness, JSON, TEXT, address, attributes, config, device, get, put};
use lwm2m_client::{Config, Event, MemoryObject, Object, Refusal, ServerAccount};
use lwm2m_coap::{Code, MessageType, MessageView};
use lwm2m_core::{Resource, Value, Version};
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

/// A harness in which /3303/0/5700, now 20, is observed with these attributes.
fn observed(query: &str) -> Harness {
    let mut harness = Harness::registered(config());
    if !query.is_empty() {
        assert_eq!(harness.code(attributes("3303/0/5700", query)), "2.04", "{query}");
    }
    let answer = harness.ask(get("3303/0/5700").observe(0));
    assert!(answer.options.observe().is_some());
    harness
}

fn times(harness: &mut Harness) -> Vec<f64> {
    harness.notified().iter().map(|(time, _)| time.round()).collect()
}

// proves: NOTIFY-01
#[test]
fn the_first_answer_starts_the_periods_at_each_level() {
    for path in ["3", "3/0", "3/0/7", "3/0/7/0"] {
        let mut harness = Harness::registered(config());
        harness.ask(attributes("3", "pmax=10"));
        assert!(harness.ask(get(path).observe(0)).options.observe().is_some());
        harness.run(15.0);
        assert_eq!(times(&mut harness), [10.0], "{path}");
    }
}

// proves: NOTIFY-02
#[test]
fn an_observe_that_fails_leaves_no_observation() {
    let mut harness = Harness::registered(config());
    harness.ask(attributes("3", "pmax=1"));
    for (request, code) in [
        (get("3/0/4"), "4.05"),
        (get("50"), "4.04"),
        (get("3/0").accept(9999), "4.06"),
        (get("0/0"), "4.01"),
        (get("3/0/9").query("pmin=1"), "4.00"),
    ] {
        let answer = harness.ask(request.observe(0));
        assert_eq!((answer.code.to_string().as_str(), answer.options.observe()), (code, None));
    }
    harness.run(10.0);
    assert!(harness.notified().is_empty());
}

// proves: NOTIFY-03
#[test]
fn a_notification_is_what_a_read_would_be() {
    let mut harness = Harness::registered(config());
    harness.ask(get("3/0").accept(JSON).observe(0));
    harness.ask(put("3/0/14").content_format(TEXT).payload("+01:00"));
    let read = harness.ask(get("3/0").accept(JSON));
    let (_, notified) = &harness.servers[0].notified[0];
    assert_eq!(notified.options.content_format(), Some(JSON));
    assert_eq!(notified.payload, read.payload);
    let path = "/3/0".parse().unwrap();
    assert!(harness.events.contains(&Event::Notified { server: 1, path }));
}

// proves: ATTR-07
#[test]
fn a_change_within_pmin_is_told_when_it_ends() {
    let mut harness = observed("pmin=5");
    harness.run(1.0);
    harness.set("3303/0/5700", 21.0);
    harness.run(1.0);
    harness.set("3303/0/5700", 22.0);
    harness.run(20.0);
    assert_eq!(harness.notified(), [(5.0, "22".to_owned())]);
    harness.set("3303/0/5700", 23.0);
    harness.set("3303/0/5700", 24.0);
    harness.run(20.0);
    assert_eq!(times(&mut harness), [22.0, 27.0]);
}

// proves: ATTR-08
#[test]
fn without_change_pmax_tells() {
    for (query, expected) in [
        ("pmax=15", &[15.0, 30.0][..]),
        ("pmax=0", &[]),
        ("pmin=10&pmax=5", &[]),
        ("pmin=5&pmax=5", &[5.0, 10.0, 15.0, 20.0, 25.0, 30.0]),
    ] {
        let mut harness = observed(query);
        harness.run(31.0);
        assert_eq!(times(&mut harness), expected, "{query}");
    }
}

// proves: ATTR-09
#[test]
fn a_change_is_told_at_once_and_restarts_pmax() {
    let mut harness = observed("pmax=60");
    harness.run(3.0);
    harness.set("3303/0/5700", 21.0);
    harness.run(61.0);
    assert_eq!(times(&mut harness), [3.0, 63.0]);
}

// proves: ATTR-10, ATTR-11
#[test]
fn thresholds_and_steps_choose_the_changes() {
    for (query, values, expected) in [
        ("gt=45", &[42.0, 48.0, 55.0, 42.0][..], &["48", "42"][..]),
        ("lt=15", &[16.0, 14.0, 10.0, 25.0], &["14", "25"]),
        ("gt=45&st=10", &[28.0, 39.0, 42.0, 49.0, 55.0, 60.0], &["39", "49", "60"]),
        ("st=10", &[23.0, 26.0, 29.0, 31.0, 33.0], &["31"]),
        ("", &[21.0, 21.0, 22.0], &["21", "22"]),
    ] {
        let mut harness = observed(query);
        for value in values {
            harness.set("3303/0/5700", *value);
        }
        let notified: Vec<_> = harness.notified().into_iter().map(|(_, text)| text).collect();
        assert_eq!(notified, expected, "{query}");
    }
}

// proves: ATTR-06
#[test]
fn inner_levels_win_down_to_the_defaults_of_the_server() {
    let mut account = ServerAccount::new(1, address(0));
    account.pmax = Some(50);
    let mut harness = Harness::registered(Config::new("test").server(account));
    for (path, pmax) in [("3", 40), ("3/0", 30), ("3/0/7", 20), ("3/0/7/0", 10)] {
        harness.ask(attributes(path, &format!("pmax={pmax}")));
    }
    harness.ask(get("3/0/7/0").observe(0));
    for (period, unset) in [(10.0, "3/0/7/0"), (20.0, "3/0/7"), (30.0, "3/0"), (40.0, "3")] {
        let before = harness.sim.now;
        harness.run(period + 0.5);
        assert_eq!(times(&mut harness).len(), 1, "{period} after {before:?}");
        harness.ask(attributes(unset, "pmax"));
        harness.ask(get("3/0/7/0").observe(0));
    }
    harness.run(49.0);
    assert!(times(&mut harness).is_empty());
    harness.run(1.5);
    assert_eq!(times(&mut harness).len(), 1);
}

// proves: ATTR-13
#[test]
fn attributes_below_the_target_have_no_say() {
    let mut harness = Harness::registered(config());
    harness.ask(attributes("3/0/9", "pmax=5"));
    harness.ask(get("3/0").observe(0));
    harness.run(20.0);
    assert!(harness.notified().is_empty());
    harness.ask(attributes("3", "pmax=5"));
    // The last notification is longer ago than that already.
    harness.run(6.0);
    assert_eq!(times(&mut harness), [20.0, 25.0]);
}

#[test]
fn new_default_periods_hold_at_once() {
    let mut harness = observed("");
    assert_eq!(harness.code(put("1/0/3").content_format(TEXT).payload("5")), "2.04");
    harness.run(11.0);
    assert_eq!(times(&mut harness), [5.0, 10.0]);
}

// proves: ATTR-16
#[test]
fn con_or_the_server_object_decides_whether_notifications_are_confirmable() {
    let (resource, instance) = ("3303/0/5700", "3303/0");
    for (observed, attribute, default, expected) in [
        (resource, None, "1", true),
        (resource, None, "0", false),
        (resource, Some((resource, "con=1")), "0", true),
        (resource, Some((resource, "con=0")), "1", false),
        (resource, Some((instance, "con=1")), "0", true),
        (resource, Some(("3303/0/5701", "con=1")), "0", false),
        // Whatever is reported counts, not only what is observed by name.
        (instance, Some((resource, "con=1")), "0", true),
        ("3303", Some((resource, "con=1")), "0", true),
        (instance, Some((instance, "con=0")), "1", false),
        (instance, None, "1", true),
    ] {
        let mut harness = Harness::registered(config().version(Version::V1_2));
        assert_eq!(harness.code(put("1/0/26").content_format(TEXT).payload(default)), "2.04");
        if let Some((path, attribute)) = attribute {
            assert_eq!(harness.code(attributes(path, attribute)), "2.04");
        }
        harness.ask(get(observed).observe(0));
        let hotter = |it: &mut MemoryObject| it.set(0, 5700, 30.0);
        harness.sim.with(harness.client, |it, now| it.update(now, 3303, hotter)).unwrap();
        let datagram = harness.sim.network.arrive(harness.sim.now).unwrap().payload;
        let message = MessageView::parse(&datagram).unwrap();
        let is = message.kind() == MessageType::Confirmable;
        assert_eq!(is, expected, "{observed} {attribute:?} {default}");
    }
}

/// A thermometer whose value is measured when it is read.
struct Thermometer(Arc<AtomicI32>);

impl Object for Thermometer {
    fn id(&self) -> u16 {
        3303
    }

    fn for_each_instance(&self, visit: &mut dyn FnMut(u16)) {
        visit(0);
    }

    fn for_each_resource(&self, _: u16, visit: &mut dyn FnMut(u16)) {
        visit(5700);
    }

    fn read(&self, _: u16, _: u16) -> Result<Cow<'_, Resource>, Refusal> {
        let celsius = f64::from(self.0.load(Ordering::Relaxed));
        Ok(Cow::Owned(Resource::Single(Value::Float(celsius))))
    }
}

#[test]
fn epmax_has_the_value_looked_at() {
    let celsius = Arc::new(AtomicI32::new(20));
    let thermometer = Thermometer(Arc::clone(&celsius));
    let objects: Vec<Box<dyn Object>> = vec![Box::new(device()), Box::new(thermometer)];
    let mut harness = Harness::new(config(), objects);
    harness.start();
    harness.ask(attributes("3303/0/5700", "epmin=1&epmax=20"));
    harness.ask(get("3303/0/5700").observe(0));
    celsius.store(30, Ordering::Relaxed);
    harness.run(19.0);
    assert!(harness.notified().is_empty());
    harness.run(2.0);
    assert_eq!(times(&mut harness), [20.0]);
}

// proves: OBS-07
#[test]
fn a_cancelled_observation_is_silent() {
    let mut harness = Harness::registered(config());
    let observe = harness.send(0, get("3303/0/5700").observe(0));
    harness.set("3303/0/5700", 21.0);
    harness.set("3303/0/5700", 22.0);
    assert_eq!(harness.notified().len(), 2);
    let now = harness.sim.now;
    let cancel = harness.coap(0).cancel_observation(now, observe).unwrap();
    harness.settle();
    let answer = harness.answer(0, cancel).unwrap();
    assert_eq!((answer.code, answer.options.observe()), (Code::CONTENT, None));
    harness.set("3303/0/5700", 23.0);
    assert!(harness.notified().is_empty());
    assert!(matches!(harness.events.last(), Some(Event::ObservationEnded { .. })));
}

// proves: OBS-06
#[test]
fn a_reset_ends_that_observation_only() {
    let mut harness = Harness::registered(config());
    let forgotten = harness.send(0, get("3303/0/5700").observe(0));
    harness.ask(get("3303/0").observe(0));
    harness.coap(0).cancel(forgotten);
    harness.set("3303/0/5700", 21.0);
    harness.set("3303/0/5700", 22.0);
    assert_eq!(harness.notified().len(), 2);
    let ended = |event: &&Event| matches!(event, Event::ObservationEnded { .. });
    assert_eq!(harness.events.iter().filter(ended).count(), 1);
}

// proves: OBS-12
#[test]
fn a_second_observe_replaces_the_first() {
    let mut harness = Harness::registered(config());
    harness.ask(get("3303/0/5700").observe(0));
    harness.ask(get("3303/0/5700").observe(0));
    harness.set("3303/0/5700", 21.0);
    assert_eq!(harness.notified().len(), 1);
}

// proves: OBS-10
#[test]
fn what_vanishes_is_told_and_ends_the_observation() {
    let mut harness = Harness::registered(config());
    harness.ask(get("16/1").observe(0));
    let remove = |it: &mut MemoryObject| {
        assert!(it.remove(1));
        Ok(())
    };
    harness.sim.with(harness.client, |it, now| it.update(now, 16, remove)).unwrap();
    harness.settle();
    let (_, last) = &harness.servers[0].notified[0];
    assert_eq!((last.code, last.options.observe()), (Code::NOT_FOUND, None));
}

#[test]
fn a_new_registration_has_no_observations() {
    let mut harness = observed("");
    harness.sim.with(harness.client, |it, now| it.rebind(now));
    harness.settle();
    harness.set("3303/0/5700", 21.0);
    assert!(harness.notified().is_empty());
}

// proves: NOTIFY-06, NOTIFY-07
#[test]
fn attributes_of_an_observe_are_its_own() {
    let mut harness = Harness::registered(config().version(Version::V1_2));
    harness.ask(attributes("3303/0/5700", "pmax=60"));
    let own = get("3303/0/5700").query("pmin=5").query("pmax=10").observe(0);
    assert_eq!(harness.code(own), "2.05");
    harness.run(21.0);
    assert_eq!(times(&mut harness), [10.0, 20.0]);
    assert_eq!(harness.discover("3303/0/5700"), "</3303/0/5700>;pmax=60");
    for (path, query) in [("3/0/9", &["lt=10", "gt=5"][..]), ("3", &["gt=1"])] {
        let request = query.iter().fold(get(path).observe(0), |request, q| request.query(q));
        assert_eq!(harness.code(request), "4.00");
    }
}

#[test]
fn changes_that_do_not_concern_an_observation_are_silent() {
    let mut harness = observed("");
    harness.set("3303/0/5701", "K");
    harness.set("3/0/9", 50_i64);
    assert!(harness.notified().is_empty());
}
