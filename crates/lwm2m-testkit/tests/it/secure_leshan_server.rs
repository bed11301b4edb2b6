//! Our device and Leshan's server, in each mode of security.

use lwm2m_testkit::peer::{Device, Kind, Material, Server};
use serde_json::{Value, json};
use std::path::PathBuf;

pub(crate) const ENDPOINT: &str = "secured";
pub(crate) const KEY: &str = "00112233445566778899aabbccddeeff";

/// The keys of a mode: files of the server, its credentials of the device, flags of the device.
pub(crate) struct Mode {
    pub(crate) files: Vec<PathBuf>,
    credentials: Value,
    flags: Vec<String>,
}

pub(crate) fn psk() -> Mode {
    let flags = ["--psk-identity", "an identity", "--psk-key", KEY].map(str::to_owned).to_vec();
    let details = json!({"identity": "an identity", "key": KEY});
    Mode { files: Vec::new(), credentials: json!({"mode": "psk", "details": details}), flags }
}

pub(crate) fn raw(fixtures: &Material) -> Mode {
    let file = |name: &str| fixtures.file(name).to_str().unwrap().to_owned();
    let key = fixtures.hex("device-rpk.spki").unwrap();
    Mode {
        files: ["server-rpk.key", "server-rpk.pub"].map(|name| fixtures.file(name)).to_vec(),
        credentials: json!({"mode": "rpk", "details": {"key": key}}),
        flags: ["--rpk".to_owned(), file("device-rpk.key")]
            .into_iter()
            .chain(["--peer-rpk".to_owned(), file("server-rpk.pub")])
            .collect(),
    }
}

pub(crate) fn certificates(fixtures: &Material) -> Mode {
    let file = |name: &str| fixtures.file(name).to_str().unwrap().to_owned();
    let flags = [("--cert", "device.crt"), ("--key", "device.key"), ("--trust", "ca.crt")];
    Mode {
        files: ["server.key", "server.crt", "ca.crt"].map(|name| fixtures.file(name)).to_vec(),
        credentials: json!({"mode": "x509"}),
        flags: flags.iter().flat_map(|(flag, name)| [(*flag).to_owned(), file(name)]).collect(),
    }
}

/// Leshan's server, which knows the device as `endpoint`.
pub(crate) fn server(mode: &Mode, connection_id: u8, endpoint: &str) -> Server {
    let server = Server::start_secured_leshan(connection_id, &mode.files).unwrap();
    let body = json!({"endpoint": endpoint, "tls": mode.credentials}).to_string();
    let target = "/api/security/clients";
    let answer = server.http.send_body("PUT", target, "application/json", &body).unwrap();
    assert_eq!(answer.status, 204);
    server
}

fn device(server: &Server, mode: &Mode) -> Device {
    let uri = format!("coaps://localhost:{}", server.coaps.unwrap().port());
    let flags: Vec<_> = mode.flags.iter().map(String::as_str).collect();
    Device::start_secured(&uri, ENDPOINT, 300, &flags).unwrap()
}

/// Registers, is read and observed, and deregisters.
fn device_is_managed(mode: &Mode, connection_id: u8) {
    let server = server(mode, connection_id, ENDPOINT);
    let mut events = server.http.events().unwrap();
    let mut device = device(&server, mode);
    events.wait_for("REGISTRATION", |it| it["endpoint"] == ENDPOINT).unwrap();
    device.wait_until_registered().unwrap();
    let send = |method: &str, path: &str| -> Value {
        let target = format!("/api/clients/{ENDPOINT}{path}");
        server.http.send(method, &target).unwrap().json()
    };
    assert_eq!(send("GET", "/3/0/0")["content"]["value"], "lwm2m-rs");
    assert_eq!(send("POST", "/3303/0/5700/observe")["status"], "CONTENT(205)");
    // A reboot: a new session, by the old one's keys where the server lets it.
    assert_eq!(send("POST", "/3/0/4")["status"], "CHANGED(204)");
    events.wait_for("REGISTRATION", |it| it["endpoint"] == ENDPOINT).unwrap();
    assert_eq!(send("GET", "/3/0/0")["status"], "CONTENT(205)");
    device.stop().unwrap();
    events.wait_for("DEREGISTRATION", |it| it["endpoint"] == ENDPOINT).unwrap();
}

#[test]
fn our_device_registers_by_a_pre_shared_key() {
    if Kind::Leshan.is_available() {
        device_is_managed(&psk(), 0);
    }
}

#[test]
fn our_device_uses_the_connection_ids_of_the_server() {
    if Kind::Leshan.is_available() {
        device_is_managed(&psk(), 6);
    }
}

#[test]
fn our_device_registers_by_raw_public_keys() {
    if Kind::Leshan.is_available() {
        device_is_managed(&raw(&Material::new(ENDPOINT).unwrap()), 6);
    }
}

#[test]
fn our_device_registers_by_certificates() {
    if Kind::Leshan.is_available() {
        device_is_managed(&certificates(&Material::new(ENDPOINT).unwrap()), 6);
    }
}

/// The server knows the keys as those of another device.
#[test]
fn an_endpoint_name_that_goes_with_other_keys_is_refused() {
    if !Kind::Leshan.is_available() {
        return;
    }
    let server = server(&psk(), 6, "somebody else");
    let mut device = device(&server, &psk());
    let refused = |line: &str| line.contains("refused with 4.").then_some(());
    device.process.wait_for("a refusal", refused).unwrap();
    assert_eq!(server.http.send("GET", "/api/clients").unwrap().json(), json!([]));
}

#[test]
fn a_server_with_other_keys_is_refused() {
    if !Kind::Leshan.is_available() {
        return;
    }
    let [own, other] = [(); 2].map(|()| Material::new(ENDPOINT).unwrap());
    for mode in [raw, certificates] {
        let server = server(&mode(&other), 0, ENDPOINT);
        let mut device = device(&server, &mode(&own));
        let refused = |line: &str| line.contains("no secured session").then_some(());
        device.process.wait_for("a refusal", refused).unwrap();
    }
}
