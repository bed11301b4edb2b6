//! Commands: kept, listed, taken back, and asked for once.

use crate::device::Device;
use crate::events::Events;
use crate::sleeping::next;
use crate::support::{Answer, Bench, asked, within};
use axum::http::StatusCode;
use futures_util::FutureExt;
use lwm2m_coap::{Code, Request, Response};
use lwm2m_http::ApiConfig;
use lwm2m_net::Handle;
use lwm2m_store::{Changes, MemoryStore, Reader, Store, StoreError};
use serde_json::{Value as Json, json};
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

const ASYNC: (&str, &str) = ("prefer", "respond-async");

/// A device that has what it is asked for.
pub(crate) fn willing(request: &Request) -> Option<Response> {
    let path: Vec<_> = request.options.uri_path().collect();
    let discover = request.options.accept() == Some(40);
    Some(match (request.code, path.as_slice()) {
        (Code::GET, _) if discover => {
            Response::new(Code::CONTENT).content_format(40).payload("</3/0>,</3/0/0>")
        }
        (Code::GET, _) => {
            let response = Response::new(Code::CONTENT).content_format(0).payload("7");
            if request.options.observe() == Some(0) { response.observe() } else { response }
        }
        (Code::FETCH, _) => {
            let pack = r#"[{"n":"/3/0/0","vs":"maker"}]"#;
            let response = Response::new(Code::CONTENT).content_format(110).payload(pack);
            if request.options.observe() == Some(0) { response.observe() } else { response }
        }
        (Code::POST, [b"3303"]) => {
            Response::new(Code::CREATED).location_segment("3303").location_segment("6")
        }
        (Code::DELETE, _) => Response::new(Code::DELETED),
        _ => Response::new(Code::CHANGED),
    })
}

/// A bench with a device that sleeps.
async fn asleep() -> (Bench, Handle<Device>) {
    let bench = Bench::new().await;
    let device = bench.sleeper("peer", willing).await;
    bench.lull("peer").await;
    (bench, device)
}

/// Asks for a command, and returns its number.
async fn order(bench: &Bench, method: &str, uri: &str, body: &str) -> String {
    let answer = bench.send_with(method, uri, &[ASYNC], body).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{method} {uri}: {:?}", answer.body);
    answer.json()["id"].as_str().expect("a text").to_owned()
}

async fn command(bench: &Bench, id: &str) -> Json {
    bench.get(&format!("/api/commands/{id}")).await.json()
}

