//! The codes that each operation may be answered with, and the types of messages.

use crate::harness::{
    Harness, JSON, LINK, TEXT, TLV, attributes, config, delete, device, get, post, put,
};
use lwm2m_client::{MemoryObject, Object, Refusal};
use lwm2m_coap::{MessageType, MessageView, Request};
use lwm2m_core::{Arguments, ObjectInstance, Resource, Version};
use std::borrow::Cow;

/// An object whose every handler fails.
struct Broken;

impl Object for Broken {
    fn id(&self) -> u16 {
        3442
    }

    fn for_each_instance(&self, visit: &mut dyn FnMut(u16)) {
        visit(0);
    }

    fn for_each_resource(&self, _: u16, visit: &mut dyn FnMut(u16)) {
        [0, 110].into_iter().for_each(visit);
    }

    fn read(&self, _: u16, _: u16) -> Result<Cow<'_, Resource>, Refusal> {
        Err(Refusal::Internal)
    }

    fn write(&mut self, _: u16, _: ObjectInstance, _: &[u16]) -> Result<(), Refusal> {
        Err(Refusal::Internal)
    }

    fn execute(&mut self, _: u16, _: u16, _: &Arguments) -> Result<(), Refusal> {
        Err(Refusal::Internal)
    }

    fn create(&mut self, _: u16, _: ObjectInstance) -> Result<(), Refusal> {
        Err(Refusal::Internal)
    }

    fn delete(&mut self, _: u16) -> Result<(), Refusal> {
        Err(Refusal::Internal)
    }
}

fn ipatch(body: &'static str) -> Request {
    Request::ipatch().content_format(JSON).payload(body)
}

#[test]
fn a_failing_handler_is_an_internal_error() {
    let portfolio = MemoryObject::new(16).instance(0, |v| v.with_multiple(0, [(0, "a")]));
    let objects: Vec<Box<dyn Object>> =
        vec![Box::new(device()), Box::new(portfolio), Box::new(Broken)];
    let mut harness = Harness::new(config(), objects);
    harness.start();
    let instance = r#"[{"n":"/3442/7/110","vs":"x"}]"#;
    for request in [
        get("3442/0"),
        get("3442/0/110"),
        get("3442/0/110").observe(0),
        put("3442/0/110").content_format(TEXT).payload("x"),
        post("3442/0").content_format(JSON).payload(r#"[{"n":"/3442/0/110","vs":"x"}]"#),
        post("3442/0/0"),
        post("3442").content_format(JSON).payload(instance),
        delete("3442/0"),
        ipatch(r#"[{"n":"/16/0/0/0","vs":"x"},{"n":"/3442/0/110","vs":"x"}]"#),
    ] {
        assert_eq!(harness.code(request.clone()), "5.00", "{request:?}");
    }
    assert_eq!(harness.text("16/0/0/0"), "a");
}

/// What each operation may be answered with besides 5.00 (OMA LwM2M Transport 6.4.4 and 6.4.5).
const ALLOWED: [(&str, &[&str]); 9] = [
    ("Read", &["2.05", "4.00", "4.01", "4.04", "4.05", "4.06"]),
    ("Discover", &["2.05", "4.00", "4.01", "4.04", "4.05"]),
    ("Write", &["2.04", "4.00", "4.01", "4.04", "4.05", "4.15"]),
    ("Write-Attributes", &["2.04", "4.00", "4.01", "4.04", "4.05"]),
    ("Execute", &["2.04", "4.00", "4.01", "4.04", "4.05"]),
    ("Create", &["2.01", "4.00", "4.01", "4.04", "4.05", "4.15"]),
    ("Delete", &["2.02", "4.00", "4.01", "4.04", "4.05"]),
    ("Read-Composite", &["2.05", "4.00", "4.01", "4.04", "4.05", "4.06", "4.15"]),
    ("Write-Composite", &["2.04", "4.00", "4.01", "4.04", "4.05", "4.06", "4.15"]),
];

const PATHS: [&str; 14] = [
    "0/0", "0/0/0", "1/0", "1/0/0", "1/0/8", "3", "3/0", "3/0/0", "3/0/4", "3/0/6/7", "16",
    "16/0/0", "77/0/0", "21/0",
];

fn requests(operation: &str, path: &str) -> Vec<Request> {
    let formats = [TEXT, TLV, JSON, 60, 9999];
    let bodies = ["", "x", "[{\"n\":\"/3/0/0\",\"vs\":\"x\"}]"];
    let mut list = Vec::new();
    for format in formats {
        for body in bodies {
            list.push(match operation {
                "Read" => get(path).accept(format),
                "Discover" => get(path).accept(LINK),
                "Write" => put(path).content_format(format).payload(body),
                "Write-Attributes" => {
                    attributes(path, if body.is_empty() { "pmin=1" } else { body })
                }
                "Execute" => post(path).content_format(format).payload(body),
                "Create" => post(path).content_format(format).payload(body),
                "Delete" => delete(path),
                "Read-Composite" => Request::fetch().content_format(format).payload(body),
                _ => Request::ipatch().content_format(format).payload(body),
            });
        }
    }
    list
}

// proves: COAP-19
#[test]
fn every_refusal_has_a_code_of_its_operation() {
    for (operation, allowed) in ALLOWED {
        let mut harness = Harness::registered(config().version(Version::V1_2));
        for path in PATHS {
            let depth = path.split('/').count();
            let fits = match operation {
                "Execute" => depth >= 3,
                "Create" => depth == 1,
                _ => true,
            };
            for request in requests(operation, path).into_iter().filter(|_| fits) {
                let code = harness.code(request.clone());
                assert!(allowed.contains(&code.as_str()), "{operation} {path}: {code} {request:?}");
            }
        }
    }
    a_failing_handler_is_an_internal_error();
}

/// The types of the requests that the client sends.
fn sent(harness: &mut Harness) -> Vec<MessageType> {
    let datagrams = core::iter::from_fn(|| harness.sim.network.arrive(harness.sim.now));
    let datagrams: Vec<_> = datagrams.map(|transmit| transmit.payload).collect();
    let views = datagrams.iter().map(|datagram| MessageView::parse(datagram).unwrap());
    views.filter(|view| view.code().is_request()).map(|view| view.kind()).collect()
}

// The server's requests and NON Execute are shown elsewhere; COAP-18 needs all in one session.
#[test]
fn requests_of_the_client_are_confirmable() {
    let mut harness = Harness::new(config(), crate::harness::objects());
    harness.sim.with(harness.client, |it, now| it.start(now));
    assert_eq!(sent(&mut harness), [MessageType::Confirmable]);
    let mut harness = Harness::registered(config());
    harness.sim.with(harness.client, |it, now| it.update_registration(now, 1));
    assert_eq!(sent(&mut harness), [MessageType::Confirmable]);
    let mut harness = Harness::registered(config());
    harness.sim.with(harness.client, |it, now| it.shutdown(now));
    assert_eq!(sent(&mut harness), [MessageType::Confirmable]);
    // A NON Execute is carried out once.
    let mut harness = Harness::registered(config());
    harness.send(0, post("1/0/8").non_confirmable());
    assert_eq!(harness.heard(), ["0 POST /rd/5a3f"]);
}
