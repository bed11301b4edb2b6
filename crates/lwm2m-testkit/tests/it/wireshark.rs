//! What the flight recorder has of a device, as Wireshark reads it without any setting.

use lwm2m_testkit::peer::{Device, Dissected, Material, Server, dissect};
use serde_json::json;

const KEY: &str = "000102030405060708090a0b0c0d0e0f";

/// A server that listens for all schemes, with Connection IDs of that length.
fn server(keys: &Material, cid: &str, more: &[&str]) -> Server {
    let path = |name: &str| keys.file(name).display().to_string();
    let (key, cert, trust) = (path("server.key"), path("server.crt"), path("ca.crt"));
    let flags =
        ["--coaps", "127.0.0.1:0", "--coap-tcp", "127.0.0.1:0", "--coaps-tcp", "127.0.0.1:0"];
    let keys = ["--key", &key, "--cert", &cert, "--trust", &trust, "--cid", cid];
    Server::start_ours_with(&[&flags[..], &keys, more].concat()).unwrap()
}

/// Lets a device register at a scheme, reads its battery, and has Wireshark read what was said.
fn said(
    server: &mut Server,
    scheme: &str,
    endpoint: &'static str,
    flags: &[&str],
) -> Option<Vec<Dissected>> {
    let address = match scheme {
        "coap" => server.coap,
        "coaps" => server.coaps.unwrap(),
        scheme => server.listens_for(scheme).unwrap(),
    };
    let uri = format!("{scheme}://localhost:{}", address.port());
    let mut device = Device::start_secured(&uri, endpoint, 60, flags).unwrap();
    device.wait_until_registered().unwrap();
    let read = server.http.send("GET", &format!("/api/clients/{endpoint}/3/0/9")).unwrap();
    assert_eq!(read.json()["content"]["value"], "100", "{endpoint}");
    dissect(server.http, endpoint).unwrap()
}

/// The Register and the answer to the Read are there, in the protocols told.
fn check(packets: &[Dissected], protocols: &str) {
    let of = |path: &'static str| packets.iter().filter(move |it| it.path.ends_with(path));
    assert!(of("/rd").any(|it| it.protocols.starts_with(protocols)), "{packets:#?}");
    let mut answers = of("/3/0/9").filter(|it| it.text.split(',').any(|text| text == "100"));
    assert!(answers.any(|it| it.protocols.starts_with(protocols)), "{packets:#?}");
}

fn certificates(keys: &Material) -> [String; 6] {
    let path = |name: &str| keys.file(name).display().to_string();
    let [cert, key, trust] = ["device.crt", "device.key", "ca.crt"].map(path);
    ["--cert".into(), cert, "--key".into(), key, "--trust".into(), trust]
}

/// Lets devices in by a pre-shared key, and by their certificate.
fn admit(server: &Server) {
    let details = json!({"identity": "psk", "key": KEY});
    let psk = json!({"endpoint": "psk", "tls": {"mode": "psk", "details": details}});
    let x509 = json!({"endpoint": "x509", "tls": {"mode": "x509"}});
    for body in [psk, x509].map(|it| it.to_string()) {
        let target = "/api/security/clients";
        let put = server.http.send_body("PUT", target, "application/json", &body).unwrap();
        assert_eq!(put.status, 200, "{}", put.body);
    }
}

#[test]
fn messages_in_the_clear_are_read() {
    let keys = Material::new("x509").unwrap();
    let mut server = server(&keys, "6", &[]);
    for (scheme, protocols) in [("coap", "raw:ip:udp:coap"), ("coap+tcp", "raw:ip:tcp:coap")] {
        let name = if scheme == "coap" { "plain" } else { "plain-tcp" };
        let Some(packets) = said(&mut server, scheme, name, &[]) else { return };
        check(&packets, protocols);
    }
}

#[test]
fn sessions_are_opened_by_the_keys_in_the_file() {
    let keys = Material::new("x509").unwrap();
    let certificates = certificates(&keys);
    let x509: Vec<_> = certificates.iter().map(String::as_str).collect();
    let psk = ["--psk-identity", "psk", "--psk-key", KEY];
    for cid in ["6", "0"] {
        let mut server = server(&keys, cid, &[]);
        admit(&server);
        for (endpoint, flags) in [("psk", &psk[..]), ("x509", &x509[..])] {
            let Some(packets) = said(&mut server, "coaps", endpoint, flags) else { return };
            check(&packets, "raw:ip:udp:dtls:coap");
            let has_ids = packets.iter().any(|it| it.connection_id.len() == 12);
            assert_eq!(has_ids, cid == "6", "{packets:#?}");
        }
    }
}

#[test]
fn streams_of_both_versions_are_opened_by_the_keys_in_the_file() {
    let keys = Material::new("x509").unwrap();
    let certificates = certificates(&keys);
    let x509: Vec<_> = certificates.iter().map(String::as_str).collect();
    let newest = [&x509[..], &["--tls13"]].concat();
    for flags in [&["--psk-identity", "psk", "--psk-key", KEY][..], &x509, &newest] {
        let mut server = server(&keys, "6", &[]);
        let endpoint = if flags.len() == 4 { "psk" } else { "x509" };
        admit(&server);
        let Some(packets) = said(&mut server, "coaps+tcp", endpoint, flags) else { return };
        check(&packets, "raw:ip:tcp:tls");
        assert!(packets.iter().all(|it| it.comment.is_empty()));
    }
}

#[test]
fn without_keys_the_plaintext_is_there_and_says_so() {
    let keys = Material::new("x509").unwrap();
    let mut server = server(&keys, "6", &["--no-recorder-keys"]);
    admit(&server);
    let psk = ["--psk-identity", "psk", "--psk-key", KEY];
    let Some(packets) = said(&mut server, "coaps", "psk", &psk) else { return };
    check(&packets, "raw:ip:udp:coap");
    assert!(packets.iter().all(|it| it.comment.starts_with("the plaintext of what DTLS")));
}

#[test]
fn a_session_that_was_restored_is_there_as_plaintext() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().display().to_string();
    let mut server = Server::start_ours_with(&["--coaps", "127.0.0.1:0", "--data", &data]).unwrap();
    let details = json!({"identity": "psk", "key": KEY});
    let psk = json!({"endpoint": "psk", "tls": {"mode": "psk", "details": details}}).to_string();
    let target = "/api/security/clients";
    server.http.send_body("PUT", target, "application/json", &psk).unwrap();
    let coaps = server.coaps.unwrap().to_string();
    let flags = ["--psk-identity", "psk", "--psk-key", KEY];
    let mut device = Device::start_secured(&format!("coaps://{coaps}"), "psk", 60, &flags).unwrap();
    device.wait_until_registered().unwrap();
    server = server.replace_ours(&["--coaps", &coaps, "--data", &data]).unwrap();
    let read = server.http.send("GET", "/api/clients/psk/3/0/9?timeout=20").unwrap();
    assert_eq!(read.json()["content"]["value"], "100");
    let Some(packets) = dissect(server.http, "psk").unwrap() else { return };
    let answer = packets.iter().find(|it| it.text.ends_with("100")).expect("an answer");
    assert_eq!(answer.path, "/3/0/9");
    assert!(answer.protocols.starts_with("raw:ip:udp:coap"), "{answer:?}");
    assert!(answer.comment.starts_with("the plaintext of what DTLS"), "{answer:?}");
}
