//! Power cuts: one side restarts without state.

use lwm2m_testkit::peer::{Device, Kind, Server};

const READ: &str = "/api/clients/restarted/3/0/0";

fn device_that_restarts_is_known_anew(server: Kind, kind: Kind) {
    if !server.is_available() || !kind.is_available() {
        return;
    }
    let server = Server::start(server).unwrap();
    let mut events = server.http.events().unwrap();
    let device = Device::start(kind, server.coap, "restarted", 300).unwrap();
    let first = events.wait_for("REGISTRATION", |_| true).unwrap();
    // Killed, it does not deregister.
    drop(device);
    let _device = Device::start(kind, server.coap, "restarted", 300).unwrap();
    let again = |it: &serde_json::Value| it["registrationId"] != first["registrationId"];
    events.wait_for("REGISTRATION", again).unwrap();
    let listed = server.http.send("GET", "/api/clients").unwrap().json();
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    assert_eq!(server.http.send("GET", READ).unwrap().json()["status"], "CONTENT(205)");
}

fn device_registers_with_a_server_that_restarted(kind: Kind) {
    if !kind.is_available() {
        return;
    }
    let server = Server::start(Kind::Ours).unwrap();
    let mut events = server.http.events().unwrap();
    // It sends Updates often.
    let mut device = Device::start(kind, server.coap, "restarted", 3).unwrap();
    events.wait_for("REGISTRATION", |_| true).unwrap();
    device.wait_until_registered().unwrap();
    let server = server.replace_ours(&[]).unwrap();
    if kind == Kind::Leshan {
        device.process.tell("").unwrap();
    }
    server.http.wait_for("/api/clients/restarted").unwrap();
    assert_eq!(server.http.send("GET", READ).unwrap().json()["status"], "CONTENT(205)");
}

#[test]
fn leshan_device_is_known_anew_to_our_server() {
    device_that_restarts_is_known_anew(Kind::Ours, Kind::Leshan);
}

#[test]
fn our_device_is_known_anew_to_leshan_server() {
    device_that_restarts_is_known_anew(Kind::Leshan, Kind::Ours);
}

#[test]
fn leshan_device_finds_our_restarted_server() {
    device_registers_with_a_server_that_restarted(Kind::Leshan);
}

#[test]
fn our_device_finds_our_restarted_server() {
    device_registers_with_a_server_that_restarted(Kind::Ours);
}
