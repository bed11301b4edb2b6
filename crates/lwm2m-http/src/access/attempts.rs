//! How often passwords may be tried.

use std::collections::HashMap;
use std::net::IpAddr;

/// Failures in a row that cost nothing.
const FREE: u32 = 5;
/// The longest wait between two attempts, in seconds.
const MAX_WAIT: u64 = 300;
/// Names and addresses that are remembered; the one that failed least recently gives way.
const MAX_KNOWN: usize = 4_096;

/// What failed: a log-in of a user, or from an address.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Source {
    User(String),
    Address(IpAddr),
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: u64,
}

/// Failed log-ins. After five in a row, each has to wait twice as long as the one before, up to five
/// minutes; an hour without one forgets them.
#[derive(Debug, Default)]
pub(crate) struct Attempts(HashMap<Source, Failures>);

impl Attempts {
    /// How many seconds are left until the next attempt; zero if it may be made at `now`.
    pub(crate) fn wait(&self, sources: &[Source], now: u64) -> u64 {
        let waits = sources.iter().filter_map(|source| self.0.get(source));
        waits.map(|it| it.free_at().saturating_sub(now)).max().unwrap_or_default()
    }

    /// Notes how an attempt ended. A success clears the user; the address stays suspect, because an
    /// attacker may have an account, too.
    pub(crate) fn note(&mut self, sources: &[Source], succeeded: bool, now: u64) {
        for source in sources {
            match (succeeded, source) {
                (true, Source::User(_)) => _ = self.0.remove(source),
                (true, Source::Address(_)) => {}
                (false, _) => self.fail(source, now),
            }
        }
    }

    fn fail(&mut self, source: &Source, now: u64) {
        self.0.retain(|_, it| now < it.last + 3_600);
        if self.0.len() >= MAX_KNOWN && !self.0.contains_key(source) {
            let eldest = self.0.iter().min_by_key(|(_, it)| it.last).map(|(it, _)| it.clone());
            eldest.into_iter().for_each(|it| _ = self.0.remove(&it));
        }
        let failures = self.0.entry(source.clone()).or_insert(Failures { count: 0, last: now });
        *failures = Failures { count: failures.count.saturating_add(1), last: now };
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
        assert_eq!(attempts.wait(&[Source::User("b".to_owned())], 100), 0);
        attempts.note(&user, true, 400);
        attempts.note(&user, false, 400);
        assert_eq!(attempts.wait(&user, 400), 0);
    }

    #[test]
    fn many_names_take_no_more_memory_and_an_hour_forgets() {
        let mut attempts = Attempts::default();
        for number in 0..10_000 {
            attempts.note(&[Source::User(number.to_string())], false, number);
        }
        assert!(attempts.0.len() <= MAX_KNOWN);
        attempts.note(&[Source::User("x".to_owned())], false, 1_000_000);
        assert_eq!(attempts.0.len(), 1);
    }
}
