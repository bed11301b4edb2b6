//! What waits for the next commit.

use super::Pace;
use crate::changes::Changes;
use lwm2m_link::{Lsn, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Writes on their way from the driver to the thread.
#[derive(Default, Debug)]
pub(super) struct Queue {
    pending: Mutex<Pending>,
    /// Notified when there is a reason to commit, or one to begin to gather.
    ready: Condvar,
}

#[derive(Default, Debug)]
struct Pending {
    batch: Batch,
    /// When the first of them came.
    since: Option<Instant>,
    is_promised: bool,
}

/// What a commit takes.
#[derive(Default, Debug)]
pub(super) struct Batch {
    pub(super) changes: Changes,
    /// The newest position in it.
    pub(super) newest: Lsn,
    /// Whether it is the last one.
    pub(super) is_last: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds writes that one commit takes together.
    pub(super) fn extend(&self, writes: impl IntoIterator<Item = Write>) {
        let (mut pending, mut wakes) = (self.lock(), false);
        for write in writes {
            wakes |= pending.since.is_none() || (write.promised && !pending.is_promised);
            pending.since.get_or_insert_with(Instant::now);
            pending.is_promised |= write.promised;
            pending.batch.newest = write.lsn;
            pending.batch.changes.write(write);
        }
        drop(pending);
        if wakes {
            self.ready.notify_one();
        }
    }

    /// Nothing is pushed any more.
    pub(super) fn close(&self) {
        self.lock().batch.is_last = true;
        self.ready.notify_one();
    }

    /// Waits until something has to be committed, and takes it.
    pub(super) fn next(&self, pace: Pace) -> Batch {
        self.take_when(|pending| match pending.since {
            Some(_) if pending.is_promised => Some(Duration::ZERO),
            Some(since) => Some(pace.gather.saturating_sub(since.elapsed())),
            None => None,
        })
    }

    /// Waits after a failure, and takes what has come in the meantime.
    pub(super) fn after(&self, pause: Duration) -> Batch {
        let from = Instant::now();
        self.take_when(|_| Some(pause.saturating_sub(from.elapsed())))
    }

    /// Waits as long as `rest` says, or until the queue is closed.
    fn take_when(&self, rest: impl Fn(&Pending) -> Option<Duration>) -> Batch {
        let mut pending = self.lock();
        loop {
            match rest(&pending) {
                _ if pending.batch.is_last => break,
                Some(Duration::ZERO) => break,
                Some(rest) => {
                    let waited = self.ready.wait_timeout(pending, rest);
                    pending = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
                None => {
                    let waited = self.ready.wait(pending);
                    pending = waited.unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
        let (newest, is_last) = (pending.batch.newest, pending.batch.is_last);
        let rest = Batch { changes: Changes::default(), newest, is_last };
        let taken = Pending { batch: rest, since: None, is_promised: false };
        std::mem::replace(&mut *pending, taken).batch
    }
}
