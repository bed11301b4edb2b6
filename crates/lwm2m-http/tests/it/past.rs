//! The history of events and of values.

use crate::commands::willing;
use crate::support::{Bench, asked};
use axum::http::StatusCode;
use lwm2m_http::ApiConfig;
use lwm2m_server::Config;
use lwm2m_store::MemoryStore;
use serde_json::{Value as Json, json};
use std::time::Duration;

fn keeping() -> Config {
    Config::default().max_events(1_000).max_history(100)
}

async fn list(bench: &Bench, uri: &str) -> Vec<Json> {
    let answer = bench.get(uri).await;
    assert_eq!(answer.status, StatusCode::OK, "{uri}: {:?}", answer.body);
    answer.json().as_array().expect("a list").clone()
}

#[tokio::test]
async fn events_are_told_from_the_store_by_device_and_number() {
    let bench = Bench::keeping(keeping(), ApiConfig::default(), MemoryStore::default()).await;
    let peer = bench.device("peer", willing).await;
    let observe = "/api/clients/peer/3/0/0/observe";
    assert_eq!(bench.send("POST", observe, None, "").await.status, StatusCode::OK);
    let prefer = bench
        .send_with(
            "PUT",
            "/api/clients/peer/3/0/15",
            &[("prefer", "respond-async, wait=5")],
            r#"{"id":15,"kind":"singleResource","value":"x","type":"string"}"#,
        )
        .await;
    assert!(prefer.status.is_success(), "{:?}", prefer.body);
    peer.with(|device, now| device.deregister(now)).await.unwrap();
    // What was noted before is durable with a promise after it.
    let _other = bench.device("other", willing).await;
    let _third = bench.device("third", willing).await;
    let mut told = list(&bench, "/api/events?ep=peer").await;
    for event in &mut told {
        let time = event["time"].take();
        assert!(time.as_u64().is_some_and(|at| at > 1_700_000_000_000), "{time}");
        event.as_object_mut().unwrap().remove("address");
    }
    let golden = [
        json!({"number": 0, "time": null, "ep": "peer", "event": "REGISTRATION"}),
        json!({"number": 1, "time": null, "ep": "peer", "event": "OBSERVED",
               "kind": "single", "res": "/3/0/0"}),
        json!({"number": 2, "time": null, "ep": "peer", "event": "REQUEST_RESPONSE",
               "requestId": told[2]["requestId"], "state": "done", "code": told[2]["code"]}),
        json!({"number": 3, "time": null, "ep": "peer", "event": "DEREGISTRATION",
               "reason": "removed"}),
    ];
    assert_eq!(told, golden);
    let numbers = |events: Vec<Json>| -> Vec<u64> {
        events.iter().map(|it| it["number"].as_u64().unwrap()).collect()
    };
    assert_eq!(numbers(list(&bench, "/api/events?limit=2&ep=peer").await), [2, 3], "the last ones");
    assert_eq!(numbers(list(&bench, "/api/events?since=0&limit=2").await), [1, 2], "those after");
    assert_eq!(numbers(list(&bench, "/api/events?since=2&ep=peer").await), [3]);
    assert_eq!(list(&bench, "/api/events?since=999").await, [] as [Json; 0]);
    assert_eq!(list(&bench, "/api/events?since=18446744073709551615").await.len(), 0);
    for wrong in ["since=x", "limit=0", "limit=1001", "since=-1"] {
        let answer = bench.get(&format!("/api/events?{wrong}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{wrong}");
    }
}

#[tokio::test]
async fn the_history_of_a_resource_has_times_and_limits() {
    let bench = Bench::keeping(keeping(), ApiConfig::default(), MemoryStore::default()).await;
    let peer = bench.device("peer", willing).await;
    let pack = r#"[{"bn":"/3303/0/","n":"5700","v":20.5,"t":-60},{"n":"5700","v":21,"t":-30},
                   {"n":"5700","v":22.5},{"n":"5701","vs":"C"}]"#;
    peer.with(move |device, now| device.send(now, pack)).await.unwrap();
    let _other = bench.device("other", willing).await;
    let _third = bench.device("third", willing).await;
    asked(&peer).await;
    let uri = "/api/clients/peer/3303/0/5700?history";
    let told = bench.get(uri).await.json();
    assert_eq!((&told["ep"], &told["path"]), (&json!("peer"), &json!("/3303/0/5700")));
    let values = |told: &Json| -> Vec<f64> {
        let values = told["values"].as_array().unwrap();
        values.iter().map(|it| it["value"].as_f64().unwrap()).collect()
    };
    let times: Vec<_> =
        told["values"].as_array().unwrap().iter().map(|it| it["time"].as_u64().unwrap()).collect();
    assert_eq!(values(&told), [20.5, 21.0, 22.5]);
    assert_eq!((times[1] - times[0], times[2] - times[1]), (30_000, 30_000));
    assert_eq!(values(&bench.get(&format!("{uri}&limit=1")).await.json()), [22.5]);
    let since = format!("{uri}&since={}&limit=1", times[0]);
    assert_eq!(values(&bench.get(&since).await.json()), [21.0]);
    let since = format!("{uri}&since={}", times[2]);
    assert_eq!(values(&bench.get(&since).await.json()), [0.0; 0]);
    assert_eq!(asked(&peer).await, [""; 0], "nobody asks the device");
    for (path, status) in [("5701", 404), ("5700/0", 404), ("5700/0/1", 400)] {
        let answer = bench.get(&format!("/api/clients/peer/3303/0/{path}?history")).await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
    }
    assert_eq!(bench.get("/api/clients/peer/3303/0?history").await.status, 400);
}

#[tokio::test]
async fn what_is_too_old_is_not_told() {
    let config = ApiConfig::default().with_history_for(Duration::from_secs(45));
    let bench = Bench::keeping(keeping(), config, MemoryStore::default()).await;
    let peer = bench.device("peer", willing).await;
    let pack = r#"[{"bn":"/3303/0/","n":"5700","v":20.5,"t":-60},{"n":"5700","v":21,"t":-30}]"#;
    peer.with(move |device, now| device.send(now, pack)).await.unwrap();
    let _other = bench.device("other", willing).await;
    let _third = bench.device("third", willing).await;
    let told = bench.get("/api/clients/peer/3303/0/5700?history").await.json();
    assert_eq!(told["values"].as_array().map(Vec::len), Some(1), "{told}");
}

#[tokio::test]
async fn a_server_that_keeps_nothing_says_so() {
    let bench = Bench::new().await;
    for uri in ["/api/events", "/api/clients/peer/3/0/9?history"] {
        let answer = bench.get(uri).await;
        assert_eq!(answer.json()["type"], "/problems#keeps-nothing", "{uri}");
    }
}
