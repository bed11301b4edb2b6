//! One operation on many devices.

use crate::support::{Bench, asked, next_asked, within};
use axum::http::StatusCode;
use futures_util::FutureExt;
use lwm2m_coap::{Code, Request, Response};
use lwm2m_http::{ApiConfig, ApiState, BULKS, Bulks};
use lwm2m_server::Config;
use lwm2m_store::MemoryStore;
use serde_json::{Value as Json, json};
use std::pin::pin;
use tower::ServiceExt;

fn obedient(request: &Request) -> Option<Response> {
    Some(match request.code {
        Code::GET => Response::new(Code::CONTENT).content_format(0).payload(b"42".to_vec()),
        _ => Response::new(Code::CHANGED),
    })
}

async fn order(bench: &Bench, query: &str, body: Json) -> crate::support::Answer {
    bench.json("POST", &format!("/api/bulk?{query}"), &body).await
}

/// Waits until a job is as it should be, and returns it.
async fn until(bench: &Bench, address: &str, is_so: impl Fn(&Json) -> bool) -> Json {
    let waiting = async {
        loop {
            let job = bench.get(address).await.json();
            if is_so(&job) {
                return job;
            }
            tokio::task::yield_now().await;
        }
    };
    within(waiting).await
}

#[tokio::test]
async fn an_operation_reaches_the_devices_that_are_selected_and_no_others() {
    let bench = Bench::new().await;
    let mut meters = Vec::new();
    for number in 0..70 {
        meters.push(bench.device(format!("meter-{number:02}").leak(), obedient).await);
    }
    let valve = bench.device("valve", obedient).await;
    let write = json!({"operation": "write", "path": "/1/0/1", "content": {"id": 1, "value": 600}});
    let started = order(&bench, "q=METER&ttl=3600", write).await;
    assert_eq!(started.status, StatusCode::ACCEPTED, "{:?}", started.body);
    let address = started.header("location").to_owned();
    let job =
        until(&bench, &address, |job| job["state"] == "ordered" && job["states"]["done"] == 70)
            .await;
    assert_eq!(job["refused"], 0);
    assert_eq!(job["order"], json!({"operation": "write", "path": "/1/0/1"}), "no values");
    for meter in &meters {
        assert_eq!(asked(meter).await, ["PUT /1/0/1 format=0 \"600\""]);
    }
    assert_eq!(asked(&valve).await, [""; 0]);
    let commands = bench.get(job["commandList"].as_str().unwrap()).await.json();
    assert_eq!(commands.as_array().unwrap().len(), 70);
    assert_eq!(bench.get("/api/bulk").await.json().as_array().unwrap().len(), 1);
    assert_eq!(bench.send("DELETE", &address, None, "").await.status, 204);
    assert_eq!(bench.get(&address).await.status, 404);
}

#[tokio::test]
async fn what_waits_is_taken_back() {
    let bench = Bench::new().await;
    let (asleep, awake) =
        (bench.sleeper("asleep", obedient).await, bench.device("b", obedient).await);
    bench.lull("asleep").await;
    let started = order(&bench, "prefix=", json!({"operation": "execute", "path": "/3/0/4"})).await;
    let address = started.header("location").to_owned();
    let both = |job: &Json| {
        job["state"] == "ordered" && job["states"]["done"] == 1 && job["states"]["waiting"] == 1
    };
    until(&bench, &address, both).await;
    assert_eq!(next_asked(&awake).await, ["POST /3/0/4"]);
    assert_eq!(bench.send("DELETE", &address, None, "").await.status, 204);
    let left = bench.get("/api/commands").await.json();
    assert_eq!((left.as_array().unwrap().len(), &left[0]["ep"]), (1, &json!("b")));
    bench.wake(&asleep, "asleep").await;
    assert_eq!(asked(&asleep).await, [""; 0]);
}

