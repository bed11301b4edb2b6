//! Who may use the API: each route by each role, and the ways in.

use crate::support::{Answer, Bench};
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use lwm2m_coap::{Code, Response};
use lwm2m_http::{Access, AccessConfig, ApiConfig, ApiState, router};
use lwm2m_store::MemoryStore;
use serde_json::{Value as Json, json};
use tower::ServiceExt;

/// A server with access control.
struct Guarded {
    bench: Bench,
    admin: String,
    link: String,
}

impl Guarded {
    async fn new() -> Self {
        Self::with(AccessConfig::default()).await
    }

    async fn with(config: AccessConfig) -> Self {
        Self::on(Bench::new().await, config).await
    }

    async fn on(mut bench: Bench, config: AccessConfig) -> Self {
        let config = ApiConfig::default().with_access(Access::new(config));
        let state = ApiState::with_config(bench.server.clone(), config);
        let first = state.begin_access().await.expect("kept").expect("nobody has access yet");
        bench.api = router(state);
        let (admin, link) = (first.token.text().to_string(), first.link.text().to_string());
        Self { bench, admin, link }
    }

    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        request = request.header(header::HOST, "localhost");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).expect("a request");
        let response = self.bench.api.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        // An event stream does not end: its head is all that counts here.
        let streams =
            parts.headers.get(header::CONTENT_TYPE).is_some_and(|it| it == "text/event-stream");
        let body = if streams {
            axum::body::Bytes::new()
        } else {
            axum::body::to_bytes(body, 1 << 20).await.expect("a body")
        };
        Answer { status: parts.status, headers: parts.headers, body }
    }

    async fn by(&self, token: &str, method: &str, path: &str, body: &str) -> Answer {
        let bearer = format!("Bearer {token}");
        self.ask(method, path, &[("authorization", &bearer)], body).await
    }

    /// A new token.
    async fn token(&self, new: Json) -> (String, String) {
        let answer = self.by(&self.admin, "POST", "/api/tokens", &new.to_string()).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
        let text = |name: &str| answer.json()[name].as_str().expect("text").to_owned();
        (text("token"), text("id"))
    }
}

/// A device that lets nobody do anything.
fn refusing(_: &lwm2m_coap::Request) -> Option<Response> {
    Some(Response::new(Code::METHOD_NOT_ALLOWED))
}

/// The routes of the API, from its source, so that none is forgotten here.
fn routes() -> Vec<String> {
    let source = include_str!("../../src/routes/mod.rs");
    let api = source.split_once("fn api()").expect("the routes of the API").1;
    let routes = api.split(".route(").skip(1).map(|rest| rest.split('"').nth(1).expect("a route"));
    let routes: Vec<_> = routes.map(|route| format!("/api{route}")).collect();
    assert!(routes.len() > 20, "{routes:?}");
    routes.into_iter().chain(["/event", "/metrics"].map(str::to_owned)).collect()
}

fn filled(route: &str, endpoint: &str) -> String {
    route
        .replace("{ep}", endpoint)
        .replace("{*path}", "3/0/0")
        .replace("{id}", "7")
        .replace("{name}", "x")
}

/// The methods of a route. Some stand outside of the API, where others lead to nothing.
fn methods(route: &str) -> &'static [&'static str] {
    if matches!(route, "/event" | "/metrics") {
        &["GET"]
    } else {
        &["GET", "PUT", "POST", "DELETE"]
    }
}

