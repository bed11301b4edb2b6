//! The writer against a store that a test commands.

use crate::{TABLE, record};
use lwm2m_link::{Lsn, Record, Write};
use lwm2m_store::{
    Changes, MemoryStore, NotDurable, Pace, Progress, Reader, Store, StoreError, Writer,
};
use std::io;
use std::pin::pin;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::task::{Context, Waker};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);
/// Gathers until something is promised, and tries again at once.
const PACE: Pace = Pace { gather: HOUR, retry: Duration::ZERO };

/// How a commit ends.
enum Verdict {
    Succeed,
    Fail,
    Panic,
}

/// Tells the test of each commit, and ends it as the test says.
struct Commanded {
    store: MemoryStore,
    begun: Sender<Changes>,
    verdicts: Receiver<Verdict>,
}

impl Store for Commanded {
    fn commit(&mut self, changes: &Changes) -> Result<(), StoreError> {
        self.begun.send(changes.clone()).unwrap();
        match self.verdicts.recv().unwrap() {
            Verdict::Succeed => self.store.commit(changes),
            Verdict::Fail => Err(StoreError::io("a file", io::ErrorKind::StorageFull.into())),
            Verdict::Panic => panic!("on purpose"),
        }
    }

    fn reader(&self) -> Reader {
        self.store.reader()
    }
}

/// A writer, what its store begins to commit, and how that ends.
fn commanded(pace: Pace) -> (Writer, Receiver<Changes>, Sender<Verdict>) {
    let ((begun, commits), (verdict, verdicts)) = (channel(), channel());
    let store = Commanded { store: MemoryStore::default(), begun, verdicts };
    (Writer::start(store, pace).unwrap(), commits, verdict)
}

fn write(lsn: u64, promised: bool, record: Record) -> Write {
    Write { lsn: Lsn(lsn), record, keep_last: None, promised }
}

fn promised(lsn: u64, key: &str) -> Write {
    write(lsn, true, record(key, Some(&lsn.to_string())))
}

fn changes<const N: usize>(records: [Record; N]) -> Changes {
    records.into_iter().collect()
}

#[tokio::test]
async fn writes_that_belong_together_are_committed_together() {
    let (mut writer, commits, verdict) = commanded(Pace { gather: Duration::ZERO, ..PACE });
    for lsn in (1..2_000).step_by(2) {
        writer.extend([promised(lsn, "a"), promised(lsn + 1, "b")]);
        let (mut written, mut both) = (Lsn(0), None);
        while written < Lsn(lsn + 1) {
            both = Some(commits.recv().unwrap());
            verdict.send(Verdict::Succeed).unwrap();
            let Progress::Written(lsn) = writer.next().await else { panic!("it fails") };
            written = lsn;
        }
        let [a, b] =
            [("a", lsn), ("b", lsn + 1)].map(|(key, at)| record(key, Some(&at.to_string())));
        assert_eq!(both, Some(changes([a, b])));
    }
}

