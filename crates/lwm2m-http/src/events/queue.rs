//! What one stream has not sent yet.

use super::batch::Frames;
use axum::body::Bytes;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// How far a stream may be behind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) events: usize,
    /// The bytes of the batches that these events are in.
    pub(crate) bytes: usize,
}

/// A bounded queue of events between the hub and one stream.
#[derive(Debug)]
pub(crate) struct Queue {
    limits: Limits,
    unread: Mutex<Unread>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Unread {
    frames: VecDeque<Frames>,
    /// How many frames these are.
    count: usize,
    /// The bytes that are kept for them.
    bytes: usize,
    /// How many events have been dropped since the stream was last told.
    missed: u64,
    closed: bool,
}

/// What a stream takes from its queue.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Delivery {
    /// Frames to send.
    Frames(Bytes),
    /// The stream was too slow and has missed this many events.
    Missed(u64),
}

impl Queue {
    /// An empty queue.
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, unread: Mutex::default(), changed: Notify::new() }
    }

    /// Adds frames. Drops the oldest ones when there are too many.
    pub(super) fn push(&self, frames: Frames) {
        let mut unread = self.lock();
        unread.count += frames.count();
        unread.bytes += frames.bytes();
        unread.frames.push_back(frames);
        // A batch is kept as a whole, so only whole batches free bytes.
        while unread.bytes > self.limits.bytes && unread.drop_oldest(usize::MAX) {}
        while unread.count > self.limits.events {
            let excess = unread.count - self.limits.events;
            if !unread.drop_oldest(excess) {
                break;
            }
        }
        drop(unread);
        self.changed.notify_one();
    }

    /// Notes that the stream misses `count` events which never became frames.
    pub(super) fn miss(&self, count: u64) {
        self.lock().missed += count;
        self.changed.notify_one();
    }

    /// Notes that no more events will come.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// Waits for the next thing to send; `None` at the end. Only one task may wait.
    pub(crate) async fn next(&self) -> Option<Delivery> {
        loop {
            if let Some(next) = self.lock().take() {
                return next;
            }
            // A change since the look has left its permit here.
            self.changed.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Unread> {
        self.unread.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Unread {
    /// Drops up to `count` events of the oldest batch. Returns whether there was one.
    fn drop_oldest(&mut self, count: usize) -> bool {
        let Some(oldest) = self.frames.front_mut() else { return false };
        let dropped = oldest.drop_oldest(count);
        let (left, bytes) = (oldest.count(), oldest.bytes());
        self.count -= dropped;
        self.missed += dropped as u64;
        if left == 0 {
            self.frames.pop_front();
            self.bytes -= bytes;
        }
        true
    }

    /// The next thing to send, or the end (`Some(None)`); `None` if the stream has to wait.
    fn take(&mut self) -> Option<Option<Delivery>> {
        if self.missed > 0 {
            return Some(Some(Delivery::Missed(std::mem::take(&mut self.missed))));
        }
        match self.frames.pop_front() {
            Some(frames) => {
                self.count -= frames.count();
                self.bytes -= frames.bytes();
                Some(Some(Delivery::Frames(frames.into_text())))
            }
            None => self.closed.then_some(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::batch::Batch;
    use super::*;

    fn frames(texts: &[&str]) -> Frames {
        let mut batch = Batch::default();
        for text in texts {
            batch.add(|to| to.extend_from_slice(text.as_bytes()));
        }
        batch.take().unwrap()
    }

    fn queue(events: usize, bytes: usize) -> Queue {
        Queue::new(Limits { events, bytes })
    }

    fn held(queue: &Queue) -> (usize, usize) {
        let unread = queue.lock();
        (unread.bytes, unread.count)
    }

    fn text(delivery: Option<Delivery>) -> String {
        match delivery {
            Some(Delivery::Frames(text)) => String::from_utf8(text.to_vec()).unwrap(),
            other => panic!("no frames: {other:?}"),
        }
    }

    #[tokio::test]
    async fn a_full_queue_drops_the_oldest_events_across_batches() {
        let queue = queue(3, 100);
        queue.push(frames(&["a", "b"]));
        queue.push(frames(&["c", "d", "e"]));
        queue.push(frames(&["f"]));
        assert_eq!(queue.next().await, Some(Delivery::Missed(3)));
        assert_eq!(text(queue.next().await), "de");
        assert_eq!(text(queue.next().await), "f");
        queue.push(frames(&["g", "h", "i", "j"]));
        assert_eq!(queue.next().await, Some(Delivery::Missed(1)));
        assert_eq!(text(queue.next().await), "hij");
    }

    #[tokio::test]
    async fn a_queue_that_is_not_read_keeps_so_many_bytes_and_no_more() {
        let queue = queue(1_000, 10);
        for batch in [["123", "45"], ["678", "90"], ["abc", "de"]] {
            queue.push(frames(&batch));
            assert!(queue.lock().bytes <= 10);
        }
        assert_eq!(queue.next().await, Some(Delivery::Missed(2)));
        assert_eq!(text(queue.next().await), "67890");
        queue.push(frames(&["far too long for it"]));
        assert_eq!(held(&queue), (0, 0));
        assert_eq!(queue.next().await, Some(Delivery::Missed(3)));
        queue.push(frames(&["f"]));
        assert_eq!(text(queue.next().await), "f");
        assert_eq!(held(&queue), (0, 0));
    }

    #[tokio::test]
    async fn what_waits_is_delivered_before_the_end() {
        let queue = queue(3, 100);
        queue.push(frames(&["a"]));
        queue.miss(7);
        queue.close();
        assert_eq!(queue.next().await, Some(Delivery::Missed(7)));
        assert_eq!(text(queue.next().await), "a");
        assert_eq!(queue.next().await, None);
    }
}
