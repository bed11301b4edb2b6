//! Server-sent events.

use crate::support::{Bench, within};
use axum::body::{Body, BodyDataStream};
use axum::http::{Request, StatusCode};
use futures_util::StreamExt;
use lwm2m_coap::{Code, Response};
use lwm2m_http::ApiConfig;
use lwm2m_store::MemoryStore;
use serde_json::{Value as Json, json};
use tower::ServiceExt;

pub(crate) struct Events {
    body: BodyDataStream,
    text: String,
}

impl Events {
    pub(crate) async fn open(bench: &Bench, uri: &str) -> Self {
        let request = Request::get(uri).header("host", "lwm2m.test");
        let request = request.body(Body::empty()).expect("a request");
        let response = within(bench.api.clone().oneshot(request)).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { body: response.into_body().into_data_stream(), text: String::new() }
    }

    /// The next event: its name and its data.
    pub(crate) async fn next(&mut self) -> (String, Json) {
        let (name, data, _) = self.next_with_id().await;
        (name, data)
    }

    /// The same, with its id.
    async fn next_with_id(&mut self) -> (String, Json, String) {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let line = |name: &str| {
                    let mut lines = event.lines();
                    lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
                };
                let id = line("id").unwrap_or_default().to_owned();
                let found = line("event").zip(line("data")).map(|(name, data)| {
                    (name.to_owned(), serde_json::from_str(data).expect("JSON"), id)
                });
                self.text = rest.to_owned();
                match found {
                    Some(found) => return found,
                    None => continue, // a comment that keeps the stream alive
                }
            }
            let chunk = within(self.body.next()).await.expect("more events").expect("a chunk");
            self.text.push_str(std::str::from_utf8(&chunk).expect("text"));
        }
    }
}

fn observed(request: &lwm2m_coap::Request) -> Option<Response> {
    let response = Response::new(Code::CONTENT).content_format(0).payload("21.5");
    Some(if request.options.observe() == Some(0) { response.observe() } else { response })
}

#[tokio::test]
async fn the_life_of_a_device() {
    let bench = Bench::new().await;
    let mut events = Events::open(&bench, "/api/event").await;
    let device = bench.device("peer", observed).await;
    let (name, registered) = events.next().await;
    assert_eq!(name, "REGISTRATION");
    assert_eq!(registered, bench.get("/api/clients/peer").await.json());

    device.with(|device, now| device.update(now, "lt=62")).await.unwrap();
    let (name, updated) = events.next().await;
    assert_eq!(name, "UPDATED");
    let mut registration = bench.get("/api/clients/peer").await.json();
    let members = registration.as_object_mut().unwrap();
    assert!(members.remove("objectLinks").is_some(), "an Update without a list leaves it out");
    assert!(members.remove("availableInstances").is_some());
    assert_eq!(updated["registration"], registration);
    let golden = json!({
        "registrationId": registered["registrationId"], "address": registered["address"],
        "smsNumber": null, "lifetime": 62, "alternatePath": null, "objectLinks": null,
        "secure": false, "additionalAttributes": {},
    });
    assert_eq!(updated["update"], golden);

    let observe = "/api/clients/peer/3303/0/5700/observe";
    bench.send("POST", observe, None, "").await;
    let value = Response::new(Code::CONTENT).content_format(0).payload("22.25").observe();
    device.with(|device, now| device.notify(now, value)).await.unwrap();
    let node = json!({"kind": "singleResource", "id": 5700, "type": "FLOAT", "value": "22.25"});
    let data = json!({"ep": "peer", "kind": "single", "res": "/3303/0/5700", "val": node});
    assert_eq!(events.next().await, ("NOTIFICATION".to_owned(), data));

    let observed = bench.get("/api/clients/peer/observations").await.json();
    assert_eq!(observed[0]["res"], "/3303/0/5700");
    assert_eq!((&observed[0]["kind"], observed.as_array().unwrap().len()), (&json!("single"), 1));

    device.with(|device, now| device.deregister(now)).await.unwrap();
    let reason = "the registration ended, or the device registered anew";
    let data = json!({"ep": "peer", "kind": "single", "res": "/3303/0/5700", "reason": reason});
    assert_eq!(events.next().await, ("OBSERVATION_ENDED".to_owned(), data));
    let (name, gone) = events.next().await;
    assert_eq!(name, "DEREGISTRATION");
    assert_eq!(gone["endpoint"], "peer");
}

