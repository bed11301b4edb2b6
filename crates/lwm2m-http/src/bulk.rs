//! One operation on many devices, as commands that wait for each of them.
//!
//! A *job* is a selection of devices, an operation, and how far it has come: it goes through the fleet in the
//! order of the endpoint names and makes a command for each device that is selected. What was ordered is one
//! record of the server's store and how far it has come is another, so a job goes on after a restart. Each
//! command has a key of its job, so no device gets two.

use crate::access::Hash;
use crate::error::ApiError;
use bytes::Bytes;
use lwm2m_link::{Record, Table};
use lwm2m_net::RequestError;
use lwm2m_server::SubmitError;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Jobs, by their numbers.
pub const BULKS: Table = Table(132);

/// How many jobs are kept. Beyond that, the oldest job that has ended is forgotten.
const MAX_JOBS: usize = 1_000;
/// How many jobs may go through the fleet at a time.
pub(crate) const MAX_RUNNING: usize = 16;
/// The same two bounds for a tenant: no prefix takes all places.
const MAX_JOBS_OF_PREFIX: usize = 100;
const MAX_RUNNING_OF_PREFIX: usize = 4;
/// The most bytes of the record of an order.
pub(crate) const MAX_ORDER: usize = 64 << 10;
/// The most bytes of all orders. Beyond that, the oldest jobs that have ended are forgotten.
const MAX_BYTES: usize = 4 << 20;
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

/// What was ordered; it does not change.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ordered {
    /// Who ordered it, and what proved it: the job ends when that does.
    pub(crate) who: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) grant: Option<Hash>,
    /// What the author names it, so that it is ordered once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
    /// The query that selects the devices, with the options of the commands.
    pub(crate) query: String,
    /// What the endpoint names begin with that exist for who ordered it.
    pub(crate) prefix: Option<String>,
    pub(crate) order: Order,
    /// When it was ordered, in milliseconds since 1970.
    pub(crate) created: u64,
}

/// How far a job has come.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// The last endpoint name that was looked at.
    pub(crate) after: Option<String>,
    /// Commands that were made.
    pub(crate) commands: u64,
    /// Devices that got none, and of some of them the reasons.
    pub(crate) refused: u64,
    pub(crate) reasons: Vec<Refused>,
    /// Whether it makes no more commands.
    pub(crate) is_through: bool,
    /// Whether that is so before it has looked at all devices.
    #[serde(default)]
    pub(crate) is_stopped: bool,
}

/// A job; cheap to clone.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Job {
    pub(crate) ordered: Arc<Ordered>,
    pub(crate) progress: Progress,
    /// The bytes of the record of its order.
    size: usize,
}

/// A device that got no command.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Refused {
    pub(crate) ep: String,
    pub(crate) error: String,
}

impl Order {
    /// Refuses what the operation has no use for: nobody would look at it, and it would be kept.
    pub(crate) fn check(&self) -> Result<(), ApiError> {
        let expected = "left out: the operation has none";
        let has_content = matches!(self.operation, Word::Write | Word::Create);
        if !has_content && !self.content.is_null() {
            return Err(ApiError::Member { name: "`content`", expected });
        }
        if self.operation != Word::Execute && !self.arguments.is_empty() {
            return Err(ApiError::Member { name: "`arguments`", expected });
        }
        Ok(())
    }
}

impl Ordered {
    /// Whether another order is this one, sent once more.
    fn is_repeated_by(&self, new: &Self) -> bool {
        self.key.is_some()
            && (&self.key, &self.who, &self.prefix) == (&new.key, &new.who, &new.prefix)
    }
}

impl Progress {
    pub(crate) fn refuse(&mut self, endpoint: &str, error: &ApiError) {
        self.refused += 1;
        if self.reasons.len() < MAX_REFUSED {
            self.reasons.push(Refused { ep: endpoint.to_owned(), error: error.to_string() });
        }
    }

