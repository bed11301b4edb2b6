//! Which events are kept: the last ones, and of no device so many that it pushes the others out.

use lwm2m_time::Instant;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// How many groups of devices are told apart. Two devices in one group share its part.
const GROUPS: usize = 1_024;
/// The part of all events that a device may have in an hour.
const SHARE: u64 = 16;
const HOUR: Duration = Duration::from_secs(3_600);

/// The numbers of the events that are kept.
#[derive(Debug)]
pub(crate) struct History {
    /// How many are kept; 0 is none.
    most: u64,
    next: u64,
    /// What each group of devices had in this hour.
    taken: Box<[u32]>,
    since: Instant,
    hasher: RandomState,
}

impl History {
    pub(crate) fn new(most: u64) -> Self {
        let groups = if most > 0 { GROUPS } else { 0 };
        let taken = vec![0; groups].into();
        Self { most, next: 0, taken, since: Instant::ZERO, hasher: RandomState::new() }
    }

    /// The number of one more event of a device, and that of the event that it replaces. `None` if it
    /// is not to be kept.
    pub(crate) fn admit(&mut self, now: Instant, endpoint: &str) -> Option<(u64, Option<u64>)> {
        if now.saturating_since(self.since) >= HOUR {
            self.taken.fill(0);
            self.since = now;
        }
        let group = usize::try_from(self.hasher.hash_one(endpoint)).unwrap_or(0) % GROUPS;
        let taken = self.taken.get_mut(group)?;
        if u64::from(*taken) >= (self.most / SHARE).max(1) {
            return None;
        }
        *taken += 1;
        let number = self.next;
        self.next += 1;
        Some((number, number.checked_sub(self.most)))
    }

    /// Takes note of an event of an earlier run. `None` for a number that no server can have reached.
    pub(crate) fn restore(&mut self, number: u64) -> Option<()> {
        let next = number.checked_add(1).filter(|next| *next < u64::MAX / 2)?;
        self.next = self.next.max(next);
        Some(())
    }

    /// How many are to be kept, if that is less than `kept`.
    pub(crate) fn most_below(&self, kept: u64) -> Option<u32> {
        u32::try_from(self.most).ok().filter(|most| u64::from(*most) < kept)
    }
}
