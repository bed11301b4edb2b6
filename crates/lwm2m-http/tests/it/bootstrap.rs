//! What a bootstrap server tells devices, over the API.

use crate::support::{Bench, LOOPBACK};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use futures_util::StreamExt;
use lwm2m_bootstrap::Config;
use lwm2m_credentials::{OwnCredentials, SecurityStore};
use lwm2m_http::{ApiConfig, BOOTSTRAP, BOOTSTRAP_CREDENTIALS, Bootstrap};
use lwm2m_net::Sockets;
use serde_json::{Value as Json, json};
use std::sync::Arc;

const CLIENTS: &str = "/api/bootstrap/security/clients";

pub(crate) async fn bench(sockets: Sockets) -> (Bench, Bootstrap) {
    bench_with(sockets, OwnCredentials::default()).await
}

async fn bench_with(sockets: Sockets, own: OwnCredentials) -> (Bench, Bootstrap) {
    let bootstrap = Bootstrap::new(Arc::new(SecurityStore::new(own)));
    let dtls = Some(lwm2m_dtls::Config::default());
    let config = Config { dtls, ..Config::default() };
    bootstrap.start(sockets, config, [3; 32], |_| {}).await.expect("a socket");
    let config = ApiConfig::default().with_bootstrap(Some(bootstrap.clone()));
    (Bench::with_config(config).await, bootstrap)
}

pub(crate) fn secured() -> Sockets {
    Sockets { dtls: Some(LOOPBACK), ..Sockets::default() }
}

fn configuration() -> Json {
    json!({
        "security": {"1": {
            "uri": "coaps://192.0.2.1", "securityMode": "PSK", "serverId": 7,
            "publicKeyOrId": [100, 101, 118], "secretKey": [0, 255],
        }},
        "servers": {"0": {"shortId": 7}},
    })
}

fn psk(endpoint: &str) -> Json {
    json!({"endpoint": endpoint, "tls": {"mode": "psk", "details": {"identity": endpoint, "key": "00ff"}}})
}

