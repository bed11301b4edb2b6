//! An output: how far it has come, and what went wrong.

use super::dead::{self, DeadLetter};
use super::{Chunk, Filter, OUTPUTS, OutputError, Untold, cursor_of, last_event, untold};
use crate::error::ApiError;
use crate::state::ApiState;
use bytes::Bytes;
use lwm2m_link::Record;
use lwm2m_store::{Reader, StoreError};
use serde::Serialize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// What an output is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Description {
    /// Its name, also that of its cursor.
    pub name: String,
    /// `webhook`, for example.
    pub kind: &'static str,
    /// Where the events go, without secrets.
    pub target: String,
    /// Which events go there.
    pub filter: Filter,
}

/// All outputs.
#[derive(Default, Debug)]
pub(crate) struct Outputs(Mutex<Vec<Arc<Shared>>>);

impl Outputs {
    fn list(&self) -> MutexGuard<'_, Vec<Arc<Shared>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn all(&self) -> Vec<Arc<Shared>> {
        self.list().clone()
    }

    pub(crate) fn get(&self, name: &str) -> Result<Arc<Shared>, ApiError> {
        let found = self.list().iter().find(|it| it.description.name == name).cloned();
        found.ok_or_else(|| ApiError::NoOutput(name.to_owned()))
    }
}

/// What the API tells of an output.
#[derive(Debug)]
pub(crate) struct Shared {
    description: Description,
    progress: Mutex<Progress>,
    /// Its dead letters are to be told again.
    retry: Notify,
}

#[derive(Clone, Default, Debug)]
struct Progress {
    cursor: Option<u64>,
    delivered: u64,
    failed: u64,
    dead: u64,
    last_error: Option<Flaw>,
}

/// What went wrong, and when.
#[derive(Clone, Debug, Serialize)]
struct Flaw {
    /// Milliseconds since 1970.
    time: u64,
    text: String,
}

/// An output at a moment.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Snapshot {
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    target: String,
    /// The number of the last event that was told, or passed over.
    cursor: Option<u64>,
    /// How many numbers are after it.
    pub(crate) behind: u64,
    /// Since the start.
    pub(crate) delivered: u64,
    pub(crate) failed: u64,
    /// How many dead letters it has.
    pub(crate) dead: u64,
    last_error: Option<Flaw>,
}

impl Shared {
    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn snapshot(&self, last: u64) -> Snapshot {
        let Progress { cursor, delivered, failed, dead, last_error } = self.progress().clone();
        let Description { name, kind, target, .. } = self.description.clone();
        let behind = last.saturating_sub(cursor.unwrap_or_default());
        Snapshot { name, kind, target, cursor, behind, delivered, failed, dead, last_error }
    }

    /// Has its dead letters told again; returns how many there are.
    pub(crate) fn retry(&self) -> u64 {
        self.retry.notify_one();
        self.progress().dead
    }
}

impl ApiState {
    /// Makes an output, which the API lists from now on.
    ///
    /// # Errors
    /// The server keeps nothing, or its store cannot be read.
    pub fn output(&self, description: Description) -> Result<Output, OutputError> {
        let reader = self.server().store().ok_or(OutputError::KeepsNothing)?.clone();
        let cursor = cursor_of(&reader, description.name.as_bytes())?;
        let dead = count(dead::numbers(&reader, &description.name)?.len());
        let progress = Mutex::new(Progress { cursor, dead, ..Progress::default() });
        let shared = Arc::new(Shared { description, progress, retry: Notify::new() });
        self.outputs().list().push(Arc::clone(&shared));
        Ok(Output { api: self.clone(), reader, shared })
    }

    /// The outputs at this moment.
    pub(crate) async fn output_snapshots(&self) -> Result<Vec<Snapshot>, ApiError> {
        let all = self.outputs().all();
        let Some(reader) = self.server().store().filter(|_| !all.is_empty()).cloned() else {
            return Ok(Vec::new());
        };
        let last = read(move || last_event(&reader)).await?.unwrap_or_default();
        Ok(all.iter().map(|it| it.snapshot(last)).collect())
    }

    /// The dead letters of an output, the oldest first.
    pub(crate) async fn dead_letters(&self, name: &str) -> Result<Vec<DeadLetter>, ApiError> {
        let output = self.outputs().get(name)?;
        let reader = self.server().store().ok_or(ApiError::KeepsNothing)?.clone();
        read(move || dead::all(&reader, &output.description.name)).await
    }
}

