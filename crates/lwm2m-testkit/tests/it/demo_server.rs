//! Our device on Leshan's own demo server, driven by that server's API.

use lwm2m_testkit::peer::{Device, Kind, leshan_demo_server};
use serde_json::{Value, json};

#[test]
fn device_is_managed_over_the_api_of_the_demo_server() {
    let Some(server) = leshan_demo_server().unwrap() else { return };
    let _device = Device::start(Kind::Ours, server.coap, "device", 300).unwrap();
    server.http.wait_for("/api/clients/device").unwrap();
    let target = |rest: &str| format!("/api/clients/device{rest}");
    let send = |method: &str, rest: &str| -> Value {
        server.http.send(method, &target(rest)).unwrap().json()
    };
    for format in ["TLV", "SENML_JSON", "TEXT"] {
        let answer = send("GET", &format!("/3/0/0?format={format}"));
        assert_eq!(answer["status"], "CONTENT(205)", "{format}: {answer}");
        assert_eq!(answer["content"], json!({"id": 0, "value": "lwm2m-rs"}), "{format}");
    }
    let value = json!({"id": 14, "value": "+02:00"}).to_string();
    let written = server.http.send_body("PUT", &target("/3/0/14"), "application/json", &value);
    assert_eq!(written.unwrap().json()["status"], "CHANGED(204)");
    assert_eq!(send("GET", "/3/0/14")["content"]["value"], "+02:00");
    assert_eq!(send("POST", "/1/0/8")["status"], "CHANGED(204)");
    assert_eq!(send("POST", "/3303/0/5700/observe")["status"], "CONTENT(205)");
    let links = send("GET", "/3/discover");
    assert!(links["objectLinks"].as_array().unwrap().len() > 5, "{links}");
}
