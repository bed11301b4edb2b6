//! Registrations made by hand with libcoap's `coap-client`.

use lwm2m_testkit::peer::{CoapClient, Device, HandServer, Kind, Server};
use serde_json::{Value, json};

const GOOD: &str = "/rd?ep=hand-made&lt=86400&lwm2m=1.1&b=U";
const OBJECTS: &[&str] = &["-t", "40", "-e", "</1/0>,</3/0>"];

fn start() -> Option<(Server, CoapClient)> {
    let server = Server::start(Kind::Ours).unwrap();
    let client = CoapClient::new(server.coap)?;
    Some((server, client))
}

fn registration(server: &Server) -> Value {
    server.http.send("GET", "/api/clients/hand-made").unwrap().json()
}

#[test]
fn registers_updates_and_deregisters() {
    let Some((server, client)) = start() else { return };
    let created = client.request("post", GOOD, OBJECTS).unwrap();
    assert_eq!(created.code, "2.01");
    assert!(created.location.starts_with("/rd/"), "{created:?}");
    assert_eq!(registration(&server)["lifetime"], 86400);

    let target = format!("{}?lt=120", created.location);
    assert_eq!(client.request("post", &target, &[]).unwrap().code, "2.04");
    assert_eq!(registration(&server)["lifetime"], 120);
    let objects = ["-t", "40", "-e", "</1/0>,</3/0>,</3303/4>"];
    assert_eq!(client.request("post", &created.location, &objects).unwrap().code, "2.04");
    assert!(registration(&server)["objectLinks"].to_string().contains("/3303/4"));

    assert_eq!(client.request("delete", &created.location, &[]).unwrap().code, "2.02");
    assert_eq!(server.http.send("GET", "/api/clients/hand-made").unwrap().status, 404);
    assert_eq!(client.request("post", &created.location, &[]).unwrap().code, "4.04");
    assert_eq!(client.request("delete", &created.location, &[]).unwrap().code, "4.04");
}

#[test]
fn a_second_registration_replaces_the_first() {
    let Some((server, client)) = start() else { return };
    let first = client.request("post", GOOD, OBJECTS).unwrap();
    let second = client.request("post", GOOD, OBJECTS).unwrap();
    assert_eq!((first.code.as_str(), second.code.as_str()), ("2.01", "2.01"));
    let listed = server.http.send("GET", "/api/clients").unwrap().json();
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    let id = listed[0]["registrationId"].as_str().unwrap();
    assert_eq!(second.location, format!("/rd/{id}"));
    assert_eq!(client.request("post", &first.location, &[]).unwrap().code, "4.04");
    assert_eq!(client.request("post", &second.location, &[]).unwrap().code, "2.04");
}

// proves: REG-03, REG-04, REG-07
#[test]
fn wrong_registrations_are_refused() {
    let Some((server, client)) = start() else { return };
    for (target, code, why) in [
        ("/rd?ep=hand-made&lt=60&lwm2m=9.9&b=U", "4.12", "unknown version"),
        ("/rd?ep=hand-made&lt=60&lwm2m=2.0&b=U", "4.12", "unknown version"),
        ("/rd?lt=60&lwm2m=1.1&b=U", "4.00", "no endpoint name, no identity to take it from"),
        ("/rd?ep=hand-made&lwm2m=1.1&b=U", "4.00", "no lifetime"),
        ("/rd?ep=hand-made&lt=soon&lwm2m=1.1&b=U", "4.00", "lifetime is no number"),
        ("/rd?ep=hand-made&ep=other&lt=60&lwm2m=1.1&b=U", "4.00", "two endpoint names"),
        ("/rd?ep=hand-made&lt=60&lwm2m=1.1&b=X", "4.00", "no such binding"),
    ] {
        assert_eq!(client.request("post", target, OBJECTS).unwrap().code, code, "{why}");
    }
    for (objects, why) in [
        (&["-t", "40"][..], "no objects"),
        (&["-t", "40", "-e", "xyz"], "no link format"),
        (&["-t", "0", "-e", "</1/0>,</3/0>"], "not called link format"),
    ] {
        assert_eq!(client.request("post", GOOD, objects).unwrap().code, "4.00", "{why}");
    }
    assert_eq!(server.http.send("GET", "/api/clients").unwrap().body, "[]");

    for version in ["1.0", "1.1", "1.2"] {
        let target = format!("/rd?ep=hand-made&lt=60&lwm2m={version}&b=U");
        assert_eq!(client.request("post", &target, OBJECTS).unwrap().code, "2.01", "{version}");
        assert_eq!(registration(&server)["lwM2mVersion"], version);
    }
    assert_eq!(client.request("post", "/rd?ep=hand-made", OBJECTS).unwrap().code, "2.01");
    let defaults = registration(&server);
    assert_eq!((&defaults["lwM2mVersion"], &defaults["lifetime"]), (&json!("1.0"), &json!(86400)));
}

