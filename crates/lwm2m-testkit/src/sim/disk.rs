//! The disk of a node: what its engine wants kept is committed later, in groups, and a crash keeps
//! all that was committed and some of the rest.

use bytes::Bytes;
use lwm2m_link::{Lsn, Record, Table, Write};
use lwm2m_time::Instant;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use std::collections::{BTreeMap, VecDeque};
use std::ops::RangeInclusive;
use std::time::Duration;

/// How long writes gather that nobody waits for, and how long a disk waits after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// A disk with a writer that commits in groups, as the driver's does, in virtual time.
#[derive(Debug)]
pub struct Disk {
    /// How long a commit takes; each takes a random time of these. Default: 100 µs to 20 ms.
    pub latency: RangeInclusive<Duration>,
    /// Whether commits fail, as on a full disk. They are tried again each second. Default: off.
    pub is_full: bool,
    rng: ChaCha8Rng,
    kept: BTreeMap<(Table, Bytes), Bytes>,
    /// What is not committed yet, in order; each element becomes durable at once.
    queue: VecDeque<Vec<Write>>,
    activity: Activity,
}

/// What the disk does until when.
#[derive(Clone, Copy, Debug)]
enum Activity {
    Idle,
    /// Lets writes gather that nobody waits for.
    Gathering(Instant),
    /// Commits the first elements of the queue.
    Committing(Instant, usize),
    /// Waits after a failure.
    Pausing(Instant),
}

/// How a commit ended: all writes up to the position are durable, or are not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    Written(Lsn),
    Failed(Lsn),
}

impl Disk {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            latency: Duration::from_micros(100)..=Duration::from_millis(20),
            is_full: false,
            rng: ChaCha8Rng::seed_from_u64(seed),
            kept: BTreeMap::new(),
            queue: VecDeque::new(),
            activity: Activity::Idle,
        }
    }

    /// What a restart would find after a clean stop of the disk: all records that are committed, in
    /// the order of tables and keys.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        let record = |((table, key), value): (&(Table, Bytes), &Bytes)| Record {
            table: *table,
            key: key.clone(),
            value: Some(value.clone()),
        };
        self.kept.iter().map(record).collect()
    }

    /// The number of writes that are not committed.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.queue.iter().map(Vec::len).sum()
    }

    /// Takes writes of the engine that become durable at once.
    pub(super) fn push(&mut self, now: Instant, writes: Vec<Write>) {
        let promised = writes.iter().any(|write| write.promised);
        self.queue.push_back(writes);
        match self.activity {
            Activity::Idle | Activity::Gathering(_) if promised => self.begin(now),
            Activity::Idle => self.activity = Activity::Gathering(now + PAUSE),
            _ => {}
        }
    }

    /// When something happens next.
    pub(super) const fn due(&self) -> Option<Instant> {
        match self.activity {
            Activity::Idle => None,
            Activity::Gathering(at) | Activity::Committing(at, _) | Activity::Pausing(at) => {
                Some(at)
            }
        }
    }

    /// As [`due`](Self::due), but not for a disk that has failed: it may try for ever.
    pub(super) const fn due_unless_failed(&self) -> Option<Instant> {
        match self.activity {
            Activity::Pausing(_) => None,
            _ => self.due(),
        }
    }

    /// Does what is due by `now`.
    pub(super) fn advance(&mut self, now: Instant) -> Option<Outcome> {
        self.due().filter(|due| *due <= now)?;
        let Activity::Committing(_, count) = self.activity else {
            self.begin(now);
            return None;
        };
        let newest = self.queue.get(count.checked_sub(1)?)?.last()?.lsn;
        if self.is_full {
            self.activity = Activity::Pausing(now + PAUSE);
            return Some(Outcome::Failed(newest));
        }
        self.keep(count);
        self.activity = Activity::Idle;
        if self.queue.iter().flatten().any(|write| write.promised) {
            self.begin(now);
        } else if !self.queue.is_empty() {
            self.activity = Activity::Gathering(now + PAUSE);
        }
        Some(Outcome::Written(newest))
    }

    /// Loses a random number of the newest writes that are not committed, and keeps the others.
    pub(super) fn crash(&mut self) {
        let survivors = self.random(self.queue.len() as u64);
        self.keep(usize::try_from(survivors).unwrap_or(0));
        self.queue.clear();
        self.activity = Activity::Idle;
    }

    fn begin(&mut self, now: Instant) {
        let (shortest, longest) = (*self.latency.start(), *self.latency.end());
        let spread = longest.saturating_sub(shortest).as_micros();
        let extra = self.random(u64::try_from(spread).unwrap_or(u64::MAX));
        let due = now + shortest + Duration::from_micros(extra);
        self.activity = Activity::Committing(due, self.queue.len());
    }

    fn keep(&mut self, count: usize) {
        for Write { record, keep_last, .. } in self.queue.drain(..count).flatten() {
            let key = (record.table, record.key);
            match (record.value, keep_last) {
                (Some(value), None) => _ = self.kept.insert(key, value),
                (None, None) => _ = self.kept.remove(&key),
                (_, Some(last)) => trim(&mut self.kept, &key, last),
            }
        }
    }

    /// A number up to and with `most`.
    fn random(&mut self, most: u64) -> u64 {
        self.rng.next_u64() % most.saturating_add(1)
    }
}

