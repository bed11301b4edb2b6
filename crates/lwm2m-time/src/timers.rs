//! A table of named timers.

use crate::instant::Instant;
use alloc::collections::{BTreeMap, BTreeSet};

/// Deadlines in their order, for an engine that knows the deadline of each key itself. A
/// [`TimerTable`] serves an engine that does not.
///
/// A key names what is due and is usually an enum. Every operation takes logarithmic time in the
/// number of timers. Timers with equal deadlines expire in the order of their keys, so that runs
/// are reproducible.
#[derive(Clone, Debug)]
pub struct TimerQueue<K> {
    queue: BTreeSet<(Instant, K)>,
}

impl<K> Default for TimerQueue<K> {
    fn default() -> Self {
        Self { queue: BTreeSet::new() }
    }
}

impl<K: Ord + Copy> TimerQueue<K> {
    /// Adds a timer that expires at `at`. A key may have several.
    pub fn insert(&mut self, at: Instant, key: K) {
        self.queue.insert((at, key));
    }

    /// Removes the timer of `key` that expires at `at`. Returns `false` if it was not set.
    pub fn remove(&mut self, at: Instant, key: K) -> bool {
        self.queue.remove(&(at, key))
    }

    /// The earliest deadline: the next time to wake the engine.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// The key with the earliest deadline.
    #[must_use]
    pub fn first(&self) -> Option<K> {
        self.queue.first().map(|(_, key)| *key)
    }

    /// Removes the earliest timer that is due at `now`. Call it until it returns `None`.
    pub fn pop_expired(&mut self, now: Instant) -> Option<K> {
        let (at, key) = *self.queue.first()?;
        if at > now {
            return None;
        }
        self.queue.pop_first();
        Some(key)
    }
}

/// The timers of an engine: a [`TimerQueue`] with at most one deadline per key.
#[derive(Clone, Debug)]
pub struct TimerTable<K> {
    deadlines: BTreeMap<K, Instant>,
    queue: TimerQueue<K>,
}

impl<K> Default for TimerTable<K> {
    fn default() -> Self {
        Self { deadlines: BTreeMap::new(), queue: TimerQueue::default() }
    }
}

impl<K: Ord + Copy> TimerTable<K> {
    /// Creates an empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the timer of `key` to expire at `at`. Replaces its earlier deadline.
    pub fn set(&mut self, key: K, at: Instant) {
        if let Some(before) = self.deadlines.insert(key, at) {
            self.queue.remove(before, key);
        }
        self.queue.insert(at, key);
    }

    /// Cancels the timer of `key`. Returns `false` if it was not set.
    pub fn cancel(&mut self, key: K) -> bool {
        match self.deadlines.remove(&key) {
            Some(at) => self.queue.remove(at, key),
            None => false,
        }
    }

    /// The deadline of `key`, if it is set.
    #[must_use]
    pub fn at(&self, key: K) -> Option<Instant> {
        self.deadlines.get(&key).copied()
    }

    /// The earliest deadline: the next time to wake the engine.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        self.queue.next()
    }

    /// The key with the earliest deadline.
    #[must_use]
    pub fn first(&self) -> Option<K> {
        self.queue.first()
    }

    /// Removes the earliest timer that is due at `now`. Call it until it returns `None`.
    pub fn pop_expired(&mut self, now: Instant) -> Option<K> {
        let key = self.queue.pop_expired(now)?;
        self.deadlines.remove(&key);
        Some(key)
    }

    /// The number of timers that are set.
    #[must_use]
    pub fn len(&self) -> usize {
        self.deadlines.len()
    }

    /// Whether no timer is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.deadlines.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[test]
    fn timers_expire_in_the_order_of_time_then_key() {
        let mut timers = TimerTable::new();
        timers.set('b', at(5));
        timers.set('c', at(3));
        timers.set('a', at(5));
        assert_eq!((timers.next(), timers.first()), (Some(at(3)), Some('c')));
        assert_eq!(timers.pop_expired(at(2)), None);
        assert_eq!(timers.pop_expired(at(9)), Some('c'));
        assert_eq!(timers.pop_expired(at(9)), Some('a'));
        assert_eq!(timers.pop_expired(at(9)), Some('b'));
        assert_eq!(timers.pop_expired(at(9)), None);
        assert!(timers.is_empty());
    }

    #[test]
    fn a_timer_can_be_replaced_and_cancelled() {
        let mut timers = TimerTable::new();
        timers.set(1, at(5));
        timers.set(1, at(8));
        assert_eq!((timers.len(), timers.at(1)), (1, Some(at(8))));
        assert_eq!(timers.pop_expired(at(5)), None);
        assert!(timers.cancel(1));
        assert!(!timers.cancel(1));
        assert_eq!((timers.next(), timers.at(1)), (None, None));
    }
}