#[tokio::test]
async fn writes_gather_while_a_commit_runs_and_the_last_of_a_record_counts() {
    let (mut writer, commits, verdict) = commanded(PACE);
    writer.push(promised(1, "a"));
    assert_eq!(commits.recv().unwrap(), changes([record("a", Some("1"))]));
    for (lsn, key) in [(2, "b"), (3, "a"), (4, "b")] {
        writer.push(promised(lsn, key));
    }
    verdict.send(Verdict::Succeed).unwrap();
    assert_eq!(writer.next().await, Progress::Written(Lsn(1)));
    let both = changes([record("a", Some("3")), record("b", Some("4"))]);
    assert_eq!(commits.recv().unwrap(), both);
    assert!(pin!(writer.next()).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert_eq!(writer.reader().get(TABLE, b"b").unwrap(), None, "visible when it is durable");
    verdict.send(Verdict::Succeed).unwrap();
    assert_eq!(writer.next().await, Progress::Written(Lsn(4)));
}

#[tokio::test]
async fn what_nobody_waits_for_gathers_until_something_is_promised() {
    let (mut writer, commits, verdict) = commanded(PACE);
    writer.push(write(1, false, record("a", Some("1"))));
    writer.push(write(2, false, record("b", None)));
    assert!(commits.try_recv().is_err());
    writer.push(promised(3, "c"));
    let all = [record("a", Some("1")), record("b", None), record("c", Some("3"))];
    assert_eq!(commits.recv().unwrap(), changes(all));
    verdict.send(Verdict::Succeed).unwrap();
    assert_eq!(writer.next().await, Progress::Written(Lsn(3)));
    // Or until its time is over.
    let (mut writer, commits, verdict) = commanded(Pace { gather: Duration::ZERO, ..PACE });
    writer.push(write(1, false, record("a", Some("1"))));
    assert_eq!(commits.recv().unwrap(), changes([record("a", Some("1"))]));
    verdict.send(Verdict::Succeed).unwrap();
}

#[tokio::test]
async fn what_failed_is_told_and_committed_again_with_what_came_later() {
    let (mut writer, commits, verdict) = commanded(PACE);
    let durability = writer.durability();
    writer.push(promised(1, "a"));
    writer.push(promised(2, "b"));
    commits.recv().unwrap();
    verdict.send(Verdict::Fail).unwrap();
    // The commit of the first may have begun before the second came.
    let Progress::Failed(failed) = writer.next().await else { panic!("it failed") };
    assert!(failed >= Lsn(1));
    let error = durability.written(Lsn(1)).await.unwrap_err();
    assert_eq!(error.to_string(), "not kept: no space left on the disk of a file: free some");
    // The next attempt has begun already, without this one.
    commits.recv().unwrap();
    writer.push(promised(3, "a"));
    verdict.send(Verdict::Fail).unwrap();
    let all = changes([record("a", Some("3")), record("b", Some("2"))]);
    assert_eq!(commits.recv().unwrap(), all);
    verdict.send(Verdict::Succeed).unwrap();
    durability.written(Lsn(3)).await.unwrap();
    // The newest counts: the failures in between are over.
    assert_eq!(writer.next().await, Progress::Written(Lsn(3)));
    assert!(pin!(writer.next()).poll(&mut Context::from_waker(Waker::noop())).is_pending());
}

#[tokio::test]
async fn positions_are_awaited_by_many() {
    let (mut writer, commits, verdict) = commanded(PACE);
    let waiting = [1, 2, 2].map(|lsn| {
        let durability = writer.durability();
        tokio::spawn(async move { durability.written(Lsn(lsn)).await.is_ok() })
    });
    tokio::task::yield_now().await;
    writer.push(promised(1, "a"));
    commits.recv().unwrap();
    writer.push(promised(2, "b"));
    verdict.send(Verdict::Succeed).unwrap();
    verdict.send(Verdict::Succeed).unwrap();
    for task in waiting {
        assert!(task.await.unwrap());
    }
    writer.durability().written(Lsn(0)).await.unwrap();
}

#[tokio::test]
async fn a_panic_of_the_thread_is_a_failure_for_ever() {
    let (mut writer, _commits, verdict) = commanded(PACE);
    let durability = writer.durability();
    writer.push(promised(1, "a"));
    verdict.send(Verdict::Panic).unwrap();
    assert_eq!(writer.next().await, Progress::Failed(Lsn(1)));
    assert!(pin!(writer.next()).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert!(matches!(durability.written(Lsn(1)).await, Err(NotDurable::Ended)));
    writer.push(promised(2, "a"));
    assert_eq!(writer.next().await, Progress::Failed(Lsn(2)));
    durability.ended().await;
}

#[tokio::test]
async fn what_was_pushed_is_kept_when_the_writer_is_dropped() {
    let (mut writer, commits, verdict) = commanded(PACE);
    let (reader, durability) = (writer.reader(), writer.durability());
    writer.push(write(1, false, record("a", Some("1"))));
    verdict.send(Verdict::Succeed).unwrap();
    drop(writer);
    assert_eq!(commits.try_recv(), Ok(changes([record("a", Some("1"))])));
    assert_eq!(commits.try_recv(), Err(TryRecvError::Disconnected), "the thread has ended");
    assert!(reader.get(TABLE, b"a").unwrap().is_some());
    durability.ended().await;
    durability.written(Lsn(1)).await.unwrap();
    assert!(matches!(durability.written(Lsn(2)).await, Err(NotDurable::Ended)));
}

#[tokio::test]
async fn progress_is_not_lost_with_a_future() {
    let (mut writer, commits, verdict) = commanded(PACE);
    writer.push(promised(1, "a"));
    for _ in 0..3 {
        assert!(pin!(writer.next()).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    commits.recv().unwrap();
    verdict.send(Verdict::Succeed).unwrap();
    writer.durability().written(Lsn(1)).await.unwrap();
    tokio::select! {
        biased;
        () = std::future::ready(()) => {}
        _ = writer.next() => {}
    }
    assert_eq!(writer.next().await, Progress::Written(Lsn(1)));
}
