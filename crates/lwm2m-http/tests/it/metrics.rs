//! Metrics and probes.

use crate::support::{Bench, within};
use axum::body::Bytes;
use lwm2m_coap::{Code, Response};
use lwm2m_http::{Access, AccessConfig, ApiConfig, ApiState, router};
use lwm2m_link::{Record, Table};
use lwm2m_server::Server;
use lwm2m_store::{Changes, MemoryStore, Reader, Store, StoreError};
use std::collections::BTreeMap;

fn answering(_: &lwm2m_coap::Request) -> Option<Response> {
    Some(Response::new(Code::CONTENT))
}

/// The values by name and labels.
async fn metrics(bench: &Bench) -> BTreeMap<String, f64> {
    let answer = bench.get("/metrics").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let text = String::from_utf8(answer.body.to_vec()).expect("text");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let value = |line: &str| {
        let (name, value) = line.rsplit_once(' ').expect("name and value");
        (name.to_owned(), value.parse().expect("a number"))
    };
    lines.map(value).collect()
}

#[tokio::test]
async fn what_happens_is_counted() {
    let bench = Bench::kept(MemoryStore::default()).await;
    let _device = bench.device("a", answering).await;
    let sleeper = bench.sleeper("b", answering).await;
    bench.lull("b").await;
    assert_eq!(bench.get("/api/clients/nobody/3").await.status, 404);
    let before = metrics(&bench).await;
    for (name, value) in [
        ("lwm2m_devices{state=\"listening\"}", 1.0),
        ("lwm2m_devices{state=\"asleep\"}", 1.0),
        ("lwm2m_devices_by_security{security=\"plain\"}", 2.0),
        ("lwm2m_registrations_total{event=\"registered\"}", 2.0),
        ("lwm2m_queue_mode_total{event=\"asleep\"}", 1.0),
        ("lwm2m_store_up", 1.0),
        ("lwm2m_http_event_streams", 0.0),
        (
            "lwm2m_http_requests_total{route=\"/api/clients/{ep}/{*path}\",method=\"GET\",status=\"404\"}",
            1.0,
        ),
    ] {
        assert_eq!(before.get(name), Some(&value), "{name}: {before:#?}");
    }
    assert!(before["lwm2m_coap_messages_total{direction=\"received\"}"] >= 2.0);
    bench.wake(&sleeper, "b").await;
    let after = metrics(&bench).await;
    assert_eq!(after["lwm2m_devices{state=\"awake\"}"], 1.0);
    assert_eq!(after["lwm2m_registrations_total{event=\"updated\"}"], 1.0);
    // A counter never falls.
    for (name, value) in before.iter().filter(|(name, _)| name.contains("_total")) {
        assert!(after[name] >= *value, "{name}");
    }
}

#[tokio::test]
async fn probes_are_open_and_metrics_are_not() {
    let mut bench = Bench::new().await;
    let config = ApiConfig::default().with_access(Access::new(AccessConfig::default()));
    let state =
        ApiState::with_config(bench.server.clone(), config.with_hosts(["lwm2m.test".to_owned()]));
    let admin = state.begin_access().await.unwrap().unwrap().token.text().to_string();
    bench.api = router(state);
    for probe in ["/livez", "/readyz"] {
        let answer = bench.get(probe).await;
        assert_eq!((answer.status.as_u16(), &answer.body[..]), (200, &b"ok\n"[..]), "{probe}");
    }
    assert_eq!(bench.get("/metrics").await.status, 401);
    let bearer = |token: &str| [("authorization", format!("Bearer {token}"))];
    let ask = async |token: &str, method: &str, uri: &str, body: &str| {
        let [(name, value)] = bearer(token);
        bench.send_with(method, uri, &[(name, &value)], body).await
    };
    let made =
        ask(&admin, "POST", "/api/tokens", r#"{"name": "prometheus", "scope": "viewer"}"#).await;
    let viewer = made.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(ask(&viewer, "GET", "/metrics", "").await.status, 200);
}

/// A disk that is full.
struct Full(MemoryStore);

impl Store for Full {
    fn commit(&mut self, _: &Changes) -> Result<(), StoreError> {
        Err(StoreError::io("a file", std::io::ErrorKind::StorageFull.into()))
    }

    fn reader(&self) -> Reader {
        self.0.reader()
    }
}

#[tokio::test]
async fn a_server_whose_store_fails_is_live_and_not_ready() {
    let bench = Bench::kept(Full(MemoryStore::default())).await;
    assert_eq!(bench.get("/readyz").await.status, 200);
    let record = Record { table: Table(u8::MAX), key: Bytes::new(), value: Some(Bytes::new()) };
    let keep = move |server: &mut Server, _| server.keep_for_application(vec![record]);
    let kept = bench.server.with(keep).await.unwrap();
    assert!(within(bench.server.written(kept)).await.is_err());
    // The engine learns of it after those who wait for the store.
    let failed = async {
        loop {
            let ready = bench.get("/readyz").await;
            if ready.status == 503 {
                return ready;
            }
        }
    };
    let ready = within(failed).await;
    assert_eq!(&ready.body[..], b"the store cannot be written\n");
    assert_eq!(bench.get("/livez").await.status, 200);
    let metrics = metrics(&bench).await;
    assert_eq!(metrics["lwm2m_store_up"], 0.0);
    assert!(metrics["lwm2m_store_commits_total{result=\"failed\"}"] >= 1.0);
}

#[tokio::test]
async fn the_dashboard_of_grafana_shows_metrics_that_there_are() {
    let bench = Bench::kept(MemoryStore::default()).await;
    let _ = bench.get("/livez").await;
    let there = metrics(&bench).await;
    let dashboard = include_str!("../../../../deploy/grafana/lwm2m-server.json");
    let dashboard: serde_json::Value = serde_json::from_str(dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let mut count = 0;
    for expression in targets.map(|target| target["expr"].as_str().unwrap()) {
        let is_name = |it: char| it.is_ascii_alphanumeric() || it == '_';
        let words = expression.split(|it| !is_name(it));
        for name in words.filter(|it| it.starts_with("lwm2m_")) {
            count += 1;
            let is_there = there.keys().any(|key| key.split('{').next() == Some(name));
            assert!(is_there, "{name} in {expression}");
        }
    }
    assert!(count > 10, "{count}");
}
