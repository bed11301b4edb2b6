//! Events in a file.

use crate::support::Bench;
use lwm2m_http::{ApiConfig, ApiState};
use lwm2m_store::MemoryStore;
use serde_json::{Value as Json, json};
use std::io::Write;

async fn bench() -> (Bench, ApiState) {
    let engine = lwm2m_server::Config::default().max_events(32);
    let bench = Bench::keeping(engine, ApiConfig::default(), MemoryStore::default()).await;
    let state = ApiState::new(bench.server.clone());
    (bench, state)
}

/// What is noted becomes durable with the next promise.
async fn settle(bench: &Bench) {
    let _device = bench.device("last", |_| None).await;
}

#[tokio::test]
async fn each_event_is_in_the_file_once_and_what_was_forgotten_is_told() {
    let (bench, state) = bench().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.jsonl");
    let lines = || -> Vec<Json> {
        let text = std::fs::read_to_string(&file).unwrap();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    };
    let _a = bench.device("a", |_| None).await;
    settle(&bench).await;
    let first = state.append_events("file", &file).await.unwrap();
    assert!(first >= 1);
    assert_eq!((&lines()[0]["event"], &lines()[0]["ep"]), (&json!("REGISTRATION"), &json!("a")));
    assert_eq!(state.append_events("file", &file).await.unwrap(), 0);
    assert_eq!(lines().len(), first);

    // Another output has a cursor of its own.
    let other = folder.path().join("other.jsonl");
    assert_eq!(state.append_events("other", &other).await.unwrap(), first);

    // A crash has torn a line.
    let torn = std::fs::OpenOptions::new().append(true).open(&file);
    torn.unwrap().write_all(b"{\"number\":").unwrap();
    let mut devices = Vec::new();
    for number in 0..40 {
        devices.push(bench.device(format!("d{number}").leak(), |_| None).await);
    }
    settle(&bench).await;
    state.append_events("file", &file).await.unwrap();
    let all = lines();
    assert_eq!(all[first]["event"], "LAGGED");
    let numbers: Vec<_> = all.iter().filter_map(|it| it["number"].as_u64()).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
    let missed = all[first]["missed"].as_u64().unwrap();
    assert_eq!(numbers[first], numbers[first - 1] + missed + 1);
}

#[tokio::test]
async fn what_cannot_be_written_is_told_later() {
    let (bench, state) = bench().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("missing/events.jsonl");
    let _a = bench.device("a", |_| None).await;
    settle(&bench).await;
    let error = state.append_events("file", &file).await.unwrap_err().to_string();
    assert!(error.contains("cannot write") && error.contains("events.jsonl"), "{error}");
    std::fs::create_dir(folder.path().join("missing")).unwrap();
    assert!(state.append_events("file", &file).await.unwrap() >= 1);
}
