//! A device on aiocoap, which has other formats than the server asks for first, and our server.

use lwm2m_testkit::peer::{AiocoapDevice, Answer, Kind, Server};

fn start() -> Option<(Server, AiocoapDevice)> {
    let server = Server::start(Kind::Ours).unwrap();
    let device = AiocoapDevice::start(server.coap).unwrap()?;
    Some((server, device))
}

fn ask(server: &Server, method: &str, path: &str) -> Answer {
    server.http.send(method, &format!("/api/clients/aiocoap-device{path}")).unwrap()
}

// proves: FORMAT-01, FORMAT-02
#[test]
fn device_is_read_and_written_in_the_formats_that_it_has() {
    let Some((server, _device)) = start() else { return };
    let value = ask(&server, "GET", "/3/0/0");
    assert_eq!(value.json()["content"]["value"], "aiocoap", "{value:?}");
    for _ in 0..2 {
        let instance = ask(&server, "GET", "/3/0");
        let resources = &instance.json()["content"]["resources"];
        assert_eq!(resources.as_array().map(Vec::len), Some(2), "{instance:?}");
    }
    let body = r#"{"resources":[{"id":2,"value":5},{"id":3,"value":50}]}"#;
    let path = "/api/clients/aiocoap-device/1/0?replace=false";
    let written = server.http.send_body("PUT", path, "application/json", body).unwrap();
    assert_eq!(written.json()["status"], "CHANGED(204)", "{written:?}");
    let body = r#"{"/1/0/2":{"value":6},"/3/0/14":{"value":"+01:00"}}"#;
    let path = "/api/clients/aiocoap-device/composite";
    let written = server.http.send_body("PUT", path, "application/json", body).unwrap();
    assert_eq!(written.json()["status"], "CHANGED(204)", "{written:?}");
    let read = ask(&server, "GET", "/composite?paths=/1/0/2,/1/0/3,/3/0/14,/3/0/15");
    let content = read.json()["content"].clone();
    assert_eq!(content["/1/0/2"]["value"], "6", "{read:?}");
    assert_eq!(content["/1/0/3"]["value"], "50");
    assert_eq!(content["/3/0/14"]["value"], "+01:00");
    assert_eq!(content.as_object().map(|paths| paths.len()), Some(3), "nothing is at /3/0/15");
}

// proves: RESP-01
#[test]
fn success_of_another_operation_is_a_bad_answer() {
    let Some((server, _device)) = start() else { return };
    for (method, path) in [("GET", "/3/0/1"), ("POST", "/3/0/1"), ("DELETE", "/3/0")] {
        let answer = ask(&server, method, path);
        assert_eq!(answer.status, 500, "{method} {path}: {answer:?}");
    }
}
