//! How often passwords may be tried.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;

/// Failures in a row that cost nothing.
const FREE: u32 = 5;
/// After so many seconds without a failure those of before are forgotten.
const FORGOTTEN: u64 = 3_600;
/// The longest wait between two attempts, in seconds.
const MAX_WAIT: u64 = 300;
/// Places for what failed; what shares one waits together.
const PLACES: usize = 4_096;

/// What failed: a log-in of a user, or from an address.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Source {
    User(String),
    Address(IpAddr),
}

#[derive(Clone, Copy, Default, Debug)]
struct Failures {
    count: u32,
    last: u64,
}

/// Failed log-ins. After five in a row, each has to wait twice as long as the one before, up to five
/// minutes; an hour without one forgets them.
///
/// They lie in a table of fixed size by a secret hash: nobody can make it grow, push others out, or
/// choose with whom a name shares its place.
#[derive(Debug)]
pub(crate) struct Attempts {
    places: Box<[Failures]>,
    hasher: RandomState,
}

impl Default for Attempts {
    fn default() -> Self {
        let places = vec![Failures::default(); PLACES].into();
        Self { places, hasher: RandomState::new() }
    }
}

impl Attempts {
    /// How many seconds are left until the next attempt; zero if it may be made at `now`.
    pub(crate) fn wait(&self, sources: &[Source], now: u64) -> u64 {
        let waits = sources.iter().filter_map(|source| self.places.get(self.place(source)));
        waits.map(|it| it.free_at().saturating_sub(now)).max().unwrap_or_default()
    }

    /// Notes how an attempt ended. A success clears the user; the address stays suspect, because an
    /// attacker may have an account, too.
    pub(crate) fn note(&mut self, sources: &[Source], succeeded: bool, now: u64) {
        for source in sources {
            let place = self.place(source);
            let Some(failures) = self.places.get_mut(place) else { continue };
            match (succeeded, source) {
                (true, Source::User(_)) => *failures = Failures::default(),
                (true, Source::Address(_)) => {}
                (false, _) => {
                    let before = if now < failures.last + FORGOTTEN { failures.count } else { 0 };
                    *failures = Failures { count: before.saturating_add(1), last: now };
                }
            }
        }
    }

    fn place(&self, source: &Source) -> usize {
        let hash = self.hasher.hash_one(source);
        usize::try_from(hash % PLACES as u64).unwrap_or_default()
    }
}

impl Failures {
    fn free_at(self) -> u64 {
        let excess = self.count.saturating_sub(FREE - 1);
        let wait = 1_u64.checked_shl(excess).map_or(MAX_WAIT, |it| (it - 1).min(MAX_WAIT));
        self.last + wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_makes_the_next_attempt_wait_longer() {
        let mut attempts = Attempts::default();
        let user = [Source::User("a".to_owned())];
        let waits = (0..15).map(|_| {
            attempts.note(&user, false, 100);
            attempts.wait(&user, 100)
        });
        let expected = [0, 0, 0, 0, 1, 3, 7, 15, 31, 63, 127, 255, 300, 300, 300];
        assert_eq!(waits.collect::<Vec<_>>(), expected);
        assert_eq!(attempts.wait(&user, 400), 0);
        // Others seldom share its place.
        let others = (0..100).map(|it| [Source::User(it.to_string())]);
        assert!(others.filter(|it| attempts.wait(it, 100) > 0).count() < 10);
        attempts.note(&user, true, 400);
        attempts.note(&user, false, 400);
        assert_eq!(attempts.wait(&user, 400), 0);
    }

    #[test]
    fn an_hour_forgets() {
        let mut attempts = Attempts::default();
        let user = [Source::User("a".to_owned())];
        (0..9).for_each(|_| attempts.note(&user, false, 100));
        attempts.note(&user, false, 100 + FORGOTTEN);
        assert_eq!(attempts.wait(&user, 100 + FORGOTTEN), 0);
    }
}
