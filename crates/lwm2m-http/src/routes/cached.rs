//! `…?cached`: what devices told last, without asking them.

use super::answer::json;
use super::operations::Answer;
use super::target::Target;
use crate::error::ApiError;
use crate::json::milliseconds;
use crate::json::response::{RequestKind, ResponseJson};
use crate::state::ApiState;
use lwm2m_coap::Code;
use lwm2m_core::{Node, Path, Value};
use lwm2m_link::Record;
use lwm2m_net::Clock;
use lwm2m_server::records::{self, KeptValue};
use lwm2m_server::{Content, Response};
use lwm2m_store::Reader;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// The most values of one answer.
const MAX_VALUES: usize = 10_000;

/// From this number on a time is Unix time; a smaller one is relative (RFC 8428 section 4.5.3).
const ABSOLUTE: f64 = 268_435_456.0;

/// GET: the newest values at and below a path, in the form of an answer to Read.
pub(super) async fn get(state: &ApiState, target: Target) -> Answer {
    let reader = state.server().store().ok_or(ApiError::KeepsNothing)?.clone();
    let Target { endpoint, path, .. } = target;
    let name = endpoint.clone();
    let reading = tokio::task::spawn_blocking(move || read(&reader, &name, &path));
    let values = reading.await.map_err(ApiError::Interrupted)??;
    let clock = state.server().clock();
    let mut times = BTreeMap::new();
    let mut node = None;
    for (at, kept) in values {
        let told = TimesJson::new(&kept, clock);
        if insert(&mut node, &path, &at, kept.value) {
            times.insert(at.to_string(), told);
        }
    }
    let Some(node) = node else { return Err(ApiError::NoValues { endpoint, path }) };
    let (content, diagnostic, left_out) = (Content::Node(node), None, Vec::new());
    let answer = Response { code: Code::CONTENT, valid: true, content, diagnostic, left_out };
    let kind = RequestKind::Node(path);
    Ok(json(&CachedJson { answer: ResponseJson::new(&kind, &answer), times }))
}

/// Kept values with their times.
#[derive(Serialize)]
struct CachedJson<'a> {
    #[serde(flatten)]
    answer: ResponseJson<'a>,
    times: BTreeMap<String, TimesJson>,
}

/// When a value came, and the time that the device gave it, in milliseconds since the epoch.
#[derive(Serialize)]
struct TimesJson {
    received: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<f64>,
}

impl TimesJson {
    fn new(kept: &KeptValue, clock: Clock) -> Self {
        let received = milliseconds(clock, kept.received_at);
        // Milliseconds of this era are exact in a double.
        let absolute = |time: f64| match time < ABSOLUTE {
            true => (received as f64 + time * 1_000.0).round(),
            false => (time * 1_000.0).round(),
        };
        Self { received, time: kept.time.map(absolute) }
    }
}

/// The values that are kept of a device at and below a path, the newest first.
fn read(reader: &Reader, endpoint: &str, path: &Path) -> Result<Vec<(Path, KeptValue)>, ApiError> {
    let mut values = Vec::new();
    let prefix = [&records::prefix(endpoint)[..], path.to_string().as_bytes()].concat();
    for record in reader.prefix(records::VALUES, &prefix)? {
        let Record { key, value, .. } = record?;
        // /3/0/10 begins like /3/0/1. What cannot be read is of a later version.
        let read = KeptValue::read(&key, value.as_deref().unwrap_or_default());
        let Some((_, at, kept)) = read.filter(|(_, at, _)| path.contains(at)) else { continue };
        if values.len() == MAX_VALUES {
            return Err(ApiError::TooManyValues(MAX_VALUES));
        }
        values.push((at, kept));
    }
    values.sort_by_key(|(_, kept)| Reverse(kept.received_at));
    Ok(values)
}

/// Inserts a value into the node at a path. Returns `false` for what a resource had before it became
/// one of several values, or of one.
fn insert(node: &mut Option<Node>, path: &Path, at: &Path, value: Value) -> bool {
    match node.take().or_else(|| Node::empty_at(path)) {
        None => {
            *node = Some(Node::ResourceInstance(value));
            true
        }
        Some(mut tree) => {
            let inserted = tree.insert(path, at, value);
            *node = Some(tree);
            inserted
        }
    }
}
