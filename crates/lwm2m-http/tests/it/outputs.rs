//! Events in a file.

use crate::support::Bench;
use lwm2m_http::{ApiConfig, ApiState, Description, Filter, OutputError, append_events};
use lwm2m_store::MemoryStore;
use serde_json::{Value as Json, json};
use std::io::Write;
use std::path::Path;

/// Appends what was not told yet; returns how many events.
async fn append(state: &ApiState, name: &str, file: &Path) -> Result<usize, OutputError> {
    let (name, filter) = (name.to_owned(), Filter::default());
    let description = Description { name, kind: "file", target: String::new(), filter };
    let output = state.output(description)?;
    let chunk = output.untold().await?;
    append_events(file, &chunk.events)?;
    if let Some(last) = chunk.last {
        output.moved_to(last).await?;
    }
    Ok(chunk.events.iter().filter(|it| !it.endpoint.is_empty()).count())
}

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
    let first = append(&state, "file", &file).await.unwrap();
    assert!(first >= 1);
    assert_eq!((&lines()[0]["event"], &lines()[0]["ep"]), (&json!("REGISTRATION"), &json!("a")));
    assert_eq!(append(&state, "file", &file).await.unwrap(), 0);
    assert_eq!(lines().len(), first);

    // Another output has a cursor of its own.
    let other = folder.path().join("other.jsonl");
    assert_eq!(append(&state, "other", &other).await.unwrap(), first);

    // A crash has torn a line.
    let torn = std::fs::OpenOptions::new().append(true).open(&file);
    torn.unwrap().write_all(b"{\"number\":").unwrap();
    let mut devices = Vec::new();
    for number in 0..40 {
        devices.push(bench.device(format!("d{number}").leak(), |_| None).await);
    }
    settle(&bench).await;
    append(&state, "file", &file).await.unwrap();
    let all = lines();
    assert_eq!(all[first]["event"], "LAGGED");
    assert_no_gap(&all);
}

/// Checks that each number follows the one before it, or that a line says how many are missing.
fn assert_no_gap(lines: &[Json]) {
    let mut next = lines[0]["number"].as_u64().expect("a number");
    for line in lines {
        let number = line["number"].as_u64().inspect(|number| assert_eq!(*number, next));
        next += number.map_or_else(|| line["missed"].as_u64().expect("a count"), |_| 1);
    }
}

/// Events of devices with security are kept for longer.
#[tokio::test]
async fn what_was_forgotten_between_two_events_is_told() {
    let (bench, state) = bench().await;
    let _a = bench.device("a", |_| None).await;
    let put = |server: &mut lwm2m_server::Server, now| {
        let credential = lwm2m_credentials::Credential::psk(b"a", b"key").expect("a credential");
        server.put_credential(now, "a", credential).expect("a free identity");
    };
    bench.server.with(put).await.unwrap();
    let mut devices = Vec::new();
    for number in 0..40 {
        devices.push(bench.device(format!("d{number}").leak(), |_| None).await);
    }
    settle(&bench).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.jsonl");
    append(&state, "file", &file).await.unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<Json> = text.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    assert_eq!((&lines[0]["event"], &lines[0]["ep"]), (&json!("DEREGISTRATION"), &json!("a")));
    assert_eq!((lines.len(), &lines[1]["event"]), (33, &json!("LAGGED")));
    assert_no_gap(&lines);
    // The last device may have none of its own in the store yet.
    let mut events = crate::events::resumed(&bench, "/api/event", "0").await;
    let (name, data) = events.next().await;
    let all = lines.last().expect("a line")["number"].as_u64().expect("a number");
    assert_eq!((&*name, &data["missed"]), ("LAGGED", &json!(all - 32)));
}

#[tokio::test]
async fn what_cannot_be_written_is_told_later() {
    let (bench, state) = bench().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("missing/events.jsonl");
    let _a = bench.device("a", |_| None).await;
    settle(&bench).await;
    let error = append(&state, "file", &file).await.unwrap_err().to_string();
    assert!(error.contains("cannot write") && error.contains("events.jsonl"), "{error}");
    std::fs::create_dir(folder.path().join("missing")).unwrap();
    assert!(append(&state, "file", &file).await.unwrap() >= 1);
}

#[tokio::test]
async fn the_last_thousand_dead_letters_are_kept() {
    let (bench, state) = bench().await;
    let _a = bench.device("a", |_| None).await;
    settle(&bench).await;
    let output = |name: &str| {
        let filter = Filter::default();
        let target = String::new();
        state.output(Description { name: name.to_owned(), kind: "file", target, filter }).unwrap()
    };
    let (output, other) = (output("x"), output("x2"));
    let mut event = output.untold().await.unwrap().events.swap_remove(0);
    other.bury(&event, "no").await.unwrap();
    for number in 1..=1_005 {
        event.number = number;
        output.bury(&event, "no").await.unwrap();
    }
    let numbers: Vec<_> = output.buried().await.unwrap().iter().map(|it| it.number).collect();
    assert_eq!(numbers, (6..=1_005).collect::<Vec<_>>());
    // Again, which makes no second one.
    output.bury(&event, "still no").await.unwrap();
    assert_eq!(output.buried().await.unwrap().len(), 1_000);
    assert_eq!(other.buried().await.unwrap().len(), 1);
}
