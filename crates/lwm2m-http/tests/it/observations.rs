//! Observations last until they are taken back.

use crate::commands::willing;
use crate::events::Events;
use crate::sleeping::next;
use crate::support::{Bench, asked, register};
use axum::http::StatusCode;
use lwm2m_coap::{Code, Request, Response};
use lwm2m_http::ApiConfig;
use lwm2m_server::{Operation, Target};
use serde_json::{Value as Json, json};
use std::time::Duration;

const VALUE: &str = "/api/clients/peer/3303/0/5700/observe";

async fn list(bench: &Bench) -> Json {
    bench.get("/api/clients/peer/observations").await.json()
}

/// A device that refuses to observe executables.
fn picky(request: &Request) -> Option<Response> {
    let is_reset = request.options.uri_path().any(|part| part == b"5605");
    if is_reset { Some(Response::new(Code::METHOD_NOT_ALLOWED)) } else { willing(request) }
}

#[tokio::test]
async fn what_is_wished_is_listed_with_its_state() {
    let bench = Bench::new().await;
    let device = bench.device("peer", picky).await;
    assert_eq!(list(&bench).await, json!([]));
    let first = bench.send("POST", &format!("{VALUE}?format=TEXT&pmin=5&gt=-1.5"), None, "").await;
    assert_eq!(first.json()["content"]["value"], "7.0");
    assert_eq!(
        asked(&device).await,
        ["PUT /3303/0/5700?pmin=5&gt=-1.5", "GET /3303/0/5700 observe=0 accept=0"]
    );
    let refused = bench.send("POST", "/api/clients/peer/3303/0/5605/observe", None, "").await;
    assert_eq!(refused.json()["status"], "METHOD_NOT_ALLOWED(405)");
    let composite = "/api/clients/peer/composite/observe?paths=/3/0/0,/3/0/1&nodeformat=SENML_JSON";
    bench.send("POST", composite, None, "").await;

    let mut listed = list(&bench).await;
    let since = listed[1]["since"].take().as_u64().expect("milliseconds");
    assert!(since > 1_700_000_000_000);
    assert_eq!(listed[0]["kind"], "single", "{listed}");
    let rows = listed.as_array().unwrap();
    assert_eq!((rows.len(), &rows[0]["res"]), (3, &json!("/3303/0/5605")));
    assert_eq!(
        (&rows[0]["state"], &rows[0]["code"]),
        (&json!("refused"), &json!("METHOD_NOT_ALLOWED(405)"))
    );
    let golden = json!({"kind": "single", "res": "/3303/0/5700", "state": "observed", "since": null,
                        "format": "TEXT", "attributes": {"pmin": "5", "gt": "-1.5"}});
    assert_eq!(rows[1], golden);
    assert_eq!(
        (&rows[2]["kind"], &rows[2]["paths"]),
        (&json!("composite"), &json!(["/3/0/0", "/3/0/1"]))
    );

    // The list does not need the device.
    device.with(|device, now| device.deregister(now)).await.unwrap();
    let mut events = Events::open(&bench, "/api/event").await;
    if bench.get("/api/clients/peer").await.status == StatusCode::OK {
        next(&mut events, "DEREGISTRATION").await;
    }
    let listed = list(&bench).await;
    let states = listed.as_array().unwrap().iter().map(|it| it["state"].clone());
    assert_eq!(states.collect::<Vec<_>>(), ["refused", "waiting", "waiting"]);
    for path in
        ["3303/0/5605/observe", "3303/0/5700/observe", "composite/observe?paths=/3/0/0,/3/0/1"]
    {
        let removed = bench.send("DELETE", &format!("/api/clients/peer/{path}"), None, "").await;
        assert_eq!(removed.status, StatusCode::OK, "{path}");
    }
    let unknown = bench.get("/api/clients/peer/observations").await;
    assert_eq!(unknown.json()["type"], "/problems#unknown-endpoint");
}

#[tokio::test]
async fn an_observation_that_a_program_began_otherwise_is_listed_too() {
    let bench = Bench::new().await;
    let _device = bench.device("peer", willing).await;
    let path = "/3303/0/5700".parse().unwrap();
    let observe = Operation::Observe { path, format: None };
    bench.server.request("peer", observe, Duration::from_secs(20)).await.unwrap();
    let listed = list(&bench).await;
    assert_eq!(
        (&listed[0]["res"], &listed[0]["state"]),
        (&json!("/3303/0/5700"), &json!("observed"))
    );
    assert_eq!(bench.send("DELETE", VALUE, None, "").await.status, StatusCode::OK);
    assert_eq!(list(&bench).await, json!([]));
}

