//! `Last-Event-ID`: the events that are kept since a stream was lost, before those that come.

use super::past::read_events;
use crate::events::{Selection, lagged, replayed};
use crate::json::happened::HappenedJson;
use crate::state::ApiState;
use axum::body::Bytes;
use axum::http::HeaderMap;
use lwm2m_link::{Record, Table};
use lwm2m_server::records::{EVENTS, KeptEvent};
use lwm2m_store::{Reader, StoreError};
use std::ops::Bound;

/// Has one record, which is written for what was noted before to become durable.
const MARK: Table = Table(133);
/// Events that are read at a time.
const CHUNK: usize = 256;

/// What is left to be told of the past.
#[derive(Debug)]
pub(super) struct Replay {
    reader: Reader,
    selection: Selection,
    /// The number of the last event that was looked at.
    after: u64,
    /// The number of the last event that happened before the stream was opened. What came later is told
    /// as it happens.
    until: u64,
    /// Events that are not kept any more.
    forgotten: u64,
}

impl Replay {
    /// What a stream missed since the event that the header names; `None` if it names none, or nothing
    /// is kept.
    pub(super) async fn of(
        state: &ApiState,
        headers: &HeaderMap,
        selection: Selection,
    ) -> Option<Self> {
        let after = headers.get("last-event-id")?.to_str().ok()?.trim().parse().ok()?;
        let reader = state.server().store()?.clone();
        // Events are noted, and read from the store: a promise after them brings them there. If that
        // fails, those are told that are there.
        let mark = Record { table: MARK, key: Bytes::new(), value: Some(Bytes::from_static(b"1")) };
        let _ = state.keep(vec![mark]).await;
        let all = reader.clone();
        let kept = tokio::task::spawn_blocking(move || kept_after(&all, after)).await;
        let (count, until) = kept.ok()?.ok()??;
        let forgotten = until.saturating_sub(after).saturating_sub(count);
        Some(Self { reader, selection, after, until, forgotten })
    }

    /// The next frames; `None` at the end.
    pub(super) async fn next(&mut self, state: &ApiState) -> Option<Bytes> {
        let mut text = Vec::new();
        if self.forgotten > 0 {
            text.extend(lagged(std::mem::take(&mut self.forgotten)));
        }
        let (reader, selection) = (self.reader.clone(), self.selection.clone());
        let (after, until) = (self.after, self.until);
        let wants =
            move |event: &KeptEvent| event.number <= until && selection.would_have_wanted(event);
        let read = move || read_events(&reader, wants, Some(after), CHUNK);
        // What cannot be read is told by GET /api/events.
        let events = tokio::task::spawn_blocking(read).await.ok()?.ok()?;
        for event in &events {
            let json = HappenedJson::new(event, state.server().clock());
            replayed(&mut text, event.number, json);
        }
        self.after = events.last().map_or(self.until, |event| event.number);
        (!text.is_empty()).then(|| text.into())
    }
}

/// How many events are kept after this one, and the number of the last event.
fn kept_after(reader: &Reader, after: u64) -> Result<Option<(u64, u64)>, StoreError> {
    let last = reader.table(EVENTS)?.next_back().transpose()?;
    let last = last.and_then(|it| KeptEvent::read(&it.key, &it.value?)).map(|event| event.number);
    let first = KeptEvent::key_after(after);
    let later = reader.range(EVENTS, (Bound::Included(&first[..]), Bound::Unbounded))?;
    Ok(last.map(|last| (later.count() as u64, last)))
}