    fn record(&self, id: u64) -> Record {
        // A struct of texts and numbers is always JSON.
        let value = serde_json::to_vec(self).unwrap_or_default();
        Record { table: BULKS, key: key_of_progress(id), value: Some(value.into()) }
    }
}

/// The key of the commands of a job. No header has such a character, so nobody else can use it.
pub(crate) fn key_of_commands(id: u64) -> String {
    format!("\u{1f}bulk {id}")
}

/// The key of the order of a job.
fn key(id: u64) -> Bytes {
    Bytes::copy_from_slice(&id.to_be_bytes())
}

/// The key of how far a job has come: it follows that of its order.
fn key_of_progress(id: u64) -> Bytes {
    id.to_be_bytes().into_iter().chain([0]).collect()
}

/// All jobs; cheap to clone.
///
/// Each change takes a function that hands records to the store. It runs while the jobs are locked, so that
/// the store has the records in the order of the changes, and a job that was taken back does not return.
#[derive(Clone, Debug, Default)]
pub struct Bulks(Arc<Mutex<BTreeMap<u64, Job>>>);

impl Bulks {
    /// Restores a job from its records, which come in the order of their keys. Returns `false` if a record
    /// cannot be read.
    pub fn take(&self, table: Table, key: &[u8], value: &[u8]) -> bool {
        let taken = || {
            let (id, rest) = key.split_first_chunk().filter(|_| table == BULKS)?;
            let (id, mut jobs) = (u64::from_be_bytes(*id), self.jobs());
            if rest.is_empty() {
                let ordered = Arc::new(serde_json::from_slice(value).ok()?);
                let (progress, size) = (Progress::default(), value.len());
                jobs.insert(id, Job { ordered, progress, size });
            } else {
                let progress = serde_json::from_slice(value).ok().filter(|_| rest == [0])?;
                jobs.get_mut(&id)?.progress = progress;
            }
            Some(())
        };
        taken().is_some()
    }

    /// Adds a job. Returns its number, and what `post` returns; nothing of it if the job is there already.
    pub(crate) fn add<K>(
        &self,
        ordered: Ordered,
        post: impl FnOnce(Vec<Record>) -> K,
    ) -> Result<(u64, Option<K>), ApiError> {
        // A struct of texts and numbers is always JSON.
        let value = serde_json::to_vec(&ordered).unwrap_or_default();
        if value.len() > MAX_ORDER {
            return Err(ApiError::BodyTooLarge(MAX_ORDER));
        }
        let mut jobs = self.jobs();
        if let Some((id, job)) = jobs.iter().find(|(_, it)| it.ordered.is_repeated_by(&ordered)) {
            let is_same =
                (&job.ordered.query, &job.ordered.order) == (&ordered.query, &ordered.order);
            let error = ApiError::Request(RequestError::Submit(SubmitError::KeyInUse));
            return is_same.then_some((*id, None)).ok_or(error);
        }
        check_running(&jobs, ordered.prefix.as_deref())?;
        let mut records = make_room(&mut jobs, ordered.prefix.as_deref(), value.len());
        // Numbers never come back, since commands of forgotten jobs last longer.
        let last = jobs.last_key_value().map_or(0, |(id, _)| *id);
        let id = ordered.created.max(last + 1);
        let (size, progress) = (value.len(), Progress::default());
        records.push(Record { table: BULKS, key: key(id), value: Some(value.into()) });
        jobs.insert(id, Job { ordered: Arc::new(ordered), progress, size });
        Ok((id, Some(post(records))))
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
        self.jobs().iter().filter(|(_, job)| !job.progress.is_through).map(|(id, _)| *id).collect()
    }

    /// Notes how far a job has come; its end is seen after [`Self::end`]. Returns what `post` returns;
    /// `None` if the job was taken back.
    pub(crate) fn note<K>(
        &self,
        id: u64,
        progress: &Progress,
        post: impl FnOnce(Vec<Record>) -> K,
    ) -> Option<K> {
        let mut jobs = self.jobs();
        let job = jobs.get_mut(&id)?;
        if !progress.is_through {
            job.progress.clone_from(progress);
        }
        Some(post(vec![progress.record(id)]))
    }

