//! Devices with all that they need, over the API.

use crate::bootstrap::{bench, secured};
use crate::support::{Bench, LOOPBACK};
use axum::http::StatusCode;
use lwm2m_net::Sockets;
use serde_json::{Value as Json, json};

const DEVICES: &str = "/api/devices";

/// What the API has of the device in all places.
async fn parts(bench: &Bench) -> [Json; 3] {
    let mut all = [Json::Null, Json::Null, Json::Null];
    let paths = ["/api/bootstrap", "/api/bootstrap/security/clients", "/api/security/clients"];
    for (part, path) in all.iter_mut().zip(paths) {
        *part = bench.get(path).await.json();
    }
    all
}

#[tokio::test]
async fn a_device_is_made_and_taken_away_as_a_whole() {
    let (bench, _) = bench(secured()).await;
    let nothing = parts(&bench).await;
    let made = bench.json("POST", DEVICES, &json!({"endpoint": "urn:a/b", "lifetime": 300})).await;
    assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.body);
    let made = made.json();
    assert_eq!(made["bootstrap"]["identity"], "urn:a/b");
    let factory = made["bootstrap"]["key"].as_str().unwrap();
    assert!(made["bootstrap"]["uri"].as_str().unwrap().starts_with("coaps://lwm2m.test:"));
    let [told, bootstrap, own] = parts(&bench).await;
    let (told, own) = (&told["urn:a/b"], &own[0]["tls"]["details"]);
    assert_eq!(bootstrap[0]["tls"]["details"]["key"], *factory);
    assert_eq!(told["security"]["1"]["secretKey"], own["key"], "the server knows what it tells");
    assert_eq!(told["security"]["1"]["uri"], made["server"]["uri"]);
    assert_eq!(told["servers"]["0"], json!({"shortId": 1, "lifetime": 300, "binding": "U"}));
    assert!(own["key"] != *factory && factory.len() == 32, "keys of their own, of 128 bits");

    let again = bench.json("POST", DEVICES, &json!({"endpoint": "urn:a/b"})).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "{:?}", again.body);
    assert_eq!(parts(&bench).await[2][0]["tls"]["details"], *own, "and nothing has changed");
    let shown = bench.get("/api/devices/urn:a%2Fb").await.json();
    assert_eq!((&shown["registered"], &shown["bootstraps"]), (&json!(false), &json!([])));
    let secret = own["key"].as_str().unwrap();
    assert!(!shown.to_string().contains(secret) && !shown.to_string().contains(factory));

    for status in [StatusCode::NO_CONTENT, StatusCode::NOT_FOUND] {
        let answer = bench.send("DELETE", "/api/devices/urn:a%2Fb", None, "").await;
        assert_eq!(answer.status, status);
    }
    assert_eq!(parts(&bench).await, nothing);
}

#[tokio::test]
async fn keys_of_the_factory_are_taken_as_they_are() {
    let (bench, _) = bench(secured()).await;
    let factory = json!({"mode": "psk", "details": {"identity": "serial 1", "key": "00ff"}});
    let new = json!({"endpoint": "a", "factory": factory, "host": "192.0.2.7", "shortId": 9});
    let made = bench.json("POST", DEVICES, &new).await.json();
    assert!(made["bootstrap"].get("key").is_none(), "{made}");
    assert!(made["server"]["uri"].as_str().unwrap().starts_with("coaps://192.0.2.7"));
    assert_eq!(parts(&bench).await[1][0]["tls"], factory);
}

/// What cannot be made as a whole is not made at all.
#[tokio::test]
async fn a_device_that_cannot_be_made_leaves_nothing_behind() {
    let (bench, _) = bench(secured()).await;
    let of = |endpoint: &str, identity: &str| {
        let details = json!({"identity": identity, "key": "00ff"});
        json!({"endpoint": endpoint, "tls": {"mode": "psk", "details": details}})
    };
    // The identity is that of another device of the server, or the device has a key there.
    bench.json("PUT", "/api/security/clients", &of("other", "a")).await;
    bench.json("PUT", "/api/security/clients", &of("b", "x")).await;
    bench.json("PUT", "/api/bootstrap/security/clients", &of("another", "c")).await;
    let before = parts(&bench).await;
    for endpoint in ["a", "b", "c"] {
        let answer = bench.json("POST", DEVICES, &json!({"endpoint": endpoint})).await;
        assert_eq!(answer.status, StatusCode::CONFLICT, "{endpoint}: {:?}", answer.body);
        assert_eq!(parts(&bench).await, before, "{endpoint}");
    }
}

#[tokio::test]
async fn what_a_request_says_wrong_is_named() {
    let (secure, _) = bench(secured()).await;
    let table = [
        (json!([]), "the body"),
        (json!({}), "endpoint"),
        (json!({"endpoint": " "}), "endpoint name"),
        (json!({"endpoint": "a", "key": "00"}), "the body"),
        (json!({"endpoint": "a", "lifetime": -1}), "lifetime"),
        (json!({"endpoint": "a", "shortId": 0}), "shortId"),
        (json!({"endpoint": "a", "shortId": 65_535}), "shortId"),
        (json!({"endpoint": "a", "host": "h/x?y"}), "host"),
        (json!({"endpoint": "a", "host": 5}), "host"),
        (json!({"endpoint": "a", "factory": {"mode": "none"}}), "tls.mode"),
    ];
    for (body, named) in table {
        let answer = secure.json("POST", DEVICES, &body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        let detail = answer.json()["detail"].to_string();
        assert!(detail.contains(named), "{body}: {detail}");
    }
    let (plain, _) = bench(Sockets::from(LOOPBACK)).await;
    let answer = plain.json("POST", DEVICES, &json!({"endpoint": "a"})).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(answer.json()["detail"].to_string().contains("--bootstrap-coaps"));
    let answer = Bench::new().await.json("POST", DEVICES, &json!({"endpoint": "a"})).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}