#[tokio::test]
async fn what_a_device_sends_is_told_with_its_times() {
    let bench = Bench::new().await;
    let device = bench.device("peer", |_| None).await;
    let mut events = Events::open(&bench, "/api/event?ep=peer").await;
    let number =
        |value| json!({"kind": "singleResource", "id": 5700, "type": "FLOAT", "value": value});
    let pack = r#"[{"n":"/3303/0/5700","v":21.5}]"#;
    device.with(|device, now| device.send(now, pack)).await.unwrap();
    let sent = json!({"ep": "peer", "val": {"/3303/0/5700": number("21.5")}});
    assert_eq!(events.next().await, ("SEND".to_owned(), sent));

    let pack = r#"[{"n":"/3303/0/5700","v":22.5},{"n":"/3303/0/5700","v":20.5,"t":-60}]"#;
    device.with(|device, now| device.send(now, pack)).await.unwrap();
    let row = |time: Option<f64>, value| json!({"time": time, "path": "/3303/0/5700", "val": number(value)});
    let sent = json!({
        "ep": "peer",
        "val": {"/3303/0/5700": number("22.5")},
        "timed": [row(None, "22.5"), row(Some(-60.0), "20.5")],
    });
    assert_eq!(events.next().await, ("SEND".to_owned(), sent));
}

#[tokio::test]
async fn a_stream_may_be_for_one_device() {
    let bench = Bench::new().await;
    let mut events = Events::open(&bench, "/event?ep=b").await;
    let _a = bench.device("a", |_| None).await;
    let _b = bench.device("b", |_| None).await;
    assert_eq!(events.next().await.1["endpoint"], "b");
}

#[tokio::test]
async fn streams_are_bounded_and_give_their_seat_back() {
    let bench = Bench::with_config(ApiConfig::default().with_max_subscribers(1)).await;
    let first = Events::open(&bench, "/api/event").await;
    let answer = bench.get("/api/event").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json()["type"], "/problems#too-many-subscribers");
    drop(first);
    let _second = Events::open(&bench, "/api/event").await;
}

#[tokio::test]
async fn a_stream_that_is_not_read_is_told_how_much_it_has_missed() {
    let bench = Bench::with_config(ApiConfig::default().with_max_unread_events(1024)).await;
    let mut slow = Events::open(&bench, "/api/event").await;
    let device = bench.device("busy", |_| None).await;
    let mut events = bench.server.subscribe();
    for _ in 0..1100 {
        // The server goes on although nobody reads from the stream.
        device.with(|device, now| device.update(now, "lt=90")).await.unwrap();
        within(events.recv()).await.unwrap();
    }
    // A new stream gets what comes after it; the others have everything before that by then.
    let _later = Events::open(&bench, "/api/event").await;
    let (name, data) = slow.next().await;
    assert_eq!(name, "LAGGED");
    // 1,101 events, of which the queue holds 1,024.
    assert_eq!(data, json!({"missed": 77}));
    for _ in 0..1024 {
        assert_eq!(slow.next().await.0, "UPDATED");
    }
}

#[tokio::test]
async fn a_stream_begins_with_what_comes_after_it() {
    let bench = Bench::new().await;
    let mut first = Events::open(&bench, "/api/event").await;
    let _a = bench.device("a", |_| None).await;
    let mut one = Events::open(&bench, "/api/event?ep=b").await;
    let mut second = Events::open(&bench, "/api/event").await;
    let _b = bench.device("b", |_| None).await;
    assert_eq!(second.next().await.1["endpoint"], "b");
    assert_eq!(one.next().await.1["endpoint"], "b");
    assert_eq!(first.next().await.1["endpoint"], "a");
    assert_eq!(first.next().await.1["endpoint"], "b");
}

#[tokio::test]
async fn events_are_told_again_after_all_streams_have_gone() {
    let bench = Bench::new().await;
    drop(Events::open(&bench, "/api/event").await);
    let _a = bench.device("a", |_| None).await;
    let mut events = Events::open(&bench, "/api/event").await;
    let _b = bench.device("b", |_| None).await;
    assert_eq!(events.next().await.1["endpoint"], "b");
}

