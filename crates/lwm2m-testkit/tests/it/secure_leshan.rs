//! Leshan's client and our server, in each mode of security.

use lwm2m_testkit::peer::{Device, Kind, Material, Nat, Server};
use std::net::SocketAddr;

const ENDPOINT: &str = "secure-leshan";
const IDENTITY: &str = "leshan's identity";
const KEY: &str = "000102030405060708090a0b0c0d0e0f";
const REGISTRATION: &str = "/api/clients/secure-leshan";

/// Our server with a device in one mode; `None` if Leshan is not installed.
fn server(mode: &str, flags: &[&str]) -> Option<(Server, Material)> {
    if !Kind::Leshan.is_available() {
        return None;
    }
    let fixtures = Material::new(ENDPOINT).unwrap();
    let entries = match mode {
        "psk" => format!("identity = \"{IDENTITY}\"\nkey = \"{KEY}\""),
        "rpk" => "public_key = \"device-rpk.pub\"".to_owned(),
        _ => String::new(),
    };
    let own = match mode {
        "x509" => "key = 'server.key'\ncertificate = 'server.crt'\ntrust = ['ca.crt']",
        _ => "key = 'server-rpk.key'",
    };
    let text =
        format!("[server]\n{own}\n[[client]]\nendpoint = '{ENDPOINT}'\nmode = '{mode}'\n{entries}");
    let file = fixtures.file("credentials.toml");
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let flags = [&["--coaps", "127.0.0.1:0", "--credentials", file], flags].concat();
    Some((Server::start_ours_with(&flags).unwrap(), fixtures))
}

fn device(server: SocketAddr, endpoint: &'static str, security: &[&str]) -> Device {
    Device::start_secured_leshan(server, endpoint, 300, security).unwrap()
}

/// The arguments by which Leshan's client has the right keys.
fn right(mode: &str, fixtures: &Material) -> Vec<String> {
    let file = |name: &str| fixtures.file(name).to_str().unwrap().to_owned();
    let arguments = match mode {
        "psk" => [IDENTITY.to_owned(), KEY.to_owned()].to_vec(),
        "rpk" => ["device-rpk.spki", "device-rpk.key", "server-rpk.spki"].map(file).to_vec(),
        _ => ["device.crt", "device.key", "server.crt"].map(file).to_vec(),
    };
    [vec![mode.to_owned()], arguments].concat()
}

fn registers_and_is_managed(mode: &str) {
    let Some((server, fixtures)) = server(mode, &[]) else { return };
    let security = right(mode, &fixtures);
    let security: Vec<_> = security.iter().map(String::as_str).collect();
    let device = device(server.coaps.unwrap(), ENDPOINT, &security);
    is_managed(&server, device);
}

fn is_managed(server: &Server, mut device: Device) {
    let registration = server.http.wait_for(REGISTRATION).unwrap().json();
    assert_eq!(registration["secure"], true);
    device.wait_until_registered().unwrap();
    let read = server.http.send("GET", &format!("{REGISTRATION}/3/0/0")).unwrap();
    assert_eq!(read.json()["status"], "CONTENT(205)", "{}", read.body);
    let observe = server.http.send("POST", &format!("{REGISTRATION}/3303/0/observe")).unwrap();
    assert_eq!(observe.json()["status"], "CONTENT(205)", "{}", observe.body);
    device.process.tell("").unwrap();
    device.process.wait_for("updated", |line| (line == "updated").then_some(())).unwrap();
    device.stop().unwrap();
    assert_eq!(server.http.send("GET", REGISTRATION).unwrap().status, 404);
}

#[test]
fn with_a_pre_shared_key() {
    registers_and_is_managed("psk");
}

#[test]
fn with_raw_public_keys() {
    registers_and_is_managed("rpk");
}

#[test]
fn with_certificates() {
    registers_and_is_managed("x509");
}

/// Leshan uses Java's TLS, which supports certificates only.
#[test]
fn with_certificates_over_tls() {
    let Some((mut server, fixtures)) = server("x509", &["--coaps-tcp", "127.0.0.1:0"]) else {
        return;
    };
    let security = right("x509", &fixtures);
    let security: Vec<_> = security.iter().map(String::as_str).collect();
    let uri = format!("coaps+tcp://{}", server.listens_for("coaps+tcp").unwrap());
    let device = Device::start_leshan_at(&uri, ENDPOINT, 300, &security).unwrap();
    is_managed(&server, device);
}

