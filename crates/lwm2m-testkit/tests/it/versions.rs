//! Versions of LwM2M and lifetimes between our device and Leshan's server.

use lwm2m_testkit::peer::{Device, Kind, Server};

#[test]
fn device_keeps_its_registration_alive() {
    let server = Server::start(Kind::Ours).unwrap();
    let mut events = server.http.events().unwrap();
    let _device = Device::start(Kind::Ours, server.coap, "lively", 3).unwrap();
    events.wait_for("REGISTRATION", |it| it["endpoint"] == "lively").unwrap();
    for _ in 0..2 {
        events.wait_for("UPDATED", |it| it["registration"]["lifetime"] == 3).unwrap();
    }
    assert!(!events.skipped().contains(&"DEREGISTRATION".to_owned()));
}

#[test]
fn device_speaks_the_oldest_version() {
    if !Kind::Leshan.is_available() {
        return;
    }
    let server = Server::start(Kind::Leshan).unwrap();
    let mut events = server.http.events().unwrap();
    let flags = ["--lwm2m", "1.0"];
    let _device = Device::start_ours(server.coap, "old", 300, &flags).unwrap();
    let registration = events.wait_for("REGISTRATION", |_| true).unwrap();
    assert_eq!(registration["lwM2mVersion"], "1.0");
    for format in ["TLV", "TEXT"] {
        let target = format!("/api/clients/old/3/0/0?format={format}");
        let answer = server.http.send("GET", &target).unwrap().json();
        assert_eq!(answer["status"], "CONTENT(205)", "{format}: {answer}");
    }
}

// proves: REG-05
#[test]
fn device_falls_back_to_a_version_that_the_server_knows() {
    if !Kind::Leshan.is_available() {
        return;
    }
    let server = Server::start(Kind::Leshan).unwrap();
    let mut events = server.http.events().unwrap();
    let flags = ["--lwm2m", "1.2"];
    let _device = Device::start_ours(server.coap, "new", 300, &flags).unwrap();
    let registration = events.wait_for("REGISTRATION", |_| true).unwrap();
    assert_eq!(registration["lwM2mVersion"], "1.1", "Leshan knows no 1.2");
    let answer = server.http.send("GET", "/api/clients/new/3/0").unwrap().json();
    assert_eq!(answer["status"], "CONTENT(205)", "{answer}");
}

#[test]
fn server_reads_the_json_of_the_oldest_version() {
    if !Kind::Leshan.is_available() {
        return;
    }
    let server = Server::start(Kind::Ours).unwrap();
    let _device = Device::start(Kind::Leshan, server.coap, "json", 300).unwrap();
    server.http.wait_for("/api/clients/json").unwrap();
    let read = |format: &str| {
        let target = format!("/api/clients/json/3/0?format={format}");
        server.http.send("GET", &target).unwrap().json()["content"].clone()
    };
    let content = read("JSON");
    assert_eq!(content["kind"], "instance", "{content}");
    assert_eq!(content, read("SENML_CBOR"));
}