#[rustfmt::skip]
const OPERATIONS: [(&str, &str, &str, &str, &str, &str); 9] = [
    ("GET", "3/0/0", "", "read", "/3/0/0", "GET /3/0/0 accept=112"),
    ("GET", "3/0/discover", "", "discover", "/3/0", "GET /3/0 accept=40"),
    ("PUT", "1/0/1?format=TEXT", r#"{"value":60}"#, "write", "/1/0/1", "PUT /1/0/1 format=0 \"60\""),
    ("PUT", "3/0/9/attributes?pmin=5&ttl=60&repeat", "", "write-attributes", "/3/0/9", "PUT /3/0/9?pmin=5"),
    ("POST", "3/0/4", "0='now'", "execute", "/3/0/4", "POST /3/0/4 format=0 \"0='now'\""),
    ("POST", "3303/6?format=TLV", r#"{"id":6,"resources":[]}"#, "create", "/3303", "POST /3303"),
    ("DELETE", "3303/6", "", "delete", "/3303/6", "DELETE /3303/6"),
    ("GET", "composite?paths=/3/0/0,/3/0/1", "", "read-composite", "/3/0/0,/3/0/1", "FETCH "),
    ("PUT", "composite", r#"{"/3/0/14":{"value":"UTC"}}"#, "write-composite", "/3/0/14", "iPATCH "),
];

#[tokio::test]
async fn every_operation_can_be_asked_for_later() {
    let (bench, device) = asleep().await;
    let mut events = Events::open(&bench, "/api/event?ep=peer").await;
    let mut ids = Vec::new();
    for (method, address, body, word, path, _) in OPERATIONS {
        let uri = format!("/api/clients/peer/{address}");
        let fields = [("prefer", "handling=lenient, respond-async; x=y")];
        let answer = bench.send_with(method, &uri, &fields, body).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{word}: {:?}", answer.body);
        assert_eq!(answer.header("preference-applied"), "respond-async");
        let json = answer.json();
        let id = json["id"].as_str().expect("a text").to_owned();
        assert_eq!(answer.header("location"), format!("/api/commands/{id}"));
        assert_eq!(command(&bench, &id).await, json);
        let created = json["created"].as_u64().expect("milliseconds");
        let ttl = if address.contains("ttl") { 60_000 } else { 86_400_000 };
        let golden = json!({
            "id": id, "ep": "peer", "operation": word, "path": path, "state": "waiting",
            "created": created, "expires": created + ttl, "attempts": 0,
        });
        assert_eq!(json, golden);
        assert!(created > 1_700_000_000_000);
        ids.push(id);
    }
    assert_eq!(asked(&device).await, [""; 0], "it sleeps");

    bench.wake(&device, "peer").await;
    let mut told = Vec::new();
    while told.len() < OPERATIONS.len() {
        told.push(next(&mut events, "REQUEST_RESPONSE").await);
    }
    let asked = asked(&device).await;
    for (index, (_, _, _, word, path, line)) in OPERATIONS.into_iter().enumerate() {
        assert!(asked[index].starts_with(line), "{word}: {}", asked[index]);
        let ended = command(&bench, &ids[index]).await;
        assert_eq!(ended["state"], "done", "{word}: {ended}");
        assert!(ended["ended"].as_u64() >= ended["created"].as_u64());
        assert_eq!(ended["response"]["success"], true, "{word}: {ended}");
        let golden = json!({"ep": "peer", "path": path, "requestId": ids[index], "delayed": true,
                            "state": "done", "response": ended["response"]});
        assert_eq!(told[index], golden);
    }
    let response = async |index: usize| command(&bench, &ids[index]).await["response"].take();
    assert_eq!(response(0).await["content"]["value"], "7");
    assert_eq!(response(1).await["objectLinks"][1]["url"], "/3/0/0");
    assert_eq!(response(2).await["status"], "CHANGED(204)");
    assert_eq!(response(5).await["location"], "3303/6");
    assert_eq!(response(7).await["content"]["/3/0/0"]["value"], "maker");
    let listed = bench.get("/api/clients/peer").await.json();
    assert_eq!(listed["availableInstances"]["3303"], json!([0]), "created, and deleted again");
}

#[tokio::test]
async fn a_device_that_is_not_registered_gets_no_commands() {
    let bench = Bench::new().await;
    let answer = bench.send_with("GET", "/api/clients/nobody/3/0", &[ASYNC], "").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(answer.json()["type"], "/problems#unknown-endpoint");
    assert_eq!(bench.get("/api/commands").await.json(), json!([]));
}

#[tokio::test]
async fn a_caller_that_waits_gets_the_answer_if_it_comes_in_time() {
    let bench = Bench::new().await;
    let _device = bench.device("peer", willing).await;
    let fields = [("prefer", "respond-async, wait=20")];
    let answer = bench.send_with("GET", "/api/clients/peer/3/0/0", &fields, "").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json()["content"]["value"], "7");
    assert_eq!(answer.header("preference-applied"), "respond-async");
    let ended = bench.get(answer.header("location")).await.json();
    assert_eq!((&ended["state"], &ended["response"]), (&json!("done"), &answer.json()));
}

#[tokio::test]
async fn a_caller_that_has_waited_in_vain_gets_the_command() {
    let soon = Duration::from_millis(50);
    let bench = Bench::with_config(ApiConfig::default().with_timeouts(soon, soon)).await;
    let _device = bench.device("silent", |_| None).await;
    let fields = [("prefer", "respond-async, wait=20")];
    let answer = bench.send_with("GET", "/api/clients/silent/3/0/0", &fields, "").await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(answer.json()["state"], "sent");
}

#[tokio::test]
async fn a_key_makes_of_two_requests_one_command() {
    let bench = Bench::new().await;
    let device = bench.device("peer", willing).await;
    let post = async |key: &str, uri: &str| {
        bench.send_with("POST", uri, &[("idempotency-key", key)], "").await
    };
    let reboot = "/api/clients/peer/3/0/4";
    let first = post("k1", reboot).await;
    assert_eq!((first.status, &first.json()["status"]), (StatusCode::OK, &json!("CHANGED(204)")));
    let again = post("\"k1\"", reboot).await;
    assert_eq!((again.status, again.json()), (StatusCode::OK, first.json()));
    assert_eq!(asked(&device).await, ["POST /3/0/4"]);
    let other = post("k1", "/api/clients/peer/3/0/5").await;
    assert_eq!(other.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(other.json()["type"], "/problems#key-in-use");
    post("k2", reboot).await;
    assert_eq!(asked(&device).await, ["POST /3/0/4"]);

    let fields = [ASYNC, ("idempotency-key", "k1")];
    let later = bench.send_with("POST", reboot, &fields, "").await;
    assert_eq!((later.status, &later.json()["state"]), (StatusCode::ACCEPTED, &json!("done")));
    let bad = bench.send_with("POST", reboot, &[("idempotency-key", "")], "").await;
    assert_eq!(bad.json()["type"], "/problems#invalid-parameter");
    assert_eq!(asked(&device).await, [""; 0]);
}

#[tokio::test]
async fn the_list_has_filters_and_pages() {
    let (bench, _device) = asleep().await;
    let _other = bench.sleeper("other", willing).await;
    bench.lull("other").await;
    let mut ids = Vec::new();
    for number in 0..150 {
        let endpoint = if number % 10 == 0 { "other" } else { "peer" };
        ids.push(order(&bench, "GET", &format!("/api/clients/{endpoint}/3/0/0"), "").await);
    }
    let listed = async |query: &str| -> Vec<String> {
        let answer = bench.get(&format!("/api/commands{query}")).await;
        assert_eq!(answer.header("content-type"), "application/json");
        let list = answer.json();
        let ids = list.as_array().expect("a list").iter().map(|it| it["id"].as_str().unwrap());
        ids.map(str::to_owned).collect()
    };
    assert_eq!(listed("").await, ids);
    assert_eq!(listed("/").await, ids);
    assert_eq!(listed("?limit=3").await, ids[..3]);
    assert_eq!(listed(&format!("?from={}&limit=70", ids[64])).await, ids[64..134]);
    assert_eq!(listed(&format!("?from={}", ids[149])).await, ids[149..]);
    let others: Vec<_> = ids.iter().step_by(10).cloned().collect();
    assert_eq!(listed("?ep=other").await, others);
    assert_eq!(listed("?ep=other&limit=2").await, others[..2]);
    assert_eq!(listed("?ep=nobody").await, [""; 0]);
    assert_eq!(listed("?state=waiting").await, ids);
    assert_eq!(listed("?state=sent,done").await, [""; 0]);
    assert_eq!(listed("?state=done,waiting&ep=other").await, others);
}

#[tokio::test]
async fn a_command_that_is_taken_back_is_not_carried_out() {
    let (bench, device) = asleep().await;
    let uri = "/api/clients/peer/3/0/4";
    let (id, stays) = (order(&bench, "POST", uri, "").await, order(&bench, "POST", uri, "5").await);
    let address = format!("/api/commands/{id}");
    let removed = bench.send("DELETE", &address, None, "").await;
    assert_eq!((removed.status, removed.body.len()), (StatusCode::NO_CONTENT, 0));
    assert_eq!(bench.send("DELETE", &address, None, "").await.status, StatusCode::NOT_FOUND);
    assert_eq!(bench.get(&address).await.json()["type"], "/problems#unknown-command");
    let mut events = Events::open(&bench, "/api/event?ep=peer").await;
    bench.wake(&device, "peer").await;
    assert_eq!(next(&mut events, "REQUEST_RESPONSE").await["requestId"], json!(stays));
    assert_eq!(asked(&device).await, ["POST /3/0/4 format=0 \"5\""]);
}

#[tokio::test]
async fn commands_that_failed_or_were_replaced_say_so() {
    let (bench, device) = asleep().await;
    let uri = "/api/clients/peer/1/0/1?coalesce";
    let old = order(&bench, "PUT", uri, r#"{"value":1}"#).await;
    let new = order(&bench, "PUT", uri, r#"{"value":2}"#).await;
    let replaced = command(&bench, &old).await;
    assert_eq!(replaced["state"], "superseded");
    assert!(replaced["error"].as_str().is_some_and(|text| text.contains("later write")));
    assert_eq!(command(&bench, &new).await["state"], "waiting");

    let nonsense = |_: &Request| {
        Some(Response::new(Code::CONTENT).content_format(11542).payload(vec![0xFF; 3]))
    };
    device.with(move |device, _| device.script = nonsense).await.unwrap();
    let read = order(&bench, "GET", "/api/clients/peer/3/0?priority=9", "").await;
    let mut events = Events::open(&bench, "/api/event?ep=peer").await;
    bench.wake(&device, "peer").await;
    let told = next(&mut events, "REQUEST_RESPONSE").await;
    let failed = command(&bench, &read).await;
    assert_eq!((&failed["state"], &failed["response"]), (&json!("failed"), &Json::Null));
    assert!(failed["error"].as_str().is_some_and(|text| text.contains("decoded")), "{failed}");
    let golden = json!({"ep": "peer", "path": "/3/0", "requestId": read, "response": null,
                        "delayed": true, "state": "failed", "error": failed["error"]});
    assert_eq!(told, golden, "and its priority was higher");

    let fields = [("prefer", "respond-async, wait=20")];
    let answer = bench.send_with("GET", "/api/clients/peer/3/0", &fields, "").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(answer.json()["detail"], failed["error"]);
}

/// Commits when a test says so, and whether it succeeds.
struct Commanded(MemoryStore, UnboundedSender<()>, Receiver<bool>);

impl Store for Commanded {
    fn commit(&mut self, changes: &Changes) -> Result<(), StoreError> {
        let Self(store, begun, verdicts) = self;
        let _ = begun.send(());
        match verdicts.recv() {
            Ok(true) => store.commit(changes),
            _ => Err(StoreError::io("a file", io::ErrorKind::StorageFull.into())),
        }
    }

    fn reader(&self) -> Reader {
        self.0.reader()
    }
}

struct Disk {
    begun: UnboundedReceiver<()>,
    verdict: Sender<bool>,
}

impl Disk {
    /// Waits for the next commit.
    async fn begun(&mut self) {
        within(self.begun.recv()).await.expect("a commit");
    }

    async fn commit(&mut self, succeeds: bool) {
        self.begun().await;
        self.verdict.send(succeeds).expect("a store");
    }
}

/// A bench on a commanded store, with a device that is registered.
async fn on_disk(parameter: &'static str) -> (Bench, Handle<Device>, Disk) {
    let ((begun, has_begun), (verdict, verdicts)) = (unbounded_channel(), channel());
    let bench = Bench::kept(Commanded(MemoryStore::default(), begun, verdicts)).await;
    let mut disk = Disk { begun: has_begun, verdict };
    let registered = bench.device_as("peer", parameter, willing);
    let (device, ()) = tokio::join!(registered, disk.commit(true));
    (bench, device, disk)
}

/// A request that is under way.
fn spawn(
    bench: &Bench,
    method: &'static str,
    uri: &'static str,
) -> tokio::task::JoinHandle<Answer> {
    let bench = Bench { server: bench.server.clone(), api: bench.api.clone() };
    tokio::spawn(async move {
        let fields: &[_] =
            if uri.contains("observe") || method == "DELETE" { &[] } else { &[ASYNC] };
        bench.send_with(method, uri, fields, "").await
    })
}

/// Who sends a bulk operation again is told of it when it is durable, as the first sender is.
#[tokio::test]
async fn a_bulk_that_is_sent_twice_is_acknowledged_when_it_is_durable() {
    let (bench, _device, mut disk) = on_disk("Q").await;
    let send = || async {
        let body = json!({"operation": "execute", "path": "/3/0/4"}).to_string();
        let fields = [("idempotency-key", "monday")];
        bench.send_with("POST", "/api/bulk?prefix=nobody", &fields, &body).await
    };
    let (mut first, mut second) = (std::pin::pin!(send()), std::pin::pin!(send()));
    assert!(first.as_mut().now_or_never().is_none());
    disk.begun().await;
    for _ in 0..10 {
        assert!(second.as_mut().now_or_never().is_none(), "it is not durable yet");
        bench.server.with(|_, _| ()).await.unwrap();
        tokio::task::yield_now().await;
    }
    disk.verdict.send(true).unwrap();
    let (first, second) = tokio::join!(within(first), within(second));
    assert_eq!((first.status, second.status), (StatusCode::ACCEPTED, StatusCode::ACCEPTED));
    assert_eq!(first.header("location"), second.header("location"));
}

#[tokio::test]
async fn nothing_is_acknowledged_before_it_is_durable() {
    let (bench, device, mut disk) = on_disk("Q").await;
    bench.lull("peer").await;
    let asks = [
        ("POST", "/api/clients/peer/3/0/4", StatusCode::ACCEPTED),
        ("GET", "/api/clients/peer/3/0/9", StatusCode::ACCEPTED),
        ("POST", "/api/clients/peer/3/0/9/observe", StatusCode::OK),
        ("DELETE", "/api/clients/peer/3/0/9/observe", StatusCode::OK),
        ("DELETE", "/api/clients/peer/3/0/9/observe?active", StatusCode::OK),
    ];
    for (method, uri, status) in asks {
        if uri.ends_with("active") {
            let wish = spawn(&bench, "POST", "/api/clients/peer/3/0/9/observe");
            disk.commit(true).await;
            within(wish).await.unwrap();
        }
        let request = spawn(&bench, method, uri);
        disk.begun().await;
        bench.server.with(|_, _| ()).await.unwrap();
        tokio::task::yield_now().await;
        assert!(!request.is_finished(), "{method} {uri} is acknowledged before it is kept");
        disk.verdict.send(true).unwrap();
        assert_eq!(within(request).await.unwrap().status, status, "{method} {uri}");
    }
    assert_eq!(asked(&device).await, [""; 0]);
    let list = bench.get("/api/commands").await.json();
    assert_eq!(list.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn what_cannot_be_kept_is_503_and_leaves_nothing() {
    let (bench, device, mut disk) = on_disk("").await;
    for (method, uri) in
        [("POST", "/api/clients/peer/3/0/4"), ("POST", "/api/clients/peer/3/0/9/observe")]
    {
        let request = spawn(&bench, method, uri);
        disk.commit(false).await;
        let answer = within(request).await.unwrap();
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{uri}");
        assert_eq!(answer.json()["type"], "/problems#not-kept");
        assert_eq!(answer.header("retry-after"), "10");
        disk.commit(true).await;
        // The engine promises again when it knows that the disk has recovered.
        let recovers = async {
            while bench.server.with(|it, _| it.written() < it.promised()).await.unwrap() {}
        };
        within(recovers).await;
    }
    assert_eq!(bench.get("/api/commands").await.json(), json!([]));
    let asked = asked(&device).await;
    assert!(asked.iter().all(|line| !line.starts_with("POST")), "{asked:?}");
}
