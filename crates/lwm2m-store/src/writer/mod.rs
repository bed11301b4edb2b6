//! The thread that owns a store, and its three ends: writes in, progress out, positions awaited.
//!
//! The driver of an engine owns the [`Writer`]: it pushes what the engine wants kept, which never
//! waits, and awaits progress for the engine. Writes gather while a commit runs, so that one commit
//! makes all of them durable. Others wait for a position by a [`Durability`].

mod progress;
mod queue;
mod thread;

pub use progress::{Commits, Durability, NotDurable, Progress};

use crate::store::{Reader, Store};
use lwm2m_link::{Lsn, Write};
use progress::State;
use queue::Queue;
use std::future::pending;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::watch;

/// How a [`Writer`] takes its time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    /// How long writes gather that nobody waits for. Default: 1 s.
    pub gather: Duration,
    /// How long the writer waits after a failed commit before it tries again. Default: 1 s.
    pub retry: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { gather: Duration::from_secs(1), retry: Duration::from_secs(1) }
    }
}

/// The driver's end of the thread that owns a store.
///
/// When it is dropped, what was pushed is committed first, and the store is closed: dropping waits for
/// the thread. If that commit fails, it is logged and not tried again.
#[derive(Debug)]
pub struct Writer {
    queue: Arc<Queue>,
    reader: Reader,
    progress: watch::Receiver<State>,
    /// The newest position pushed.
    newest: Lsn,
    /// The successes and failures that [`next`](Self::next) has reported.
    reported: (Lsn, u64),
    /// The position up to which it has reported that the thread has ended.
    ended: Option<Lsn>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread.
    ///
    /// # Errors
    /// The operating system has no thread to give.
    pub fn start(store: impl Store, pace: Pace) -> io::Result<Self> {
        let (queue, reader) = (Arc::new(Queue::default()), store.reader());
        let (report, progress) = watch::channel(State::default());
        let thread = std::thread::Builder::new().name("lwm2m-store".to_owned()).spawn({
            let queue = Arc::clone(&queue);
            move || thread::run(store, &queue, pace, &report)
        })?;
        Ok(Self {
            queue,
            reader,
            progress,
            newest: Lsn(0),
            reported: (Lsn(0), 0),
            ended: None,
            thread: Some(thread),
        })
    }

    /// Takes a write of the engine. Does not wait.
    pub fn push(&mut self, write: Write) {
        self.extend([write]);
    }

    /// Takes writes of the engine that are durable together or not at all. Does not wait.
    pub fn extend(&mut self, writes: impl IntoIterator<Item = Write>) {
        let is_running = self.progress.has_changed().is_ok();
        let newest = &mut self.newest;
        let writes = writes.into_iter().inspect(|write| *newest = write.lsn);
        match is_running {
            true => self.queue.extend(writes),
            false => writes.for_each(drop),
        }
    }

    /// Waits for the next progress. Cancel-safe. Only the newest is told: a success that came after a
    /// failure replaces it.
    ///
    /// If the thread panicked, this fails at once, and again after each push.
    pub async fn next(&mut self) -> Progress {
        loop {
            let state = self.progress.borrow_and_update().clone();
            let (written, failures) = &mut self.reported;
            if state.written > *written {
                *written = state.written;
                return Progress::Written(state.written);
            }
            if state.failures > *failures {
                *failures = state.failures;
                if state.error.is_some() {
                    return Progress::Failed(state.failed);
                }
            }
            if self.progress.changed().await.is_ok() {
                continue;
            }
            if self.ended.is_none_or(|told| told < self.newest) {
                self.ended = Some(self.newest);
                return Progress::Failed(self.newest);
            }
            // The next push wakes the driver, which then calls this again.
            pending().await
        }
    }

    /// Read access to the store.
    #[must_use]
    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }

    /// Access for those who wait for a position.
    #[must_use]
    pub fn durability(&self) -> Durability {
        Durability(self.progress.clone())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.close();
        // A panic has been logged by the thread's own report and told as a failure.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
