//! What is acknowledged is kept, and what is not kept is not acknowledged.

use crate::harness::{Harness, LIST, at, device, register, update};
use lwm2m_coap::{Code, Request};
use lwm2m_server::records::{DEPARTED, KeptValue, VALUES};
use std::time::Duration;

const REGISTER: &str = "ep=a&lt=300&lwm2m=1.1&b=U&Q&vendor=x";

fn send(value: f64) -> Request {
    let payload = format!(r#"[{{"n":"/3/0/9","v":{value}}}]"#);
    Request::post().path(["dp"]).content_format(110).payload(payload)
}

/// A registered device whose registration is durable; returns its location.
fn kept() -> (Harness, String) {
    let mut harness = Harness::kept();
    assert_eq!(harness.ask_for(device(1), register(REGISTER, LIST)), None, "not durable yet");
    harness.commit();
    let answer = harness.sent.pop_front().expect("the answer");
    assert_eq!(answer.code, Code::CREATED);
    (harness, answer.location())
}

#[test]
fn every_change_is_acknowledged_when_it_is_durable() {
    let (mut harness, location) = kept();
    let changes = [
        update(&location, "lt=600"),
        update(&location, "").content_format(40).payload("</3/0>,</6/0>".to_owned()),
        send(7.0),
        at(Request::delete(), &location),
    ];
    for change in changes {
        assert_eq!(harness.ask_for(device(1), change.clone()), None, "{change:?}");
        harness.commit();
        let answer = harness.sent.pop_front().expect("the answer");
        assert!(answer.code.is_success(), "{change:?}: {answer:?}");
    }
    let stays = [VALUES, DEPARTED];
    assert!(harness.disk.keys().all(|(table, _)| stays.contains(table)), "{:?}", harness.disk);
}

#[test]
fn an_update_that_only_extends_is_answered_at_once() {
    let (mut harness, location) = kept();
    let answer = harness.ask(device(1), update(&location, ""));
    assert_eq!(answer.code, Code::CHANGED);
    assert_eq!(harness.writes.len(), 1, "but noted");
    assert!(!harness.writes[0].promised);
}

#[test]
fn a_registration_survives_a_crash_with_all_its_parts() {
    let (mut harness, location) = kept();
    let before = harness.server.registration("a").unwrap().clone();
    let restored = harness.crash();
    assert_eq!((restored.registrations, restored.unusable), (1, 0));
    assert_eq!(*harness.server.registration("a").unwrap(), before);
    assert_eq!(harness.ask(device(1), update(&location, "")).code, Code::CHANGED);
}

#[test]
fn what_was_not_durable_is_not_there_after_a_crash() {
    let mut harness = Harness::kept();
    assert_eq!(harness.ask_for(device(1), register(REGISTER, LIST)), None);
    assert_eq!(harness.crash().registrations, 0);
}

#[test]
fn a_deregistration_survives_a_crash() {
    let (mut harness, location) = kept();
    harness.ask_for(device(1), at(Request::delete(), &location));
    harness.commit();
    assert_eq!(harness.crash().registrations, 0);
}

#[test]
fn a_lifetime_goes_on_over_a_crash_and_lasts_until_the_device_can_be_heard() {
    let (mut harness, location) = kept();
    harness.pass(Duration::from_secs(200));
    harness.ask(device(1), update(&location, ""));
    harness.commit();
    harness.crash();
    harness.pass(Duration::from_secs(299));
    assert!(harness.server.registration("a").is_some(), "300 s from the Update");
    harness.pass(Duration::from_secs(2));
    assert!(harness.server.registration("a").is_none());

    let (mut harness, _) = kept();
    harness.now = harness.now + Duration::from_secs(3_600);
    assert_eq!(harness.crash().registrations, 1, "it could not send an Update meanwhile");
    harness.pass(Duration::from_secs(92));
    assert!(harness.server.registration("a").is_some());
    harness.pass(Duration::from_secs(2));
    assert!(harness.server.registration("a").is_none());
}

#[test]
fn while_the_store_fails_nothing_is_promised_and_the_rest_goes_on() {
    let (mut harness, location) = kept();
    assert_eq!(harness.ask_for(device(1), send(1.0)), None);
    harness.fail();
    let answer = harness.sent.pop_front().expect("the answer");
    assert_eq!(answer.code, Code::SERVICE_UNAVAILABLE);
    for change in [
        send(2.0),
        at(Request::delete(), &location),
        update(&location, "lt=60"),
        register("ep=b&lt=60&lwm2m=1.1&b=U", LIST),
    ] {
        let answer = harness.ask(device(1), change.clone());
        assert_eq!(answer.code, Code::SERVICE_UNAVAILABLE, "{change:?}");
        assert_eq!(answer.options.max_age(), Some(5));
    }
    assert_eq!(harness.ask(device(1), update(&location, "")).code, Code::CHANGED);
    harness.commit();
    assert_eq!(harness.ask_for(device(1), send(3.0)), None, "it is promised again");
    harness.commit();
    assert_eq!(harness.sent.pop_front().map(|it| it.code), Some(Code::CHANGED));
}

#[test]
fn the_newest_values_are_kept() {
    let (mut harness, _) = kept();
    harness.ask_for(device(1), send(7.0));
    harness.commit();
    let values = harness.disk.iter().filter(|((table, _), _)| *table == VALUES);
    let values: Vec<_> = values.filter_map(|((_, key), it)| KeptValue::read(key, it)).collect();
    let (endpoint, path, value) = &values[0];
    assert_eq!((*endpoint, path.to_string().as_str(), values.len()), ("a", "/3/0/9", 1));
    assert_eq!(value.value, lwm2m_core::Value::Integer(7));
    assert_eq!(value.received_at, harness.now);
}

#[test]
fn records_that_cannot_be_read_are_counted_and_left_out() {
    let (mut harness, _) = kept();
    for (table, value) in [(5, &b"\xff"[..]), (5, b""), (4, b"\xa0"), (3, b"\xf6"), (99, b"\x01")] {
        let key = (lwm2m_link::Table(table), bytes::Bytes::copy_from_slice(b"b\xff/3/0"));
        harness.disk.insert(key, bytes::Bytes::copy_from_slice(value));
    }
    let restored = harness.crash();
    assert_eq!((restored.registrations, restored.unusable), (1, 4));
}

proptest::proptest! {
    /// A damaged or foreign store ends nothing: what cannot be read is left out.
    #[test]
    fn any_records_can_be_read(
        records in proptest::collection::vec(
            (0u8..10, proptest::collection::vec(proptest::prelude::any::<u8>(), 0..24),
             proptest::collection::vec(proptest::prelude::any::<u8>(), 0..64)),
            0..20,
        ),
        cut in 0usize..200,
        flipped in 0usize..200,
    ) {
        let (mut harness, _) = kept();
        for (table, key, value) in records {
            harness.disk.insert((lwm2m_link::Table(table), key.into()), value.into());
        }
        for value in harness.disk.values_mut() {
            let mut bytes = value.to_vec();
            bytes.truncate(bytes.len().saturating_sub(cut / 10));
            if let Some(byte) = bytes.get_mut(flipped) {
                *byte ^= 0x41;
            }
            *value = bytes.into();
        }
        harness.crash();
        harness.pass(Duration::from_secs(10));
    }
}
