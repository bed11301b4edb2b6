//! The events of a server on their way to its subscribers, bounded in number and in bytes.
//!
//! Each event is kept once, until all subscribers have it. When there are too many, the oldest goes,
//! and only the subscribers that have not read it miss it.

use lwm2m_server::Event;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

/// Events that a subscriber may be behind before it misses some.
const MAX_EVENTS: usize = 16_384;
/// The bytes that these may take, by estimate.
const MAX_BYTES: usize = 64 << 20;

/// The events of a server from [`ServerHandle::subscribe`](crate::ServerHandle::subscribe) on.
#[derive(Debug)]
pub struct Events {
    shared: Arc<Shared>,
    reader: u64,
}

impl Events {
    /// Waits for the next event. Cancel-safe.
    ///
    /// # Errors
    /// - `Lagged`: this subscriber was too slow and misses so many events; the next call goes on
    ///   after them.
    /// - `Closed`: the server has ended.
    pub async fn recv(&mut self) -> Result<Arc<Event>, RecvError> {
        loop {
            let changed = self.shared.changed.notified();
            tokio::pin!(changed);
            // From here on a push is noticed.
            changed.as_mut().enable();
            if let Some(next) = self.shared.lock().take(self.reader) {
                return next;
            }
            changed.await;
        }
    }

    /// The next event, if there is one.
    ///
    /// # Errors
    /// As [`Self::recv`]; `Empty`: there is none yet.
    pub fn try_recv(&mut self) -> Result<Arc<Event>, TryRecvError> {
        match self.shared.lock().take(self.reader) {
            Some(next) => next.map_err(|error| match error {
                RecvError::Closed => TryRecvError::Closed,
                RecvError::Lagged(missed) => TryRecvError::Lagged(missed),
            }),
            None => Err(TryRecvError::Empty),
        }
    }

    /// Whether nothing waits for this subscriber.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let ring = self.shared.lock();
        ring.readers.get(&self.reader).is_none_or(|next| *next == ring.end())
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.shared.lock().leave(self.reader);
    }
}

/// Where events are subscribed to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subscriptions(Arc<Shared>);

impl Subscriptions {
    pub(crate) fn subscribe(&self) -> Events {
        let reader = self.0.lock().enter();
        Events { shared: Arc::clone(&self.0), reader }
    }
}

/// Where a server puts its events. When it is dropped, subscribers are told that no more will come.
#[derive(Debug, Default)]
pub(crate) struct Publisher(Subscriptions);

impl Publisher {
    pub(crate) fn subscriptions(&self) -> Subscriptions {
        self.0.clone()
    }

    pub(crate) fn has_subscribers(&self) -> bool {
        !self.0.0.lock().readers.is_empty()
    }

    /// Gives an event, which takes `bytes`, to all subscribers.
    pub(crate) fn publish(&self, event: Arc<Event>, bytes: usize) {
        self.0.0.lock().push(event, bytes);
        self.0.0.changed.notify_waiters();
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.0.0.lock().closed = true;
        self.0.0.changed.notify_waiters();
    }
}

#[derive(Debug, Default)]
struct Shared {
    ring: Mutex<Ring<Arc<Event>>>,
    changed: Notify,
}

impl Shared {
    // No step of a change of the ring runs foreign code, so a panic elsewhere leaves it whole.
    fn lock(&self) -> MutexGuard<'_, Ring<Arc<Event>>> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Items for several readers, numbered from the first one ever.
#[derive(Debug)]
struct Ring<T> {
    /// The items with their bytes.
    items: VecDeque<(T, usize)>,
    /// The number of the first of these.
    first: u64,
    bytes: usize,
    /// The number of the next item of each reader.
    readers: HashMap<u64, u64>,
    /// How many readers there have been.
    entered: u64,
    closed: bool,
}

impl<T> Default for Ring<T> {
    fn default() -> Self {
        let (items, readers) = (VecDeque::new(), HashMap::new());
        Self { items, first: 0, bytes: 0, readers, entered: 0, closed: false }
    }
}

impl<T: Clone> Ring<T> {
    /// Adds a reader of what comes from now on.
    fn enter(&mut self) -> u64 {
        self.entered += 1;
        self.readers.insert(self.entered, self.end());
        self.entered
    }

