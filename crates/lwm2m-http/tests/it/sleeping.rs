//! Devices in queue mode: who sleeps, and what is asked of them meanwhile.

use crate::commands::willing;
use crate::events::Events;
use crate::support::{Bench, LOOPBACK, asked, next_asked, register, within};
use axum::http::StatusCode;
use lwm2m_coap::{Code, Response, TransmissionParameters};
use lwm2m_http::ApiConfig;
use lwm2m_net::Sockets;
use lwm2m_server::{Config, Server};
use serde_json::{Value as Json, json};
use std::time::Duration;

/// The next event of a kind.
pub(crate) async fn next(events: &mut Events, wanted: &str) -> Json {
    let reading = async {
        loop {
            let (name, data) = events.next().await;
            if name == wanted {
                return data;
            }
        }
    };
    within(reading).await
}

// proves: QUEUE-01
#[tokio::test]
async fn who_sleeps_is_told_and_listed() {
    let bench = Bench::new().await;
    let _plain = bench.device("plain", willing).await;
    let mut events = Events::open(&bench, "/api/event").await;
    let device = bench.sleeper("peer", willing).await;
    let (name, registered) = events.next().await;
    assert_eq!((&*name, &registered["sleeping"]), ("REGISTRATION", &json!(false)));
    let sleeping = async || {
        let one = bench.get("/api/clients/peer").await.json()["sleeping"].take();
        let list = bench.get("/api/clients").await.json();
        assert_eq!((&list[0]["sleeping"], list[1].get("sleeping")), (&one, None), "{list}");
        one
    };
    assert_eq!(sleeping().await, json!(false));

    bench.lull("peer").await;
    assert_eq!(events.next().await, ("SLEEPING".to_owned(), json!({"ep": "peer"})));
    assert_eq!(sleeping().await, json!(true));

    bench.wake(&device, "peer").await;
    assert_eq!(events.next().await, ("AWAKE".to_owned(), json!({"ep": "peer"})));
    let updated = next(&mut events, "UPDATED").await;
    assert_eq!(updated["registration"]["sleeping"], json!(false));
    assert_eq!(sleeping().await, json!(false));

    bench.lull("peer").await;
    device.with(|device, now| device.deregister(now)).await.unwrap();
    let gone = next(&mut events, "DEREGISTRATION").await;
    assert_eq!(gone["sleeping"], json!(true), "as it was before");
}

#[tokio::test]
async fn an_operation_on_a_device_that_sleeps_is_answered_later() {
    let bench = Bench::new().await;
    let device = bench.sleeper("peer", willing).await;
    bench.lull("peer").await;
    let mut events = Events::open(&bench, "/api/event?ep=peer").await;
    let answer = bench.get("/api/clients/peer/3/0/0").await;
    assert_eq!(answer.status, StatusCode::OK);
    let delayed = answer.json();
    let id = delayed["requestId"].as_str().expect("a text").to_owned();
    let golden = json!({"ep": "peer", "path": "/3/0/0", "requestId": id, "response": null,
                        "delayed": true});
    assert_eq!(delayed, golden);
    let command = bench.get(&format!("/api/commands/{id}")).await.json();
    assert_eq!(command["state"], "waiting");
    assert_eq!(asked(&device).await, [""; 0]);

    bench.wake(&device, "peer").await;
    let response = next(&mut events, "REQUEST_RESPONSE").await;
    let node = json!({"kind": "singleResource", "id": 0, "type": "STRING", "value": "7"});
    let golden = json!({"ep": "peer", "path": "/3/0/0", "requestId": id, "delayed": true,
        "state": "done",
        "response": {"status": "CONTENT(205)", "valid": true, "success": true, "failure": false,
                     "content": node}});
    assert_eq!(response, golden);
}

#[tokio::test]
async fn a_device_in_queue_mode_that_listens_is_asked_at_once() {
    let bench = Bench::new().await;
    let device = bench.sleeper("peer", willing).await;
    let answer = bench.get("/api/clients/peer/3/0/0").await.json();
    assert_eq!(answer["content"]["value"], "7");
    assert_eq!(asked(&device).await.len(), 1);
    assert_eq!(bench.get("/api/commands").await.json(), json!([]), "nothing to keep");
}