#[tokio::test]
async fn without_a_valid_token_every_route_is_closed() {
    let server = Guarded::new().await;
    let (revoked, id) = server.token(json!({"name": "r", "scope": "admin"})).await;
    let ended = server.by(&server.admin, "DELETE", &format!("/api/tokens/{id}"), "").await;
    assert_eq!(ended.status, StatusCode::NO_CONTENT);
    let (expired, _) = server.token(json!({"name": "e", "scope": "admin", "expires_in": 0})).await;
    let mut mistyped = server.admin.clone();
    mistyped.replace_range(10..11, if &mistyped[10..11] == "A" { "B" } else { "A" });
    let bearers = [&revoked, &expired, &mistyped, &server.link].map(|it| format!("Bearer {it}"));
    let none: &[(&str, &str)] = &[];
    let cookie = format!("lwm2m_session={}", server.admin);
    let mut proofs =
        vec![none.to_vec(), vec![("cookie", &*cookie)], vec![("authorization", "Basic eDp5")]];
    proofs.extend(bearers.iter().map(|it| vec![("authorization", &**it)]));
    for route in routes().iter().filter(|route| *route != "/api/session") {
        for &method in methods(route) {
            for proof in &proofs {
                let answer = server.ask(method, &filled(route, "a"), proof, "{}").await;
                assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {route} {proof:?}");
                assert_eq!(answer.header(header::WWW_AUTHENTICATE), "Bearer realm=\"lwm2m\"");
            }
        }
    }
    assert_eq!(server.ask("GET", "/", none, "").await.status, StatusCode::OK);
}

/// What a role may use at most.
fn may(scope: &str, method: &str, route: &str) -> bool {
    // It counts the devices of all tenants.
    if route == "/metrics" {
        return false;
    }
    let path = route.strip_prefix("/api/").unwrap_or("event");
    let first = path.split('/').next().unwrap_or_default();
    if route.ends_with("/capture.pcapng") {
        return scope == "admin";
    }
    match first {
        "session" => true,
        "tokens" | "users" | "audit" | "outputs" => false,
        "security" if method != "GET" => scope == "admin",
        "bootstrap" | "devices" => scope == "admin",
        _ if method == "GET" => true,
        "clients" | "commands" | "bulk" => scope != "viewer",
        _ => false,
    }
}

