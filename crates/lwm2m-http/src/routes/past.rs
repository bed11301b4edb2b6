//! What is kept of the past: `/api/events`, and `…?history` of a resource.

use super::answer::json;
use super::operations::Answer;
use super::target::Target;
use crate::access::Principal;
use crate::error::ApiError;
use crate::json::happened::HappenedJson;
use crate::json::milliseconds;
use crate::query::Parameters;
use crate::state::ApiState;
use axum::extract::State;
use lwm2m_core::Value;
use lwm2m_net::Clock;
use lwm2m_server::records::{EVENTS, HISTORY, KeptEvent, KeptNumber};
use lwm2m_store::{Reader, StoreError};
use lwm2m_time::Instant;
use serde::Serialize;
use std::ops::Bound;

/// The most events of one answer, and how many it has if nobody says.
const MOST_EVENTS: u64 = 1_000;
const SOME_EVENTS: u64 = 100;
/// The most numbers of one answer, and how many it has if nobody says.
const MOST_NUMBERS: u64 = 10_000;
const SOME_NUMBERS: u64 = 1_000;

/// GET: the last events, or those after a number; the oldest first.
pub(crate) async fn events(
    State(state): State<ApiState>,
    principal: Principal,
    parameters: Parameters,
) -> Answer {
    let since = parameters.number("since", 0..=u64::MAX, "the number of an event")?;
    let limit = parameters.number("limit", 1..=MOST_EVENTS, "a number from 1 to 1000")?;
    let limit = usize::try_from(limit.unwrap_or(SOME_EVENTS)).unwrap_or(usize::MAX);
    let endpoint = parameters.get("ep").map(str::to_owned);
    let reader = state.server().store().ok_or(ApiError::KeepsNothing)?.clone();
    let is_wanted = move |event: &KeptEvent| {
        principal.sees(&event.endpoint) && endpoint.as_ref().is_none_or(|it| *it == event.endpoint)
    };
    let read = move || read_events(&reader, is_wanted, since, limit);
    let events = tokio::task::spawn_blocking(read).await.map_err(ApiError::Interrupted)??;
    let clock = state.server().clock();
    Ok(json(&events.iter().map(|event| HappenedJson::new(event, clock)).collect::<Vec<_>>()))
}

/// The last events of a device, the oldest first.
pub(crate) async fn last_of(
    reader: Reader,
    endpoint: String,
    limit: usize,
) -> Result<Vec<KeptEvent>, ApiError> {
    let is_wanted = move |event: &KeptEvent| event.endpoint == endpoint;
    let read = move || read_events(&reader, is_wanted, None, limit);
    Ok(tokio::task::spawn_blocking(read).await.map_err(ApiError::Interrupted)??)
}

/// The last events that are kept, or the first ones after a number.
pub(super) fn read_events(
    reader: &Reader,
    is_wanted: impl Fn(&KeptEvent) -> bool,
    since: Option<u64>,
    limit: usize,
) -> Result<Vec<KeptEvent>, StoreError> {
    // What cannot be read is of a later version.
    let first = since.map(KeptEvent::key_after).unwrap_or_default();
    let events = reader.range(EVENTS, (Bound::Included(&first[..]), Bound::Unbounded))?;
    let read = |record: Result<lwm2m_link::Record, StoreError>| match record {
        Ok(it) => KeptEvent::read(&it.key, it.value.as_deref().unwrap_or_default()).map(Ok),
        Err(error) => Some(Err(error)),
    };
    let wanted = |event: &Result<KeptEvent, StoreError>| event.as_ref().map_or(true, &is_wanted);
    page(since.is_none(), events.filter_map(read).filter(wanted), limit)
}

/// The last ones of all, or the first ones.
fn page<T>(
    is_last: bool,
    all: impl DoubleEndedIterator<Item = Result<T, StoreError>>,
    limit: usize,
) -> Result<Vec<T>, StoreError> {
    if !is_last {
        return all.take(limit).collect();
    }
    let mut last = all.rev().take(limit).collect::<Result<Vec<_>, _>>()?;
    last.reverse();
    Ok(last)
}

/// The history of a resource, or of an instance of one.
#[derive(Serialize)]
struct HistoryJson<'a> {
    ep: &'a str,
    path: String,
    values: Vec<NumberJson>,
}

#[derive(Serialize)]
struct NumberJson {
    /// Milliseconds since the epoch.
    time: u64,
    value: Number,
}

/// A number as JSON has it.
#[derive(Serialize)]
#[serde(untagged)]
enum Number {
    Integer(i64),
    Unsigned(u64),
    Float(f64),
}

impl NumberJson {
    fn new(kept: &KeptNumber, clock: Clock) -> Option<Self> {
        let value = match kept.value {
            Value::Integer(number) => Number::Integer(number),
            Value::UnsignedInteger(number) => Number::Unsigned(number),
            Value::Float(number) => Number::Float(number),
            _ => return None,
        };
        Some(Self { time: milliseconds(clock, kept.at), value })
    }
}

/// GET: the last numbers of a resource, or those after a time; the oldest first.
pub(super) async fn history(state: &ApiState, target: Target, parameters: &Parameters) -> Answer {
    let target = target.at_depth(3..=4, "the history", "a resource, or an instance of one")?;
    let expected = "a time in milliseconds since 1970";
    let since = parameters.number("since", 0..=u64::MAX, expected)?;
    let limit = parameters.number("limit", 1..=MOST_NUMBERS, "a number from 1 to 10000")?;
    let limit = usize::try_from(limit.unwrap_or(SOME_NUMBERS)).unwrap_or(usize::MAX);
    let reader = state.server().store().ok_or(ApiError::KeepsNothing)?.clone();
    let Target { endpoint, path, .. } = target;
    let clock = state.server().clock();
    let oldest = clock.now().as_micros();
    let oldest = oldest.saturating_sub(micros(state.config().history_for.as_millis()));
    let after = since.map_or(0, |since| since.saturating_add(1).saturating_mul(1_000));
    let first = Instant::from_micros(oldest.max(after));
    let name = endpoint.clone();
    let read = move || {
        let key = |at| KeptNumber::key(&name, &path, at);
        let (first, last) = (key(first), key(Instant::from_micros(u64::MAX)));
        let keys = (Bound::Included(&first[..]), Bound::Included(&last[..]));
        let numbers = reader.range(HISTORY, keys)?.filter_map(|record| match record {
            Ok(it) => KeptNumber::read(&it.key, it.value.as_deref().unwrap_or_default()).map(Ok),
            Err(error) => Some(Err(error)),
        });
        page(since.is_none(), numbers, limit)
    };
    let numbers = tokio::task::spawn_blocking(read).await.map_err(ApiError::Interrupted)??;
    if numbers.is_empty() && since.is_none() {
        return Err(ApiError::NoValues { endpoint, path });
    }
    let values = numbers.iter().filter_map(|number| NumberJson::new(number, clock)).collect();
    Ok(json(&HistoryJson { ep: &endpoint, path: path.to_string(), values }))
}

fn micros(milliseconds: u128) -> u64 {
    u64::try_from(milliseconds).unwrap_or(u64::MAX).saturating_mul(1_000)
}