/// Removes the records whose keys begin with a key, but for the last ones.
fn trim(records: &mut BTreeMap<(Table, Bytes), Bytes>, prefix: &(Table, Bytes), last: u32) {
    let below = records.range(prefix.clone()..).map(|(key, _)| key.clone());
    let below = below.take_while(|(table, key)| *table == prefix.0 && key.starts_with(&prefix.1));
    let below: Vec<_> = below.collect();
    let gone = below.len().saturating_sub(last as usize);
    below.iter().take(gone).for_each(|key| _ = records.remove(key));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(lsn: u64, value: Option<&'static [u8]>, promised: bool) -> Vec<Write> {
        let key = Bytes::from_static(b"k");
        let record = Record { table: Table(1), key, value: value.map(Bytes::from_static) };
        vec![Write { lsn: Lsn(lsn), record, keep_last: None, promised }]
    }

    /// Advances to what is due next.
    fn next(disk: &mut Disk, now: &mut Instant) -> Option<Outcome> {
        *now = disk.due().expect("something is due");
        disk.advance(*now)
    }

    #[test]
    fn writes_gather_while_a_commit_runs() {
        let (mut disk, mut now) = (Disk::new(1), Instant::ZERO);
        disk.push(now, write(1, Some(b"a"), true));
        assert_eq!(disk.advance(now), None, "a commit takes time");
        disk.push(now, write(2, Some(b"b"), true));
        disk.push(now, write(3, Some(b"c"), false));
        assert_eq!(next(&mut disk, &mut now), Some(Outcome::Written(Lsn(1))));
        assert_eq!(disk.records(), [write(1, Some(b"a"), true).remove(0).record]);
        assert_eq!(next(&mut disk, &mut now), Some(Outcome::Written(Lsn(3))));
        assert_eq!(
            (disk.records(), disk.due()),
            (vec![write(3, Some(b"c"), true).remove(0).record], None)
        );
        // What nobody waits for takes a second.
        let before = now;
        disk.push(now, write(4, None, false));
        assert_eq!(next(&mut disk, &mut now), None);
        assert_eq!(now, before + PAUSE);
        assert_eq!(next(&mut disk, &mut now), Some(Outcome::Written(Lsn(4))));
        assert_eq!(disk.records(), []);
    }

    #[test]
    fn full_disk_fails_until_there_is_room() {
        let (mut disk, mut now) = (Disk::new(1), Instant::ZERO);
        disk.is_full = true;
        disk.push(now, write(1, Some(b"a"), true));
        assert_eq!(next(&mut disk, &mut now), Some(Outcome::Failed(Lsn(1))));
        disk.push(now, write(2, Some(b"b"), true));
        assert_eq!(disk.due_unless_failed(), None);
        assert_eq!(next(&mut disk, &mut now), None);
        assert_eq!(next(&mut disk, &mut now), Some(Outcome::Failed(Lsn(2))));
        disk.is_full = false;
        assert_eq!(next(&mut disk, &mut now), None);
        assert_eq!(next(&mut disk, &mut now), Some(Outcome::Written(Lsn(2))));
    }

    #[test]
    fn crash_keeps_all_of_what_belongs_together_or_none() {
        let mut survivors = [0; 2];
        for seed in 0..100 {
            let mut disk = Disk::new(seed);
            let both = [write(1, Some(b"1"), true), write(2, Some(b"2"), true)].concat();
            disk.push(Instant::ZERO, both);
            assert_eq!(disk.outstanding(), 2);
            disk.crash();
            let value = disk.records().pop().and_then(|record| record.value);
            assert_ne!(value.as_deref(), Some(&b"1"[..]));
            survivors[usize::from(value.is_some())] += 1;
        }
        assert!(survivors.iter().all(|count| *count > 20), "{survivors:?}");
    }

    #[test]
    fn crash_keeps_what_was_committed_and_a_prefix_of_the_rest() {
        let mut survivors = [0; 4];
        for seed in 0..100 {
            let (mut disk, mut now) = (Disk::new(seed), Instant::ZERO);
            disk.push(now, write(1, Some(b"1"), true));
            assert_eq!(next(&mut disk, &mut now), Some(Outcome::Written(Lsn(1))));
            disk.push(now, write(2, Some(b"2"), true));
            disk.push(now, write(3, Some(b"3"), true));
            disk.crash();
            assert_eq!((disk.due(), disk.outstanding()), (None, 0));
            let [record] = &disk.records()[..] else { panic!("{:?}", disk.records()) };
            let newest = record.value.as_ref().and_then(|value| value.first()).unwrap();
            survivors[usize::from(newest - b'0')] += 1;
        }
        assert_eq!(survivors[0], 0);
        assert!(survivors[1..].iter().all(|count| *count > 20), "{survivors:?}");
    }
}
