//! Registrations and where the server listens.

use crate::support::{Bench, LOOPBACK, within};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use futures_util::StreamExt;
use lwm2m_http::ApiConfig;
use lwm2m_link::{Engine as _, Input};
use lwm2m_net::{Clock, Sockets};
use lwm2m_server::{Config, Server};
use lwm2m_store::MemoryStore;
use serde_json::json;
use std::net::Ipv4Addr;

#[tokio::test]
async fn registrations_in_the_dialects_json() {
    let bench = Bench::new().await;
    assert_eq!(bench.get("/api/clients").await.json(), json!([]));
    let device = bench.device("leshan-peer", |_| None).await;

    let answer = bench.get("/api/clients/leshan-peer").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), "application/json");
    let mut one = answer.json();
    assert_eq!(bench.get("/api/clients").await.json(), json!([one]));
    assert_eq!(bench.get("/api/clients/").await.json(), json!([one]));
    assert_eq!(bench.get("/api/clients/leshan-peer/").await.json(), one);

    assert_eq!(one["address"], device.local().udp.unwrap().to_string());
    assert!(one["registrationDate"].as_u64().unwrap() > 1_700_000_000_000);
    assert!(one["lastUpdate"].as_u64() >= one["registrationDate"].as_u64());
    assert!(!one["registrationId"].as_str().unwrap().is_empty());
    for varying in ["address", "registrationDate", "lastUpdate", "registrationId"] {
        one.as_object_mut().unwrap().remove(varying);
    }
    let golden = json!({
        "endpoint": "leshan-peer", "smsNumber": null, "lwM2mVersion": "1.1", "lifetime": 60,
        "bindingMode": "U", "rootPath": "/",
        "objectLinks": [
            {"url": "/", "attributes": {"ct": "\"60 110 112 11542 11543\"", "rt": "\"oma.lwm2m\""}},
            {"url": "/1/0", "attributes": {}},
            {"url": "/3", "attributes": {"ver": "1.2"}},
            {"url": "/3/0", "attributes": {}},
            {"url": "/3303/0", "attributes": {}},
        ],
        "secure": false, "additionalRegistrationAttributes": {}, "queuemode": false,
        "availableInstances": {"1": [0], "3": [0], "3303": [0]},
    });
    assert_eq!(one, golden);
}

#[tokio::test]
async fn a_long_list_is_sent_in_pages() {
    let bench = Bench::new().await;
    let names: Vec<_> = (0..129).map(|number| format!("device-{number:03}")).collect();
    let mut devices = Vec::new();
    for (index, name) in names.iter().enumerate() {
        devices.push(bench.device(name.clone().leak(), |_| None).await);
        // Pages hold 64 devices.
        if [62, 63, 64, 127, 128].contains(&index) {
            let answer = bench.get("/api/clients").await;
            assert_eq!(answer.header("content-type"), "application/json");
            let list = answer.json();
            let listed = list.as_array().unwrap().iter().map(|it| it["endpoint"].as_str().unwrap());
            assert_eq!(listed.collect::<Vec<_>>(), names[..=index]);
        }
    }
    // A list that is not read to its end holds up no other.
    let request = Request::get("/api/clients").header("host", "lwm2m.test");
    let mut unread = bench.call_unread(request.body(Body::empty()).unwrap()).await;
    within(unread.next()).await.unwrap().unwrap();
    let list = bench.get("/api/clients").await.json();
    assert_eq!(list.as_array().unwrap().len(), names.len());
}

#[tokio::test]
async fn endpoint_names_may_hold_anything() {
    let bench = Bench::new().await;
    let _device = bench.device("urn:dev:a/b <é>", |_| None).await;
    let answer = bench.get("/api/clients/urn:dev:a%2Fb%20%3C%C3%A9%3E").await;
    assert_eq!(answer.json()["endpoint"], "urn:dev:a/b <é>");
}

#[tokio::test]
async fn the_server_tells_where_it_listens() {
    let bench = Bench::new().await;
    let port = bench.server.local().udp.unwrap().port();
    let uri = json!({"full": format!("coap://127.0.0.1:{port}"), "scheme": "coap",
                     "host": "127.0.0.1", "port": port});
    assert_eq!(bench.get("/api/server/endpoint").await.json()[0]["uri"], uri);
}

