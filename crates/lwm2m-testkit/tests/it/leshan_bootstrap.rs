//! Bootstraps between Leshan and us, in each mode of security: its client gets its server and keys from our bootstrap
//! server and registers with our server, and our device does so with its servers.

use crate::secure_leshan_server::{self as theirs, Mode};
use lwm2m_testkit::peer::{Device, Kind, LeshanBootstrap, Material, Server};
use serde_json::{Value, json};
use std::net::SocketAddr;

const ENDPOINT: &str = "fresh-leshan";
const FACTORY_KEY: &str = "0f0e0d0c0b0a09080706050403020100";

/// Our server with a bootstrap server, and the keys of both sides; `None` if Leshan is not installed.
fn server(mode: &str) -> Option<(Server, Material)> {
    if !Kind::Leshan.is_available() {
        return None;
    }
    let keys = Material::new(ENDPOINT).unwrap();
    let own = match mode {
        "x509" => "key = 'server.key'\ncertificate = 'server.crt'\ntrust = ['ca.crt']",
        _ => "key = 'server-rpk.key'",
    };
    let file = keys.file("credentials.toml");
    std::fs::write(&file, format!("[server]\n{own}\n")).unwrap();
    let mut flags = vec!["--coaps", "127.0.0.1:0", "--credentials", file.to_str().unwrap()];
    flags.extend(["--bootstrap-coaps", "127.0.0.1:0", "--bootstrap-coap", "127.0.0.1:0"]);
    Some((Server::start_ours_with(&flags).unwrap(), keys))
}

fn bootstraps_at(server: &mut Server, scheme: &str) -> SocketAddr {
    let after = format!("bootstrapping for {scheme} on ");
    let address = |line: &str| line.split_once(&after)?.1.trim().parse().ok();
    server.process.wait_for("where it bootstraps", address).unwrap()
}

fn send(server: &Server, method: &str, path: &str, body: &Value) -> Value {
    let target = format!("/api/{path}");
    let answer = server.http.send_body(method, &target, "application/json", &body.to_string());
    let answer = answer.unwrap();
    assert!((200..300).contains(&answer.status), "{method} {path}: {}", answer.body);
    serde_json::from_str(&answer.body).unwrap_or_default()
}

/// The device comes to its bootstrap, is told its server, registers there and is managed.
fn comes_in(server: &Server, uri: &str, security: &[&str]) {
    let mut device = Device::start_leshan_at_bootstrap(uri, ENDPOINT, security).unwrap();
    device.process.wait_for("bootstrapped", |line| (line == "bootstrapped").then_some(())).unwrap();
    device.wait_until_registered().unwrap();
    let device_of = format!("/api/clients/{ENDPOINT}");
    let read = server.http.send("GET", &format!("{device_of}/3/0/0")).unwrap();
    assert_eq!(read.json()["status"], "CONTENT(205)", "{}", read.body);
    let lifetime = server.http.send("GET", &device_of).unwrap().json()["lifetime"].take();
    assert_eq!(lifetime, 300, "that of the bootstrap");
    let history = server.http.send("GET", &format!("/api/bootstrap/{ENDPOINT}/history")).unwrap();
    assert_eq!(history.json()[0]["state"], "finished", "{}", history.body);
    device.stop().unwrap();
}

/// The account of the server in a mode with keys, as the API takes it.
fn account(server: &Server, mode: &str, [own, peer, secret]: [String; 3]) -> Value {
    let uri = format!("coaps://localhost:{}", server.coaps.unwrap().port());
    json!({
        "toDelete": ["/0", "/1"],
        "security": {"1": {
            "uri": uri, "securityMode": mode, "serverId": 1,
            "publicKeyOrId": own, "serverPublicKey": peer, "secretKey": secret,
        }},
        "servers": {"0": {"shortId": 1, "lifetime": 300}},
    })
}

#[test]
fn a_device_that_one_request_made_comes_in() {
    let Some((mut server, _keys)) = server("psk") else { return };
    let made = send(&server, "POST", "devices", &json!({"endpoint": ENDPOINT, "lifetime": 300}));
    let text = |name: &str| made["bootstrap"][name].as_str().unwrap();
    let at = bootstraps_at(&mut server, "coaps");
    assert!(text("uri").ends_with(&format!(":{}", at.port())), "{made}");
    comes_in(&server, text("uri"), &["psk", text("identity"), text("key")]);
}

#[test]
fn a_device_with_a_key_of_its_factory_comes_in() {
    let Some((mut server, keys)) = server("rpk") else { return };
    let path = |name: &str| keys.file(name).to_str().unwrap().to_owned();
    let factory = json!({"mode": "rpk", "details": {"key": keys.hex("device-rpk.spki").unwrap()}});
    let new = json!({"endpoint": ENDPOINT, "lifetime": 300, "factory": factory});
    send(&server, "POST", "devices", &new);
    let uri = format!("coaps://{}", bootstraps_at(&mut server, "coaps"));
    let files = ["device-rpk.spki", "device-rpk.key", "server-rpk.spki"].map(path);
    comes_in(&server, &uri, &["rpk", &files[0], &files[1], &files[2]]);
}

