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

impl ApiState {
    /// Appends the events that were not told yet to a file, as lines of JSON, up to [`CHUNK`] of them.
    /// `name` is that of the cursor. Returns how many they were. Call it by one task at a time.
    ///
    /// # Errors
    /// See [`OutputError`]. Another call tries it again.
    pub async fn append_events(&self, name: &str, file: &Path) -> Result<usize, OutputError> {
        let reader = self.server().store().ok_or(OutputError::KeepsNothing)?.clone();
        let key = Bytes::copy_from_slice(name.as_bytes());
        let (clock, cursor, path) = (self.server().clock(), key.clone(), file.to_owned());
        let append = move || {
            let (lines, told) = lines(&reader, &cursor, clock)?;
            if !lines.is_empty() {
                append(&path, &lines).map_err(|error| OutputError::File(path, error))?;
            }
            Ok::<_, OutputError>(told)
        };
        let appended = tokio::task::spawn_blocking(append).await;
        let told = appended.map_err(|error| OutputError::NotKept(error.to_string()))??;
        let Some((last, count)) = told else { return Ok(0) };
        let value = Some(Bytes::copy_from_slice(&last.to_be_bytes()));
        let kept = self.keep(vec![Record { table: OUTPUTS, key, value }]).await;
        kept.map_err(|error| OutputError::NotKept(error.to_string()))?;
        Ok(count)
    }
}

/// The number of the last event that is told, and how many are.
type Told = Option<(u64, usize)>;

/// The next events as lines.
fn lines(reader: &Reader, cursor: &[u8], clock: Clock) -> Result<(Vec<u8>, Told), StoreError> {
    let cursor = reader.get(OUTPUTS, cursor)?;
    let cursor = cursor.and_then(|value| <[u8; 8]>::try_from(&value[..]).ok());
    let cursor = cursor.map(u64::from_be_bytes);
    let first = cursor.map(KeptEvent::key_after).unwrap_or_default();
    let (mut text, mut told) = (Vec::new(), None);
    for record in reader.range(EVENTS, (Bound::Included(&first[..]), Bound::Unbounded))? {
        let Record { key, value, .. } = record?;
        // What cannot be read is of a later version.
        let read = KeptEvent::read(&key, value.as_deref().unwrap_or_default());
        let Some(event) = read else { continue };
        let (last, count) = told.map_or((cursor, 0), |(last, count)| (Some(last), count));
        let expected = last.map(|last| last.saturating_add(1));
        // Of some devices older events are kept than of others.
        let missed = expected.map_or(0, |expected| event.number.saturating_sub(expected));
        if missed > 0 {
            let lagged = serde_json::json!({"event": "LAGGED", "missed": missed});
            text.extend(format!("{lagged}\n").bytes());
        }
        // JSON of our own types cannot fail.
        let _ = serde_json::to_writer(&mut text, &HappenedJson::new(&event, clock));
        text.push(b'\n');
        told = Some((event.number, count + 1));
        if count + 1 == CHUNK {
            break;
        }
    }
    Ok((text, told))
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