#[tokio::test]
async fn each_role_has_its_routes_and_each_tenant_its_devices() {
    let server = Guarded::new().await;
    let _device_1 = server.bench.device("a-1", refusing).await;
    let _device_2 = server.bench.device("b-1", refusing).await;
    for scope in ["viewer", "operator", "admin"] {
        let new = json!({"name": scope, "scope": scope, "prefix": "a-"});
        let (token, _) = server.token(new).await;
        for route in routes() {
            for &method in methods(&route) {
                for endpoint in ["a-1", "b-1"] {
                    let path = format!("{}?timeout=1", filled(&route, endpoint));
                    let answer = server.by(&token, method, &path, "{}").await;
                    let foreign = endpoint == "b-1" && route.contains("{ep}");
                    match (may(scope, method, &route), foreign) {
                        (false, _) => assert_eq!(answer.status, 403, "{scope} {method} {path}"),
                        (true, true) => {
                            assert_eq!(answer.status, 404, "{scope} {method} {path}");
                            assert_eq!(answer.json()["type"], "/problems#unknown-endpoint");
                        }
                        (true, false) => {
                            let status = answer.status.as_u16();
                            assert!(
                                !matches!(status, 401 | 403),
                                "{scope} {method} {path}: {status}"
                            );
                        }
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn lists_have_what_lies_within_the_prefix() {
    let server = Guarded::new().await;
    let _device_3 = server.bench.device("a-1", refusing).await;
    let _device_4 = server.bench.device("b-1", refusing).await;
    let tenant = json!({"name": "t", "scope": "admin", "prefix": "a-"});
    let (tenant, _) = server.token(tenant).await;
    let put = |endpoint: &str| {
        let details = json!({"identity": endpoint, "key": "00ff"});
        json!({"endpoint": endpoint, "tls": {"mode": "psk", "details": details}}).to_string()
    };
    let credentials = "/api/security/clients";
    for (token, endpoint, status) in
        [(&server.admin, "b-1", 200), (&tenant, "a-1", 200), (&tenant, "b-1", 403)]
    {
        let answer = server.by(token, "PUT", credentials, &put(endpoint)).await;
        assert_eq!(answer.status, status, "{endpoint}");
    }
    // The credentials ended the registrations of before.
    let later = "/api/clients/a-2/3/0/0";
    let _device_5 = server.bench.device("a-2", refusing).await;
    let _device_6 = server.bench.device("b-2", refusing).await;
    for endpoint in ["a-2", "b-2"] {
        let path = later.replace("a-2", endpoint);
        let bearer = format!("Bearer {}", server.admin);
        let headers = [("authorization", &*bearer), ("prefer", "respond-async")];
        assert_eq!(server.ask("GET", &path, &headers, "").await.status, 202);
    }
    for (query, count) in
        [("q=-", 2), ("prefix=a", 2), ("prefix=", 2), ("prefix=b-", 0), ("after=a-1", 1)]
    {
        let page = server.by(&tenant, "GET", &format!("/api/clients?{query}"), "").await.json();
        assert!(page.as_array().unwrap().len() <= count, "{query}: {page}");
        let foreign = |it: &Json| it["endpoint"].as_str().unwrap().starts_with("b-");
        assert!(!page.as_array().unwrap().iter().any(foreign), "{query}: {page}");
    }
    for (path, name) in
        [("/api/clients", "endpoint"), ("/api/commands", "ep"), (credentials, "endpoint")]
    {
        let names = async |token: &str| {
            let list = server.by(token, "GET", path, "").await.json();
            let list = list.as_array().expect("a list").clone();
            list.iter().map(|it| it[name].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let all = names(&server.admin).await;
        let (own, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|it| it.starts_with("a-"));
        assert!(!own.is_empty() && !others.is_empty(), "{path}: {own:?} {others:?}");
        assert_eq!(names(&tenant).await, own, "{path}");
    }
    let commands = server.by(&server.admin, "GET", "/api/commands?ep=b-2", "").await.json();
    let path = format!("/api/commands/{}", commands[0]["id"]);
    for method in ["GET", "DELETE"] {
        assert_eq!(server.by(&tenant, method, &path, "").await.status, 404);
    }
    for (path, status) in
        [("/api/event?ep=b-2", 404), ("/api/event?ep=a-2", 200), ("/api/event", 200)]
    {
        assert_eq!(server.by(&tenant, "GET", path, "").await.status, status, "{path}");
    }
}

#[tokio::test]
async fn a_bulk_is_of_its_tenant_and_reaches_no_other() {
    let server = Guarded::new().await;
    let _a = server.bench.device("a-1", refusing).await;
    let _b = server.bench.device("b-1", refusing).await;
    let token = async |prefix: &str| {
        server.token(json!({"name": "t", "scope": "operator", "prefix": prefix})).await.0
    };
    let (a, b) = (token("a-").await, token("b-").await);
    let order = json!({"operation": "execute", "path": "/3/0/4"}).to_string();
    for query in ["prefix=", "object=3", "prefix=b-"] {
        let started = server.by(&a, "POST", &format!("/api/bulk?{query}"), &order).await;
        assert_eq!(started.status, 202);
        let address = started.header(header::LOCATION).to_owned();
        let done = async {
            while server.by(&a, "GET", &address, "").await.json()["state"] != "ordered" {
                tokio::task::yield_now().await;
            }
        };
        crate::support::within(done).await;
        for method in ["GET", "DELETE"] {
            assert_eq!(server.by(&b, method, &address, "").await.status, 404);
        }
        assert_eq!(server.by(&server.admin, "GET", &address, "").await.status, 200);
    }
    assert_eq!(server.by(&b, "GET", "/api/bulk", "").await.json(), json!([]));
    let commands = server.by(&server.admin, "GET", "/api/commands", "").await.json();
    let names: Vec<_> = commands.as_array().unwrap().iter().map(|it| it["ep"].clone()).collect();
    assert_eq!(names, ["a-1", "a-1"]);
}

#[tokio::test]
async fn keys_are_written_and_not_read() {
    let server = Guarded::new().await;
    let path = "/api/security/clients";
    let details = json!({"identity": "i", "key": "00ff"});
    let put = json!({"endpoint": "d", "tls": {"mode": "psk", "details": details}}).to_string();
    assert_eq!(server.by(&server.admin, "PUT", path, &put).await.status, 200);
    let (viewer, _) = server.token(json!({"name": "v", "scope": "viewer"})).await;
    for address in [path.to_owned(), format!("{path}/d")] {
        let hidden = server.by(&server.admin, "GET", &address, "").await;
        assert!(!String::from_utf8_lossy(&hidden.body).contains("00ff"), "{address}");
        let revealing = format!("{address}?reveal");
        let shown = server.by(&server.admin, "GET", &revealing, "").await;
        assert!(String::from_utf8_lossy(&shown.body).contains("00ff"), "{address}");
        assert_eq!(server.by(&viewer, "GET", &revealing, "").await.status, 403);
        assert_eq!(server.by(&viewer, "GET", &address, "").await.json(), hidden.json());
    }
    let audit = server.by(&server.admin, "GET", "/api/audit", "").await;
    let text = String::from_utf8_lossy(&audit.body);
    assert!(text.contains("\"identity\":\"i\"") && !text.contains("00ff"), "{text}");
    let log = audit.json();
    let noted = |what: &str| log.as_array().unwrap().iter().find(|it| it["what"] == what).cloned();
    let put = noted("PUT /api/security/clients").expect("an entry");
    assert_eq!((&put["who"], &put["status"]), (&json!("first admin"), &json!(200)));
    assert!(noted("GET /api/security/clients?reveal").is_some(), "who saw the keys: {log}");
    assert!(noted("GET /api/security/clients").is_none(), "{log}");
}

#[tokio::test]
async fn the_bytes_of_messages_are_for_admins_and_noted() {
    let server = Guarded::on(crate::messages::recording().await, AccessConfig::default()).await;
    let _device = server.bench.device("a-1", refusing).await;
    let (viewer, _) = server.token(json!({"name": "v", "scope": "viewer"})).await;
    let path = "/api/clients/a-1/messages";
    assert_eq!(server.by(&viewer, "GET", path, "").await.status, 200);
    for query in ["?raw", "?raw=", "?r%61w"] {
        let revealing = format!("{path}{query}");
        assert_eq!(server.by(&viewer, "GET", &revealing, "").await.status, 403);
        let shown = server.by(&server.admin, "GET", &revealing, "").await.json();
        assert!(shown[0]["raw"].is_string(), "{query}");
        let log = server.by(&server.admin, "GET", "/api/audit", "").await.json();
        assert_eq!(log[0]["what"], format!("GET {revealing}"));
    }
    let capture = "/api/clients/a-1/capture.pcapng";
    assert_eq!(server.by(&server.admin, "GET", capture, "").await.status, 200);
    let log = server.by(&server.admin, "GET", "/api/audit", "").await.json();
    assert_eq!(log[0]["what"], format!("GET {capture}"));
    let (operator, _) = server.token(json!({"name": "o", "scope": "operator"})).await;
    assert_eq!(server.by(&operator, "GET", capture, "").await.status, 403);
}

#[tokio::test]
async fn messages_of_an_address_that_devices_share_are_not_for_tenants() {
    let server = Guarded::on(crate::messages::recording().await, AccessConfig::default()).await;
    let device = server.bench.device("a-1", refusing).await;
    device.with(|device, _| device.endpoint = "b-1").await.expect("a device");
    crate::support::register(&device).await;
    let (tenant, _) = server.token(json!({"name": "t", "scope": "admin", "prefix": "a-"})).await;
    let (viewer, _) = server.token(json!({"name": "v", "scope": "viewer"})).await;
    let path = "/api/clients/a-1/messages";
    assert_eq!(server.by(&tenant, "GET", path, "").await.status, 403);
    assert_eq!(server.by(&viewer, "GET", path, "").await.status, 200);
}

#[tokio::test]
async fn the_past_has_what_lies_within_the_prefix() {
    let engine = lwm2m_server::Config::default().max_events(100);
    let bench = Bench::keeping(engine, ApiConfig::default(), MemoryStore::default()).await;
    let server = Guarded::on(bench, AccessConfig::default()).await;
    let tenant = json!({"name": "t", "scope": "viewer", "prefix": "a-"});
    let (tenant, _) = server.token(tenant).await;
    let _a = server.bench.device("a-1", refusing).await;
    let _b = server.bench.device("b-1", refusing).await;
    // What was noted before is durable with the next promise.
    let _c = server.bench.device("a-2", refusing).await;
    let names = async |token: &str, query: &str| {
        let list = server.by(token, "GET", &format!("/api/events{query}"), "").await.json();
        let list = list.as_array().expect("a list").clone();
        list.iter().map(|it| it["ep"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert!(names(&server.admin, "").await.contains(&"b-1".to_owned()));
    let own = names(&tenant, "").await;
    assert!(own.contains(&"a-1".to_owned()), "{own:?}");
    assert!(own.iter().all(|name| name.starts_with("a-")), "{own:?}");
    assert_eq!(names(&tenant, "?ep=b-1").await, [""; 0]);
    let history = "/api/clients/b-1/3303/0/5700?history";
    assert_eq!(server.by(&tenant, "GET", history, "").await.status, 404);
    let of_admin = server.by(&server.admin, "GET", history, "").await.json();
    let of_tenant = server.by(&tenant, "GET", history, "").await.json();
    assert_ne!(
        of_admin["type"], of_tenant["type"],
        "it is not told whether there is such a device"
    );
}

fn cookie_of(answer: &Answer) -> String {
    let cookie = answer.header(header::SET_COOKIE);
    assert!(cookie.contains("; HttpOnly; SameSite=Strict"), "{cookie}");
    cookie.split(';').next().unwrap_or_default().to_owned()
}

const OUR_PAGE: (&str, &str) = ("origin", "http://localhost");

#[tokio::test]
async fn a_link_opens_the_page_once() {
    let server = Guarded::new().await;
    let log_in = json!({"token": server.link}).to_string();
    let answer = server.ask("POST", "/api/session", &[OUR_PAGE], &log_in).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    let cookie = cookie_of(&answer);
    let session = [("cookie", &*cookie), OUR_PAGE];
    let who = server.ask("GET", "/api/session", &session[..1], "").await.json();
    assert_eq!(who, json!({"name": "first admin", "scope": "admin", "prefix": null}));
    // A page of another origin, and a request of which nobody knows the page, change nothing.
    let new = json!({"name": "n", "scope": "viewer"}).to_string();
    let foreign = [session[0], ("origin", "http://evil.example")];
    for (headers, status) in [(&session[..1], 403), (&foreign[..], 403), (&session[..], 201)] {
        assert_eq!(server.ask("POST", "/api/tokens", headers, &new).await.status, status);
    }
    let again = server.ask("POST", "/api/session", &[OUR_PAGE], &log_in).await;
    assert_eq!(again.status, 401);
    let out = server.ask("DELETE", "/api/session", &session, "").await;
    assert_eq!((out.status.as_u16(), &*cookie_of(&out)), (204, "lwm2m_session="));
    let who = server.ask("GET", "/api/session", &session[..1], "").await.json();
    assert_eq!(who, json!({"name": null}));
}

#[tokio::test]
async fn users_log_in_by_password_and_too_many_failures_wait() {
    let server = Guarded::new().await;
    let user = |password: &str| json!({"scope": "operator", "password": password}).to_string();
    let put = async |password: &str| {
        server.by(&server.admin, "PUT", "/api/users/ann", &user(password)).await.status.as_u16()
    };
    assert_eq!(put("too short").await, 400);
    assert_eq!(put("a long password").await, 201);
    let log_in = async |name: &str, password: &str| {
        let body = json!({"user": name, "password": password}).to_string();
        server.ask("POST", "/api/session", &[OUR_PAGE], &body).await
    };
    let answer = log_in("ann", "a long password").await;
    assert_eq!(answer.json()["scope"], "operator");
    let cookie = cookie_of(&answer);
    let who = async || server.ask("GET", "/api/session", &[("cookie", &cookie)], "").await.json();
    assert_eq!(who().await["name"], "ann");
    // A new password ends the sessions of the old one.
    assert_eq!(put("another password").await, 200);
    assert_eq!(who().await, json!({"name": null}));
    for (name, status) in
        [("ann", 401), ("bob", 401), ("ann", 401), ("ann", 401), ("ann", 401), ("ann", 401)]
    {
        assert_eq!(log_in(name, "a long password").await.status, status);
    }
    let waits = log_in("ann", "another password").await;
    assert_eq!((waits.status.as_u16(), waits.header("retry-after")), (429, "1"));
    assert_eq!(server.by(&server.admin, "DELETE", "/api/users/ann", "").await.status, 204);
    let users = server.by(&server.admin, "GET", "/api/users", "").await.json();
    assert_eq!(users, json!([]));
}

#[tokio::test]
async fn bodies_of_every_wrong_kind_are_refused() {
    let server = Guarded::new().await;
    let long = json!({"name": "x".repeat(200), "scope": "viewer"}).to_string();
    let bodies = [
        "",
        "{",
        "[]",
        "null",
        "{\"name\":1}",
        "{\"name\":\"a\",\"scope\":\"root\"}",
        "{\"name\":\"\",\"scope\":\"viewer\"}",
        "{\"name\":\"a\\n\",\"scope\":\"viewer\"}",
        &long,
        "{\"name\":\"a\",\"scope\":\"viewer\",\"prefix\":\"\"}",
        "{\"name\":\"a\",\"scope\":\"viewer\",\"x\":1}",
        "{\"user\":\"a\"}",
        "{\"token\":7}",
        "\u{0}",
    ];
    for (method, path) in
        [("POST", "/api/tokens"), ("PUT", "/api/users/a"), ("POST", "/api/session")]
    {
        for body in bodies {
            let answer = server.by(&server.admin, method, path, body).await;
            assert_eq!(answer.status, 400, "{method} {path} {body}");
            assert!(answer.json()["detail"].is_string());
        }
    }
}

#[tokio::test]
async fn a_restart_loses_no_token_and_revives_none() {
    let store = MemoryStore::default();
    let mut bench = Bench::kept(store.clone()).await;
    let access = Access::new(AccessConfig::default());
    let config = ApiConfig::default().with_access(access);
    let state = ApiState::with_config(bench.server.clone(), config);
    let first = state.begin_access().await.unwrap().unwrap();
    assert!(state.begin_access().await.unwrap().is_none(), "a second first token");
    bench.api = router(state);
    let (admin, link) = (first.token.text().to_string(), first.link.text().to_string());
    let server = Guarded { bench, admin, link };
    let (kept, _) = server.token(json!({"name": "k", "scope": "viewer"})).await;
    let (revoked, id) = server.token(json!({"name": "r", "scope": "viewer"})).await;
    server.by(&server.admin, "DELETE", &format!("/api/tokens/{id}"), "").await;
    let body = json!({"scope": "viewer", "password": "a long password"}).to_string();
    assert_eq!(server.by(&server.admin, "PUT", "/api/users/ann", &body).await.status, 201);
    // What was answered is in the store, whatever becomes of the server.
    let access = Access::new(AccessConfig::default());
    for record in lwm2m_store::Store::reader(&store).all().unwrap() {
        let record = record.unwrap();
        access.take(record.table, &record.key, record.value.as_deref().unwrap_or_default());
    }
    assert!(!access.is_empty());
    let config = ApiConfig::default().with_access(access);
    let mut bench = Bench::new().await;
    bench.api = router(ApiState::with_config(bench.server.clone(), config));
    let again = Guarded { bench, admin: server.admin, link: server.link };
    assert_eq!(again.by(&kept, "GET", "/api/clients", "").await.status, 200);
    assert_eq!(again.by(&revoked, "GET", "/api/clients", "").await.status, 401);
    let users = again.by(&again.admin, "GET", "/api/users", "").await.json();
    assert_eq!(users[0]["name"], "ann");
}

#[tokio::test]
async fn a_viewer_leaves_nothing_to_the_server() {
    let server = Guarded::new().await;
    let _device = server.bench.device("a-1", refusing).await;
    for (scope, status) in [("viewer", 403), ("operator", 202)] {
        let (token, _) = server.token(json!({"name": scope, "scope": scope})).await;
        let bearer = format!("Bearer {token}");
        for order in [("prefer", "respond-async"), ("prefer", "wait=1, respond-async")] {
            let headers = [("authorization", &*bearer), order];
            let answer = server.ask("GET", "/api/clients/a-1/3/0/0", &headers, "").await;
            assert!(answer.status == status || answer.status == 200, "{scope} {order:?}");
            assert_eq!(answer.status == 403, scope == "viewer", "{scope} {order:?}");
        }
        let headers = [("authorization", &*bearer), ("idempotency-key", "k")];
        let answer = server.ask("GET", "/api/clients/a-1/3/0/0", &headers, "").await;
        assert_eq!(answer.status == 403, scope == "viewer", "{scope}");
    }
}

#[tokio::test]
async fn who_goes_away_is_in_the_audit_log_all_the_same() {
    let server = Guarded::new().await;
    let _device = server.bench.device("a-1", |_| None).await;
    let request = Request::post("/api/clients/a-1/3/0/4")
        .header("host", "localhost")
        .header("authorization", format!("Bearer {}", server.admin))
        .body(Body::empty())
        .unwrap();
    let request = server.bench.api.clone().oneshot(request);
    let gone = tokio::time::timeout(std::time::Duration::from_millis(300), request).await;
    assert!(gone.is_err(), "the device does not answer");
    let log = server.by(&server.admin, "GET", "/api/audit", "").await.json();
    assert_eq!(log[0]["what"], "POST /api/clients/a-1/3/0/4");
    assert!(log[0].get("status").is_none(), "{log}");
}

#[tokio::test]
async fn a_session_ends_with_its_token_and_not_with_a_namesake() {
    let server = Guarded::new().await;
    let (token, id) = server.token(json!({"name": "ann", "scope": "viewer"})).await;
    let password = json!({"scope": "viewer", "password": "a long password"}).to_string();
    assert_eq!(server.by(&server.admin, "PUT", "/api/users/ann", &password).await.status, 201);
    let log_in = async |body: Json| {
        cookie_of(&server.ask("POST", "/api/session", &[OUR_PAGE], &body.to_string()).await)
    };
    let of_token = log_in(json!({"token": token})).await;
    let of_user = log_in(json!({"user": "ann", "password": "a long password"})).await;
    server.by(&server.admin, "DELETE", &format!("/api/tokens/{id}"), "").await;
    let who = async |cookie: &str| {
        let answer = server.ask("GET", "/api/session", &[("cookie", cookie)], "").await;
        answer.json()["name"].clone()
    };
    assert_eq!((who(&of_token).await, who(&of_user).await), (json!(null), json!("ann")));
    assert_eq!(server.by(&server.admin, "DELETE", "/api/users/ann", "").await.status, 204);
    assert_eq!(who(&of_user).await, json!(null));
}

#[tokio::test(start_paused = true)]
async fn an_event_stream_ends_with_its_token() {
    let server = Guarded::new().await;
    let (token, id) = server.token(json!({"name": "v", "scope": "viewer"})).await;
    let request = Request::get("/api/event")
        .header("host", "localhost")
        .header("authorization", format!("Bearer {token}"))
        .body(Body::empty())
        .unwrap();
    let response = server.bench.api.clone().oneshot(request).await.unwrap();
    let mut body = response.into_body().into_data_stream();
    let first = futures_util::StreamExt::next(&mut body).await;
    assert!(first.is_some_and(|piece| piece.is_ok()), "it is alive");
    server.by(&server.admin, "DELETE", &format!("/api/tokens/{id}"), "").await;
    // At the next event, or heartbeat.
    assert!(futures_util::StreamExt::next(&mut body).await.is_none());
}
