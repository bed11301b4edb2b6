//! The HTTP API is as its description says, by schemathesis.

use lwm2m_testkit::peer::{Device, Kind, Server, schemathesis};
use serde_json::json;

#[test]
fn no_answer_of_the_api_is_undescribed_and_none_is_5xx() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start_ours_with(&["--data", data.to_str().unwrap()]).unwrap();
    let _device = Device::start(Kind::Ours, server.coap, "device-1", 20).unwrap();
    server.http.wait_for("/api/clients/device-1").unwrap();
    let new = json!({"name": "schemathesis", "scope": "admin"}).to_string();
    let made = server.http.send_body("POST", "/api/tokens", "application/json", &new).unwrap();
    let token = made.json()["token"].as_str().unwrap().to_owned();
    let api = format!("http://{}", server.http.0);
    let Some((is_as_described, said)) = schemathesis(&api, &token).unwrap() else { return };
    let end = said.len().saturating_sub(6_000);
    assert!(is_as_described, "{}", said.get(end..).unwrap_or(&said));
    assert_eq!(
        server.http.send("GET", "/api/server/endpoint").unwrap().status,
        200,
        "it still answers"
    );
}