#[test]
fn a_certificate_of_another_authority_is_refused_over_tls() {
    let Some((mut server, fixtures)) = server("x509", &["--coaps-tcp", "127.0.0.1:0"]) else {
        return;
    };
    let others = Material::new(ENDPOINT).unwrap();
    let mut security = right("x509", &others);
    security.pop();
    security.extend(right("x509", &fixtures).pop());
    let security: Vec<_> = security.iter().map(String::as_str).collect();
    let uri = format!("coaps+tcp://{}", server.listens_for("coaps+tcp").unwrap());
    let mut device = Device::start_leshan_at(&uri, ENDPOINT, 300, &security).unwrap();
    let told = |line: &str| line.contains("trusted authority").then_some(());
    server.process.wait_for("why", told).unwrap();
    failure(&mut device);
}

/// The reason that Leshan's client prints when it cannot register.
fn failure(device: &mut Device) -> String {
    device
        .process
        .wait_for("failed", |line| line.strip_prefix("failed ").map(str::to_owned))
        .unwrap()
}

#[test]
fn a_wrong_name_identity_or_key_is_refused() {
    let Some((mut server, fixtures)) = server("psk", &[]) else { return };
    let coaps = server.coaps.unwrap();
    let mut other_name = device(coaps, "other-name", &["psk", IDENTITY, KEY]);
    assert!(failure(&mut other_name).contains("BAD_REQUEST"));
    let mut nobody = device(coaps, ENDPOINT, &["psk", "nobody", KEY]);
    server.process.wait_for("why", |line| line.contains("\"nobody\"").then_some(())).unwrap();
    failure(&mut nobody);
    let mut plain = Device::start(Kind::Leshan, server.coap, ENDPOINT, 300).unwrap();
    assert!(failure(&mut plain).contains("FORBIDDEN"));
    let mut wrong_key = device(coaps, ENDPOINT, &["psk", IDENTITY, "ffff"]);
    failure(&mut wrong_key);
    let all = server.http.send("GET", "/api/clients").unwrap().json();
    assert_eq!(all.as_array().map(Vec::len), Some(0), "{all}");
    drop(fixtures);
}

#[test]
fn a_device_behind_an_address_translator_keeps_its_session() {
    let Some((server, _material)) = server("psk", &["--cid", "6"]) else { return };
    let nat = Nat::start(server.coaps.unwrap()).unwrap();
    let mut device = device(nat.address, ENDPOINT, &["psk", IDENTITY, KEY]);
    device.wait_until_registered().unwrap();
    let address = || {
        let registration = server.http.send("GET", REGISTRATION).unwrap().json();
        registration["address"].as_str().map(str::to_owned)
    };
    let before = address();
    nat.rebind().unwrap();
    device.process.tell("").unwrap();
    device.process.wait_for("updated", |line| (line == "updated").then_some(())).unwrap();
    let read = server.http.send("GET", &format!("{REGISTRATION}/3/0/0")).unwrap();
    assert_eq!(read.json()["status"], "CONTENT(205)", "{}", read.body);
    assert_ne!(address(), before);
}

#[test]
fn removed_credentials_turn_a_device_out() {
    let Some((server, _material)) = server("rpk", &[]) else { return };
    let psk = r#"{"endpoint":"by-api","tls":{"mode":"psk","details":{"identity":"i","key":"00"}}}"#;
    let put = server.http.send_body("PUT", "/api/security/clients", "application/json", psk);
    assert_eq!(put.unwrap().status, 200);
    let mut device = device(server.coaps.unwrap(), "by-api", &["psk", "i", "00"]);
    device.wait_until_registered().unwrap();
    let removed = server.http.send("DELETE", "/api/security/clients/by-api").unwrap();
    assert_eq!(removed.status, 200, "{}", removed.body);
    assert_eq!(server.http.send("GET", "/api/clients/by-api").unwrap().status, 404);
    device.process.tell("").unwrap();
    failure(&mut device);
}
