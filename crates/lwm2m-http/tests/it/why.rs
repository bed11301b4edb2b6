//! Why a device does what it does, and who did not get in.

use crate::support::{Bench, LOOPBACK, within};
use axum::http::StatusCode;
use lwm2m_coap::{Code, Request, Response};
use lwm2m_http::{Access, AccessConfig, ApiConfig, ApiState, router};
use lwm2m_net::Sockets;
use lwm2m_net::coap::{Answer, CoapClient};
use lwm2m_store::MemoryStore;
use serde_json::{Value as Json, json};

fn refusing(_: &Request) -> Option<Response> {
    Some(Response::new(Code::METHOD_NOT_ALLOWED))
}

async fn why(bench: &Bench, endpoint: &str) -> Json {
    let answer = bench.get(&format!("/api/clients/{endpoint}/why")).await;
    assert_eq!(answer.status, StatusCode::OK);
    let why = answer.json();
    assert_eq!(why["ep"], endpoint);
    assert!(!why["why"].as_str().expect("a sentence").is_empty(), "{why}");
    assert!(!why["remedy"].as_str().expect("a remedy").is_empty(), "{why}");
    why
}

/// A Register in the clear, which is refused.
async fn knock(bench: &Bench, endpoint: &str) {
    let config = lwm2m_coap::Config::default();
    let client =
        CoapClient::bind(Sockets::from(LOOPBACK), config, [3; 32]).await.expect("a socket");
    let name = format!("ep={endpoint}");
    let parameters = [&*name, "lt=60", "lwm2m=1.1", "b=U"];
    let request = parameters.into_iter().fold(Request::post().path(["rd"]), Request::query);
    let server = bench.server.local().udp.expect("a socket");
    let mut answers = client.request(server, request.payload("</3/0>")).await.expect("sent");
    match within(answers.recv()).await {
        Some(Answer::Response(response)) => assert_eq!(response.code, Code::FORBIDDEN),
        other => panic!("{other:?}"),
    }
}

fn psk(endpoint: &str) -> Json {
    let details = json!({"identity": endpoint, "key": "00112233"});
    json!({"endpoint": endpoint, "tls": {"mode": "psk", "details": details}})
}

#[tokio::test]
async fn a_device_without_its_credential_is_refused_and_told() {
    let bench = Bench::new().await;
    assert_eq!(why(&bench, "a").await["state"], "unknown");
    bench.json("PUT", "/api/security/clients", &psk("a")).await;
    let unheard = why(&bench, "a").await;
    assert!(unheard["why"].as_str().unwrap_or_default().contains("pre-shared key"), "{unheard}");
    knock(&bench, "a").await;
    let refused = why(&bench, "a").await;
    assert_eq!(refused["state"], "refused");
    let sentence = refused["why"].as_str().unwrap_or_default();
    assert!(sentence.contains("must connect by coaps") && sentence.contains("; "), "{sentence}");
    let all = bench.get("/api/rejected").await.json();
    assert_eq!(all[0]["name"], "a");
    assert_eq!((&all[0]["stage"], &all[0]["count"]), (&json!("registration"), &json!(1)));
    assert_eq!(bench.get("/api/rejected?limit=0").await.status, 400);
}

#[tokio::test]
async fn what_fails_and_what_sleeps_is_told() {
    let bench = Bench::kept(MemoryStore::default()).await;
    let _device = bench.device("a", refusing).await;
    assert_eq!(why(&bench, "a").await["state"], "well");
    bench.send("POST", "/api/clients/a/3/0/9/observe", None, "").await;
    let failing = why(&bench, "a").await;
    assert_eq!(failing["state"], "failing");
    assert!(failing["why"].as_str().unwrap_or_default().contains("/3/0/9"), "{failing}");
    let _sleeper = bench.sleeper("b", refusing).await;
    bench.lull("b").await;
    assert_eq!(why(&bench, "b").await["state"], "asleep");
    bench.get("/api/clients/b/3/0/9").await;
    let behind = why(&bench, "b").await;
    assert_eq!(behind["state"], "behind");
    assert!(behind["since"].is_u64(), "{behind}");
}

#[tokio::test]
async fn a_tenant_sees_its_own_that_did_not_get_in() {
    let mut bench = Bench::new().await;
    for name in ["a-1", "b-1"] {
        bench.json("PUT", "/api/security/clients", &psk(name)).await;
    }
    knock(&bench, "a-1").await;
    knock(&bench, "b-1").await;
    let config = ApiConfig::default().with_hosts(["lwm2m.test".to_owned()]);
    let config = config.with_access(Access::new(AccessConfig::default()));
    let state = ApiState::with_config(bench.server.clone(), config);
    let admin =
        state.begin_access().await.expect("kept").expect("the first").token.text().to_string();
    bench.api = router(state);
    let bearer = |token: &str| format!("Bearer {token}");
    let new = r#"{"name": "t", "scope": "viewer", "prefix": "a-"}"#;
    let fields = [("authorization", &*bearer(&admin))];
    let made = bench.send_with("POST", "/api/tokens", &fields, new).await.json();
    let tenant = bearer(made["token"].as_str().expect("a token"));
    let fields = [("authorization", &*tenant)];
    let seen = bench.send_with("GET", "/api/rejected", &fields, "").await.json();
    let names: Vec<_> = seen.as_array().expect("a list").iter().map(|it| &it["name"]).collect();
    assert_eq!(names, ["a-1"]);
    let foreign = bench.send_with("GET", "/api/clients/b-1/why", &fields, "").await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_is_forgiven_a_device_is_listed_by_kind() {
    let bench = Bench::new().await;
    // Its names have no slash, and its number has a fraction.
    let sloppy = |_: &Request| {
        let pack = r#"[{"n":"3/0/9","v":7.0}]"#;
        Some(Response::new(Code::CONTENT).content_format(110).payload(pack))
    };
    let device = bench.device("a", sloppy).await;
    let quirks = "/api/clients/a/quirks";
    assert_eq!(bench.get(quirks).await.json(), json!([]));
    for _ in 0..3 {
        assert_eq!(
            bench.get("/api/clients/a/3/0/9?format=SENML_JSON").await.status,
            StatusCode::OK
        );
    }
    let seen = bench.get(quirks).await.json();
    let name = json!({"kind": "RelativeName", "what": "a name does not begin with a slash",
        "place": "values", "count": 3});
    assert!(seen.as_array().unwrap().contains(&name), "{seen}");
    assert!(why(&bench, "a").await["quirks"].as_array().unwrap().contains(&name["what"]));
    // They stay when it registers anew.
    crate::support::register(&device).await;
    assert!(bench.get(quirks).await.json().as_array().unwrap().contains(&name));
    let metrics = bench.get("/metrics").await;
    let text = String::from_utf8_lossy(&metrics.body).into_owned();
    assert!(text.contains("lwm2m_quirks_total{kind=\"RelativeName\"} 3"), "{text}");
    assert_eq!(bench.get("/api/clients/b/quirks").await.status, StatusCode::NOT_FOUND);
}