/// In the clear no keys are told, so the account is one without.
#[test]
fn without_security() {
    let Some((mut server, _keys)) = server("psk") else { return };
    let mut told = account(&server, "NO_SEC", Default::default());
    told["security"]["1"]["uri"] = format!("coap://{}", server.coap).into();
    send(&server, "POST", &format!("bootstrap/{ENDPOINT}"), &told);
    let uri = format!("coap://{}", bootstraps_at(&mut server, "coap"));
    comes_in(&server, &uri, &[]);
}

#[test]
fn with_raw_public_keys() {
    let Some((server, keys)) = server("rpk") else { return };
    let own = keys.hex("device-rpk.spki").unwrap();
    let tls = json!({"mode": "rpk", "details": {"key": own}});
    let told = [own, keys.hex("server-rpk.spki").unwrap(), keys.der("device-rpk.key").unwrap()];
    is_told(server, &tls, "RPK", told);
}

#[test]
fn with_certificates() {
    let Some((server, keys)) = server("x509") else { return };
    let told = ["device.crt", "server.crt", "device.key"].map(|name| keys.der(name).unwrap());
    is_told(server, &json!({"mode": "x509"}), "X509", told);
}

/// A device that comes with a pre-shared key is told keys of another mode.
fn is_told(mut server: Server, tls: &Value, mode: &str, keys: [String; 3]) {
    let of = |tls: &Value| json!({"endpoint": ENDPOINT, "tls": tls});
    let psk = json!({"mode": "psk", "details": {"identity": "factory", "key": FACTORY_KEY}});
    send(&server, "PUT", "bootstrap/security/clients", &of(&psk));
    send(&server, "PUT", "security/clients", &of(tls));
    let told = account(&server, mode, keys);
    send(&server, "POST", &format!("bootstrap/{ENDPOINT}"), &told);
    let uri = format!("coaps://{}", bootstraps_at(&mut server, "coaps"));
    comes_in(&server, &uri, &["psk", "factory", FACTORY_KEY]);
}

/// Our device comes to Leshan's bootstrap server, is told Leshan's server, and registers there.
fn ours_comes_in(mode: &Mode, name: &str, keys: [String; 3]) {
    let server = theirs::server(mode, 0, theirs::ENDPOINT);
    // It is the name in the certificate.
    let uri = format!("coaps://localhost:{}", server.coaps.unwrap().port());
    let [own, peer, secret] = &keys;
    let account = [uri.as_str(), name, own, peer, secret];
    let started = LeshanBootstrap::start(theirs::ENDPOINT, ["factory", FACTORY_KEY], account);
    let Some(bootstrap) = started.unwrap() else { return };
    let uri = format!("coaps://{}", bootstrap.coaps);
    let flags = ["--psk-identity", "factory", "--psk-key", FACTORY_KEY];
    ours_registers(&server, bootstrap, &uri, &flags);
}

fn ours_registers(server: &Server, mut bootstrap: LeshanBootstrap, uri: &str, flags: &[&str]) {
    let mut events = server.http.events().unwrap();
    let mut device = Device::start_ours_at_bootstrap(uri, theirs::ENDPOINT, flags).unwrap();
    bootstrap.process.wait_for("the end", |line| (line == "end").then_some(())).unwrap();
    let registered = events.wait_for("REGISTRATION", |it| it["endpoint"] == theirs::ENDPOINT);
    assert_eq!(registered.unwrap()["lifetime"], 300, "that of the bootstrap");
    device.wait_until_registered().unwrap();
    let target = format!("/api/clients/{}/3/0/0", theirs::ENDPOINT);
    assert_eq!(server.http.send("GET", &target).unwrap().json()["content"]["value"], "lwm2m-rs");
    device.stop().unwrap();
}

#[test]
fn our_device_is_told_a_server_without_security() {
    if !Kind::Leshan.is_available() {
        return;
    }
    let server = Server::start(Kind::Leshan).unwrap();
    let uri = format!("coap://{}", server.coap);
    let account = [uri.as_str(), "NO_SEC", "", "", ""];
    let started = LeshanBootstrap::start(theirs::ENDPOINT, ["-", "00"], account).unwrap();
    let Some(bootstrap) = started else { return };
    let uri = format!("coap://{}", bootstrap.coap);
    ours_registers(&server, bootstrap, &uri, &[]);
}

#[test]
fn our_device_is_told_a_pre_shared_key() {
    if Kind::Leshan.is_available() {
        let identity: String = b"an identity".iter().map(|it| format!("{it:02x}")).collect();
        ours_comes_in(&theirs::psk(), "PSK", [identity, String::new(), theirs::KEY.to_owned()]);
    }
}

#[test]
fn our_device_is_told_raw_public_keys() {
    if Kind::Leshan.is_available() {
        let keys = Material::new(theirs::ENDPOINT).unwrap();
        let [own, peer] = ["device-rpk.spki", "server-rpk.spki"].map(|it| keys.hex(it).unwrap());
        let secret = keys.der("device-rpk.key").unwrap();
        ours_comes_in(&theirs::raw(&keys), "RPK", [own, peer, secret]);
    }
}

#[test]
fn our_device_is_told_certificates() {
    if Kind::Leshan.is_available() {
        let keys = Material::new(theirs::ENDPOINT).unwrap();
        let told = ["device.crt", "server.crt", "device.key"].map(|it| keys.der(it).unwrap());
        ours_comes_in(&theirs::certificates(&keys), "X509", told);
    }
}
