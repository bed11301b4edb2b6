//! Operations on several paths at once.

use crate::support::{Bench, asked};
use axum::http::StatusCode;
use lwm2m_coap::{Code, Request, Response};
use serde_json::json;

fn device(request: &Request) -> Option<Response> {
    let values = r#"[{"n":"/3/0/14","vs":"+02:00"},{"n":"/3/0/11/0","v":0}]"#;
    Some(match request.code {
        Code::FETCH => {
            let response = Response::new(Code::CONTENT).content_format(110).payload(values);
            if request.options.observe() == Some(0) { response.observe() } else { response }
        }
        Code::IPATCH => Response::new(Code::CHANGED),
        _ => Response::new(Code::NOT_FOUND),
    })
}

const ADDRESS: &str = "/api/clients/peer/composite";

#[tokio::test]
async fn read() {
    let bench = Bench::new().await;
    let peer = bench.device("peer", device).await;
    let query =
        "paths=/3/0/14,/3/0/11,/3/0/11/0,/1/0/1&pathformat=SENML_JSON&nodeformat=SENML_CBOR";
    let answer = bench.get(&format!("{ADDRESS}?{query}")).await;
    assert_eq!(answer.status, StatusCode::OK);
    let content = json!({
        "/3/0/14": {"kind": "singleResource", "id": 14, "type": "STRING", "value": "+02:00"},
        "/3/0/11": {"kind": "multiResource", "id": 11, "type": "INTEGER", "values": {"0": "0"}},
        "/3/0/11/0": {"kind": "resourceInstance", "id": 0, "type": "INTEGER", "value": "0"},
    });
    assert_eq!(
        answer.json(),
        json!({"status": "CONTENT(205)", "valid": true, "success": true, "failure": false,
               "content": content})
    );
    let list = r#"[{"n":"/3/0/14"},{"n":"/3/0/11"},{"n":"/3/0/11/0"},{"n":"/1/0/1"}]"#;
    assert_eq!(asked(&peer).await, [format!("FETCH  accept=112 format=110 {list:?}")]);
}

#[tokio::test]
async fn write() {
    let bench = Bench::new().await;
    let peer = bench.device("peer", device).await;
    let body = json!({
        "/3/0/14": {"kind": "singleResource", "id": 14, "type": "STRING", "value": "+01:00"},
        "/1/0/1": {"kind": "singleResource", "id": 1, "type": "INTEGER", "value": "60"},
    });
    let answer = bench.json("PUT", &format!("{ADDRESS}?nodeformat=SENML_JSON"), &body).await;
    assert_eq!(
        (answer.status, answer.json()["status"].clone()),
        (StatusCode::OK, json!("CHANGED(204)"))
    );
    let written = r#"[{"n":"/1/0/1","v":60},{"n":"/3/0/14","vs":"+01:00"}]"#;
    assert_eq!(asked(&peer).await, [format!("iPATCH  format=110 {written:?}")]);
    for bad in [json!([]), json!({}), json!({"/3": {}}), json!({"x": {}}), json!({"/3/0/14": 5})] {
        let answer = bench.json("PUT", ADDRESS, &bad).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{bad}");
    }
}

#[tokio::test]
async fn observe_and_cancel() {
    let bench = Bench::new().await;
    let peer = bench.device("peer", device).await;
    let observe = format!("{ADDRESS}/observe?paths=/3/0/14,/3/0/11");
    for (method, uri, status) in [
        ("POST", observe.clone(), "CONTENT(205)"),
        ("DELETE", format!("{observe}&active"), "CONTENT(205)"),
    ] {
        let answer = bench.send(method, &uri, None, "").await;
        assert_eq!(answer.status, StatusCode::OK, "{method}");
        assert_eq!(answer.json()["status"], status, "{method}");
        assert_eq!(answer.json()["content"]["/3/0/14"]["value"], "+02:00");
    }
    assert_eq!(asked(&peer).await.len(), 2);
    let passive = bench.send("DELETE", &observe, None, "").await;
    assert_eq!((passive.status, passive.body.len()), (StatusCode::OK, 0));
    for (uri, status) in [
        (format!("{ADDRESS}/observe"), 400),
        (format!("{ADDRESS}/observe?paths=x"), 400),
        ("/api/clients/nobody/composite/observe?paths=/3".to_owned(), 404),
    ] {
        assert_eq!(bench.send("POST", &uri, None, "").await.status.as_u16(), status, "{uri}");
    }
    assert_eq!(bench.send("POST", ADDRESS, None, "").await.status, StatusCode::METHOD_NOT_ALLOWED);
}
