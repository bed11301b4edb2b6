//! One operation on many devices, as commands that wait for each of them.
//!
//! A *job* is a selection of devices, an operation, and how far it has come: it goes through the fleet in the
//! order of the endpoint names and makes a command for each device that is selected. It is a record of the
//! server's store, and goes on after a restart. Each command has a key of its job, so no device gets two.

use crate::error::ApiError;
use bytes::Bytes;
use lwm2m_link::{Record, Table};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Jobs, by their numbers.
pub const BULKS: Table = Table(132);

/// The most jobs; the oldest one that has ended gives way.
const MAX_JOBS: usize = 1_000;
/// The most jobs that go through the fleet at a time.
pub(crate) const MAX_RUNNING: usize = 16;
/// The most devices of which a job tells why they got no command.
const MAX_REFUSED: usize = 20;

/// What is to be done, as the body of a request.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Order {
    pub(crate) operation: Word,
    pub(crate) path: String,
    /// What is written or created: a value, or a node of the dialect.
    #[serde(default, skip_serializing_if = "Json::is_null")]
    pub(crate) content: Json,
    /// The arguments of an Execute.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) arguments: String,
}

/// The name of an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Word {
    Read,
    Discover,
    Write,
    Execute,
    Create,
    Delete,
}

/// How far a job has come.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    /// Who ordered it.
    pub(crate) who: String,
    /// The query that selects the devices, with the options of the commands.
    pub(crate) query: String,
    /// What the endpoint names begin with that exist for who ordered it.
    pub(crate) prefix: Option<String>,
    pub(crate) order: Order,
    /// When it was ordered, in milliseconds since 1970.
    pub(crate) created: u64,
    /// The last endpoint name that was looked at.
    pub(crate) after: Option<String>,
    /// Commands that were made.
    pub(crate) commands: u64,
    /// Devices that got none, and of some of them the reasons.
    pub(crate) refused: u64,
    pub(crate) reasons: Vec<Refused>,
    /// Whether it has been through the fleet.
    pub(crate) is_through: bool,
}

/// A device that got no command.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Refused {
    pub(crate) ep: String,
    pub(crate) error: String,
}

impl Job {
    pub(crate) fn refuse(&mut self, endpoint: &str, error: &ApiError) {
        self.refused += 1;
        if self.reasons.len() < MAX_REFUSED {
            self.reasons.push(Refused { ep: endpoint.to_owned(), error: error.to_string() });
        }
    }

    fn record(&self, id: u64) -> Record {
        // A struct of texts and numbers is always JSON.
        let value = serde_json::to_vec(self).unwrap_or_default();
        Record { table: BULKS, key: key(id), value: Some(value.into()) }
    }
}

/// The key of the commands of a job. No header has such a character, so nobody else can use it.
pub(crate) fn key_of_commands(id: u64) -> String {
    format!("\u{1f}bulk {id}")
}

fn key(id: u64) -> Bytes {
    Bytes::copy_from_slice(&id.to_be_bytes())
}

/// All jobs; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Bulks(Arc<Mutex<BTreeMap<u64, Job>>>);

impl Bulks {
    /// Puts a kept job back. Returns `false` for what is none.
    pub fn take(&self, table: Table, id: &[u8], value: &[u8]) -> bool {
        let id = <[u8; 8]>::try_from(id).ok().filter(|_| table == BULKS).map(u64::from_be_bytes);
        let job = id.zip(serde_json::from_slice(value).ok());
        job.map(|(id, job)| self.jobs().insert(id, job)).is_some()
    }

    /// Adds a job. Returns its number and the records to keep.
    pub(crate) fn add(&self, job: Job) -> Result<(u64, Vec<Record>), ApiError> {
        let mut jobs = self.jobs();
        if jobs.values().filter(|it| !it.is_through).count() >= MAX_RUNNING {
            return Err(ApiError::TooManyBulks(MAX_RUNNING));
        }
        let mut records = Vec::new();
        if jobs.len() >= MAX_JOBS {
            let oldest = jobs.iter().find(|(_, job)| job.is_through).map(|(id, _)| *id);
            oldest.into_iter().for_each(|id| _ = jobs.remove(&id));
            records.extend(oldest.map(removal));
        }
        // Numbers never come back, since commands of forgotten jobs last longer.
        let last = jobs.last_key_value().map_or(0, |(id, _)| *id);
        let id = job.created.max(last + 1);
        records.push(job.record(id));
        jobs.insert(id, job);
        Ok((id, records))
    }

    pub(crate) fn get(&self, id: u64) -> Option<Job> {
        self.jobs().get(&id).cloned()
    }

    /// All jobs, the newest first.
    pub(crate) fn list(&self) -> Vec<(u64, Job)> {
        self.jobs().iter().rev().map(|(id, job)| (*id, job.clone())).collect()
    }

    /// The numbers of those that have yet to go through the fleet.
    pub(crate) fn running(&self) -> Vec<u64> {
        self.jobs().iter().filter(|(_, job)| !job.is_through).map(|(id, _)| *id).collect()
    }

    /// Notes how far a job has come; `None` if it was taken back.
    pub(crate) fn update(&self, id: u64, job: &Job) -> Option<Record> {
        let mut jobs = self.jobs();
        jobs.get_mut(&id)?.clone_from(job);
        Some(job.record(id))
    }

    /// Takes a job back.
    pub(crate) fn remove(&self, id: u64) -> Option<Record> {
        self.jobs().remove(&id).map(|_| removal(id))
    }

    fn jobs(&self) -> MutexGuard<'_, BTreeMap<u64, Job>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn removal(id: u64) -> Record {
    Record { table: BULKS, key: key(id), value: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(created: u64, is_through: bool) -> Job {
        let order = serde_json::from_str(r#"{"operation": "read", "path": "/3"}"#).unwrap();
        Job {
            who: "w".to_owned(),
            query: "prefix=".to_owned(),
            prefix: None,
            order,
            created,
            after: None,
            commands: 0,
            refused: 0,
            reasons: Vec::new(),
            is_through,
        }
    }

    #[test]
    fn jobs_are_bounded_and_have_numbers_of_their_own() {
        let bulks = Bulks::default();
        let first = bulks.add(job(7, true)).unwrap().0;
        assert_eq!(bulks.add(job(7, true)).unwrap().0, first + 1);
        (2..MAX_JOBS).for_each(|_| _ = bulks.add(job(7, true)).unwrap());
        let (_, records) = bulks.add(job(7, false)).unwrap();
        assert_eq!((records.len(), bulks.get(first)), (2, None), "the oldest gives way");
        (1..MAX_RUNNING).for_each(|_| _ = bulks.add(job(7, false)).unwrap());
        assert!(bulks.add(job(7, false)).is_err());
        assert_eq!(bulks.list().len(), MAX_JOBS);
    }

    #[test]
    fn a_job_survives_its_record() {
        let bulks = Bulks::default();
        let (id, records) = bulks.add(job(7, false)).unwrap();
        let restored = Bulks::default();
        let Record { table, key, value } = &records[0];
        assert!(restored.take(*table, key, value.as_deref().unwrap()));
        assert_eq!(restored.running(), [id]);
        assert!(!restored.take(*table, key, b"{}") && !restored.take(*table, b"x", b"{}"));
    }
}
