//! What is kept of the past, told to others: at least once, in order, from a cursor that is kept.
//!
//! An event is written before the cursor moves past it. So after a crash some may be written again, with
//! the numbers that they had.

use crate::json::happened::HappenedJson;
use crate::state::ApiState;
use bytes::Bytes;
use lwm2m_link::{Record, Table};
use lwm2m_net::Clock;
use lwm2m_server::records::{EVENTS, KeptEvent};
use lwm2m_store::{Reader, StoreError};
use std::fs::OpenOptions;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Bound;
use std::path::{Path, PathBuf};

/// The numbers of the last events that outputs have told, by the names of the outputs.
pub const OUTPUTS: Table = Table(134);

/// Events that are told at a time.
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
    pub name: &'static str,
    /// The endpoint name of the device; empty for `LAGGED`.
    pub endpoint: String,
    /// The event as `GET /api/events` has it, in JSON.
    pub json: Vec<u8>,
}

impl Untold {
    fn missed(number: u64, missed: u64) -> Self {
        let json = serde_json::json!({"event": "LAGGED", "missed": missed}).to_string();
        Self { number, name: "LAGGED", endpoint: String::new(), json: json.into_bytes() }
    }
}

impl ApiState {
    /// The events that an output was not told yet, in order, up to [`CHUNK`] of them. `name` is that of the
    /// cursor. Call it by one task at a time.
    ///
    /// # Errors
    /// The server keeps nothing, or its store cannot be read.
    pub async fn untold_events(&self, name: &str) -> Result<Vec<Untold>, OutputError> {
        let reader = self.server().store().ok_or(OutputError::KeepsNothing)?.clone();
        let (clock, cursor) = (self.server().clock(), name.to_owned());
        let read = move || Ok(untold(&reader, cursor.as_bytes(), clock)?);
        let read = tokio::task::spawn_blocking(read).await;
        read.map_err(|error| OutputError::NotKept(error.to_string()))?
    }

    /// Keeps that an output was told all events up to this number.
    ///
    /// # Errors
    /// It cannot be kept: they will be told again.
    pub async fn events_are_told(&self, name: &str, number: u64) -> Result<(), OutputError> {
        let key = Bytes::copy_from_slice(name.as_bytes());
        let value = Some(Bytes::copy_from_slice(&number.to_be_bytes()));
        let kept = self.keep(vec![Record { table: OUTPUTS, key, value }]).await;
        kept.map_err(|error| OutputError::NotKept(error.to_string()))
    }

    /// Appends the events that were not told yet to a file, as lines of JSON, up to [`CHUNK`] of them.
    /// `name` is that of the cursor. Returns how many they were. Call it by one task at a time.
    ///
    /// # Errors
    /// See [`OutputError`]. Another call tries it again.
    pub async fn append_events(&self, name: &str, file: &Path) -> Result<usize, OutputError> {
        let events = self.untold_events(name).await?;
        let Some(last) = events.last().map(|it| it.number) else { return Ok(0) };
        let count = events.iter().filter(|it| !it.endpoint.is_empty()).count();
        let path = file.to_owned();
        let append = move || {
            let lines = events.iter().flat_map(|it| [&it.json[..], b"\n"]).flatten().copied();
            let lines: Vec<u8> = lines.collect();
            append(&path, &lines).map_err(|error| OutputError::File(path, error))
        };
        let appended = tokio::task::spawn_blocking(append).await;
        appended.map_err(|error| OutputError::NotKept(error.to_string()))??;
        self.events_are_told(name, last).await?;
        Ok(count)
    }
}

/// The events after a cursor.
fn untold(reader: &Reader, cursor: &[u8], clock: Clock) -> Result<Vec<Untold>, StoreError> {
    let cursor = reader.get(OUTPUTS, cursor)?;
    let cursor = cursor.and_then(|value| <[u8; 8]>::try_from(&value[..]).ok());
    let mut last = cursor.map(u64::from_be_bytes);
    let first = last.map(KeptEvent::key_after).unwrap_or_default();
    let (mut untold, mut count) = (Vec::new(), 0);
    for record in reader.range(EVENTS, (Bound::Included(&first[..]), Bound::Unbounded))? {
        let Record { key, value, .. } = record?;
        // What cannot be read is of a later version.
        let read = KeptEvent::read(&key, value.as_deref().unwrap_or_default());
        let Some(event) = read else { continue };
        let expected = last.map(|last| last.saturating_add(1));
        // Of some devices older events are kept than of others.
        let missed = expected.map_or(0, |expected| event.number.saturating_sub(expected));
        if missed > 0 {
            untold.push(Untold::missed(event.number - 1, missed));
        }
        let happened = HappenedJson::new(&event, clock);
        // JSON of our own types cannot fail.
        let json = serde_json::to_vec(&happened).unwrap_or_default();
        let (number, name) = (event.number, happened.event());
        untold.push(Untold { number, name, endpoint: happened.endpoint().to_owned(), json });
        (last, count) = (Some(event.number), count + 1);
        if count == CHUNK {
            break;
        }
    }
    Ok(untold)
}

/// Appends lines, which are on the disk afterwards. A line that a crash has torn stands alone.
fn append(path: &Path, lines: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let length = file.metadata()?.len();
    let mut last = [b'\n'];
    if length > 0 {
        file.seek(SeekFrom::Start(length - 1))?;
        file.read_exact(&mut last)?;
    }
    let separator: &[u8] = if last == [b'\n'] { b"" } else { b"\n" };
    let written = file.write_all(&[separator, lines].concat()).and_then(|()| file.sync_data());
    // Half of it would be told twice.
    written.inspect_err(|_| _ = file.set_len(length))
}
