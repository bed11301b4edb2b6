//! Queue mode with Leshan (OMA LwM2M Core 6.5): our device on its server, and its device on ours.

use lwm2m_testkit::peer::{Device, Kind, Server};
use serde_json::Value;

// proves: QUEUE-01, QUEUE-03
#[test]
fn our_device_sleeps_and_leshan_server_waits_for_it() {
    if !Kind::Leshan.is_available() {
        return;
    }
    let server = Server::start_leshan_for_queues(2).unwrap();
    let mut events = server.http.events().unwrap();
    // It listens a little longer than the server believes.
    let flags = ["--queue-mode", "--awake", "3", "--period", "7"];
    let mut device = Device::start_ours(server.coap, "sleeper", 20, &flags).unwrap();
    events.wait_for("REGISTRATION", |_| true).unwrap();
    let observe = "/api/clients/sleeper/3303/0/5700/observe";
    let observed = server.http.send("POST", observe).unwrap().json();
    assert_eq!(observed["status"], "CONTENT(205)");
    events.wait_for("SLEEPING", |_| true).unwrap();
    let read = || server.http.send("GET", "/api/clients/sleeper/3/0/0").unwrap();
    assert_ne!(read().status, 200, "the server does not ask a sleeping device");
    let asleep = |line: &str| line.contains(" asleep").then_some(());
    device.process.wait_for("asleep", asleep).unwrap();
    // Its temperature moves, so it has to be awake.
    events.wait_for("NOTIFICATION", |_| true).unwrap();
    let awake = |line: &str| line.contains(" awake").then_some(());
    device.process.wait_for("awake", awake).unwrap();
    // For this server, only an Update is a sign that the device listens.
    events.wait_for("AWAKE", |_| true).unwrap();
    let answer = read();
    assert_eq!(answer.json()["status"], "CONTENT(205)", "{answer:?}");
}

// proves: QUEUE-01
#[test]
fn leshan_device_in_queue_mode_stays_observed_when_our_server_is_killed() {
    if !Kind::Leshan.is_available() {
        return;
    }
    let folder = std::env::temp_dir().join(format!("lwm2m-queue-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    let flags = ["--data", folder.to_str().unwrap()];
    let server = Server::start_ours_with(&flags).unwrap();
    let mut events = server.http.events().unwrap();
    let mut device = Device::start_leshan_in_queue_mode(server.coap, "sleeper", 300).unwrap();
    let first = events.wait_for("REGISTRATION", |_| true).unwrap();
    let path = "/api/clients/sleeper/3303/0/5750";
    let observed = server.http.send("POST", &format!("{path}/observe")).unwrap().json();
    assert_eq!(observed["status"], "CONTENT(205)", "{observed}");

    let server = server.replace_ours(&flags).unwrap();
    let mut events = server.http.events().unwrap();
    let listed = server.http.send("GET", "/api/clients/sleeper").unwrap().json();
    assert_eq!(listed["registrationId"], first["registrationId"], "{listed}");
    // An Update of the device; the server makes the observation anew.
    device.process.tell("").unwrap();
    events.wait_for("UPDATED", |_| true).unwrap();
    let value = r#"{"id": 5750, "value": "cellar"}"#;
    let written = server.http.send_body("PUT", path, "application/json", value).unwrap();
    assert_eq!(written.json()["status"], "CHANGED(204)");
    let is_new = |event: &Value| event.to_string().contains("cellar");
    events.wait_for("NOTIFICATION", is_new).unwrap();
    drop(server);
    let _ = std::fs::remove_dir_all(&folder);
}
