//! What is kept of the past, told to others: at least once, in order, from a cursor that is kept.
//!
//! An event is told before the cursor moves past it. So after a crash some may be told again, with the
//! numbers that they had. What a receiver refuses for good is kept as a dead letter.

mod dead;
mod file;
mod output;

pub use file::append_events;
pub use output::{Description, Output};
pub(crate) use output::{Outputs, Snapshot};

use crate::json::happened::HappenedJson;
use lwm2m_link::{Record, Table};
use lwm2m_net::Clock;
use lwm2m_server::records::{EVENTS, KeptEvent};
use lwm2m_store::{Reader, StoreError};
use std::collections::BTreeSet;
use std::io;
use std::ops::Bound;
use std::path::PathBuf;

/// The numbers of the last events that outputs have told, by the names of the outputs.
pub const OUTPUTS: Table = Table(134);

/// The events that outputs could not tell, by output and number.
pub const DEAD_LETTERS: Table = Table(135);

const LAGGED: &str = "LAGGED";

/// Events that are read at a time.
pub const CHUNK: usize = 1_000;

/// Why events are not told at present.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    /// The server keeps nothing.
    #[error("the server keeps no events; start it with --data DIR")]
    KeepsNothing,
    /// The store cannot be read.
    #[error("the store cannot be read: {0}")]
    Store(#[from] StoreError),
    /// The file cannot be written.
    #[error("cannot write {0}: {1}")]
    File(PathBuf, #[source] io::Error),
    /// They are told, and where the output is cannot be kept: they will be told again.
    #[error("the cursor cannot be kept: {0}")]
    NotKept(String),
}

/// An event that an output has not told yet.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Untold {
    /// Its number. That of `LAGGED`, which stands for events that the server has forgotten, is the number of
    /// the last of them.
    pub number: u64,
    /// Its name, as in the event stream, or `LAGGED`.
    pub name: String,
    /// The endpoint name of the device; empty for `LAGGED`.
    pub endpoint: String,
    /// The event as `GET /api/events` has it, in JSON.
    pub json: Vec<u8>,
}

impl Untold {
    fn missed(number: u64, missed: u64) -> Self {
        let json = serde_json::json!({"event": "LAGGED", "missed": missed}).to_string();
        Self { number, name: LAGGED.to_owned(), endpoint: String::new(), json: json.into_bytes() }
    }
}

/// Which events an output tells. `LAGGED` is told by all.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// The names of the events; empty for all. [`Filter::KINDS`] has those that there are.
    pub kinds: BTreeSet<String>,
    /// What the endpoint names of their devices begin with.
    pub prefix: String,
}

impl Filter {
    /// The names of the events that are kept.
    pub const KINDS: [&str; 6] = [
        "REGISTRATION",
        "UPDATED",
        "DEREGISTRATION",
        "REQUEST_RESPONSE",
        "OBSERVED",
        "OBSERVATION_REFUSED",
    ];

    fn wants(&self, event: &HappenedJson<'_>) -> bool {
        event.endpoint().starts_with(&self.prefix)
            && (self.kinds.is_empty() || self.kinds.contains(event.event()))
    }
}

/// A piece of the log.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Chunk {
    /// The events that are wanted.
    pub events: Vec<Untold>,
    /// The last number that was looked at. When all events are told, the cursor can move there.
    pub last: Option<u64>,
    /// Whether there may be more.
    pub is_full: bool,
}

/// The events after a cursor.
fn untold(
    reader: &Reader,
    cursor: &[u8],
    filter: &Filter,
    clock: Clock,
) -> Result<Chunk, StoreError> {
    let mut chunk = Chunk { last: cursor_of(reader, cursor)?, ..Chunk::default() };
    let first = chunk.last.map(KeptEvent::key_after).unwrap_or_default();
    let events = reader.range(EVENTS, (Bound::Included(&first[..]), Bound::Unbounded))?;
    for (count, record) in events.enumerate() {
        if count == CHUNK {
            chunk.is_full = true;
            break;
        }
        let Record { key, value, .. } = record?;
        // What cannot be read is of a later version.
        let read = KeptEvent::read(&key, value.as_deref().unwrap_or_default());
        let Some(event) = read else { continue };
        let number = event.number;
        let expected = chunk.last.map(|last| last.saturating_add(1));
        // Of some devices older events are kept than of others.
        let missed = expected.map_or(0, |expected| number.saturating_sub(expected));
        if missed > 0 {
            chunk.events.push(Untold::missed(number - 1, missed));
        }
        chunk.last = Some(number);
        let happened = HappenedJson::new(&event, clock);
        if filter.wants(&happened) {
            // JSON of our own types cannot fail.
            let json = serde_json::to_vec(&happened).unwrap_or_default();
            let (name, endpoint) = (happened.event().to_owned(), happened.endpoint().to_owned());
            chunk.events.push(Untold { number, name, endpoint, json });
        }
    }
    Ok(chunk)
}

/// The number of the last event that an output has told.
fn cursor_of(reader: &Reader, name: &[u8]) -> Result<Option<u64>, StoreError> {
    let value = reader.get(OUTPUTS, name)?;
    let number = value.and_then(|value| <[u8; 8]>::try_from(&value[..]).ok());
    Ok(number.map(u64::from_be_bytes))
}

/// The number of the last event that is kept.
fn last_event(reader: &Reader) -> Result<Option<u64>, StoreError> {
    let events = reader.table(EVENTS)?.rev();
    for record in events {
        let Record { key, value, .. } = record?;
        if let Some(event) = KeptEvent::read(&key, value.as_deref().unwrap_or_default()) {
            return Ok(Some(event.number));
        }
    }
    Ok(None)
}