    /// The number of the next item.
    fn end(&self) -> u64 {
        self.first + self.items.len() as u64
    }

    fn leave(&mut self, reader: u64) {
        self.readers.remove(&reader);
        self.trim();
    }

    fn push(&mut self, item: T, bytes: usize) {
        if self.readers.is_empty() {
            return;
        }
        self.items.push_back((item, bytes));
        self.bytes = self.bytes.saturating_add(bytes);
        while self.items.len() > MAX_EVENTS || self.bytes > MAX_BYTES {
            self.pop();
        }
    }

    fn pop(&mut self) {
        if let Some((_, bytes)) = self.items.pop_front() {
            self.first += 1;
            self.bytes -= bytes;
        }
    }

    /// Removes what all readers have.
    fn trim(&mut self) {
        let needed = self.readers.values().copied().min().unwrap_or_else(|| self.end());
        while self.first < needed {
            self.pop();
        }
    }

    /// The next item of a reader, or what it has missed, or the end; `None` if it has to wait.
    fn take(&mut self, reader: u64) -> Option<Result<T, RecvError>> {
        let (first, next) = (self.first, self.readers.get_mut(&reader)?);
        let Some(place) = next.checked_sub(first) else {
            let missed = first - *next;
            *next = first;
            return Some(Err(RecvError::Lagged(missed)));
        };
        let found = usize::try_from(place).ok().and_then(|place| self.items.get(place));
        let Some((item, _)) = found else { return self.closed.then_some(Err(RecvError::Closed)) };
        let item = item.clone();
        *next += 1;
        if place == 0 {
            self.trim();
        }
        Some(Ok(item))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: usize = MAX_BYTES / 2;

    fn next(ring: &mut Ring<u8>, reader: u64) -> Option<Result<u8, RecvError>> {
        ring.take(reader)
    }

    #[test]
    fn only_who_does_not_read_misses_events_and_bytes_are_bounded() {
        let mut ring = Ring::default();
        let (slow, fast) = (ring.enter(), ring.enter());
        for number in 0..5 {
            ring.push(number, HALF);
            assert!(ring.bytes <= MAX_BYTES);
            assert_eq!(next(&mut ring, fast), Some(Ok(number)));
        }
        assert_eq!(next(&mut ring, fast), None);
        assert_eq!(next(&mut ring, slow), Some(Err(RecvError::Lagged(3))));
        assert_eq!(next(&mut ring, slow), Some(Ok(3)));
        assert_eq!(ring.bytes, HALF, "what all have is gone");
        assert_eq!(next(&mut ring, slow), Some(Ok(4)));
        assert_eq!((next(&mut ring, slow), ring.bytes, ring.items.len()), (None, 0, 0));
    }

    #[test]
    fn an_item_beyond_the_bound_is_missed_by_all() {
        let mut ring = Ring::default();
        let reader = ring.enter();
        ring.push(1, MAX_BYTES + 1);
        assert_eq!((ring.bytes, ring.items.len()), (0, 0));
        assert_eq!(next(&mut ring, reader), Some(Err(RecvError::Lagged(1))));
    }

    #[test]
    fn the_number_is_bounded_and_a_reader_that_leaves_frees_its_share() {
        let mut ring = Ring::default();
        let (slow, late) = (ring.enter(), ring.enter());
        (0..MAX_EVENTS + 2).for_each(|_| ring.push(0, 1));
        assert_eq!((ring.items.len(), ring.bytes), (MAX_EVENTS, MAX_EVENTS));
        assert_eq!(next(&mut ring, late), Some(Err(RecvError::Lagged(2))));
        ring.leave(slow);
        assert_eq!(ring.items.len(), MAX_EVENTS, "the other one still needs them");
        ring.leave(late);
        assert_eq!((ring.items.len(), ring.bytes), (0, 0));
        ring.push(0, 1);
        assert!(ring.items.is_empty(), "nobody wants it");
    }

    #[tokio::test]
    async fn the_end_is_told_after_what_waits() {
        let publisher = Publisher::default();
        let mut events = publisher.subscriptions().subscribe();
        let waiting = tokio::spawn(async move { events.recv().await });
        tokio::task::yield_now().await;
        drop(publisher);
        assert!(matches!(waiting.await.unwrap(), Err(RecvError::Closed)));
    }
}