#[test]
fn parameters_come_in_any_order_and_unknown_ones_are_kept() {
    let Some((server, client)) = start() else { return };
    let target = "/rd?imei=1&b=U&lt=60&ep=hand-made&lwm2m=1.1";
    assert_eq!(client.request("post", target, OBJECTS).unwrap().code, "2.01");
    assert_eq!(registration(&server)["additionalRegistrationAttributes"], json!({"imei": "1"}));
}

#[test]
fn unknown_paths_and_methods_are_refused() {
    let Some((_server, client)) = start() else { return };
    assert_eq!(client.request("post", "/rd/no-such-location", &[]).unwrap().code, "4.04");
    assert_eq!(client.request("delete", "/rd/no-such-location", &[]).unwrap().code, "4.04");
    assert_eq!(client.request("post", "/nowhere", OBJECTS).unwrap().code, "4.04");
    assert_eq!(client.request("put", "/rd", OBJECTS).unwrap().code, "4.05");
}

#[test]
fn unknown_critical_options_are_refused() {
    let Some((server, client)) = start() else { return };
    let mut options = OBJECTS.to_vec();
    options.extend(["-O", "65001,x"]);
    assert_eq!(client.request("post", GOOD, &options).unwrap().code, "4.02");
    let mut options = OBJECTS.to_vec();
    options.extend(["-O", "65000,x"]);
    assert_eq!(client.request("post", GOOD, &options).unwrap().code, "2.01", "elective");
    assert_eq!(registration(&server)["endpoint"], "hand-made");
}

#[test]
fn a_long_registration_comes_in_blocks() {
    let Some((server, client)) = start() else { return };
    let links: Vec<String> = (0..100).map(|id| format!("</3303/{id}>")).collect();
    let payload = format!("</1/0>,</3/0>,{}", links.join(","));
    let options = ["-b", "64", "-t", "40", "-e", &payload];
    assert_eq!(client.request("post", GOOD, &options).unwrap().code, "2.01");
    let registration = registration(&server);
    assert_eq!(registration["objectLinks"].as_array().map(Vec::len), Some(102));
}

#[test]
fn a_registration_ends_with_its_lifetime() {
    let Some((server, client)) = start() else { return };
    let mut events = server.http.events().unwrap();
    let target = "/rd?ep=hand-made&lt=1&lwm2m=1.1&b=U";
    let created = client.request("post", target, OBJECTS).unwrap();
    events.wait_for("REGISTRATION", |it| it["endpoint"] == "hand-made").unwrap();
    events.wait_for("DEREGISTRATION", |it| it["endpoint"] == "hand-made").unwrap();
    assert_eq!(client.request("post", &created.location, &[]).unwrap().code, "4.04");
}

/// Our device obeys its server alone, so a server made by hand takes the Register and then leaves
/// its port to coap-client.
#[test]
fn device_is_read_written_and_observed_from_the_port_of_its_server() {
    let server = HandServer::open().unwrap();
    let Some(_) = CoapClient::new(server.address) else { return };
    let flags = ["--period", "1"];
    let _device = Device::start_ours(server.address, "device", 86_400, &flags).unwrap();
    server.accept().unwrap();
    let client = CoapClient::new(server.socket.peer_addr().unwrap()).unwrap();
    let port = server.address.port().to_string();
    drop(server);
    let from = ["-a", "127.0.0.1", "-p", &port];
    let with = |more: &[&'static str]| [&from[..], more].concat();
    let read = |path| client.body("get", path, &with(&["-A", "0"])).unwrap();
    assert_eq!(read("/3/0/0").trim_ascii(), b"lwm2m-rs");
    let written = client.request("put", "/3/0/14", &with(&["-t", "0", "-e", "+05:30"])).unwrap();
    assert_eq!(written.code, "2.04");
    assert_eq!(read("/3/0/14").trim_ascii(), b"+05:30");
    let refused = client.request("put", "/3/0/0", &with(&["-t", "0", "-e", "x"])).unwrap();
    assert_eq!(refused.code, "4.05");
    let seen = client.body("get", "/3303/0/5700", &with(&["-A", "0", "-s", "3"])).unwrap();
    let values = String::from_utf8(seen).unwrap().matches('.').count();
    assert!(values >= 2, "the first value and at least one notification");
}
