//! The last messages of devices: decoded, without secrets, for users with access to the device.

use crate::device::Script;
use crate::support::{Bench, LOOPBACK};
use axum::http::StatusCode;
use lwm2m_coap::{Code, Request, Response};
use lwm2m_http::ApiConfig;
use lwm2m_net::Sockets;
use lwm2m_server::{Config, Server};
use serde_json::{Value as Json, json};

/// A bench that records.
pub(crate) async fn recording() -> Bench {
    let config = Config::default().recorder_bytes(1 << 20);
    Bench::of(Server::new(config, [1; 32]), Sockets::from(LOOPBACK), ApiConfig::default()).await
}

/// A device whose battery has a level, and that is written and executed.
const BATTERY: Script = |request: &Request| {
    let path: Vec<_> = request.options.uri_path().collect();
    let response = match (request.code, &path[..]) {
        (Code::GET, [b"3", b"0", b"9"]) => {
            Response::new(Code::CONTENT).content_format(0).payload("98")
        }
        (Code::GET, _) => Response::new(Code::NOT_FOUND).payload("no such thing"),
        _ => Response::new(Code::CHANGED),
    };
    Some(response)
};

async fn messages(bench: &Bench, query: &str) -> Vec<Json> {
    let answer = bench.get(&format!("/api/clients/a/messages{query}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    answer.json().as_array().expect("a list").clone()
}

/// The operations in short: `sent Read /3/0/9`.
fn short(messages: &[Json]) -> Vec<String> {
    let text = |it: &Json, field: &str| it[field].as_str().unwrap_or("-").to_owned();
    let all = messages.iter().map(|it| {
        format!(
            "{} {} {} {}",
            text(it, "way"),
            text(it, "operation"),
            text(it, "path"),
            text(it, "code")
        )
    });
    all.collect()
}

#[tokio::test]
async fn messages_are_told_in_terms_of_lwm2m() {
    let bench = recording().await;
    let _device = bench.device("a", BATTERY).await;
    bench.get("/api/clients/a/3/0/9").await;
    bench.json("PUT", "/api/clients/a/3/0/14", &json!({"id": 14, "value": "+02:00"})).await;
    bench.send("POST", "/api/clients/a/3/0/4", None, "").await;
    bench.get("/api/clients/a/3/0/0").await;
    let all = messages(&bench, "").await;
    assert_eq!(
        short(&all),
        [
            "received Register /rd 0.02",
            "sent Register /rd 2.01",
            "sent Read /3/0/9 0.01",
            "received Read /3/0/9 2.05",
            "sent Write /3/0/14 0.03",
            "received Write /3/0/14 2.04",
            "sent Execute /3/0/4 0.02",
            "received Execute /3/0/4 2.04",
            "sent Read /3/0/0 0.01",
            "received Read /3/0/0 4.04",
        ]
    );
    let value = json!([{"path": "/3/0/9", "name": "Battery Level", "value": "98"}]);
    assert_eq!(all[3]["values"], value);
    let value = json!([{"path": "/3/0/14", "name": "UTC Offset", "value": "+02:00"}]);
    assert_eq!(all[4]["values"], value);
    assert_eq!(all[9]["text"], "no such thing");
    assert!(all[0]["text"].as_str().is_some_and(|links| links.contains("</3303/0>")), "{}", all[0]);
    assert_eq!((&all[2]["type"], &all[3]["type"]), (&json!("CON"), &json!("ACK")));
    assert_eq!(all[2]["mid"], all[3]["mid"]);
    assert!(all.iter().all(|it| it.get("raw").is_none() && it["secured"] == false));
    let last = messages(&bench, "?limit=1").await;
    assert_eq!(last, all[9..]);
    let after = messages(&bench, &format!("?after={}", all[8]["number"])).await;
    assert_eq!(after, all[9..], "the request tells what the answer is about");
    let raw = messages(&bench, "?raw").await;
    assert!(raw[3]["raw"].as_str().is_some_and(|hex| hex.ends_with("ff3938")), "{}", raw[3]);
}

#[tokio::test]
async fn secrets_are_hidden_in_messages() {
    let bench = recording().await;
    let device = bench.device("a", BATTERY).await;
    // A device that gives its Security object away.
    let keys = r#"[{"bn":"/0/0/","n":"0","vs":"coaps://s"},{"n":"5","vd":"c2VjcmV0LWtleQ"}]"#;
    device.with(move |device, now| device.send(now, keys)).await.expect("a device");
    let sent = loop {
        let all = messages(&bench, "").await;
        if let Some(sent) = all.iter().find(|it| it["operation"] == "Send") {
            break sent.clone();
        }
    };
    assert_eq!(sent["values"][0]["value"], "coaps://s");
    let key = json!({"path": "/0/0/5", "name": "Secret Key", "hidden": true});
    assert_eq!(sent["values"][1], key, "{sent}");
}

#[tokio::test]
async fn messages_of_one_that_left_are_there() {
    let bench = recording().await;
    let device = bench.device("a", BATTERY).await;
    let mut events = bench.server.subscribe();
    device.with(|device, now| device.deregister(now)).await.expect("a device");
    let left = async {
        while !matches!(
            &*events.recv().await.expect("an event"),
            lwm2m_server::Event::Deregistered { .. }
        ) {}
    };
    crate::support::within(left).await;
    let all = messages(&bench, "").await;
    assert_eq!(
        short(&all)[2..3],
        ["received De-register /rd/".to_owned()].map(|start| {
            let path = all[2]["path"].as_str().unwrap_or_default();
            assert!(path.starts_with("/rd/"));
            format!("{}{} 0.04", start, &path[4..])
        })
    );
    assert_eq!(bench.get("/api/clients/b/messages").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_server_without_a_recorder_says_so() {
    let bench = Bench::new().await;
    let answer = bench.get("/api/clients/a/messages").await;
    assert_eq!(answer.status, StatusCode::NOT_IMPLEMENTED);
    assert!(answer.json()["detail"].as_str().unwrap_or_default().contains("--recorder-bytes"));
    for query in ["?limit=0", "?limit=x", "?after=x"] {
        let answer = bench.get(&format!("/api/clients/a/messages{query}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
    }
}
