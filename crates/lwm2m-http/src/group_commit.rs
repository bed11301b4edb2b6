//! Group commit: changes that come while an earlier one is being written share the next write.

use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Mutex;

/// Counts changes, and which of them have been written.
#[derive(Debug, Default)]
pub(crate) struct GroupCommit {
    changes: AtomicU64,
    /// How many changes the last write contains. Held while a write runs.
    written: Mutex<u64>,
}

impl GroupCommit {
    /// Returns when a change that has been made is written: by `write`, which must write all that
    /// has been made when it is first polled, or by the write of another change.
    ///
    /// # Errors
    /// Those of `write`. A change that waited for a write that failed begins its own.
    pub(crate) async fn commit<E>(
        &self,
        write: impl Future<Output = Result<(), E>>,
    ) -> Result<(), E> {
        let change = self.changes.fetch_add(1, Ordering::AcqRel) + 1;
        let mut written = self.written.lock().await;
        if *written >= change {
            return Ok(());
        }
        let contained = self.changes.load(Ordering::Acquire);
        write.await?;
        *written = contained;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn changes_that_wait_share_one_write() {
        let (commit, writes) = (GroupCommit::default(), Cell::new(0));
        let (release, released) = oneshot::channel::<()>();
        let first = commit.commit(async {
            writes.set(writes.get() + 1);
            released.await.map_err(drop)
        });
        let later = || {
            commit.commit(async {
                writes.set(writes.get() + 1);
                Ok::<(), ()>(())
            })
        };
        let release = async { release.send(()) };
        let all = tokio::join!(first, later(), later(), later(), release);
        assert_eq!(all, (Ok(()), Ok(()), Ok(()), Ok(()), Ok(())));
        assert_eq!(writes.get(), 2);
    }

    #[tokio::test]
    async fn a_write_that_failed_is_not_shared() {
        let commit = GroupCommit::default();
        let (failing, working) = (async { Err(()) }, async { Ok::<(), ()>(()) });
        let both = tokio::join!(commit.commit(failing), commit.commit(working));
        assert_eq!(both, (Err(()), Ok(())));
    }
}
