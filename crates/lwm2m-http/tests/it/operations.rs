//! Operations: what reaches the device, and what its answer looks like.

use crate::support::{Bench, asked};
use axum::http::StatusCode;
use lwm2m_coap::{Code, Request, Response};
use serde_json::json;

/// A device with a time zone at /3/0/14, a battery level at /3/0/9 and nothing else.
fn device(request: &Request) -> Option<Response> {
    let path: Vec<_> = request.options.uri_path().collect();
    let discover = request.options.accept() == Some(40);
    Some(match (request.code, path.as_slice()) {
        (Code::GET, [b"3", b"0"]) if discover => Response::new(Code::CONTENT)
            .content_format(40)
            .payload("</3/0>;pmin=10,</3/0/11>;dim=1"),
        (Code::GET, [b"3", b"0", b"14"]) => {
            let response = Response::new(Code::CONTENT).content_format(0).payload("+02:00");
            if request.options.observe() == Some(0) { response.observe() } else { response }
        }
        (Code::GET, [b"3", b"0", b"9"]) => {
            Response::new(Code::CONTENT).content_format(0).payload("87")
        }
        (Code::GET, [b"3", b"0", b"11"]) => {
            // TLV: a multiple resource of one instance
            let tlv = [0x83, 0x0B, 0x41, 0x00, 0x05];
            Response::new(Code::CONTENT).content_format(11542).payload(tlv.to_vec())
        }
        (Code::GET, _) => Response::new(Code::NOT_FOUND).payload("nothing there"),
        (Code::POST, [b"3303"]) => {
            Response::new(Code::CREATED).location_segment("3303").location_segment("6")
        }
        (Code::DELETE, _) => Response::new(Code::DELETED),
        _ => Response::new(Code::CHANGED),
    })
}

#[tokio::test]
async fn read() {
    let bench = Bench::new().await;
    let peer = bench.device("peer", device).await;
    let answer = bench.get("/api/clients/peer/3/0/14").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(
        answer.json(),
        json!({"status": "CONTENT(205)", "valid": true, "success": true, "failure": false,
               "content": {"kind": "singleResource", "id": 14, "type": "STRING", "value": "+02:00"}})
    );
    let battery = bench.get("/api/clients/peer/3/0/9/?format=text&timeout=10").await.json();
    let golden = json!({"kind": "singleResource", "id": 9, "type": "INTEGER", "value": "87"});
    assert_eq!(battery["content"], golden);
    let errors = bench.get("/api/clients/peer/3/0/11?format=11542").await.json();
    let golden =
        json!({"kind": "multiResource", "id": 11, "type": "INTEGER", "values": {"0": "5"}});
    assert_eq!(errors["content"], golden);
    assert_eq!(
        asked(&peer).await,
        ["GET /3/0/14 accept=112", "GET /3/0/9 accept=0", "GET /3/0/11 accept=11542"]
    );
}

