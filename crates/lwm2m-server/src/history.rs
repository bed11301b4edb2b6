//! Which events are kept: the last ones, and of no device so many that it pushes the others out.

use lwm2m_time::Instant;
use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// How many groups of devices are told apart, with and without security each. Two devices in one
/// group share its part.
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
    /// Those of devices without and with security, the oldest first.
    kept: [VecDeque<u64>; 2],
    /// What each group of devices had in this hour.
    taken: Box<[u32]>,
    since: Instant,
    hasher: RandomState,
}

impl History {
    pub(crate) fn new(most: u64) -> Self {
        let groups = if most > 0 { 2 * GROUPS } else { 0 };
        let taken = vec![0; groups].into();
        let (kept, hasher) = (Default::default(), RandomState::new());
        Self { most, next: 0, kept, taken, since: Instant::ZERO, hasher }
    }

    /// The number of one more event of a device. `None` if it is not to be kept. Afterwards one may be
    /// too many: see [`pop_beyond`](Self::pop_beyond).
    pub(crate) fn admit(&mut self, now: Instant, endpoint: &str, is_secured: bool) -> Option<u64> {
        if now.saturating_since(self.since) >= HOUR {
            self.taken.fill(0);
            self.since = now;
        }
        let group = usize::try_from(self.hasher.hash_one(endpoint)).unwrap_or(0) % GROUPS;
        let taken = self.taken.get_mut(group + usize::from(is_secured) * GROUPS)?;
        if u64::from(*taken) >= (self.most / SHARE).max(1) {
            return None;
        }
        *taken += 1;
        let number = self.next;
        self.next += 1;
        self.of(is_secured).push_back(number);
        Some(number)
    }

    /// Takes note of an event of an earlier run, in the order of their numbers. `None` for a number that
    /// no server can have reached.
    pub(crate) fn restore(&mut self, number: u64, is_secured: bool) -> Option<()> {
        let next = number.checked_add(1).filter(|next| *next < u64::MAX / 2)?;
        self.next = self.next.max(next);
        self.of(is_secured).push_back(number);
        Some(())
    }

    /// Takes an event out that is too many: the oldest one of devices without security, or of the
    /// others, whichever have more than half. So nobody pushes out what happened to devices with security
    /// by registering under many names.
    pub(crate) fn pop_beyond(&mut self) -> Option<u64> {
        let [plain, secured] = &mut self.kept;
        let (of_plain, of_secured) = (plain.len() as u64, secured.len() as u64);
        if of_plain + of_secured <= self.most {
            return None;
        }
        if of_plain > self.most / 2 { plain.pop_front() } else { secured.pop_front() }
    }

    const fn of(&mut self, is_secured: bool) -> &mut VecDeque<u64> {
        let [plain, secured] = &mut self.kept;
        if is_secured { secured } else { plain }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(history: &History) -> [usize; 2] {
        [history.kept[0].len(), history.kept[1].len()]
    }

    #[test]
    fn devices_without_security_have_what_the_others_leave_and_half_if_need_be() {
        let mut history = History::new(100);
        let mut happens = |names: std::ops::Range<u32>, is_secured| {
            for name in names {
                let _ = history.admit(Instant::ZERO, &format!("dev-{name}"), is_secured);
                while history.pop_beyond().is_some() {}
            }
            kept(&history)
        };
        assert_eq!(happens(0..300, false), [100, 0], "all if nobody else is there");
        assert_eq!(happens(0..30, true), [70, 30]);
        assert_eq!(happens(300..5_000, false), [70, 30], "no name pushes those out");
        assert_eq!(happens(30..300, true), [50, 50]);
        assert_eq!(happens(5_000..6_000, false), [50, 50]);
    }

    #[test]
    fn names_without_security_use_up_no_share_of_others() {
        let mut history = History::new(1_600);
        for name in 0..200_000 {
            let _ = history.admit(Instant::ZERO, &format!("dev-{name}"), false);
            history.pop_beyond();
        }
        assert_eq!(history.admit(Instant::ZERO, "dev-x", false), None, "every group had its share");
        assert!(history.admit(Instant::ZERO, "dev-x", true).is_some());
    }

    #[test]
    fn what_a_smaller_bound_leaves_is_the_same_after_a_restart() {
        let mut history = History::new(10);
        (0..40).for_each(|number| history.restore(number, number % 4 == 0).expect("in range"));
        let gone = std::iter::from_fn(|| history.pop_beyond()).count();
        assert_eq!((gone, kept(&history)), (30, [5, 5]));
        assert_eq!(history.admit(Instant::ZERO, "a", true), Some(40));
        assert_eq!(history.restore(u64::MAX, true), None);
    }
}
