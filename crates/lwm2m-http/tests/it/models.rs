//! Object definitions of the operator.

use crate::support::{Bench, asked};
use axum::http::StatusCode;
use lwm2m_coap::{Code, Response};
use lwm2m_core::ObjectVersion;
use lwm2m_http::{ApiConfig, MODELS, Models};
use lwm2m_server::Config;
use lwm2m_store::MemoryStore;
use serde_json::{Value as Json, json};

/// Object 3303 in version 1.0, whose resource 5700 is of this type here.
fn sensor(name: &str, data_type: &str) -> String {
    format!(
        "<LWM2M><Object><Name>{name}</Name><ObjectID>3303</ObjectID>\
         <MultipleInstances>Multiple</MultipleInstances><Mandatory>Optional</Mandatory><Resources>\
         <Item ID=\"5700\"><Name>Value</Name><Operations>RW</Operations>\
         <MultipleInstances>Single</MultipleInstances><Mandatory>Mandatory</Mandatory>\
         <Type>{data_type}</Type></Item></Resources></Object></LWM2M>"
    )
}

async fn put(bench: &Bench, xml: &str) -> crate::support::Answer {
    bench.send("PUT", "/api/models", Some("application/xml"), xml.to_owned()).await
}

/// The name of object 3303 of a device.
async fn name(bench: &Bench) -> Json {
    let specs = bench.get("/api/objectspecs/peer").await.json();
    let sensor = specs.as_array().expect("a list").iter().find(|it| it["id"] == 3303);
    sensor.expect("a definition")["name"].clone()
}

fn text(request: &lwm2m_coap::Request) -> Option<Response> {
    Some(match request.code {
        Code::GET => Response::new(Code::CONTENT).content_format(0).payload(b"21.5".to_vec()),
        _ => Response::new(Code::CHANGED),
    })
}

#[tokio::test]
async fn own_definitions_hold_at_once_for_reads_and_writes_and_can_be_removed() {
    let bench = Bench::keeping(Config::default(), ApiConfig::default(), MemoryStore::default());
    let bench = bench.await;
    let device = bench.device("peer", text).await;
    let value = "/api/clients/peer/3303/0/5700";
    assert_eq!(bench.get(value).await.json()["content"]["type"], "FLOAT");
    let built_in = name(&bench).await;

    let added = put(&bench, &sensor("Mine", "String")).await;
    assert_eq!(added.status, StatusCode::CREATED, "{:?}", added.body);
    assert_eq!(added.json()[0]["source"], "api");
    assert_eq!(name(&bench).await, "Mine");
    let read = bench.get(value).await.json();
    assert_eq!(
        (&read["content"]["type"], &read["content"]["value"]),
        (&json!("STRING"), &json!("21.5"))
    );
    asked(&device).await;
    let write = json!({"id": 5700, "kind": "singleResource", "value": "warm"});
    assert_eq!(bench.json("PUT", value, &write).await.status, StatusCode::OK);
    assert_eq!(asked(&device).await.len(), 1);
    assert_eq!(put(&bench, &sensor("Mine again", "Float")).await.status, StatusCode::OK);
    assert_eq!(bench.json("PUT", value, &write).await.status, StatusCode::BAD_REQUEST);

    let whole = bench.get("/api/models/3303?version=1.0").await.json();
    assert_eq!((&whole[0]["name"], &whole[0]["source"]), (&json!("Mine again"), &json!("api")));
    let list = bench.get("/api/models").await.json();
    let of =
        |source: &str| list.as_array().unwrap().iter().filter(|it| it["source"] == source).count();
    assert!(of("api") == 1 && of("oma") > 400);

    let reader = bench.server.store().expect("a store").clone();
    let kept: Vec<_> = reader.table(MODELS).unwrap().map(|it| it.unwrap()).collect();
    assert_eq!(kept.len(), 1, "it is durable");
    let restored = Models::default();
    assert!(restored.take(kept[0].table, &kept[0].key, kept[0].value.as_deref().unwrap()));
    assert_eq!(
        restored.registry().object(3303, Some(ObjectVersion::V1_0)).unwrap().name(),
        "Mine again"
    );

    let removed = bench.send("DELETE", "/api/models/3303?version=1.0", None, "").await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT);
    assert_eq!(name(&bench).await, built_in);
    assert_eq!(bench.send("DELETE", "/api/models/3303", None, "").await.status, 404);
    assert_eq!(reader.table(MODELS).unwrap().count(), 0);
}

#[tokio::test]
async fn a_definition_that_is_wrong_changes_nothing_and_says_where() {
    let bench = Bench::new().await;
    let wrong = sensor("Mine", "String").replace("<Item", "\n<Item").replace("String", "Text");
    let refused = put(&bench, &wrong).await;
    assert_eq!(
        (refused.status.as_u16(), refused.json()["type"].clone()),
        (400, json!("/problems#invalid-body"))
    );
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("line 2: Type is `Text`; write String"), "{detail}");
    for body in ["", "{}", "<LWM2M/>", "\u{0}"] {
        assert_eq!(put(&bench, body).await.status, StatusCode::BAD_REQUEST, "{body:?}");
    }
    let bytes = bench.send("PUT", "/api/models", None, vec![0xff, 0xfe]).await;
    assert_eq!(bytes.status, StatusCode::BAD_REQUEST);
    for (path, status) in [
        ("/api/models/33000", 404),
        ("/api/models/x", 404),
        ("/api/models/99999", 404),
        ("/api/models/3?version=x", 400),
        ("/api/models/3?version=9.9", 404),
    ] {
        assert_eq!(bench.get(path).await.status, status, "{path}");
    }
}
