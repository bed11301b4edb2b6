//! What a store costs and gives on this machine's disk: commits, acknowledged writes, bytes, restarts.
//!
//! `cargo run --release -p lwm2m-benches --example store [FOLDER [RECORDS]]`. The folder must be on the
//! disk to measure; it is made, and removed at the end. Default: `target/bench-store`, 100,000 records
//! of 300 bytes.

use lwm2m_link::{Lsn, Record, Table, Write};
use lwm2m_store::{Changes, FileStore, Pace, Progress, Store, Writer};
use std::collections::VecDeque;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

type Outcome<T> = Result<T, Box<dyn Error>>;

const SPAN: Duration = Duration::from_secs(4);
const VALUE: usize = 300;

/// A random number, the same in each run.
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn record(at: u64, seed: u64) -> Record {
    let mut value = vec![0; VALUE];
    value[..8].copy_from_slice(&seed.to_be_bytes());
    let key = format!("urn:dev:os:{at:012}").into();
    Record { table: Table(1), key, value: Some(value.into()) }
}

/// Times, and what they say.
struct Times(Vec<Duration>);

impl Times {
    fn print(mut self, what: &str, span: Duration, each: usize) {
        self.0.sort_unstable();
        let at = |percent: usize| {
            let place = (self.0.len() * percent / 100).min(self.0.len().saturating_sub(1));
            self.0.get(place).map_or(0.0, |time| time.as_secs_f64() * 1_000.0)
        };
        let rate = (self.0.len() * each) as f64 / span.as_secs_f64();
        println!("{what:<44} {rate:>10.0}/s   p50 {:>7.2}   p99 {:>7.2} ms", at(50), at(99));
    }
}

fn commits(store: &mut FileStore, records: u64, each: usize) -> Outcome<()> {
    let (mut times, mut state, begin) = (Vec::new(), 7, Instant::now());
    while begin.elapsed() < SPAN {
        let changes = |_| record(random(&mut state) % records, times.len() as u64);
        let changes: Changes = (0..each).map(changes).collect();
        let from = Instant::now();
        store.commit(&changes)?;
        times.push(from.elapsed());
    }
    Times(times).print(&format!("commits of {each}"), begin.elapsed(), 1);
    Ok(())
}

/// The driver's side of a writer: writes that wait for their acknowledgement, in order.
struct Load {
    writer: Writer,
    records: u64,
    state: u64,
    lsn: u64,
    waiting: VecDeque<(Lsn, Instant)>,
    times: Vec<Duration>,
}

impl Load {
    fn push(&mut self) {
        self.lsn += 1;
        let (lsn, promised) = (Lsn(self.lsn), true);
        let record = record(random(&mut self.state) % self.records, self.lsn);
        self.writer.push(Write { lsn, record, keep_last: None, promised });
        self.waiting.push_back((lsn, Instant::now()));
    }

    fn acknowledge(&mut self, progress: Progress) -> Outcome<()> {
        let Progress::Written(written) = progress else { return Err("the store failed".into()) };
        while let Some((_, at)) = self.waiting.pop_front_if(|(lsn, _)| *lsn <= written) {
            self.times.push(at.elapsed());
        }
        Ok(())
    }

    fn finish(&mut self, what: &str, begin: Instant) {
        Times(std::mem::take(&mut self.times)).print(what, begin.elapsed(), 1);
    }

    /// So many senders, each of which sends again when it has its acknowledgement.
    async fn closed(&mut self, senders: usize) -> Outcome<()> {
        let begin = Instant::now();
        while begin.elapsed() < SPAN {
            while self.waiting.len() < senders {
                self.push();
            }
            let progress = self.writer.next().await;
            self.acknowledge(progress)?;
        }
        self.finish(&format!("acknowledged, {senders} senders"), begin);
        self.drain().await
    }

    /// So many writes a second, whatever comes back.
    async fn open(&mut self, rate: f64) -> Outcome<()> {
        let begin = Instant::now();
        let mut pushed = 0.0;
        while begin.elapsed() < SPAN {
            while pushed < begin.elapsed().as_secs_f64() * rate {
                self.push();
                pushed += 1.0;
            }
            let next = tokio::time::timeout(Duration::from_millis(1), self.writer.next()).await;
            next.map_or(Ok(()), |progress| self.acknowledge(progress))?;
        }
        self.finish(&format!("acknowledged, {rate} a second offered"), begin);
        self.drain().await
    }

