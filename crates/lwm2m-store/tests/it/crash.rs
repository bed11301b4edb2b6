//! The file on a disk that crashes, fills up and fails: what was acknowledged is there, whole
//! commits, in order, and nothing else.
//!
//! `CRASH_SEEDS` is how many disks each test wears out. Default: few enough for every run.

use bytes::Bytes;
use lwm2m_link::{Lsn, Record, Table, Write};
use lwm2m_store::{Changes, FileStore, Key, Pace, Progress, Store, StoreError, Writer};
use lwm2m_testkit::VirtualDisk;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use std::collections::BTreeMap;
use std::time::Duration;

type Contents = BTreeMap<Key, Bytes>;

fn seeds(default: u64) -> std::ops::Range<u64> {
    let count = std::env::var("CRASH_SEEDS").map(|it| it.parse().unwrap());
    0..count.unwrap_or(default)
}

struct Trial {
    rng: ChaCha8Rng,
    disk: VirtualDisk,
    /// What is acknowledged.
    kept: Contents,
    /// What may be there instead: the outcomes of commits that failed since.
    possible: Vec<Contents>,
}

impl Trial {
    fn new(seed: u64) -> Self {
        let (rng, disk) = (ChaCha8Rng::seed_from_u64(seed), VirtualDisk::new(seed));
        Self { rng, disk, kept: Contents::new(), possible: Vec::new() }
    }

    fn below(&mut self, end: u64) -> u64 {
        self.rng.next_u64() % end
    }

    /// Opens the store, by a computer that crashes while it does, now and then.
    fn open(&mut self) -> FileStore {
        loop {
            let crash = (self.below(2) == 0).then(|| self.below(60));
            self.disk.crash_after(crash.filter(|_| self.disk.crashes() > 0));
            let (computer, crashes) = (self.disk.start(), self.disk.crashes());
            let opened = FileStore::on("a disk", move |builder| {
                builder.create_with_backend(computer.clone())
            });
            self.disk.crash_after(None);
            match opened {
                Ok(store) if self.disk.crashes() == crashes => return store,
                Ok(_) => {}
                Err(error) => assert!(self.disk.crashes() > crashes, "{error}"),
            }
        }
    }

    fn changes(&mut self) -> Changes {
        let count = 1 + self.below(12);
        (0..count).map(|_| self.record()).collect()
    }

    fn record(&mut self) -> Record {
        let table = Table(u8::try_from(self.below(3)).unwrap());
        let key = Bytes::from(format!("key {}", self.below(40)));
        let length = [10, 100, 1_000, 9_000][usize::try_from(self.below(4)).unwrap()];
        let length = usize::try_from(self.below(length)).unwrap();
        let value = Bytes::from(self.rng.next_u64().to_string().repeat(1 + length / 20));
        Record { table, key, value: (self.below(5) > 0).then_some(value) }
    }

    /// Commits, and notes what is to be expected from now on. Returns whether it succeeded.
    fn commit(&mut self, store: &mut FileStore, changes: &Changes) -> bool {
        let mut outcome = self.kept.clone();
        apply(&mut outcome, changes);
        let committed = store.commit(changes);
        match committed {
            Ok(()) => (self.kept, self.possible) = (outcome, Vec::new()),
            Err(_) => self.possible.push(outcome),
        }
        committed.is_ok()
    }

    /// Checks what is there.
    fn check(&mut self, seed: u64, store: &FileStore) {
        let found = contents(store);
        let is_expected = found == self.kept || self.possible.contains(&found);
        assert!(is_expected, "seed {seed}: {} records, {} kept", found.len(), self.kept.len());
        (self.kept, self.possible) = (found, Vec::new());
    }
}

fn contents(store: &FileStore) -> Contents {
    let records = store.reader().all().unwrap().map(Result::unwrap);
    records.map(|it| ((it.table, it.key), it.value.unwrap_or_default())).collect()
}

fn apply(contents: &mut Contents, changes: &Changes) {
    for (key, value) in changes.iter() {
        match value {
            Some(value) => _ = contents.insert(key.clone(), value.clone()),
            None => _ = contents.remove(key),
        }
    }
}

#[test]
fn crashes_lose_no_commit_and_leave_no_part_of_one() {
    let (seeds, mut commits) = (seeds(400), 0);
    let enough = 4 * seeds.end;
    for seed in seeds {
        let mut trial = Trial::new(seed);
        let mut store = trial.open();
        for _ in 0..4 {
            let crash = trial.below(300);
            trial.disk.crash_after(Some(crash));
            let crashes = trial.disk.crashes();
            for _ in 0..300 {
                let changes = trial.changes();
                if !trial.commit(&mut store, &changes) {
                    break;
                }
                commits += 1;
            }
            if trial.disk.crashes() == crashes {
                trial.disk.crash();
            }
            drop(store);
            store = trial.open();
            trial.check(seed, &store);
        }
    }
    assert!(commits > enough, "{commits} commits");
}

