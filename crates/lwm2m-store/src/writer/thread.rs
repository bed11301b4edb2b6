//! The loop that commits what was pushed.

use super::Pace;
use super::progress::State;
use super::queue::Queue;
use crate::changes::Changes;
use crate::store::Store;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::watch;

/// Commits until the queue is closed. What a commit could not keep is kept here, of each record the
/// last change, and committed again.
pub(super) fn run(mut store: impl Store, queue: &Queue, pace: Pace, report: &watch::Sender<State>) {
    let mut unwritten = Changes::default();
    loop {
        let has_failed = !unwritten.is_empty();
        let batch = if has_failed { queue.after(pace.retry) } else { queue.next(pace) };
        unwritten.append(batch.changes);
        if unwritten.is_empty() {
            // Only an empty queue that is closed has nothing.
            break;
        }
        let begun = Instant::now();
        match store.commit(&unwritten) {
            Ok(()) => {
                unwritten = Changes::default();
                if has_failed {
                    tracing::info!("the store keeps what is promised again");
                }
                report.send_modify(|state| state.written(batch.newest, begun.elapsed()));
            }
            Err(error) => {
                if batch.is_last {
                    tracing::error!(%error, "the last changes are not kept");
                } else if !has_failed {
                    tracing::error!(%error, "nothing is promised until the store can be written");
                }
                report.send_modify(|state| state.failed(batch.newest, Arc::new(error)));
            }
        }
        if batch.is_last {
            break;
        }
    }
}
