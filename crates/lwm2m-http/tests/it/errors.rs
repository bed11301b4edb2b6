//! What cannot be done is said in problem JSON, and does not reach the device.

use crate::support::{Bench, asked};
use axum::http::{Request, StatusCode};
use lwm2m_coap::{Code, Response};
use lwm2m_http::ApiConfig;
use std::time::Duration;

const JSON: Option<&str> = Some("application/json");
const ZONE: &str = r#"{"kind":"singleResource","id":14,"type":"STRING","value":"+01:00"}"#;

type Row = (&'static str, &'static str, Option<&'static str>, &'static str, u16, &'static str);

#[rustfmt::skip]
const TABLE: &[Row] = &[
    ("GET", "/nothing", None, "", 404, "unknown-address"),
    ("GET", "/api/nothing", None, "", 404, "unknown-address"),
    ("GET", "/api/clients/nobody", None, "", 404, "unknown-endpoint"),
    ("GET", "/api/clients/nobody/3/0", None, "", 404, "unknown-endpoint"),
    ("PUT", "/api/clients/nobody/3/0/14", JSON, ZONE, 404, "unknown-endpoint"),
    ("DELETE", "/api/clients/nobody/3/0/observe", None, "", 404, "unknown-endpoint"),
    ("GET", "/api/objectspecs/nobody", None, "", 404, "unknown-endpoint"),
    ("POST", "/api/clients", JSON, "{}", 405, "method-not-allowed"),
    ("PATCH", "/api/clients/peer/3/0", JSON, "{}", 405, "method-not-allowed"),
    ("GET", "/api/clients/peer/3/0/observe", None, "", 405, "method-not-allowed"),
    ("GET", "/api/clients/peer/3/0/attributes", None, "", 405, "method-not-allowed"),
    // An empty path of an object is not the device.
    ("DELETE", "/api/clients/peer/", None, "", 405, "method-not-allowed"),
    ("DELETE", "/api/clients/peer/3/0/discover", None, "", 405, "method-not-allowed"),
    ("POST", "/", None, "", 405, "method-not-allowed"),
    ("GET", "/api/clients/%ff", None, "", 400, "invalid-path"),
    ("GET", "/api/clients/%ff/3/0", None, "", 400, "invalid-path"),
    ("GET", "/api/objectspecs/%ff", None, "", 400, "invalid-path"),
    ("GET", "/api/clients/peer/3/x", None, "", 400, "invalid-path"),
    ("GET", "/api/clients/peer/65535", None, "", 400, "invalid-path"),
    ("GET", "/api/clients/peer/3/0/6/0/1", None, "", 400, "invalid-path"),
    ("GET", "/api/clients/peer/3/0/6/0/discover", None, "", 400, "invalid-path"),
    ("PUT", "/api/clients/peer/3", JSON, r#"{"kind":"obj","id":3,"instances":[]}"#, 400, "invalid-path"),
    ("POST", "/api/clients/peer/3/0/6/0", JSON, ZONE, 400, "invalid-path"),
    ("DELETE", "/api/clients/peer/3", None, "", 400, "invalid-path"),
    ("GET", "/api/clients/peer/3/0?format=xml", None, "", 400, "invalid-parameter"),
    ("GET", "/api/clients/peer/3/0?timeout=soon", None, "", 400, "invalid-parameter"),
    ("GET", "/api/clients/peer/3/0?timeout=100000000", None, "", 400, "invalid-parameter"),
    ("GET", "/api/clients/peer/composite?paths=/3/0/0,,", None, "", 400, "invalid-parameter"),
    ("POST", "/api/clients/peer/3/0/9/observe?pmin=60&pmax=1", None, "", 400, "invalid-parameter"),
    ("POST", "/api/clients/peer/3/0/9/observe?gt=much", None, "", 400, "invalid-parameter"),
    ("POST", "/api/clients/peer/3/0/9/observe?pmin=", None, "", 400, "invalid-parameter"),
    ("POST", "/api/clients/peer/composite/observe?paths=/3&pmax=2", None, "", 400, "invalid-parameter"),
    ("POST", "/api/clients/nobody/3/0/9/observe", None, "", 404, "unknown-endpoint"),
    ("POST", "/api/clients/nobody/composite/observe?paths=/3", None, "", 404, "unknown-endpoint"),
    ("GET", "/api/clients/nobody/observations", None, "", 404, "unknown-endpoint"),
    ("GET", "/api/clients/peer/3/0?ttl=0", None, "", 400, "invalid-parameter"),
    ("GET", "/api/clients/peer/3/0?priority=256", None, "", 400, "invalid-parameter"),
    ("GET", "/api/clients/peer/3/0?cached", None, "", 501, "keeps-nothing"),
    ("GET", "/api/commands?state=asleep", None, "", 400, "invalid-parameter"),
    ("GET", "/api/commands?from=first", None, "", 400, "invalid-parameter"),
    ("GET", "/api/commands?limit=0", None, "", 400, "invalid-parameter"),
    ("GET", "/api/commands/17", None, "", 404, "unknown-command"),
    ("GET", "/api/commands/+1", None, "", 404, "unknown-command"),
    ("DELETE", "/api/commands/17", None, "", 404, "unknown-command"),
    ("DELETE", "/api/commands/17e1", None, "", 404, "unknown-command"),
    ("PUT", "/api/commands/17", JSON, "{}", 405, "method-not-allowed"),
    ("PUT", "/api/clients/peer/3/0/attributes?pmin=", None, "", 400, "invalid-parameter"),
    ("PUT", "/api/clients/peer/3/0/attributes?pmin=1&&pmax=2", None, "", 400, "invalid-parameter"),
    ("PUT", "/api/clients/peer/3/0/attributes?pmin=60&pmax=1", None, "", 400, "invalid-parameter"),
    ("PUT", "/api/clients/peer/3/0/14?format=none", JSON, ZONE, 400, "invalid-parameter"),
    ("PUT", "/api/clients/peer/3/0/14?replace=maybe", JSON, ZONE, 400, "invalid-parameter"),
    ("PUT", "/api/clients/peer/3/0/attributes", None, "", 400, "invalid-parameter"),
    ("PUT", "/api/clients/peer/3/0/attributes?pmin=-1", None, "", 400, "invalid-parameter"),
    ("PUT", "/api/clients/peer/3/0/attributes?colour=red", None, "", 400, "invalid-parameter"),
    ("PUT", "/api/clients/peer/3/0/14", JSON, "{", 400, "invalid-body"),
    ("PUT", "/api/clients/peer/3/0/14", JSON, "", 400, "invalid-body"),
    ("PUT", "/api/clients/peer/3/0/14", JSON, "[]", 400, "invalid-body"),
    ("PUT", "/api/clients/peer/3/0/14", None, ZONE, 400, "invalid-body"),
    ("PUT", "/api/clients/peer/3/0/14", Some("application/x-www-form-urlencoded"), ZONE, 400, "invalid-body"),
    ("PUT", "/api/clients/peer/3/0/15", JSON, ZONE, 400, "invalid-body"),
    ("PUT", "/api/clients/peer/3/0", JSON, ZONE, 400, "invalid-body"),
    ("PUT", "/api/clients/peer/3/0", Some("text/plain"), "x", 400, "invalid-body"),
    ("PUT", "/api/clients/peer/1/0/1", JSON, r#"{"value":"abc"}"#, 400, "invalid-body"),
    ("PUT", "/api/clients/peer/1/0/1", Some("text/plain"), "abc", 400, "invalid-body"),
    ("POST", "/api/clients/peer/3303", JSON, ZONE, 400, "invalid-body"),
    ("POST", "/api/clients/peer/3303/1", JSON, r#"{"id":2,"resources":[]}"#, 400, "invalid-body"),
];

#[tokio::test]
async fn every_error_is_a_problem_and_stays_away_from_the_device() {
    let bench = Bench::new().await;
    let device = bench.device("peer", |_| Some(Response::new(Code::CHANGED))).await;
    for (method, uri, content_type, body, status, kind) in TABLE {
        let answer = bench.send(method, uri, *content_type, *body).await;
        assert_eq!(answer.status.as_u16(), *status, "{method} {uri} {body}");
        assert_eq!(answer.header("content-type"), "application/problem+json", "{method} {uri}");
        let problem = answer.json();
        assert_eq!(problem["type"], format!("/problems#{kind}"), "{method} {uri}: {problem}");
        assert_eq!(problem["status"], *status);
        assert_eq!(problem["instance"], uri.split('?').next().unwrap());
        let [title, detail] = ["title", "detail"].map(|it| problem[it].to_string().to_lowercase());
        assert!(!detail.contains(title.trim_matches('"')), "said twice: {problem}");
        for member in ["title", "detail"] {
            assert!(problem[member].as_str().is_some_and(|text| text.len() > 5), "{problem}");
        }
    }
    assert_eq!(asked(&device).await, [""; 0]);
}

#[tokio::test]
async fn the_detail_says_where_and_what_to_do() {
    let bench = Bench::new().await;
    let _device = bench.device("peer", |_| None).await;
    let body = r#"{"resources":[{"id":1,"value":"soon"}]}"#;
    let answer = bench.send("PUT", "/api/clients/peer/1/0", JSON, body).await;
    let detail = answer.json()["detail"].to_string();
    assert!(detail.contains("/1/0/1") && detail.contains("INTEGER"), "{detail}");
    assert!(detail.contains("whole number"), "{detail}");
}

#[tokio::test]
async fn a_wrong_content_type_is_told_the_right_one() {
    let bench = Bench::new().await;
    let _device = bench.device("peer", |_| None).await;
    let detail = async |method, uri, content_type| {
        bench.send(method, uri, content_type, "x").await.json()["detail"].to_string()
    };
    let text = Some("text/plain");
    for (method, uri) in [("POST", "/api/clients/peer/3303"), ("PUT", "/api/clients/peer/3/0")] {
        for content_type in [text, None, Some("application/xml")] {
            let detail = detail(method, uri, content_type).await;
            assert!(detail.contains("must be application/json:"), "{detail}");
        }
    }
    let detail = detail("PUT", "/api/clients/peer/3/0/14", None).await;
    assert!(detail.contains("application/json or text/plain"), "{detail}");
}

#[tokio::test]
async fn a_method_that_is_not_known_gets_the_list_of_those_that_are() {
    let bench = Bench::new().await;
    assert_eq!(bench.send("POST", "/api/clients", None, "").await.header("allow"), "GET,HEAD");
    let observe = bench.get("/api/clients/peer/3/observe").await;
    assert_eq!(observe.header("allow"), "POST, DELETE");
}

#[tokio::test]
async fn a_silent_device_is_504_after_the_timeout() {
    let timeout = Duration::from_millis(50);
    let config = ApiConfig::default().with_timeouts(timeout, timeout);
    let bench = Bench::with_config(config).await;
    let _device = bench.device("silent", |_| None).await;
    let answer = bench.get("/api/clients/silent/3/0").await;
    assert_eq!(answer.status, StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(answer.json()["type"], "/problems#no-answer");
}

#[tokio::test]
async fn a_request_behind_another_one_says_for_which_it_waits() {
    let config =
        ApiConfig::default().with_timeouts(Duration::from_millis(50), Duration::from_secs(20));
    let bench = Bench::with_config(config).await;
    let device = bench.device("silent", |_| None).await;
    let answer = tokio::select! {
        biased;
        first = bench.get("/api/clients/silent/3/0/13?timeout=20") => panic!("{}", first.json()),
        second = bench.get("/api/clients/silent/3/0/9") => second,
    };
    assert_eq!(answer.status, StatusCode::GATEWAY_TIMEOUT);
    let detail = answer.json()["detail"].as_str().expect("a text").to_owned();
    assert!(detail.contains("not sent") && detail.contains("/3/0/13"), "{detail}");
    assert_eq!(asked(&device).await.len(), 1);
}

#[tokio::test]
async fn an_answer_that_makes_no_sense_is_500() {
    let bench = Bench::new().await;
    let nonsense =
        |_: &_| Some(Response::new(Code::CONTENT).content_format(11542).payload(vec![0xFF; 3]));
    let _device = bench.device("odd", nonsense).await;
    let answer = bench.get("/api/clients/odd/3/0").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(answer.json()["type"], "/problems#bad-answer");
}

#[tokio::test]
async fn bodies_are_bounded() {
    let bench = Bench::with_config(ApiConfig::default().with_body_limit(1000)).await;
    let device = bench.device("peer", |_| Some(Response::new(Code::CHANGED))).await;
    for uri in ["/api/clients/peer/3/0/14", "/api/clients/peer/3/0"] {
        let answer = bench.send("PUT", uri, JSON, vec![b' '; 1001]).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(answer.json()["type"], "/problems#body-too-large");
    }
    assert_eq!(asked(&device).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_end_is_408() {
    let bench = Bench::new().await;
    let body = futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>();
    let body = axum::body::Body::from_stream(body);
    let answer = bench.send("PUT", "/api/clients/peer/3/0/14", JSON, body).await;
    assert_eq!(answer.status, StatusCode::REQUEST_TIMEOUT);
    assert_eq!(answer.json()["type"], "/problems#body-too-slow");
}

#[tokio::test]
async fn pages_of_other_origins_reach_nothing() {
    let bench = Bench::new().await;
    let device = bench.device("peer", |_| Some(Response::new(Code::CHANGED))).await;
    let foreign = [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ];
    for (name, value) in foreign {
        for (method, uri) in [
            ("POST", "/api/clients/peer/3/0/4"),
            ("DELETE", "/api/clients/peer/3/0"),
            ("GET", "/api/clients/peer/3/0"),
            ("GET", "/api/clients"),
            ("GET", "/api/event"),
            ("GET", "/event"),
        ] {
            let request = Request::builder().method(method).uri(uri).header("host", "lwm2m.test");
            let request = request.header(name, value).body("".into()).unwrap();
            let answer = bench.call(request).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {uri} {name}: {value}");
            assert_eq!(answer.json()["type"], "/problems#foreign-origin");
            assert_eq!(answer.header("access-control-allow-origin"), "");
        }
    }
    assert_eq!(asked(&device).await, [""; 0]);
    let own = Request::builder().method("POST").uri("/api/clients/peer/3/0/4");
    let own = own.header("host", "lwm2m.test").header("origin", "http://lwm2m.test");
    assert_eq!(bench.call(own.body("".into()).unwrap()).await.status, StatusCode::OK);
    assert_eq!(asked(&device).await, ["POST /3/0/4"]);
}

#[tokio::test]
async fn a_name_that_an_attacker_points_at_this_server_reaches_nothing() {
    let bench = Bench::new().await;
    let request = Request::get("/api/clients").header("host", "evil.com:18081");
    let request = request.header("origin", "http://evil.com:18081");
    let request = request.header("sec-fetch-site", "same-origin").body("".into()).unwrap();
    let answer = bench.call(request).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert!(answer.json()["detail"].as_str().unwrap().contains("--http-host"));
}

#[tokio::test]
async fn the_sorts_of_problems_are_listed() {
    let bench = Bench::new().await;
    let list = bench.get("/problems").await;
    assert_eq!(list.header("content-type"), "text/plain; charset=utf-8");
    assert!(String::from_utf8_lossy(&list.body).contains("404 unknown-endpoint"));
}
