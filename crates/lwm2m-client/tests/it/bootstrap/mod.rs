//! Bootstrap: a client and a raw bootstrap server, number 0; servers that it names are 1 and 2.

mod accounts;
mod commands;
mod packs;

use crate::harness::{
    Harness, LINK, TEXT, TLV, address, attributes, config, delete, device, get, objects, post, put,
};
use bytes::Bytes;
use lwm2m_client::{
    AccountsError, BootstrapAccount, BootstrapError, Config, Event, MemoryObject,
    RegistrationState, SecurityError, ServerAccount,
};
use lwm2m_coap::{Code, Request, Response};
use lwm2m_codec::encode;
use lwm2m_core::{ContentFormat, Node, Object, ObjectInstance, ObjectLink, Path, Version};

pub(super) const BS: usize = 0;

pub(super) fn account() -> BootstrapAccount {
    BootstrapAccount::new(address(BS))
}

/// A client that knows a bootstrap server alone.
pub(super) fn bare(account: BootstrapAccount) -> Harness {
    Harness::new(Config::new("test").bootstrap(account), objects())
}

/// One whose bootstrap server may send commands.
pub(super) fn open() -> Harness {
    let mut harness = bare(account());
    harness.start();
    assert_eq!(harness.heard_by(BS), ["0 POST /bs ep=test"]);
    harness
}

/// A client that is registered with server 1 and knows the bootstrap server as well.
pub(super) fn registered() -> Harness {
    let server = ServerAccount::new(1, address(1));
    let config = Config::new("test").server(server).bootstrap(account());
    let mut harness = Harness::new(config, objects());
    harness.start();
    assert_eq!(harness.heard_by(1).len(), 1);
    harness
}

pub(super) fn security(uri: &str, bootstrap: bool) -> ObjectInstance {
    let keys = 3..=5_u16;
    let values = ObjectInstance::default().with(0, uri).with(1, bootstrap).with(2, 3_i64);
    keys.fold(values, |values, key| values.with(key, Bytes::new()))
}

pub(super) fn security_of(server: usize, ssid: i64) -> ObjectInstance {
    security(&format!("coap://{}", address(server)), false).with(10, ssid)
}

pub(super) fn settings(ssid: i64) -> ObjectInstance {
    ObjectInstance::default().with(0, ssid).with(1, 300_i64).with(6, true).with(7, "U")
}

pub(super) fn write_as(format: ContentFormat, path: &str, node: &Node) -> Request {
    let payload = encode(format, &path.parse().unwrap(), node).unwrap();
    put(path).content_format(format.0).payload(payload)
}

pub(super) fn write(path: &str, values: ObjectInstance) -> Request {
    write_as(ContentFormat::TLV, path, &Node::ObjectInstance(values))
}

pub(super) fn write_object(
    path: &str,
    instances: impl IntoIterator<Item = (u16, ObjectInstance)>,
) -> Request {
    let instances = instances.into_iter().collect();
    write_as(ContentFormat::TLV, path, &Node::Object(Object { instances }))
}

pub(super) fn code(harness: &mut Harness, request: Request) -> String {
    harness.ask_as(BS, request).code.to_string()
}

pub(super) fn accepted(harness: &mut Harness, requests: impl IntoIterator<Item = Request>) {
    for request in requests {
        let said = format!("{request:?}");
        assert_eq!(code(harness, request), "2.04", "{said}");
    }
}

pub(super) fn discover(harness: &mut Harness, path: &str) -> String {
    let response = harness.ask_as(BS, get(path).accept(LINK));
    assert_eq!(response.code, Code::CONTENT, "{path}");
    String::from_utf8(response.payload.to_vec()).unwrap()
}

pub(super) fn failures(harness: &Harness) -> Vec<BootstrapError> {
    let reason = |event: &Event| match event {
        Event::BootstrapFailed { reason, .. } => Some(reason.clone()),
        _ => None,
    };
    harness.events.iter().filter_map(reason).collect()
}

/// Writes the account of server 1 and ends the bootstrap.
pub(super) fn provision(harness: &mut Harness) {
    accepted(harness, [write("/0/1", security_of(1, 1)), write("/1/0", settings(1)), post("/bs")]);
}
