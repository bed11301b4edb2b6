//! What is kept of the past: values of instances that exist, the history of numbers, and events.

use crate::harness::{Harness, LIST, at, device, register, update};
use lwm2m_coap::{Code, Request, Response};
use lwm2m_core::{Path, Value};
use lwm2m_link::Table;
use lwm2m_server::records::{
    CommandEnd, DEPARTED, EVENTS, HISTORY, Happened, KeptEvent, KeptNumber, KeptValue, VALUES,
};
use lwm2m_server::{Config, Operation, Target, WishOptions};
use std::time::Duration;

const SENSORS: &str = "</1/0>,</3/0>,</3303/0>,</3303/1>,</3303/10>";

fn harness(config: Config) -> (Harness, String) {
    let mut harness = Harness::with(config.is_kept(true));
    let location = registers(&mut harness, SENSORS);
    (harness, location)
}

fn registers(harness: &mut Harness, list: &str) -> String {
    let query = "ep=a&lt=86400&lwm2m=1.1&b=U";
    harness.ask_for(device(1), register(query, list));
    harness.commit();
    harness.sent.pop_front().expect("an answer").location()
}

/// Sends a value of each sensor.
fn sends(harness: &mut Harness, value: f64) {
    let value_of = |sensor| format!(r#"{{"n":"/3303/{sensor}/5700","v":{value}}}"#);
    let payload = format!("[{}]", [0, 1, 10].map(value_of).join(","));
    let send = Request::post().path(["dp"]).content_format(110).payload(payload);
    harness.ask_for(device(1), send);
    harness.commit();
    assert_eq!(harness.sent.pop_front().map(|it| it.code), Some(Code::CHANGED));
}

fn count(harness: &Harness, table: Table) -> usize {
    harness.disk.keys().filter(|(of, _)| *of == table).count()
}

/// The sensors of which there are values.
fn sensors(harness: &Harness) -> Vec<u16> {
    let values = harness.disk.iter().filter(|((table, _), _)| *table == VALUES);
    let paths = values.filter_map(|((_, key), it)| Some(KeptValue::read(key, it)?.1));
    let mut sensors: Vec<_> = paths.filter_map(|path| path.instance_id()).collect();
    sensors.sort_unstable();
    sensors
}

#[test]
fn values_of_an_instance_that_is_deleted_are_forgotten() {
    let (mut harness, _) = harness(Config::default().max_history(10));
    sends(&mut harness, 1.5);
    assert_eq!((sensors(&harness), count(&harness, HISTORY)), (vec![0, 1, 10], 3));
    let (_, request) = harness.order("a", Operation::Delete { path: Path::instance(3303, 1) });
    harness.answer(&request, Response::new(Code::DELETED));
    harness.commit();
    assert_eq!((sensors(&harness), count(&harness, HISTORY)), (vec![0, 10], 2));
    // What the device does not delete stays.
    let (_, request) = harness.order("a", Operation::Delete { path: Path::instance(3303, 0) });
    harness.answer(&request, Response::new(Code::METHOD_NOT_ALLOWED));
    harness.commit();
    assert_eq!(sensors(&harness), [0, 10]);
}

#[test]
fn the_value_of_a_resource_instance_that_is_deleted_is_forgotten() {
    let (mut harness, _) = harness(Config::default().max_history(10));
    let payload = r#"[{"n":"/3303/1/6050/0","v":1},{"n":"/3303/1/6050/1","v":2}]"#;
    let send = Request::post().path(["dp"]).content_format(110).payload(payload);
    harness.ask_for(device(1), send);
    harness.commit();
    assert_eq!((count(&harness, VALUES), count(&harness, HISTORY)), (2, 2));
    for (code, left) in [(Code::METHOD_NOT_ALLOWED, 2), (Code::DELETED, 1)] {
        let path = Path::resource_instance(3303, 1, 6050, 1);
        harness.sent.clear();
        let (_, request) = harness.order("a", Operation::Delete { path });
        harness.answer(&request, Response::new(code));
        harness.commit();
        assert_eq!((count(&harness, VALUES), count(&harness, HISTORY)), (left, left), "{code}");
    }
}

#[test]
fn values_of_instances_that_a_device_does_not_list_any_more_are_forgotten() {
    let (mut harness, location) = harness(Config::default());
    sends(&mut harness, 1.5);
    let fewer = "</1/0>,</3/0>,</3303/0>,</3303/10>";
    let request = update(&location, "").content_format(40).payload(fewer.to_owned());
    harness.ask_for(device(1), request);
    harness.commit();
    assert_eq!(sensors(&harness), [0, 10]);
    registers(&mut harness, "</1/0>,</3/0>,</3303/10>");
    assert_eq!(sensors(&harness), [10], "by a Register");
    registers(&mut harness, "</1/0>,</3/0>");
    assert_eq!(sensors(&harness), [0; 0]);
}

#[test]
fn values_of_answers_are_kept_if_there_is_a_store() {
    let read = || Operation::Read { path: Path::instance(3303, 1), format: None };
    let answer = || {
        let payload = r#"[{"n":"/3303/1/5700","v":1.5}]"#;
        Response::new(Code::CONTENT).content_format(110).payload(payload)
    };
    let (mut kept, _) = harness(Config::default());
    let (_, request) = kept.order("a", read());
    kept.answer(&request, answer());
    kept.commit();
    assert_eq!(sensors(&kept), [1]);
    let mut harness = Harness::new();
    harness.registered_as(1, "ep=a&lt=60&lwm2m=1.1", SENSORS);
    let (_, request) = harness.order("a", read());
    harness.answer(&request, answer());
    assert_eq!(harness.writes.len(), 0);
}

#[test]
fn values_of_a_device_with_a_credential_stay_whatever_leaves() {
    let (mut harness, _) = harness(Config::default());
    sends(&mut harness, 1.5);
    let credential = lwm2m_credentials::Credential::psk(b"a", b"key").unwrap();
    harness.server.put_credential(harness.now, "a", credential).unwrap();
    harness.drain();
    harness.commit();
    assert!(harness.server.registration("a").is_none());
    assert_eq!((sensors(&harness), count(&harness, DEPARTED)), (vec![0, 1, 10], 0));
}

#[test]
fn values_outlive_the_registration_and_not_the_credential() {
    let (mut harness, location) = harness(Config::default());
    sends(&mut harness, 1.5);
    harness.ask_for(device(1), at(Request::delete(), &location));
    harness.commit();
    assert_eq!(sensors(&harness), [0, 1, 10]);
    let credential = lwm2m_credentials::Credential::psk(b"a", b"key").unwrap();
    harness.server.put_credential(harness.now, "a", credential).unwrap();
    harness.server.remove_credential(harness.now, "a");
    harness.drain();
    harness.commit();
    assert_eq!(sensors(&harness), [0; 0]);
}

#[test]
fn of_devices_that_anybody_can_make_up_the_last_ones_to_leave_have_values() {
    let config = || Config::default().is_kept(true).max_departed(3).max_history(10);
    let mut harness = Harness::with(config());
    let lives = |harness: &mut Harness, number: u16, stays: bool| {
        let query = format!("ep=dev-{number}&lt=86400&lwm2m=1.1&b=U");
        harness.ask_for(device(number), register(&query, SENSORS));
        harness.commit();
        let location = harness.sent.pop_front().expect("an answer").location();
        let payload = r#"[{"n":"/3303/0/5700","v":1.5}]"#;
        let send = Request::post().path(["dp"]).content_format(110).payload(payload);
        harness.ask_for(device(number), send);
        harness.commit();
        if !stays {
            harness.ask_for(device(number), at(Request::delete(), &location));
            harness.commit();
        }
        harness.sent.clear();
    };
    let known = |harness: &Harness| -> Vec<String> {
        let values = harness.disk.iter().filter(|((table, _), _)| *table == VALUES);
        values.filter_map(|((_, key), it)| Some(KeptValue::read(key, it)?.0.to_owned())).collect()
    };
    lives(&mut harness, 0, true);
    (1..=3).for_each(|number| lives(&mut harness, number, false));
    // One that comes and goes pushes nobody out, and is the last that left.
    (0..10).for_each(|_| lives(&mut harness, 1, false));
    assert_eq!(known(&harness), ["dev-0", "dev-1", "dev-2", "dev-3"]);
    lives(&mut harness, 4, false);
    assert_eq!(known(&harness), ["dev-0", "dev-1", "dev-3", "dev-4"]);
    assert_eq!(count(&harness, HISTORY), count(&harness, VALUES), "and its numbers");
    assert_eq!(harness.crash().unusable, 0);
    // Who has come back is not forgotten when it is its turn.
    lives(&mut harness, 3, true);
    (5..=7).for_each(|number| lives(&mut harness, number, false));
    assert_eq!(known(&harness), ["dev-0", "dev-3", "dev-5", "dev-6", "dev-7"]);
    assert_eq!(count(&harness, DEPARTED), 3);
}

#[test]
fn the_values_of_a_device_are_bounded() {
    let (mut harness, _) = harness(Config::default().max_kept_values(100).max_history(10));
    for from in (0..2_000).step_by(50) {
        let value = |id| format!(r#"{{"n":"/3303/0/{id}","v":1.5}}"#);
        let values: Vec<_> = (from..from + 50).map(value).collect();
        let send = Request::post().path(["dp"]).content_format(110);
        harness.ask_for(device(1), send.payload(format!("[{}]", values.join(","))));
        harness.commit();
        assert_eq!(harness.sent.pop_front().map(|it| it.code), Some(Code::CHANGED));
        assert!(count(&harness, VALUES) < 600 && count(&harness, HISTORY) < 1_600);
    }
    assert!(count(&harness, VALUES) >= 100);
}

// --- the history of numbers ----------------------------------------------------------------------

fn numbers(harness: &Harness, sensor: u16) -> Vec<f64> {
    let prefix = KeptNumber::prefix("a", &Path::resource(3303, sensor, 5700));
    let all = harness.disk.iter();
    let of = all.filter(|((table, key), _)| *table == HISTORY && key.starts_with(&prefix));
    of.map(|((_, key), record)| match KeptNumber::read(key, record).unwrap().value {
        Value::Float(value) => value,
        Value::Integer(value) => value as f64,
        other => panic!("{other:?}"),
    })
    .collect()
}

#[test]
fn each_number_is_kept_in_order_and_the_oldest_give_way() {
    let (mut harness, _) = harness(Config::default().max_history(100));
    for value in 0..1_000 {
        harness.pass(Duration::from_millis(10));
        sends(&mut harness, f64::from(value));
        let kept = numbers(&harness, 0).len();
        assert!(kept <= 100 + 1_000, "{kept}");
    }
    for sensor in [0, 1, 10] {
        let kept = numbers(&harness, sensor);
        assert!((100..700).contains(&kept.len()), "{}", kept.len());
        assert!(kept.is_sorted() && kept.last() == Some(&999.0), "{kept:?}");
    }
    assert_eq!(harness.crash().unusable, 0);
    assert!(numbers(&harness, 0).len() >= 100);
}

#[test]
fn without_a_history_no_number_is_written_but_the_newest() {
    let (mut harness, _) = harness(Config::default());
    (0..10).for_each(|value| sends(&mut harness, f64::from(value)));
    assert_eq!((count(&harness, HISTORY), count(&harness, VALUES)), (0, 3));
    assert_eq!(count(&harness, EVENTS), 0);
}

// --- events --------------------------------------------------------------------------------------

fn events(harness: &Harness) -> Vec<KeptEvent> {
    let all = harness.disk.iter().filter(|((table, _), _)| *table == EVENTS);
    all.map(|((_, key), record)| KeptEvent::read(key, record).unwrap()).collect()
}

#[test]
fn what_happened_is_there_after_a_crash_and_numbers_go_on() {
    let (mut harness, location) = harness(Config::default().max_events(1_600));
    let target = Target::Path(Path::resource(3, 0, 9));
    let wish = WishOptions::default();
    harness.server.wish(harness.now, "a", target.clone(), wish).unwrap();
    harness.drain();
    let request = harness.request();
    harness.answer(&request, Response::new(Code::METHOD_NOT_ALLOWED));
    harness.ask_for(device(1), update(&location, "lt=600"));
    harness.ask_for(device(1), update(&location, ""));
    harness.commit();
    harness.crash();
    harness.ask_for(device(1), at(Request::delete(), &location));
    harness.commit();
    let told = events(&harness);
    assert!(told.iter().map(|it| it.number).eq(0..4), "{told:?}");
    assert!(told.iter().all(|it| it.endpoint == "a" && it.at == harness.now));
    let what: Vec<_> = told.into_iter().map(|it| it.what).collect();
    let address = device(1).to_string();
    let expected = [
        Happened::Registered(address.clone()),
        Happened::Refused(target, Code::METHOD_NOT_ALLOWED),
        Happened::Updated(address),
        Happened::Deregistered(lwm2m_server::DeregistrationReason::Removed),
    ];
    assert_eq!(what, expected);
}

#[test]
fn so_many_events_are_kept_and_one_device_does_not_push_the_others_out() {
    let mut harness = Harness::with(Config::default().is_kept(true).max_events(160));
    let registers = |harness: &mut Harness, number: u16| {
        let query = format!("ep=dev-{number}&lt=86400&lwm2m=1.1&b=U");
        harness.ask_for(device(number), register(&query, LIST));
        harness.commit();
        harness.sent.clear();
    };
    registers(&mut harness, 0);
    for _ in 0..100 {
        registers(&mut harness, 1);
    }
    let of = |harness: &Harness, name: &str| {
        events(harness).iter().filter(|it| it.endpoint == name).count()
    };
    assert_eq!((of(&harness, "dev-0"), of(&harness, "dev-1")), (1, 10), "a sixteenth in an hour");
    harness.pass(Duration::from_secs(3_600));
    registers(&mut harness, 1);
    assert!(of(&harness, "dev-1") > 10);
    (2..400).for_each(|number| registers(&mut harness, number));
    assert_eq!(count(&harness, EVENTS), 160, "the last ones");
    assert_eq!(of(&harness, "dev-0"), 0);
    harness.crash();
    registers(&mut harness, 1_000);
    assert_eq!(count(&harness, EVENTS), 160);
}

/// The harness knows plain CoAP only: what tells the endpoint from others is its credential.
#[test]
fn a_crowd_of_made_up_names_pushes_out_nothing_of_devices_with_security() {
    let (mut harness, _) = harness(Config::default().max_events(160));
    let operation = Operation::Execute { path: Path::resource(3, 0, 4), arguments: String::new() };
    let options = lwm2m_server::CommandOptions::default();
    harness.server.command(harness.now, "a", operation, options).unwrap();
    let credential = lwm2m_credentials::Credential::psk(b"a", b"key").unwrap();
    harness.server.put_credential(harness.now, "a", credential).unwrap();
    harness.drain();
    harness.commit();
    harness.pass(Duration::from_secs(2 * 86_400));
    let of = |harness: &Harness, name: &str| {
        events(harness).into_iter().filter(|it| it.endpoint == name).map(|it| it.what).collect()
    };
    let crowd = |harness: &mut Harness| {
        for number in 0..400 {
            let query = format!("ep=dev-{number}&lt=86400&lwm2m=1.1&b=U");
            harness.ask_for(device(number), register(&query, LIST));
            harness.commit();
        }
        harness.sent.clear();
    };
    let reason = lwm2m_server::DeregistrationReason::CredentialsChanged;
    let ended = Happened::CommandEnded(lwm2m_server::CommandId(1_000_000), CommandEnd::Expired);
    let expected = [Happened::Deregistered(reason), ended];
    crowd(&mut harness);
    let kept: Vec<_> = of(&harness, "a");
    assert_eq!(kept, expected, "the Register was a plain one");
    assert_eq!(count(&harness, EVENTS), 160);
    assert_eq!(harness.crash().unusable, 0);
    crowd(&mut harness);
    let kept: Vec<_> = of(&harness, "a");
    assert_eq!((kept, count(&harness, EVENTS)), (expected.into(), 160), "also after a restart");
}
