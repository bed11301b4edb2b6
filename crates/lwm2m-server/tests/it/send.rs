//! Send: what devices report on their own account, and what of it is refused.

use crate::harness::{Harness, device, update};
use lwm2m_coap::{Code, Request};
use lwm2m_core::{Path, Value};
use lwm2m_server::{Config, Event};

fn send(format: u16, payload: impl Into<bytes::Bytes>) -> Request {
    Request::post().path(["dp"]).content_format(format).payload(payload)
}

fn code(harness: &mut Harness, request: Request) -> Code {
    harness.ask(device(0), request).code
}

/// The values of the next event, which is a Send of device `a`.
fn sent(harness: &mut Harness) -> Vec<(Path, Value)> {
    let Some(Event::ValuesReceived { registration, values, .. }) = harness.events.pop_front()
    else {
        panic!("values")
    };
    assert_eq!(&*registration.endpoint, "a");
    values.into_iter().map(|timed| (timed.path, timed.value)).collect()
}

// proves: SEND-04
#[test]
fn what_is_not_registered_or_not_decodable_is_refused() {
    let mut harness = Harness::new();
    harness.registered(0, "a");
    let not_registered = [r#"[{"n":"/50/0/1","v":1}]"#, r#"[{"n":"/3/1/9","v":1}]"#];
    for payload in not_registered {
        assert_eq!(code(&mut harness, send(110, payload)), Code::NOT_FOUND, "{payload}");
    }
    let value = r#"[{"n":"/3/0/9","v":100}]"#;
    let without_format = Request::post().path(["dp"]).payload(value);
    let wrong = [
        send(112, vec![0x00, 0x10]),
        send(60, vec![0x18, 100]),
        send(11_542, vec![0xc1, 9, 100]),
        // Only since LwM2M 1.2.
        send(11_544, vec![0xa1, 0x83, 3, 0, 9, 0x18, 100]),
        without_format,
    ];
    for request in wrong {
        assert_eq!(code(&mut harness, request.clone()), Code::BAD_REQUEST, "{request:?}");
    }
    assert_eq!(code(&mut harness, Request::get().path(["dp"])), Code::METHOD_NOT_ALLOWED);
    assert!(harness.events.is_empty());
    assert_eq!(code(&mut harness, send(110, value)), Code::CHANGED);
    assert_eq!(sent(&mut harness), [(Path::resource(3, 0, 9), Value::Integer(100))]);
}

// proves: SEND-05
#[test]
fn only_registered_peers_are_heard_and_unknown_resources_are_no_error() {
    let mut harness = Harness::new();
    let payload = r#"[{"bn":"/3/0/","n":"99","v":1},{"n":"9","v":100}]"#;
    assert_eq!(code(&mut harness, send(110, payload)), Code::NOT_FOUND);
    let location = harness.registered(0, "a");
    assert_eq!(harness.ask(device(1), send(110, payload)).code, Code::NOT_FOUND);
    assert!(harness.events.is_empty());
    assert_eq!(code(&mut harness, send(110, payload)), Code::CHANGED);
    assert!(sent(&mut harness).contains(&(Path::resource(3, 0, 9), Value::Integer(100))));
    // The peer is known by its latest address, and until it de-registers.
    assert_eq!(harness.ask(device(1), update(&location, "")).code, Code::CHANGED);
    harness.events.clear();
    assert_eq!(code(&mut harness, send(110, payload)), Code::NOT_FOUND);
    assert_eq!(harness.ask(device(1), send(110, payload)).code, Code::CHANGED);
    let end = crate::harness::at(Request::delete(), &location);
    assert_eq!(harness.ask(device(1), end).code, Code::DELETED);
    assert_eq!(harness.ask(device(1), send(110, payload)).code, Code::NOT_FOUND);
}

#[test]
fn a_record_that_cannot_be_read_does_not_lose_the_others() {
    let mut harness = Harness::new();
    harness.registered(0, "a");
    let payload = r#"[{"bn":"/3/0/","n":"x","v":1},{"n":"9","v":100},{"n":7,"v":1}]"#;
    assert_eq!(code(&mut harness, send(110, payload)), Code::CHANGED);
    let Some(Event::ValuesReceived { left_out, .. }) = harness.events.front() else { panic!() };
    assert_eq!(left_out.len(), 2);
    assert_eq!(sent(&mut harness), [(Path::resource(3, 0, 9), Value::Integer(100))]);
    assert_eq!(code(&mut harness, send(110, r#"[{"n":"x","v":1}]"#)), Code::BAD_REQUEST);
}

/// A record in full, and then records of three bytes: the same resource, another value.
fn repeated(count: u16) -> Vec<u8> {
    let [high, low] = count.to_be_bytes();
    let mut pack = [&[0x99, high, low], &b"\xa2\x21\x66/3/0/9\x02\x01"[..]].concat();
    (1..count).for_each(|_| pack.extend(b"\xa1\x02\x01"));
    pack
}

// proves: SEND-06
#[test]
fn the_values_of_a_send_are_bounded() {
    let mut harness = Harness::with(Config::default().max_values(300));
    harness.registered(0, "a");
    let refused = harness.ask(device(0), send(112, repeated(301)));
    assert_eq!(refused.code, Code::REQUEST_ENTITY_TOO_LARGE);
    assert!(String::from_utf8(refused.payload).unwrap().contains("too many values"));
    assert!(harness.events.is_empty());
    assert_eq!(code(&mut harness, send(112, repeated(300))), Code::CHANGED);
    assert_eq!(sent(&mut harness).len(), 300);
}