#[tokio::test]
async fn configurations_are_set_listed_and_removed() {
    let (bench, _) = bench(secured()).await;
    assert_eq!(bench.get("/api/bootstrap").await.json(), json!({}));
    let set = bench.json("POST", "/api/bootstrap/urn:a%2Fb", &configuration()).await;
    assert_eq!(set.status, StatusCode::OK, "{:?}", set.body);
    assert_eq!(bench.get("/api/bootstrap/urn:a%2Fb").await.json(), configuration());
    bench.json("POST", "/api/bootstrap/b", &json!({})).await;
    let both = json!({"b": {}, "urn:a/b": configuration()});
    assert_eq!(bench.get("/api/bootstrap").await.json(), both);
    assert_eq!(bench.get("/api/bootstrap/urn:a%2Fb/history").await.json(), json!([]));
    for status in [StatusCode::NO_CONTENT, StatusCode::NOT_FOUND] {
        let answer = bench.send("DELETE", "/api/bootstrap/urn:a%2Fb", None, "").await;
        assert_eq!(answer.status, status);
    }
    assert_eq!(bench.get("/api/bootstrap/urn:a%2Fb").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_the_bootstrap_server_refuses_is_counted() {
    const COUNTER: &str = "lwm2m_bootstrap_overload_total";
    let (bench, _) = bench(secured()).await;
    let metrics = String::from_utf8(bench.get("/metrics").await.body.to_vec()).unwrap();
    for kind in ["bootstraps", "strangers", "connections", "handshakes", "forgotten"] {
        let line = format!("{COUNTER}{{kind=\"{kind}\"}} 0");
        assert!(metrics.contains(&line), "{line} in {metrics}");
    }
    let without = Bench::new().await.get("/metrics").await;
    assert!(!String::from_utf8(without.body.to_vec()).unwrap().contains(COUNTER));
}

#[tokio::test]
async fn all_configurations_are_sent_piece_by_piece() {
    let (bench, bootstrap) = bench(secured()).await;
    let large = json!({"toDelete": vec!["/1"; 3_000]});
    for number in 0..200 {
        let name = format!("dev-{number:03}");
        assert!(bootstrap.take(BOOTSTRAP, name.as_bytes(), large.to_string().as_bytes()));
    }
    let request = Request::get("/api/bootstrap").header("host", "lwm2m.test");
    let mut pieces = bench.call_unread(request.body(Body::empty()).unwrap()).await;
    let (mut text, mut longest) = (Vec::new(), 0);
    while let Some(piece) = pieces.next().await {
        let piece = piece.unwrap();
        longest = longest.max(piece.len());
        text.extend(piece);
    }
    let all: Json = serde_json::from_slice(&text).unwrap();
    assert!(text.len() > 2_000_000 && longest < 100_000, "{} in pieces of {longest}", text.len());
    assert_eq!(all.as_object().map(serde_json::Map::len), Some(200));
    assert!((0..200).all(|number| all[format!("dev-{number:03}")] == large));
}

#[tokio::test]
async fn what_a_device_would_refuse_is_refused_here() {
    let (bench, _) = bench(secured()).await;
    let mut wrong = configuration();
    wrong["servers"]["0"]["shortId"] = json!(8);
    for body in [wrong.to_string(), "[]".to_owned(), "{".to_owned()] {
        let answer = bench.send("POST", "/api/bootstrap/a", Some("application/json"), body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    }
    let large = json!({"toDelete": vec!["/1"; 10_000]});
    let large = bench.json("POST", "/api/bootstrap/a", &large).await;
    assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(bench.get("/api/bootstrap").await.json(), json!({}));
    let blank = bench.json("POST", "/api/bootstrap/%20", &configuration()).await;
    assert_eq!(blank.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_dry_run_tells_the_requests_and_changes_nothing() {
    const DRY_RUN: &str = "/api/bootstrap/urn:a%2Fb/dry-run";
    let (bench, _) = bench(secured()).await;
    assert_eq!(bench.get(DRY_RUN).await.status, StatusCode::NOT_FOUND);
    let mut proposal = configuration();
    proposal["toDelete"] = json!(["/0", "/1/3"]);
    let proposed = bench.json("POST", DRY_RUN, &proposal).await;
    assert_eq!(proposed.status, StatusCode::OK, "{:?}", proposed.body);
    let requests = proposed.json();
    let line = |it: &Json| format!("{} {}", it["command"], it["path"]).replace('"', "");
    let lines: Vec<_> = requests.as_array().unwrap().iter().map(line).collect();
    assert_eq!(lines, ["DELETE /0", "DELETE /1/3", "WRITE /0/1", "WRITE /1/0", "FINISH /bs"]);
    // Nothing is configured by it.
    assert_eq!(bench.get("/api/bootstrap").await.json(), json!({}));
    bench.json("POST", "/api/bootstrap/urn:a%2Fb", &proposal).await;
    assert_eq!(bench.get(DRY_RUN).await.json(), requests);
}

#[tokio::test]
async fn a_dry_run_shows_no_key() {
    let (bench, _) = bench(secured()).await;
    let mut proposal = configuration();
    proposal["security"]["1"]["secretKey"] = json!("5ec2e7c0de");
    proposal["security"]["1"]["smsBindingKeySecret"] = json!("5ec2e7c0de");
    proposal["oscore"] = json!({"4": {"oscoreMasterSecret": "5ec2e7c0de", "oscoreSenderId": "01"}});
    let answer = bench.json("POST", "/api/bootstrap/a/dry-run", &proposal).await;
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    assert!(!text.to_ascii_lowercase().contains("5ec2e7c0de"), "{text}");
    let requests = answer.json();
    assert_eq!(requests[0]["hidden"], json!(["/21/4/0"]));
    assert_eq!(requests[1]["hidden"], json!(["/0/1/5", "/0/1/8"]));
    assert_eq!(requests[2]["hidden"], Json::Null);
    assert!(text.contains("coaps://192.0.2.1"), "other values are told: {text}");
}

#[tokio::test]
async fn a_dry_run_refuses_what_would_be_refused() {
    let (bench, _) = bench(secured()).await;
    let mut wrong = configuration();
    wrong["servers"]["0"]["shortId"] = json!(8);
    let large = json!({"toDelete": vec!["/1"; 10_000]});
    let table = [("a", wrong), ("a", json!([])), ("a", large), ("%20", configuration())];
    for (name, body) in table {
        let set = bench.json("POST", &format!("/api/bootstrap/{name}"), &body).await;
        let dry = bench.json("POST", &format!("/api/bootstrap/{name}/dry-run"), &body).await;
        assert!(set.status.is_client_error(), "{name}");
        let (dry_detail, set_detail) = (dry.json(), set.json());
        assert_eq!(dry.status, set.status, "{name}");
        assert_eq!(dry_detail["detail"], set_detail["detail"], "{name}");
    }
    // The route takes no name from devices.
    let named = bench.json("POST", "/api/bootstrap/dry-run", &configuration()).await;
    assert_eq!(named.status, StatusCode::OK);
    let requests = bench.get("/api/bootstrap/dry-run/dry-run").await.json();
    assert_eq!(requests.as_array().map(Vec::len), Some(3));
    let without = Bench::new().await;
    let without = without.json("POST", "/api/bootstrap/a/dry-run", &configuration()).await;
    assert_eq!(without.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn credentials_for_the_bootstrap_are_others_than_those_for_the_server() {
    let (bench, bootstrap) = bench(secured()).await;
    let put = bench.json("PUT", CLIENTS, &psk("a")).await;
    assert_eq!(put.status, StatusCode::OK, "{:?}", put.body);
    assert_eq!(bench.get(CLIENTS).await.json(), json!([psk("a")]));
    assert_eq!(bench.get("/api/security/clients").await.json(), json!([]));
    let gone = format!("{CLIENTS}/a");
    for status in [StatusCode::OK, StatusCode::NOT_FOUND] {
        assert_eq!(bench.send("DELETE", &gone, None, "").await.status, status);
    }
    assert!(bootstrap.configured_devices().is_empty());
}

#[tokio::test]
async fn without_a_port_for_them_credentials_are_refused() {
    let (bench, _) = bench(Sockets::from(LOOPBACK)).await;
    let answer = bench.json("PUT", CLIENTS, &psk("a")).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(answer.json()["detail"].to_string().contains("--bootstrap-coaps"));
    let bench = Bench::new().await;
    let answer = bench.get("/api/bootstrap").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(answer.json()["detail"].to_string().contains("--bootstrap-coaps"));
}

#[tokio::test]
async fn without_keys_for_a_mode_its_credentials_are_refused() {
    let with_keys = crate::support::own_keys();
    for (own, status) in [(OwnCredentials::default(), 409), (with_keys, 200)] {
        let (bench, _) = bench_with(secured(), own).await;
        for (client, flags) in crate::security::of_modes() {
            let answer = bench.json("PUT", CLIENTS, &client).await;
            assert_eq!(answer.status.as_u16(), status, "{client}");
            let told = status == 200 || answer.json()["detail"].to_string().contains(flags);
            assert!(told, "{:?}", answer.body);
        }
        let count = bench.get(CLIENTS).await.json().as_array().expect("a list").len();
        assert_eq!(count, usize::from(status == 200));
    }
}

#[test]
fn what_was_kept_comes_back_and_nothing_else() {
    let bootstrap = Bootstrap::new(Arc::default());
    let good = configuration().to_string();
    assert!(bootstrap.take(BOOTSTRAP, b"a", good.as_bytes()));
    assert!(!bootstrap.take(BOOTSTRAP, b"b", b"{\"security\": 1}"));
    assert!(!bootstrap.take(BOOTSTRAP, b"\xff", good.as_bytes()));
    assert!(bootstrap.take(BOOTSTRAP_CREDENTIALS, b"a", psk("a").to_string().as_bytes()));
    assert!(!bootstrap.take(BOOTSTRAP_CREDENTIALS, b"b", psk("a").to_string().as_bytes()));
    assert_eq!(bootstrap.configured_devices(), ["a"]);
}