#[tokio::test]
async fn the_definitions_of_a_devices_objects() {
    let bench = Bench::new().await;
    let _device = bench.device("specs", |_| None).await;
    let specs = bench.get("/api/objectspecs/specs").await.json();
    let ids: Vec<_> = specs.as_array().unwrap().iter().map(|spec| spec["id"].clone()).collect();
    assert_eq!(ids, [1, 3, 3303]);
    let device = &specs[1];
    assert_eq!(device["name"], "Device");
    assert_eq!(device["version"], "1.2");
    assert_eq!(device["instancetype"], "single");
    assert_eq!(device["mandatory"], true);
    assert_eq!(device["urn"], "urn:oma:lwm2m:oma:3:1.2");
    let resource = |id: u64| {
        let all = device["resourcedefs"].as_array().unwrap();
        all.iter().find(|resource| resource["id"] == id).unwrap().clone()
    };
    let battery = resource(9);
    assert_eq!(battery["name"], "Battery Level");
    assert_eq!(battery["operations"], "R");
    assert_eq!(battery["instancetype"], "single");
    assert_eq!(battery["mandatory"], false);
    assert_eq!(battery["type"], "integer");
    assert_eq!(resource(4)["operations"], "E");
    assert_eq!(resource(4)["type"], "none");
    assert_eq!(resource(11)["instancetype"], "multiple");
    assert_eq!(bench.get("/api/objectspecs/nobody").await.status, StatusCode::NOT_FOUND);
}

/// The Register of device `number`, with a list of its own of 1,000 links.
fn fat_register(number: u16) -> Vec<u8> {
    let links: Vec<_> =
        (0..1_000).map(|link| format!("</{}/{link}>;a;b", 3_000 + number)).collect();
    let mut register = b"\x40\x02\0\0\xb2rd\x11\x28\x37ep=a".to_vec();
    register[2..4].copy_from_slice(&number.to_be_bytes());
    register.extend(format!("{number:03}").bytes());
    register.extend(b"\x05lt=60\x09lwm2m=1.1\xff");
    register.extend(links.join(",").bytes());
    register
}

#[tokio::test]
async fn a_list_of_large_registrations_is_held_in_small_pieces() {
    const DEVICES: u16 = 100;
    let mut server = Server::new(Config::default(), [1; 32]);
    let now = Clock::start().now();
    for number in 0..DEVICES {
        let from = (Ipv4Addr::LOCALHOST, number + 1).into();
        server.handle(now, Input::datagram(from, &fat_register(number)));
        while server.poll().is_some() {}
    }
    assert_eq!(server.registrations().count(), usize::from(DEVICES));
    let bench = Bench::of(server, Sockets::from(LOOPBACK), ApiConfig::default()).await;
    let request = Request::get("/api/clients").header("host", "lwm2m.test");
    let mut body = bench.call_unread(request.body(Body::empty()).unwrap()).await;
    let (mut text, mut largest) = (Vec::new(), 0);
    while let Some(piece) = within(body.next()).await {
        let piece = piece.unwrap();
        largest = largest.max(piece.len());
        text.extend(piece);
    }
    let list: Vec<serde_json::Value> = serde_json::from_slice(&text).unwrap();
    assert_eq!(list.len(), usize::from(DEVICES));
    let one = text.len() / list.len();
    assert!(one > 40_000, "{one}");
    assert!(largest < (1 << 16) + 2 * one, "{largest} bytes of {} at a time", text.len());
}