/// Opens a stream that goes on after an event.
pub(crate) async fn resumed(bench: &Bench, uri: &str, after: &str) -> Events {
    let request = Request::get(uri).header("host", "lwm2m.test").header("last-event-id", after);
    let response = bench.api.clone().oneshot(request.body(Body::empty()).expect("a request"));
    let response = within(response).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    Events { body: response.into_body().into_data_stream(), text: String::new() }
}

#[tokio::test]
async fn a_stream_has_the_events_that_it_asked_for() {
    let bench = Bench::new().await;
    let mut of_path = Events::open(&bench, "/api/event?path=/3303/0").await;
    let mut of_kinds = Events::open(&bench, "/api/event?kind=DEREGISTRATION,UPDATED").await;
    let mut of_both = Events::open(&bench, "/api/event?ep=b&kind=REGISTRATION").await;
    let a = bench.device("a", observed).await;
    let _b = bench.device("b", observed).await;
    a.with(|device, now| {
        device.send(now, r#"[{"n":"/3/0/9","v":7}]"#);
        device.send(now, r#"[{"n":"/3303/0/5700","v":1.5}]"#);
        device.update(now, "lt=62");
    })
    .await
    .unwrap();
    let (name, sent) = of_path.next().await;
    assert_eq!(name, "SEND");
    assert!(sent["val"]["/3303/0/5700"].is_object(), "{sent}");
    assert_eq!(of_kinds.next().await.0, "UPDATED");
    let (name, registered) = of_both.next().await;
    assert_eq!((&*name, &registered["endpoint"]), ("REGISTRATION", &json!("b")));
    for query in ["kind=x", "kind=", "kind=UPDATED,", "path=x", "path=/3/x"] {
        assert_eq!(bench.get(&format!("/api/event?{query}")).await.status, 400, "{query}");
    }
}

#[tokio::test]
async fn a_stream_that_was_lost_goes_on_where_it_was() {
    let engine = lwm2m_server::Config::default().max_events(160);
    let bench = Bench::keeping(engine, ApiConfig::default(), MemoryStore::default()).await;
    let mut events = Events::open(&bench, "/api/event").await;
    let _a = bench.device("a", observed).await;
    let (name, _, id) = events.next_with_id().await;
    assert_eq!((&*name, &*id), ("REGISTRATION", "0"));
    let b = bench.device("b", observed).await;
    assert_eq!(events.next_with_id().await.2, "1");
    drop(events);
    b.with(|device, now| device.update(now, "lt=62")).await.unwrap();
    let _c = bench.device("c", observed).await;

    let mut again = resumed(&bench, "/api/event", &id).await;
    let mut told = Vec::new();
    for _ in 0..3 {
        let (name, data, id) = again.next_with_id().await;
        told.push(format!("{id} {name} {}", data["endpoint"].as_str().unwrap()));
    }
    assert_eq!(told, ["1 REGISTRATION b", "2 UPDATED b", "3 REGISTRATION c"]);
    let _d = bench.device("d", observed).await;
    let (name, data, id) = again.next_with_id().await;
    assert_eq!((&*name, &data["endpoint"], &*id), ("REGISTRATION", &json!("d"), "4"));
    assert!(data["registrationId"].is_string(), "it happens now");

    let mut filtered = resumed(&bench, "/api/event?ep=b&kind=UPDATED", "0").await;
    assert_eq!(filtered.next_with_id().await.2, "2");
    let mut none = resumed(&bench, "/api/event?kind=REGISTRATION", "99").await;
    let _e = bench.device("e", observed).await;
    assert_eq!(none.next().await.1["endpoint"], "e");
}

#[tokio::test]
async fn what_is_forgotten_is_told_as_missed() {
    let engine = lwm2m_server::Config::default().max_events(32);
    let bench = Bench::keeping(engine, ApiConfig::default(), MemoryStore::default()).await;
    let mut devices = Vec::new();
    for number in 0..40 {
        devices.push(bench.device(format!("d{number}").leak(), observed).await);
    }
    let mut events = resumed(&bench, "/api/event", "3").await;
    let (name, data) = events.next().await;
    assert_eq!((&*name, &data["missed"]), ("LAGGED", &json!(4)));
    let (_, data, id) = events.next_with_id().await;
    assert_eq!((&*id, &data["endpoint"]), ("8", &json!("d8")));
}