    /// Shows the end of a job, which is kept.
    pub(crate) fn end(&self, id: u64, progress: Progress) {
        if let Some(job) = self.jobs().get_mut(&id) {
            job.progress = progress;
        }
    }

    /// Takes a job back. Returns what `post` returns; `None` if there is no such job.
    pub(crate) fn remove<K>(&self, id: u64, post: impl FnOnce(Vec<Record>) -> K) -> Option<K> {
        let mut jobs = self.jobs();
        jobs.remove(&id)?;
        Some(post(removal(id).into()))
    }

    fn jobs(&self) -> MutexGuard<'_, BTreeMap<u64, Job>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Refuses a job beyond those that may go through the fleet.
fn check_running(jobs: &BTreeMap<u64, Job>, prefix: Option<&str>) -> Result<(), ApiError> {
    let running = || jobs.values().filter(|it| !it.progress.is_through);
    let of_prefix = || running().filter(|it| it.ordered.prefix.as_deref() == prefix).count();
    if prefix.is_some() && of_prefix() >= MAX_RUNNING_OF_PREFIX {
        return Err(ApiError::TooManyBulks(MAX_RUNNING_OF_PREFIX));
    }
    (running().count() < MAX_RUNNING).then_some(()).ok_or(ApiError::TooManyBulks(MAX_RUNNING))
}

/// Removes jobs that have ended until there is room for one more. Returns the records.
fn make_room(jobs: &mut BTreeMap<u64, Job>, prefix: Option<&str>, size: usize) -> Vec<Record> {
    let mut records = Vec::new();
    loop {
        let is_own = |job: &&Job| job.ordered.prefix.as_deref() == prefix;
        let own = jobs.values().filter(is_own).count();
        let is_share_full = prefix.is_some() && own >= MAX_JOBS_OF_PREFIX;
        let bytes: usize = jobs.values().map(|job| job.size).sum();
        if !is_share_full && jobs.len() < MAX_JOBS && bytes + size <= MAX_BYTES {
            return records;
        }
        let mut ended = jobs.iter().filter(|(_, job)| job.progress.is_through);
        let oldest = ended.find(|(_, job)| !is_share_full || is_own(job)).map(|(id, _)| *id);
        // Those that run are few and take little.
        let Some(id) = oldest else { return records };
        jobs.remove(&id);
        records.extend(removal(id));
    }
}

fn removal(id: u64) -> [Record; 2] {
    [key(id), key_of_progress(id)].map(|key| Record { table: BULKS, key, value: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered(key: Option<&str>, prefix: Option<&str>, arguments: usize) -> Ordered {
        let order = serde_json::json!({"operation": "execute", "path": "/3/0/4", "arguments": "0".repeat(arguments)});
        Ordered {
            who: "w".to_owned(),
            grant: None,
            key: key.map(str::to_owned),
            query: "prefix=".to_owned(),
            prefix: prefix.map(str::to_owned),
            order: serde_json::from_value(order).unwrap(),
            created: 7,
        }
    }

    /// Adds a job, and returns its number and records.
    fn add(
        bulks: &Bulks,
        ordered: Ordered,
        is_through: bool,
    ) -> Result<(u64, Vec<Record>), ApiError> {
        let (id, records) = bulks.add(ordered, |records| records)?;
        if is_through {
            bulks.end(id, Progress { is_through, ..Progress::default() });
        }
        Ok((id, records.unwrap_or_default()))
    }

    #[test]
    fn jobs_are_bounded_and_have_numbers_of_their_own() {
        let (bulks, small) = (Bulks::default(), || ordered(None, None, 0));
        let first = add(&bulks, small(), true).unwrap().0;
        assert_eq!(add(&bulks, small(), true).unwrap().0, first + 1);
        (2..MAX_JOBS).for_each(|_| _ = add(&bulks, small(), true).unwrap());
        let (_, records) = add(&bulks, small(), false).unwrap();
        assert_eq!((records.len(), bulks.get(first)), (3, None), "the oldest gives way");
        (1..MAX_RUNNING).for_each(|_| _ = add(&bulks, small(), false).unwrap());
        assert!(add(&bulks, small(), false).is_err());
        assert_eq!(bulks.list().len(), MAX_JOBS);
    }

    #[test]
    fn orders_are_bounded_one_by_one_and_together() {
        let bulks = Bulks::default();
        assert!(add(&bulks, ordered(None, None, MAX_ORDER), true).is_err());
        (0..200).for_each(|_| _ = add(&bulks, ordered(None, None, MAX_ORDER - 300), true).unwrap());
        assert_eq!(bulks.list().len(), MAX_BYTES / MAX_ORDER);
    }

    #[test]
    fn a_tenant_has_a_share() {
        let (bulks, of) = (Bulks::default(), |prefix| ordered(None, Some(prefix), 0));
        let other = add(&bulks, of("b"), true).unwrap().0;
        (0..MAX_JOBS_OF_PREFIX + 5).for_each(|_| _ = add(&bulks, of("a"), true).unwrap());
        assert_eq!(bulks.list().len(), MAX_JOBS_OF_PREFIX + 1);
        assert!(bulks.get(other).is_some(), "those of others stay");
        (0..MAX_RUNNING_OF_PREFIX).for_each(|_| _ = add(&bulks, of("a"), false).unwrap());
        assert!(add(&bulks, of("a"), false).is_err() && add(&bulks, of("b"), false).is_ok());
    }

    #[test]
    fn a_key_stands_for_one_order_of_its_author() {
        let bulks = Bulks::default();
        let first = add(&bulks, ordered(Some("k"), None, 0), false).unwrap().0;
        assert_eq!(add(&bulks, ordered(Some("k"), None, 0), false).unwrap(), (first, Vec::new()));
        assert!(add(&bulks, ordered(Some("k"), None, 1), false).is_err());
        let other = Ordered { who: "v".to_owned(), ..ordered(Some("k"), None, 1) };
        assert_ne!(add(&bulks, other, false).unwrap().0, first);
        assert_ne!(add(&bulks, ordered(Some("k"), Some("a"), 0), false).unwrap().0, first);
    }

    #[test]
    fn a_job_survives_its_records() {
        let bulks = Bulks::default();
        let (id, mut records) = add(&bulks, ordered(Some("k"), Some("a"), 9), false).unwrap();
        let progress = Progress { commands: 5, after: Some("x".to_owned()), ..Progress::default() };
        records.extend(bulks.note(id, &progress, |records| records).unwrap());
        let restored = Bulks::default();
        for Record { table, key, value } in &records {
            assert!(restored.take(*table, key, value.as_deref().unwrap()));
        }
        assert_eq!((restored.get(id), restored.running()), (bulks.get(id), vec![id]));
        let Record { table, key, .. } = &records[0];
        assert!(!restored.take(*table, key, b"{}") && !restored.take(*table, b"x", b"{}"));
        assert!(!restored.take(Table(1), key, records[0].value.as_deref().unwrap()));
    }

    #[test]
    fn a_job_that_was_taken_back_stays_away_from_the_store() {
        let bulks = Bulks::default();
        let (id, _) = add(&bulks, ordered(None, None, 0), false).unwrap();
        let is_locked = |_| assert!(bulks.0.try_lock().is_err(), "others would come between");
        assert!(bulks.note(id, &Progress::default(), is_locked).is_some());
        assert!(bulks.remove(id, is_locked).is_some());
        assert!(bulks.note(id, &Progress::default(), |_| ()).is_none());
        assert!(bulks.add(ordered(None, None, 0), is_locked).is_ok());
    }
}