#[tokio::test]
async fn a_fleet_is_read_in_pages_of_those_that_the_query_selects() {
    let bench = Bench::new().await;
    let mut devices = Vec::new();
    for number in 0..7 {
        devices.push(bench.device(format!("urn:Meter-{number}").leak(), |_| None).await);
        devices.push(bench.device(format!("valve {number}").leak(), |_| None).await);
    }
    let names = |answer: &crate::support::Answer| -> Vec<String> {
        let list = answer.json();
        let list = list.as_array().expect("a list");
        list.iter().map(|it| it["endpoint"].as_str().expect("text").to_owned()).collect()
    };
    // All pages by their links.
    let mut address = "/api/clients?limit=5&fields=endpoint".to_owned();
    let mut all = Vec::new();
    loop {
        let page = bench.get(&address).await;
        all.extend(names(&page));
        let members = page.json()[0].as_object().unwrap().len();
        assert_eq!(members, 1, "fields");
        let Some(next) = page.header("link").strip_suffix(">; rel=\"next\"") else { break };
        address = next.strip_prefix('<').unwrap().to_owned();
    }
    let mut expected: Vec<_> = (0..7).map(|it| format!("urn:Meter-{it}")).collect();
    expected.extend((0..7).map(|it| format!("valve {it}")));
    assert_eq!(all, expected);
    for (query, count) in [
        ("q=METER", 7),
        ("q=e%205", 1),
        ("prefix=valve", 7),
        ("prefix=valve&q=meter", 0),
        ("prefix=x", 0),
        ("object=3303", 14),
        ("object=3303/7", 0),
        ("object=4", 0),
        ("state=listening", 14),
        ("state=asleep", 0),
        ("binding=U", 14),
        ("binding=T", 0),
        ("secure=false&limit=3", 3),
        ("secure=true", 0),
        ("after=valve%205", 1),
        ("prefix=valve&after=a", 7),
    ] {
        let answer = bench.get(&format!("/api/clients?{query}")).await;
        assert_eq!(names(&answer).len(), count, "{query}");
    }
    for query in ["limit=0", "limit=1001", "limit=x", "state=x", "object=x", "secure=1"] {
        assert_eq!(bench.get(&format!("/api/clients?{query}")).await.status, 400, "{query}");
    }
    let page = bench.get("/api/clients?limit=2").await;
    let request = Request::get("/api/clients?limit=2")
        .header("host", "localhost")
        .header("if-none-match", page.header("etag"));
    let again = tower::ServiceExt::oneshot(bench.api.clone(), request.body(Body::empty()).unwrap());
    assert_eq!(again.await.unwrap().status(), StatusCode::NOT_MODIFIED);
}

/// The endpoint names of all pages from an address on.
async fn all_pages(bench: &Bench, mut address: String) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let page = bench.get(&address).await;
        assert_eq!(page.status, StatusCode::OK, "{address}: {:?}", page.body);
        let list = page.json();
        let names = list.as_array().expect("a list").iter();
        all.extend(names.map(|it| it["endpoint"].as_str().expect("text").to_owned()));
        let Some(next) = page.header("link").strip_suffix(">; rel=\"next\"") else { return all };
        address = next.strip_prefix('<').expect("an address").to_owned();
    }
}

#[tokio::test]
async fn pages_are_sorted_as_asked() {
    let bench = Bench::new().await;
    let mut devices = Vec::new();
    for name in ["d", "a: 1", "c", "b", "e"] {
        devices.push(bench.device(name, |_| None).await);
        // Times are told in milliseconds.
        let clock = bench.server.clock();
        let then = clock.now();
        while clock.now().saturating_since(then).as_millis() < 2 {
            tokio::task::yield_now().await;
        }
    }
    let sorted = async |order: &str| {
        let address = format!("/api/clients?limit=2&sort={order}");
        all_pages(&bench, address).await.join(" ")
    };
    assert_eq!(sorted("endpoint").await, "a: 1 b c d e");
    assert_eq!(sorted("-endpoint").await, "e d c b a: 1");
    assert_eq!(sorted("registered").await, "d a: 1 c b e");
    assert_eq!(sorted("-registered").await, "e b c a: 1 d");
    devices[2].with(|device, now| device.update(now, "lt=60")).await.expect("a device");
    while !sorted("-updated").await.starts_with('c') {}
    assert_eq!(sorted("-updated&q=%20").await, "a: 1");
    for query in ["sort=x", "sort=", "sort=-registered&after=x", "sort=registered&after=x:a"] {
        assert_eq!(bench.get(&format!("/api/clients?{query}")).await.status, 400, "{query}");
    }
}