#[tokio::test]
async fn what_no_device_could_do_is_refused_and_what_one_cannot_is_told() {
    let bench = Bench::new().await;
    let _device = bench.device("peer", obedient).await;
    let read = || json!({"operation": "read", "path": "/3/0/9"});
    for (query, body) in [
        ("", read()),
        ("prefix=&limit=5", read()),
        ("prefix=&sort=updated", read()),
        ("prefix=&stat=asleep", read()),
        ("prefix=&State=asleep", read()),
        ("q=", read()),
        ("prefix=&binding=", read()),
        ("object&prefix=", read()),
        ("prefix=&ttl=0", read()),
        ("state=x", read()),
        ("prefix=", json!({"operation": "observe", "path": "/3"})),
        ("prefix=", json!({"operation": "read"})),
        ("prefix=", json!({"operation": "read", "path": "/x"})),
        ("prefix=", json!({"operation": "delete", "path": "/3"})),
        ("prefix=", json!({"operation": "execute", "path": "/3/0"})),
        ("prefix=", json!({"operation": "write", "path": "/1/0/1"})),
        ("prefix=", json!({"operation": "write", "path": "/1/0/1", "content": {"value": "x"}})),
        ("prefix=", json!({"operation": "read", "path": "/3", "more": 1})),
        ("prefix=", json!({"operation": "read", "path": "/3", "content": {"id": 3}})),
        ("prefix=", json!({"operation": "execute", "path": "/3/0/4", "content": 1})),
        ("prefix=", json!({"operation": "delete", "path": "/3/0", "arguments": "0"})),
        (&*format!("q={}", "a".repeat(2_050)), read()),
        ("prefix=", json!([])),
    ] {
        let answer = order(&bench, query, body.clone()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query} {body}");
    }
    let long = json!({"operation": "execute", "path": "/3/0/4", "arguments": "0".repeat(70_000)});
    assert_eq!(order(&bench, "prefix=", long).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(bench.get("/api/bulk").await.json(), json!([]));
    for id in ["7", "x", "99999999999999999999"] {
        assert_eq!(bench.get(&format!("/api/bulk/{id}")).await.status, 404);
    }
}

#[tokio::test]
async fn a_job_goes_on_after_a_restart_and_no_device_gets_it_twice() {
    let store = MemoryStore::default();
    let bench = Bench::keeping(Config::default(), ApiConfig::default(), store).await;
    let mut devices = Vec::new();
    for name in ["a", "b", "c"] {
        devices.push(bench.device(name, obedient).await);
    }
    let started = order(&bench, "prefix=", json!({"operation": "execute", "path": "/3/0/4"})).await;
    let address = started.header("location").to_owned();
    let is_done = |job: &Json| job["states"]["done"] == 3 && job["state"] == "ordered";
    until(&bench, &address, is_done).await;
    let reader = bench.server.store().expect("a store").clone();
    let records: Vec<_> = reader.table(BULKS).unwrap().map(Result::unwrap).collect();
    let [order, progress] = &*records else {
        panic!("an order and how far it has come: {records:?}")
    };
    let value = |record: &lwm2m_link::Record| record.value.clone().unwrap();
    let mut come: Json = serde_json::from_slice(&value(progress)).unwrap();
    assert_eq!(come["is_through"], true, "its end is kept, so that it does not begin anew");
    // As it was when it had begun.
    (come["after"], come["is_through"], come["commands"]) = (json!("a"), json!(false), json!(1));
    let bulks = Bulks::default();
    assert!(bulks.take(order.table, &order.key, &value(order)));
    assert!(bulks.take(progress.table, &progress.key, &serde_json::to_vec(&come).unwrap()));
    let state = ApiState::with_config(bench.server.clone(), ApiConfig::default().with_bulks(bulks));
    state.resume_bulks();
    let again = Bench { server: bench.server.clone(), api: lwm2m_http::router(state) };
    let request = || {
        let request = axum::http::Request::get(&address).header("host", "localhost");
        request.body(axum::body::Body::empty()).expect("a request")
    };
    let ended = within(async {
        loop {
            let job = again.call(request()).await.json();
            if job["state"] == "ordered" {
                return job;
            }
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(ended.await["commands"], 3);
    for device in &devices {
        assert_eq!(asked(device).await, ["POST /3/0/4"]);
    }
}

/// Sends a request whose caller goes away as soon as the handler waits for something.
fn abandon(bench: &Bench, method: &str, address: &str, body: &str) {
    let request = axum::http::Request::builder().method(method).uri(address);
    let request = request.header("host", "lwm2m.test").header("content-type", "application/json");
    let request = request.body(axum::body::Body::from(body.to_owned())).expect("a request");
    let mut call = pin!(bench.api.clone().oneshot(request));
    assert!(call.as_mut().now_or_never().is_none(), "it should wait");
}

#[tokio::test]
async fn a_caller_who_goes_away_leaves_nothing_half_done() {
    let bench = Bench::kept(MemoryStore::default()).await;
    let asleep = bench.sleeper("asleep", obedient).await;
    bench.lull("asleep").await;
    let body = json!({"operation": "execute", "path": "/3/0/4"}).to_string();
    abandon(&bench, "POST", "/api/bulk?prefix=", &body);
    let all = until(&bench, "/api/bulk", |all| all[0]["state"] == "ordered").await;
    assert_eq!(all[0]["commands"], 1);
    let address = format!("/api/bulk/{}", all[0]["id"].as_str().unwrap());
    abandon(&bench, "DELETE", &address, "");
    until(&bench, "/api/commands", |all| *all == json!([])).await;
    let read = [("prefer", "respond-async")];
    bench.send_with("GET", "/api/clients/asleep/3/0/9", &read, "").await;
    bench.wake(&asleep, "asleep").await;
    until(&bench, "/api/commands", |all| all[0]["state"] == "done").await;
    abandon(&bench, "DELETE", "/api/clients/asleep", "");
    until(&bench, "/api/commands", |all| *all == json!([])).await;
}

#[tokio::test]
async fn what_is_sent_twice_is_ordered_once() {
    let bench = Bench::new().await;
    let device = bench.device("a", obedient).await;
    let send = async |query: &str| {
        let body = json!({"operation": "execute", "path": "/3/0/4"}).to_string();
        let fields = [("idempotency-key", "monday")];
        bench.send_with("POST", &format!("/api/bulk?{query}"), &fields, &body).await
    };
    let first = send("prefix=").await;
    let second = send("prefix=").await;
    assert_eq!((first.status, second.status), (StatusCode::ACCEPTED, StatusCode::ACCEPTED));
    assert_eq!(first.header("location"), second.header("location"));
    let other = send("prefix=b").await;
    assert_eq!(
        (other.status.as_u16(), other.json()["type"].clone()),
        (422, json!("/problems#key-in-use"))
    );
    until(&bench, first.header("location"), |job| job["states"]["done"] == 1).await;
    assert_eq!(asked(&device).await, ["POST /3/0/4"]);
}

#[tokio::test]
async fn a_job_ends_with_the_right_of_its_author() {
    let bench = Bench::new().await;
    let device = bench.device("a", obedient).await;
    let bulks = Bulks::default();
    let job = json!({
        "who": "w", "grant": vec![7; 32], "query": "prefix=", "prefix": null, "created": 1,
        "order": {"operation": "execute", "path": "/3/0/4"},
    });
    assert!(bulks.take(BULKS, &7_u64.to_be_bytes(), job.to_string().as_bytes()));
    let config = ApiConfig::default().with_bulks(bulks);
    // The grant is not there any more.
    let access = lwm2m_http::Access::new(lwm2m_http::AccessConfig::default());
    let guarded = config.clone().with_access(access);
    ApiState::with_config(bench.server.clone(), guarded).resume_bulks();
    let api = lwm2m_http::router(ApiState::with_config(
        bench.server.clone(),
        config.with_hosts(["lwm2m.test".to_owned()]),
    ));
    let again = Bench { server: bench.server.clone(), api };
    let job = until(&again, "/api/bulk/7", |job| job["state"] != "ordering").await;
    assert_eq!((&job["state"], &job["commands"]), (&json!("stopped"), &json!(0)));
    assert_eq!(asked(&device).await, [""; 0]);
}