    async fn drain(&mut self) -> Outcome<()> {
        while !self.waiting.is_empty() {
            let progress = self.writer.next().await;
            self.acknowledge(progress)?;
        }
        self.times.clear();
        Ok(())
    }

    /// What a push takes of the engine's time, while commits run.
    async fn push_cost(&mut self) -> Outcome<()> {
        let (mut spent, rounds, each) = (Duration::ZERO, 50, 1_000);
        for _ in 0..rounds {
            let records: Vec<_> = (0..each).map(|at| record(at * 7 % self.records, 1)).collect();
            let begin = Instant::now();
            for record in records {
                self.lsn += 1;
                self.writer.push(Write {
                    lsn: Lsn(self.lsn),
                    record,
                    keep_last: None,
                    promised: true,
                });
            }
            spent += begin.elapsed();
            self.writer.durability().written(Lsn(self.lsn)).await?;
        }
        let nanoseconds = spent.as_nanos() / (rounds * u128::from(each));
        println!("{:<44} {nanoseconds:>10} ns", "a push takes the engine");
        Ok(())
    }
}

/// How long it takes to open the store and to read all of it.
fn restart(folder: &Path, what: &str) -> Outcome<()> {
    let begin = Instant::now();
    let store = FileStore::open(folder)?;
    let opened = begin.elapsed();
    let count = store.reader().all()?.try_fold(0_u64, |count, it| it.map(|_| count + 1))?;
    let (opened, total) = (opened.as_secs_f64(), begin.elapsed().as_secs_f64());
    println!("{what:<44} {:>10.3} s    with {count} records read {total:.3} s", opened);
    Ok(())
}

fn size(store: &FileStore, what: &str, records: u64) -> Outcome<()> {
    let size = store.reader().size()? as f64 / records as f64;
    println!("{what:<44} {size:>10.0} bytes a record of {}", VALUE + 23);
    Ok(())
}

fn fill(folder: &Path, records: u64) -> Outcome<FileStore> {
    let (mut store, begin) = (FileStore::open(folder)?, Instant::now());
    for from in (0..records).step_by(1_000) {
        store.commit(&(from..(from + 1_000).min(records)).map(|at| record(at, 0)).collect())?;
    }
    println!(
        "{:<44} {:>10.1} s",
        format!("{records} records written"),
        begin.elapsed().as_secs_f64()
    );
    Ok(store)
}

fn run(folder: &Path, records: u64) -> Outcome<()> {
    let mut store = fill(folder, records)?;
    size(&store, "on disk, filled", records)?;
    for each in [1, 10, 100, 1_000] {
        commits(&mut store, records, each)?;
    }
    size(&store, "on disk, after these commits", records)?;
    let copy = folder.join("copy");
    let begin = Instant::now();
    lwm2m_store::backup(&store.reader(), &copy)?;
    println!("{:<44} {:>10.3} s", "backup", begin.elapsed().as_secs_f64());
    // As a crash leaves it.
    let crashed = folder.join("crashed");
    std::fs::create_dir_all(&crashed)?;
    std::fs::copy(folder.join("store.redb"), crashed.join("store.redb"))?;
    drop(store);
    restart(folder, "opened after a clean end")?;
    restart(&crashed, "opened after a crash")?;
    let writer = Writer::start(FileStore::open(folder)?, Pace::default())?;
    let (waiting, times) = (VecDeque::new(), Vec::new());
    let mut load = Load { writer, records, state: 7, lsn: 0, waiting, times };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    for senders in [1, 10, 100, 1_000] {
        runtime.block_on(load.closed(senders))?;
    }
    for rate in [1_000.0, 10_000.0] {
        runtime.block_on(load.open(rate))?;
    }
    runtime.block_on(load.push_cost())
}

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/bench-store");
    let folder = arguments.next().map_or_else(|| default.into(), PathBuf::from);
    let records = arguments.next().map_or(Ok(100_000), |it| it.parse())?;
    if folder.exists() {
        return Err(format!("{} exists", folder.display()).into());
    }
    let outcome = run(&folder, records);
    std::fs::remove_dir_all(&folder)?;
    outcome
}