/// Reads the store beside the runtime.
async fn read<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, ApiError> {
    Ok(tokio::task::spawn_blocking(read).await.map_err(ApiError::Interrupted)??)
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// An output as the task sees it that tells its events. There is one such task.
#[derive(Debug)]
pub struct Output {
    api: ApiState,
    reader: Reader,
    shared: Arc<Shared>,
}

impl Output {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.description.name
    }

    /// The events that it has not told yet, in order.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn untold(&self) -> Result<Chunk, OutputError> {
        let (reader, clock) = (self.reader.clone(), self.api.server().clock());
        let Description { name, filter, .. } = self.shared.description.clone();
        let read = move || untold(&reader, name.as_bytes(), &filter, clock);
        let read = tokio::task::spawn_blocking(read).await;
        Ok(read.map_err(|error| OutputError::NotKept(error.to_string()))??)
    }

    /// Keeps that all events up to this number are told. It is on its way when this returns; what it returns
    /// tells when it is durable.
    pub fn moved_to(
        &self,
        number: u64,
    ) -> impl Future<Output = Result<(), OutputError>> + Send + use<> {
        self.shared.progress().cursor = Some(number);
        let key = Bytes::copy_from_slice(self.name().as_bytes());
        let value = Some(Bytes::copy_from_slice(&number.to_be_bytes()));
        self.keep(vec![Record { table: OUTPUTS, key, value }])
    }

    /// Counts events that the receiver has taken.
    pub fn delivered(&self, events: usize) {
        let mut progress = self.shared.progress();
        progress.delivered = progress.delivered.saturating_add(count(events));
    }

    /// Counts an attempt that has failed.
    pub fn failed(&self, why: &str) {
        let flaw = Flaw { time: self.api.milliseconds(), text: why.to_owned() };
        let mut progress = self.shared.progress();
        progress.failed = progress.failed.saturating_add(1);
        progress.last_error = Some(flaw);
    }

    /// Keeps an event that the receiver refuses for good.
    ///
    /// # Errors
    /// It cannot be kept.
    pub async fn bury(&self, event: &Untold, why: &str) -> Result<(), OutputError> {
        let letter = DeadLetter::new(event, self.api.milliseconds(), why.to_owned());
        let mut numbers = self.read(dead::numbers).await?;
        numbers.retain(|it| *it != event.number);
        let excess = (numbers.len() + 1).saturating_sub(dead::MOST);
        let forgotten = numbers.iter().take(excess);
        let mut records: Vec<_> = forgotten.map(|it| dead::removal(self.name(), *it)).collect();
        records.push(letter.record(self.name()));
        self.keep(records).await?;
        self.shared.progress().dead = count(numbers.len() + 1 - excess);
        Ok(())
    }

    /// The dead letters as events, the oldest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn buried(&self) -> Result<Vec<Untold>, OutputError> {
        Ok(self.read(dead::all).await?.iter().map(DeadLetter::untold).collect())
    }

    async fn read<T: Send + 'static>(
        &self,
        read: fn(&Reader, &str) -> Result<Vec<T>, StoreError>,
    ) -> Result<Vec<T>, OutputError> {
        let (reader, name) = (self.reader.clone(), self.name().to_owned());
        let read = tokio::task::spawn_blocking(move || read(&reader, &name)).await;
        Ok(read.map_err(|error| OutputError::NotKept(error.to_string()))??)
    }

    /// Forgets a dead letter that the receiver has taken after all.
    ///
    /// # Errors
    /// It cannot be removed; it will be told again.
    pub async fn unbury(&self, number: u64) -> Result<(), OutputError> {
        self.keep(vec![dead::removal(self.name(), number)]).await?;
        let mut progress = self.shared.progress();
        progress.dead = progress.dead.saturating_sub(1);
        Ok(())
    }

    /// Waits until somebody wants the dead letters told again.
    pub async fn retry_is_wanted(&self) {
        self.shared.retry.notified().await;
    }

    fn keep(
        &self,
        records: Vec<Record>,
    ) -> impl Future<Output = Result<(), OutputError>> + Send + use<> {
        let kept = self.api.keep(records);
        async { kept.await.map_err(|error| OutputError::NotKept(error.to_string())) }
    }
}