#[tokio::test]
async fn long_answers_are_compressed_for_who_accepts_it() {
    let bench = Bench::new().await;
    let _devices = [bench.device("a", |_| None).await, bench.device("b", |_| None).await];
    let encoding = async |uri: &str, accept: &str| {
        let answer = bench.send_with("GET", uri, &[("accept-encoding", accept)], "").await;
        answer.header("content-encoding").to_owned()
    };
    assert_eq!(encoding("/api/clients", "gzip").await, "gzip");
    assert_eq!(encoding("/api/clients?limit=5", "br, gzip;q=0.5").await, "gzip");
    assert_eq!(encoding("/api/clients", "gzip;q=0").await, "");
    assert_eq!(encoding("/api/clients?fields=endpoint", "gzip").await, "", "it is short");
    let stream = Request::get("/api/event").header("host", "lwm2m.test");
    let stream = stream.header("accept-encoding", "gzip").body(Body::empty()).unwrap();
    let stream = tower::ServiceExt::oneshot(bench.api.clone(), stream).await.unwrap();
    assert!(!stream.headers().contains_key("content-encoding"), "events do not wait");
}

#[tokio::test]
async fn a_deleted_device_leaves_nothing_but_its_past() {
    let engine = Config::default().max_events(100);
    let bench = Bench::keeping(engine, ApiConfig::default(), MemoryStore::default()).await;
    let battery = |_: &lwm2m_coap::Request| {
        let text = lwm2m_coap::Response::new(lwm2m_coap::Code::CONTENT).content_format(0);
        Some(text.payload(b"42".to_vec()))
    };
    let device = bench.device("peer", battery).await;
    let _other = bench.sleeper("other", |_| None).await;
    bench.lull("other").await;
    let read = "/api/clients/peer/3/0/9";
    assert_eq!(bench.get(read).await.status, 200);
    assert_eq!(bench.send("POST", &format!("{read}/observe"), None, "").await.status, 200);
    let order = [("prefer", "respond-async")];
    assert_eq!(bench.send_with("GET", read, &order, "").await.status, 202);
    assert_eq!(bench.get(&read.replace("peer", "other")).await.json()["delayed"], true);

    let deleted = bench.send("DELETE", "/api/clients/peer", None, "").await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    assert_eq!(bench.get("/api/clients/peer").await.status, 404);
    let commands = bench.get("/api/commands").await.json();
    let of: Vec<_> = commands.as_array().unwrap().iter().map(|it| it["ep"].clone()).collect();
    assert_eq!(of, ["other"]);
    let again = bench.send("DELETE", "/api/clients/peer", None, "").await;
    assert_eq!(again.status, 404, "{:?}", again.body);
    crate::support::register(&device).await;
    assert_eq!(bench.get("/api/clients/peer/observations").await.json(), json!([]));
    assert_eq!(bench.get(&format!("{read}?cached")).await.status, 404);
    let events = bench.get("/api/events?ep=peer").await.json();
    let end = |it: &serde_json::Value| it["event"] == "DEREGISTRATION" && it["reason"] == "deleted";
    assert!(events.as_array().unwrap().iter().any(end), "{events}");
    let session = bench.send("DELETE", "/api/clients/peer/session", None, "").await;
    assert_eq!(
        (session.status.as_u16(), session.json()["type"].clone()),
        (404, json!("/problems#unknown-name"))
    );
}

#[tokio::test]
async fn values_of_a_device_that_has_left_are_gone_when_its_deletion_is_answered() {
    // Its store writes what nobody waits for after an hour.
    let bench = Bench::kept(MemoryStore::default()).await;
    let device = bench.device("peer", |_| {
        let text = lwm2m_coap::Response::new(lwm2m_coap::Code::CONTENT).content_format(0);
        Some(text.payload(b"42".to_vec()))
    });
    let device = device.await;
    assert_eq!(bench.get("/api/clients/peer/3/0/9").await.status, 200);
    device.with(|device, now| device.deregister(now)).await.expect("a device");
    let left = async {
        while bench.get("/api/clients/peer").await.status != 404 {
            tokio::task::yield_now().await;
        }
    };
    within(left).await;
    let reader = bench.server.store().expect("a store").clone();
    let prefix = lwm2m_server::records::prefix("peer");
    let count = || reader.prefix(lwm2m_server::records::VALUES, &prefix).unwrap().count();
    // The device is out of the directory before the record of that, and the value with it, is written.
    let written = async {
        while count() != 1 {
            tokio::task::yield_now().await;
        }
    };
    within(written).await;
    assert_eq!(bench.send("DELETE", "/api/clients/peer", None, "").await.status, 204);
    assert_eq!(count(), 0);
}