#[tokio::test]
async fn what_the_device_can_judge_is_its_answer() {
    let bench = Bench::new().await;
    let refuse = |_: &Request| Some(Response::new(Code::METHOD_NOT_ALLOWED));
    let peer = bench.device("peer", refuse).await;
    let sent = [
        (
            "PUT",
            "1/0/0?format=TEXT",
            r#"{"id":"0","kind":"singleResource","value":2,"type":"integer"}"#,
        ),
        ("PUT", "3/0/4?format=TEXT", r#"{"value":"x"}"#),
        ("PUT", "3/0/14/attributes?gt=1", ""),
        ("POST", "3/0/9", ""),
        ("GET", "3/0/4?format=none", ""),
    ];
    for (method, address, body) in sent {
        let uri = format!("/api/clients/peer/{address}");
        let answer = bench.send(method, &uri, Some("application/json"), body).await;
        assert_eq!(answer.status, StatusCode::OK, "{uri}");
        assert_eq!(answer.json()["status"], "METHOD_NOT_ALLOWED(405)", "{uri}");
    }
    assert_eq!(
        asked(&peer).await,
        [
            "PUT /1/0/0 format=0 \"2\"",
            "PUT /3/0/4 format=0 \"x\"",
            "PUT /3/0/14?gt=1",
            "POST /3/0/9",
            "GET /3/0/4",
        ]
    );
}

#[tokio::test]
async fn a_success_of_another_operation_is_500() {
    let bench = Bench::new().await;
    let _peer = bench.device("peer", |_| Some(Response::new(Code::new(2, 3)))).await;
    let value = Some("application/json");
    for (method, uri, body) in [
        ("GET", "/api/clients/peer/3/0/0", ""),
        ("PUT", "/api/clients/peer/3/0/14", r#"{"value":"x"}"#),
        ("POST", "/api/clients/peer/3/0/4", ""),
        ("DELETE", "/api/clients/peer/3303/0", ""),
        ("POST", "/api/clients/peer/3303", r#"{"id":1,"resources":[]}"#),
    ] {
        let answer = bench.send(method, uri, value, body).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{method} {uri}");
        assert_eq!(answer.json()["type"], "/problems#bad-answer");
    }
}

#[tokio::test]
async fn a_refusal_of_the_device_is_an_answer() {
    let bench = Bench::new().await;
    let _peer = bench.device("peer", device).await;
    let answer = bench.get("/api/clients/peer/3/7").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(
        answer.json(),
        json!({"status": "NOT_FOUND(404)", "valid": true, "success": false, "failure": true,
               "content": null, "errormessage": "nothing there"})
    );
}

#[tokio::test]
async fn write() {
    let bench = Bench::new().await;
    let peer = bench.device("peer", device).await;
    let node = json!({"kind": "singleResource", "id": 14, "type": "STRING", "value": "+01:00"});
    let changed =
        json!({"status": "CHANGED(204)", "valid": true, "success": true, "failure": false});
    let uri = "/api/clients/peer/3/0/14?format=TEXT";
    assert_eq!(bench.json("PUT", uri, &node).await.json(), changed);
    let part = bench.json("PUT", "/api/clients/peer/3/0/14?format=0&replace=false", &node).await;
    assert_eq!(part.json(), changed);
    let text = bench.send("PUT", uri, Some("text/plain; charset=utf-8"), "UTC+1").await;
    assert_eq!(text.json(), changed);
    let number = json!({"value": 120});
    let uri = "/api/clients/peer/1/0/1?format=TEXT";
    assert_eq!(bench.json("PUT", uri, &number).await.json(), changed);
    assert_eq!(
        asked(&peer).await,
        [
            "PUT /3/0/14 format=0 \"+01:00\"",
            "PUT /3/0/14 format=0 \"+01:00\"",
            "PUT /3/0/14 format=0 \"UTC+1\"",
            "PUT /1/0/1 format=0 \"120\"",
        ]
    );
}

#[tokio::test]
async fn write_an_instance_or_a_part_of_it() {
    let bench = Bench::new().await;
    let peer = bench.device("peer", device).await;
    let node = json!({"kind": "instance", "id": 0, "resources": [
        {"kind": "singleResource", "id": 14, "type": "STRING", "value": "A"}]});
    let answer = bench.json("PUT", "/api/clients/peer/3/0?format=TLV", &node).await;
    assert_eq!(answer.json()["status"], "CHANGED(204)");
    let uri = "/api/clients/peer/3/0?format=TLV&replace=false";
    assert_eq!(bench.json("PUT", uri, &node).await.json()["status"], "CHANGED(204)");
    assert_eq!(
        asked(&peer).await,
        [r#"PUT /3/0 format=11542 "�\u{e}A""#, r#"POST /3/0 format=11542 "�\u{e}A""#]
    );
}

#[tokio::test]
async fn execute() {
    let bench = Bench::new().await;
    let peer = bench.device("peer", device).await;
    let changed =
        json!({"status": "CHANGED(204)", "valid": true, "success": true, "failure": false});
    let uri = "/api/clients/peer/3/0/4";
    assert_eq!(bench.send("POST", uri, None, "").await.json(), changed);
    let form = Some("application/x-www-form-urlencoded");
    assert_eq!(bench.send("POST", uri, form, "0='now'").await.json(), changed);
    assert_eq!(asked(&peer).await.len(), 2);
}

#[tokio::test]
async fn create_and_delete() {
    let bench = Bench::new().await;
    let peer = bench.device("peer", device).await;
    let node = json!({"kind": "instance", "id": 6, "resources": [
        {"id": 5700, "kind": "singleResource", "type": "FLOAT", "value": "21.5"}]});
    let golden = json!({"status": "CREATED(201)", "valid": true, "success": true, "failure": false,
                        "location": "3303/6"});
    for uri in ["/api/clients/peer/3303?format=TLV", "/api/clients/peer/3303/6?format=TLV"] {
        assert_eq!(bench.json("POST", uri, &node).await.json(), golden, "{uri}");
    }
    let mut without_id = node;
    without_id.as_object_mut().unwrap().remove("id");
    let uri = "/api/clients/peer/3303?format=TLV";
    assert_eq!(bench.json("POST", uri, &without_id).await.json(), golden);
    let deleted = bench.send("DELETE", "/api/clients/peer/3303/6", None, "").await.json();
    let golden =
        json!({"status": "DELETED(202)", "valid": true, "success": true, "failure": false});
    assert_eq!(deleted, golden);

    let asked = asked(&peer).await;
    assert!(asked[..3].iter().all(|line| line.starts_with("POST /3303 format=11542")), "{asked:?}");
    assert_eq!(asked[0], asked[1]);
    assert_ne!(asked[0], asked[2], "the id is the device's choice");
    assert_eq!(asked[3], "DELETE /3303/6");
}

#[tokio::test]
async fn discover() {
    let bench = Bench::new().await;
    let peer = bench.device("peer", device).await;
    assert_eq!(
        bench.get("/api/clients/peer/3/0/discover").await.json(),
        json!({"status": "CONTENT(205)", "valid": true, "success": true, "failure": false,
               "objectLinks": [{"url": "/3/0", "attributes": {"pmin": "10"}},
                               {"url": "/3/0/11", "attributes": {"dim": "1"}}]})
    );
    assert_eq!(asked(&peer).await, ["GET /3/0 accept=40"]);
}

#[tokio::test]
async fn write_attributes() {
    let bench = Bench::new().await;
    let peer = bench.device("peer", device).await;
    let uri = "/api/clients/peer/3/0/9/attributes?pmin=10&pmax=60&gt=-1.5&timeout=9";
    let changed =
        json!({"status": "CHANGED(204)", "valid": true, "success": true, "failure": false});
    assert_eq!(bench.send("PUT", uri, None, "").await.json(), changed);
    let uri = "/api/clients/peer/3/attributes?pmin";
    assert_eq!(bench.send("PUT", uri, None, "").await.json(), changed);
    assert_eq!(asked(&peer).await, ["PUT /3/0/9?pmin=10&pmax=60&gt=-1.5", "PUT /3?pmin"]);
}

#[tokio::test]
async fn observe_and_both_ways_to_end_it() {
    let bench = Bench::new().await;
    let peer = bench.device("peer", device).await;
    let uri = "/api/clients/peer/3/0/14/observe";
    let text = format!("{uri}?format=TEXT");
    let first = bench.send("POST", &text, None, "").await.json();
    assert_eq!(first["status"], "CONTENT(205)");
    assert_eq!(first["content"]["value"], "+02:00");
    let passive = bench.send("DELETE", uri, None, "").await;
    assert_eq!((passive.status, passive.body.len()), (StatusCode::OK, 0));
    let again = bench.send("DELETE", uri, None, "").await;
    assert_eq!((again.status, again.body.len()), (StatusCode::OK, 0));

    bench.send("POST", &text, None, "").await;
    let active = bench.send("DELETE", &format!("{uri}?active"), None, "").await.json();
    assert_eq!(active["status"], "CONTENT(205)");
    assert_eq!(active["content"]["value"], "+02:00");
    let gone = bench.send("DELETE", &format!("{uri}?active"), None, "").await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
    assert_eq!(
        asked(&peer).await,
        [
            "GET /3/0/14 observe=0 accept=0",
            "GET /3/0/14 observe=0 accept=0",
            "GET /3/0/14 observe=1 accept=0",
        ]
    );
}
