//! How far the store has come, for the engine and for those who wait for a position.

use crate::error::StoreError;
use lwm2m_link::Lsn;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// News of the store for the engine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// All writes up to this position are durable.
    Written(Lsn),
    /// The writes up to this position are not all durable. They are tried again, except after the end
    /// of the thread.
    Failed(Lsn),
}

/// Why a change is not durable.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotDurable {
    /// The store could not be written. It is tried again, so the change may become durable later.
    #[error("not kept: {0}")]
    Failed(Arc<StoreError>),
    /// The thread that writes the store has ended.
    #[error("not kept: the store has been shut down")]
    Ended,
}

/// What the thread tells.
#[derive(Clone, Default, Debug)]
pub(super) struct State {
    pub(super) written: Lsn,
    /// The newest position whose commit failed.
    pub(super) failed: Lsn,
    /// The number of commits that failed.
    pub(super) failures: u64,
    /// The number of commits that succeeded, and the time that they took together.
    pub(super) commits: (u64, Duration),
    /// Why the latest commit failed, unless it succeeded.
    pub(super) error: Option<Arc<StoreError>>,
}

impl State {
    pub(super) fn written(&mut self, lsn: Lsn, took: Duration) {
        self.written = lsn;
        self.commits.0 += 1;
        self.commits.1 += took;
        self.error = None;
    }

    pub(super) fn failed(&mut self, lsn: Lsn, error: Arc<StoreError>) {
        self.failed = lsn;
        self.failures += 1;
        self.error = Some(error);
    }

    /// What has become of the writes up to a position, if that is known.
    fn outcome(&self, lsn: Lsn) -> Option<Result<(), NotDurable>> {
        match &self.error {
            _ if self.written >= lsn => Some(Ok(())),
            Some(error) if self.failed >= lsn => Some(Err(NotDurable::Failed(Arc::clone(error)))),
            _ => None,
        }
    }
}

/// The commits of a store since its thread was started.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Commits {
    /// Those that succeeded.
    pub succeeded: u64,
    /// Those that failed; each is tried again.
    pub failed: u64,
    /// The time that the successful ones took together.
    pub took: Duration,
    /// Whether the latest one failed.
    pub is_failing: bool,
}

/// Tells any number of tasks when the store has come to a position.
#[derive(Clone, Debug)]
pub struct Durability(pub(super) watch::Receiver<State>);

impl Durability {
    /// Waits until all writes up to a position are durable. Cancel-safe.
    ///
    /// # Errors
    /// See [`NotDurable`].
    pub async fn written(&self, lsn: Lsn) -> Result<(), NotDurable> {
        let mut progress = self.0.clone();
        let decided = progress.wait_for(|state| state.outcome(lsn).is_some()).await;
        let state = decided.map_err(|_| NotDurable::Ended)?;
        state.outcome(lsn).unwrap_or(Err(NotDurable::Ended))
    }

    /// What the thread has done since it was started.
    #[must_use]
    pub fn commits(&self) -> Commits {
        let state = self.0.borrow();
        let State { failures, commits: (succeeded, took), .. } = *state;
        Commits { succeeded, failed: failures, took, is_failing: state.error.is_some() }
    }

    /// Waits until the thread has committed what it could and closed the store: when this returns, the
    /// program may end.
    pub async fn ended(&self) {
        let mut progress = self.0.clone();
        while progress.changed().await.is_ok() {}
    }
}
