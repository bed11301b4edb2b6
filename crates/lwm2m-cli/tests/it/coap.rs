//! `lwm2m coap`, against our server

use crate::{failure, success};
use lwm2m_app::Listen;
use lwm2m_serverd::Settings;
use serde_json::Value;
use std::net::SocketAddr;

/// Runs `test` with the address of a server.
fn with_server(test: impl FnOnce(&str)) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let local: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let (coap, coaps) = (Some(local.into()), Some(Listen::Off));
    let settings =
        Settings { coap, coaps, http: Some(local), ephemeral: true, ..Settings::default() };
    let server = runtime.block_on(lwm2m_serverd::start(&settings)).unwrap();
    test(&server.server.local().udp.unwrap().to_string());
    runtime.block_on(server.stop()).unwrap();
}

#[test]
fn a_device_is_registered_by_hand() {
    with_server(|server| {
        let uri = format!("coap://{server}/rd?ep=hand&lt=60&lwm2m=1.1&b=U");
        let links = "</1/0>,</3/0>";
        let answer = success(&["coap", "post", &uri, links, "-c", "link", "--json"], b"");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["code"], "2.01");
        assert_eq!(answer["options"][0]["value"], "rd");
        let location = answer["options"][1]["value"].as_str().unwrap();
        success(&["coap", "delete", &format!("coap://{server}/rd/{location}")], b"");
    });
}

#[test]
fn an_error_of_the_server_is_status_1() {
    with_server(|server| {
        let uri = format!("coap://{server}/nothing");
        let output = crate::lwm2m(&["coap", "get", &uri], b"");
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stderr).contains("4.04"), "{output:?}");
    });
}

#[test]
fn what_is_no_uri_is_status_2() {
    assert!(failure(&["coap", "get", "http://127.0.0.1/"], 2).contains("coap://"));
    assert!(failure(&["coap", "get", "coaps://127.0.0.1/"], 2).contains("needs keys"));
    let psk = ["--psk-identity", "a", "--psk-key", "00", "--tls13"];
    let refused = |uri| failure(&[&["coap", "get", uri], psk.as_slice()].concat(), 2);
    assert!(refused("coaps://127.0.0.1/").contains("coaps+tcp://"));
    assert!(refused("coaps+tcp://127.0.0.1/").contains("certificate"));
    // Over TCP there is no load.
    assert!(failure(&["load", "coaps+tcp://127.0.0.1/"], 2).contains("over UDP"));
}

#[test]
fn keys_are_not_ignored_in_the_clear() {
    let psk = ["--psk-identity", "a", "--psk-key", "00"];
    for command in [&["coap", "get", "coap://127.0.0.1/"][..], &["load", "coap://127.0.0.1/"]] {
        let refused = failure(&[command, &psk].concat(), 2);
        assert!(refused.contains("keys need a server at coaps://"), "{command:?}: {refused}");
    }
}