/// Asks a device that does not answer in time; then it registers anew. Returns the event that tells the
/// answer, the state before, and what the device was asked afterwards.
async fn delayed(method: &str, uri: &str) -> (Json, Json, Vec<String>) {
    let timeout = Duration::from_millis(50);
    let bench = Bench::with_config(ApiConfig::default().with_timeouts(timeout, timeout)).await;
    let device = bench.sleeper("peer", |_| None).await;
    let answer = bench.send(method, uri, None, "").await;
    assert_eq!(answer.status, StatusCode::OK);
    let answer = answer.json();
    assert_eq!((&answer["delayed"], &answer["response"]), (&json!(true), &Json::Null), "{answer}");
    let id = answer["requestId"].as_str().expect("a text");
    let state = bench.get(&format!("/api/commands/{id}")).await.json()["state"].take();

    let mut events = Events::open(&bench, "/api/event?ep=peer").await;
    asked(&device).await;
    device.with(|device, _| device.script = willing).await.expect("a device");
    register(&device).await;
    let told = next(&mut events, "REQUEST_RESPONSE").await;
    assert_eq!(told["requestId"], answer["requestId"]);
    bench.get("/api/clients/peer/3/0/13").await;
    (told, state, asked(&device).await)
}

#[tokio::test]
async fn a_device_that_falls_asleep_before_it_answers_is_no_error() {
    let (told, state, asked) = delayed("GET", "/api/clients/peer/3/0/0").await;
    assert_eq!(state, "sent");
    assert_eq!(told["response"]["content"]["value"], "7");
    assert_eq!(asked, ["GET /3/0/0 accept=112", "GET /3/0/13 accept=112"]);

    let (told, state, asked) = delayed("POST", "/api/clients/peer/3/0/4").await;
    assert_eq!(state, "sent");
    assert_eq!((&told["state"], &told["response"]), (&json!("unknown"), &Json::Null));
    assert!(told["error"].as_str().is_some_and(|text| text.contains("may have")), "{told}");
    assert_eq!(asked, ["GET /3/0/13 accept=112"], "a reboot is not repeated");
}

#[tokio::test]
async fn a_device_that_is_given_up_is_asked_again_if_that_does_no_harm() {
    for (method, uri, status) in [
        ("GET", "/api/clients/peer/3/0/0", StatusCode::OK),
        ("POST", "/api/clients/peer/3/0/4", StatusCode::GATEWAY_TIMEOUT),
    ] {
        let mut config = Config::default();
        let hasty = TransmissionParameters::default().ack_timeout(Duration::from_millis(10));
        config.coap.transmission = hasty.max_retransmit(0);
        let server = Server::new(config, [1; 32]);
        let bench = Bench::of(server, Sockets::from(LOOPBACK), ApiConfig::default()).await;
        let _device = bench.sleeper("peer", |_| None).await;
        let answer = bench.send(method, uri, None, "").await;
        assert_eq!(answer.status, status, "{uri}");
        assert_eq!(bench.get("/api/clients/peer").await.json()["sleeping"], true);
        let commands = bench.get("/api/commands").await.json();
        let waits = commands[0]["state"] == "waiting";
        assert_eq!(waits, status == StatusCode::OK, "{commands}");
        assert_eq!(answer.json().get("delayed").is_some(), waits);
    }
}

#[tokio::test]
async fn who_asks_later_is_answered_later() {
    let bench = Bench::new().await;
    let device = bench.sleeper("peer", |_| None).await;
    bench.lull("peer").await;
    let put = async |value: u8| {
        let body = json!({"value": value});
        bench.json("PUT", "/api/clients/peer/1/0/1?format=TEXT", &body).await.json()
    };
    assert_eq!(put(1).await["delayed"], true);
    bench.wake(&device, "peer").await;
    assert_eq!(put(2).await["delayed"], true, "the first one is not answered yet");
    assert_eq!(next_asked(&device).await, ["PUT /1/0/1 format=0 \"1\""]);
}

#[tokio::test]
async fn other_devices_that_do_not_answer_are_an_error() {
    let timeout = Duration::from_millis(50);
    let config = ApiConfig::default().with_timeouts(timeout, timeout);
    let bench = Bench::with_config(config).await;
    let _device = bench.device("plain", |_| None).await;
    let answer = bench.get("/api/clients/plain/3/0/0").await;
    assert_eq!(answer.status, StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(bench.get("/api/commands").await.json(), json!([]));
}

#[tokio::test]
async fn a_refusal_may_come_later_as_well() {
    let bench = Bench::new().await;
    let device = bench.sleeper("peer", |_| Some(Response::new(Code::METHOD_NOT_ALLOWED))).await;
    bench.lull("peer").await;
    let mut events = Events::open(&bench, "/api/event?ep=peer").await;
    bench.send("DELETE", "/api/clients/peer/3/0", None, "").await;
    bench.wake(&device, "peer").await;
    let told = next(&mut events, "REQUEST_RESPONSE").await;
    assert_eq!((&told["state"], &told["response"]["success"]), (&json!("done"), &json!(false)));
    assert_eq!(told["response"]["status"], "METHOD_NOT_ALLOWED(405)");
}