#[test]
fn failures_of_the_disk_lose_nothing_and_the_store_recovers() {
    for seed in seeds(200) {
        let mut trial = Trial::new(seed);
        let mut store = trial.open();
        for _ in 0..3 {
            let mut unwritten = Changes::default();
            for _ in 0..15 {
                let (failing, is_full) = (trial.below(8), trial.below(3) == 0);
                trial.disk.set_failing(u32::try_from(failing * failing).unwrap());
                trial.disk.set_full(is_full);
                // As the writer does it: what failed is committed again with what came later.
                unwritten.append(trial.changes());
                if trial.commit(&mut store, &unwritten) {
                    unwritten = Changes::default();
                }
            }
            trial.disk.set_failing(0);
            trial.disk.set_full(false);
            if trial.below(2) == 0 {
                unwritten.append(trial.changes());
                // The first attempt may find the file closed, but not the second.
                let recovered =
                    trial.commit(&mut store, &unwritten) || trial.commit(&mut store, &unwritten);
                assert!(recovered, "seed {seed}");
                trial.check(seed, &store);
            }
            trial.disk.crash();
            drop(store);
            store = trial.open();
            trial.check(seed, &store);
        }
    }
}

#[test]
fn full_disk_is_read_and_has_what_was_acknowledged() {
    for seed in 0..20 {
        let mut trial = Trial::new(seed);
        let mut store = trial.open();
        let reader = store.reader();
        trial.disk.set_full(true);
        let mut unwritten = trial.changes();
        while trial.commit(&mut store, &unwritten) {
            unwritten = trial.changes();
        }
        let error = store.commit(&unwritten).unwrap_err();
        assert!(matches!(error, StoreError::Full { .. }), "seed {seed}: {error}");
        assert!(reader.all().unwrap().all(|record| record.is_ok()));
        trial.check(seed, &store);
        trial.disk.set_full(false);
        assert!(trial.commit(&mut store, &unwritten), "seed {seed}");
        trial.check(seed, &store);
    }
}

/// Pushes writes until the disk has crashed. Returns the newest position reported as durable.
async fn push_until_crash(disk: &VirtualDisk, writer: &mut Writer, writes: &[Write]) -> Lsn {
    let (crashes, mut written) = (disk.crashes(), Lsn(0));
    for group in writes.chunks(7) {
        group.iter().for_each(|write| writer.push(write.clone()));
        match writer.next().await {
            Progress::Written(lsn) => written = lsn,
            Progress::Failed(_) => break,
        }
    }
    assert!(disk.crashes() > crashes, "the disk is to crash before all is written");
    written
}

#[tokio::test]
async fn what_a_writer_reports_as_written_survives_and_nothing_overtakes() {
    let mut unreported = 0;
    for seed in seeds(150) {
        let mut trial = Trial::new(seed);
        let (store, mut known) = (trial.open(), Contents::new());
        let mut store = Some(store);
        for _ in 0..3 {
            let (crash, record) = (trial.below(400), |at, trial: &mut Trial| Write {
                lsn: Lsn(at),
                record: trial.record(),
                keep_last: None,
                promised: trial.below(4) > 0 || at % 7 == 0,
            });
            let writes: Vec<_> = (1..=700).map(|at| record(at, &mut trial)).collect();
            trial.disk.crash_after(Some(crash));
            let pace = Pace { gather: Duration::ZERO, retry: Duration::from_secs(3600) };
            let mut writer = Writer::start(store.take().unwrap(), pace).unwrap();
            let written = push_until_crash(&trial.disk, &mut writer, &writes).await;
            let reopened = trial.open();
            let found = contents(&reopened);
            // The dead writer has no way to the disk, whatever it tries.
            drop(writer);
            let mut newest = (known == found).then_some(Lsn(0));
            for write in writes {
                apply(&mut known, &Changes::from_iter([write.record]));
                newest = newest.max((known == found).then_some(write.lsn));
            }
            let newest = newest.unwrap_or_else(|| panic!("seed {seed}: no state that ever was"));
            assert!(newest >= written, "seed {seed}: {newest:?} of {written:?}");
            unreported += u32::from(newest > written);
            (store, known) = (Some(reopened), found);
        }
    }
    assert!(unreported > 0, "a crash may keep what was not reported yet");
}