#[tokio::test]
async fn a_wish_is_made_so_after_each_register_until_it_is_taken_back() {
    let bench = Bench::new().await;
    let device = bench.device("peer", willing).await;
    bench.send("POST", VALUE, None, "").await;
    let mut events = Events::open(&bench, "/api/event?ep=peer").await;
    asked(&device).await;
    register(&device).await;
    let told = next(&mut events, "NOTIFICATION").await;
    assert_eq!((&told["res"], &told["val"]["value"]), (&json!("/3303/0/5700"), &json!("7.0")));
    assert_eq!(asked(&device).await.len(), 1);

    bench.send("DELETE", VALUE, None, "").await;
    register(&device).await;
    // What the server asks of its own accord comes before this.
    bench.get("/api/clients/peer/3/0/0").await;
    assert_eq!(asked(&device).await, ["GET /3/0/0 accept=112"]);
}

#[tokio::test]
async fn a_device_that_sleeps_is_observed_when_it_wakes() {
    let bench = Bench::new().await;
    let device = bench.sleeper("peer", willing).await;
    bench.lull("peer").await;
    let mut events = Events::open(&bench, "/api/event?ep=peer").await;
    let delayed = bench.send("POST", VALUE, None, "").await.json();
    let golden = json!({"ep": "peer", "path": "/3303/0/5700", "requestId": delayed["requestId"],
                        "response": null, "delayed": true});
    assert_eq!(delayed, golden);
    assert!(delayed["requestId"].is_string());
    assert_eq!(list(&bench).await[0]["state"], "waiting");

    bench.wake(&device, "peer").await;
    let told = next(&mut events, "REQUEST_RESPONSE").await;
    assert_eq!((&told["requestId"], &told["delayed"]), (&delayed["requestId"], &json!(true)));
    assert_eq!(told["response"]["content"]["value"], "7.0");
    assert_eq!(list(&bench).await[0]["state"], "observed");
    let value = Response::new(Code::CONTENT).content_format(0).payload("8").observe();
    device.with(|device, now| device.notify(now, value)).await.unwrap();
    assert_eq!(next(&mut events, "NOTIFICATION").await["val"]["value"], "8.0");
}

#[tokio::test]
async fn a_device_that_falls_asleep_instead_of_answering_is_observed_later() {
    let timeout = Duration::from_millis(50);
    let bench = Bench::with_config(ApiConfig::default().with_timeouts(timeout, timeout)).await;
    let device = bench.sleeper("peer", |_| None).await;
    let delayed = bench.send("POST", VALUE, None, "").await.json();
    assert_eq!(delayed["delayed"], true, "{delayed}");
    let mut events = Events::open(&bench, "/api/event?ep=peer").await;
    device.with(|device, _| device.script = willing).await.unwrap();
    register(&device).await;
    let told = next(&mut events, "REQUEST_RESPONSE").await;
    assert_eq!(told["requestId"], delayed["requestId"]);
    assert_eq!(told["response"]["content"]["value"], "7.0");
}

#[tokio::test]
async fn a_silent_device_is_504_and_the_wish_stays() {
    let timeout = Duration::from_millis(50);
    let bench = Bench::with_config(ApiConfig::default().with_timeouts(timeout, timeout)).await;
    let device = bench.device("peer", |_| None).await;
    let answer = bench.send("POST", VALUE, None, "").await;
    assert_eq!(answer.status, StatusCode::GATEWAY_TIMEOUT);
    assert!(answer.json()["detail"].as_str().is_some_and(|it| it.contains("begins when it does")));
    assert_eq!(list(&bench).await[0]["state"], "waiting");
    let mut events = Events::open(&bench, "/api/event?ep=peer").await;
    device.with(|device, _| device.script = willing).await.unwrap();
    register(&device).await;
    let told = next(&mut events, "NOTIFICATION").await;
    assert_eq!(told["val"]["value"], "7.0", "the first value is told");
}

#[tokio::test]
async fn the_end_of_an_observation_is_told_to_a_device_only_if_it_listens() {
    let bench = Bench::new().await;
    let device = bench.sleeper("peer", willing).await;
    bench.send("POST", VALUE, None, "").await;
    bench.lull("peer").await;
    asked(&device).await;
    let ended = bench.send("DELETE", &format!("{VALUE}?active"), None, "").await;
    assert_eq!((ended.status, ended.body.len()), (StatusCode::OK, 0));
    assert_eq!(list(&bench).await, json!([]));
    let again = bench.send("DELETE", &format!("{VALUE}?active"), None, "").await;
    assert_eq!(again.json()["type"], "/problems#not-observed");
    assert_eq!(asked(&device).await, [""; 0]);
}

#[tokio::test]
async fn several_paths_have_attributes_where_the_version_allows_them() {
    let bench = Bench::new().await;
    let device = bench.device_as("peer", "", willing).await;
    let uri = "/api/clients/peer/composite/observe?paths=/3/0/0&pmin=5";
    let refused = bench.send("POST", uri, None, "").await;
    assert!(refused.json()["detail"].as_str().is_some_and(|it| it.contains("LwM2M 1.2")));
    assert_eq!(asked(&device).await, [""; 0]);
    let target = Target::Composite(["/3/0/0".parse().unwrap()].into());
    let wished = bench.server.with(move |it, _| it.wishes("peer").any(|(of, ..)| *of == target));
    assert_eq!(wished.await, Ok(false));
}
