//! The last values of devices, without asking them.

use crate::commands::willing;
use crate::device::Script;
use crate::support::{Bench, asked, within};
use axum::http::StatusCode;
use lwm2m_coap::{Code, Request, Response};
use lwm2m_server::Event;
use lwm2m_store::MemoryStore;
use serde_json::{Value as Json, json};

/// A device that answers a Read of /3/0 and below.
fn device(request: &Request) -> Option<Response> {
    let content =
        |text: &str| Response::new(Code::CONTENT).content_format(0).payload(text.to_owned());
    let path: Vec<_> = request.options.uri_path().collect();
    Some(match path.as_slice() {
        [b"3", b"0", b"1"] => content("model"),
        [b"3", b"0", b"14"] => content("+01:00"),
        // TLV: a multiple resource of two instances
        [b"3", b"0", b"11"] => Response::new(Code::CONTENT)
            .content_format(11542)
            .payload(vec![0x86, 0x0B, 0x41, 0x00, 0x05, 0x41, 0x0A, 0x06]),
        _ => return willing(request),
    })
}

/// Waits until everything that was noted so far is durable.
async fn settle(bench: &Bench) {
    // A promise takes along what was noted before it.
    let uri = "/api/clients/peer/3/0/0/observe";
    assert_eq!(bench.send("POST", uri, None, "").await.status, StatusCode::OK);
}

async fn cached(bench: &Bench, path: &str) -> Json {
    let answer = bench.get(&format!("/api/clients/peer/{path}?cached")).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {:?}", answer.body);
    answer.json()
}

#[tokio::test]
async fn the_newest_values_have_the_form_of_an_answer_and_their_times() {
    let bench = Bench::kept(MemoryStore::default()).await;
    let peer = bench.device("peer", device).await;
    for path in ["3/0/1", "3/0/14", "3/0/11?format=TLV"] {
        let answer = bench.get(&format!("/api/clients/peer/{path}")).await.json();
        assert_eq!(answer["success"], true, "{path}: {answer}");
    }
    settle(&bench).await;
    asked(&peer).await;
    let mut one = cached(&bench, "3/0/1").await;
    let received = one["times"]["/3/0/1"]["received"].take();
    assert!(received.as_u64().is_some_and(|at| at > 1_700_000_000_000), "{received}");
    let node = json!({"kind": "singleResource", "id": 1, "type": "STRING", "value": "model"});
    let golden = json!({"status": "CONTENT(205)", "valid": true, "success": true, "failure": false,
                        "content": node, "times": {"/3/0/1": {"received": null}}});
    assert_eq!(one, golden, "and nothing of /3/0/14");

    let errors = cached(&bench, "3/0/11").await;
    let node = json!({"kind": "multiResource", "id": 11, "type": "INTEGER",
                      "values": {"0": "5", "10": "6"}});
    assert_eq!(errors["content"], node);
    assert_eq!(errors["times"].as_object().map(serde_json::Map::len), Some(2));
    let part = cached(&bench, "3/0/11/10").await;
    assert_eq!(
        (&part["content"]["kind"], &part["content"]["value"]),
        (&json!("resourceInstance"), &json!("6"))
    );
    let instance = cached(&bench, "3/0").await;
    let ids: Vec<_> = instance["content"]["resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["id"].clone())
        .collect();
    assert_eq!(ids, [json!(1), json!(11), json!(14)]);
    assert_eq!(cached(&bench, "3").await["content"]["instances"][0], instance["content"]);
    assert_eq!(asked(&peer).await, [""; 0], "nobody asks the device");

    for path in ["3/0/2", "3303", "3/0/11/1"] {
        let answer = bench.get(&format!("/api/clients/peer/{path}?cached")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.json()["type"], "/problems#no-values");
    }
}

#[tokio::test]
async fn values_that_were_sent_have_the_times_of_the_device_and_outlive_the_registration() {
    let bench = Bench::kept(MemoryStore::default()).await;
    let peer = bench.device("peer", device).await;
    let mut events = bench.server.subscribe();
    let pack =
        r#"[{"n":"/3303/0/5700","v":20.5,"t":-60},{"n":"/3303/0/5701","vs":"C","t":1700000000}]"#;
    peer.with(|device, now| device.send(now, pack)).await.unwrap();
    peer.with(|device, now| device.deregister(now)).await.unwrap();
    let is_end = |event: &Event| matches!(event, Event::Deregistered { .. });
    while !is_end(&within(events.recv()).await.unwrap()) {}
    // A device registers when what came before is durable.
    let _other = bench.device("other", willing).await;
    let told = cached(&bench, "3303/0").await;
    let [first, second] = ["/3303/0/5700", "/3303/0/5701"].map(|path| &told["times"][path]);
    let number = |it: &Json| it.as_f64().unwrap();
    assert!(
        (number(&first["received"]) - number(&first["time"]) - 60_000.0).abs() < 1.0,
        "{first}"
    );
    assert_eq!(number(&second["time"]), 1_700_000_000_000.0);
    assert_eq!(told["content"]["resources"][0]["value"], "20.5");
}

#[tokio::test]
async fn a_resource_that_became_multiple_or_single_has_its_new_values() {
    let single: Script = |_| {
        let tlv = vec![0xC1, 0x01, 0x09];
        Some(Response::new(Code::CONTENT).content_format(11542).payload(tlv))
    };
    let multiple: Script = |_| {
        let tlv = vec![0x86, 0x01, 0x41, 0x00, 0x05, 0x41, 0x01, 0x06];
        Some(Response::new(Code::CONTENT).content_format(11542).payload(tlv))
    };
    for (scripts, kind, count) in
        [([single, multiple], "multiResource", 2), ([multiple, single], "singleResource", 1)]
    {
        let bench = Bench::kept(MemoryStore::default()).await;
        let peer = bench.device("peer", device).await;
        for script in scripts {
            peer.with(move |it, _| it.script = script).await.unwrap();
            // The definition of the resource is not known.
            let read = bench.get("/api/clients/peer/4711/0/1?format=TLV").await.json();
            assert_eq!(read["success"], true, "{read}");
        }
        peer.with(|it, _| it.script = device).await.unwrap();
        settle(&bench).await;
        let told = cached(&bench, "4711/0").await;
        assert_eq!(told["content"]["resources"][0]["kind"], kind, "{told}");
        assert_eq!(told["times"].as_object().map(serde_json::Map::len), Some(count), "{told}");
    }
}
