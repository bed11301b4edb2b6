//! How many devices may register in a second: after a restart of a big fleet's network they all come
//! at once.

use lwm2m_time::Instant;

/// A number of registrations a second, of which a second's worth may come at once.
#[derive(Debug)]
pub(crate) struct Admission {
    /// 0 is no limit.
    per_second: u32,
    /// Microseconds of the limit that are unused.
    unused: u64,
    at: Instant,
}

const SECOND: u64 = 1_000_000;

impl Admission {
    pub(crate) const fn new(per_second: u32) -> Self {
        Self { per_second, unused: SECOND, at: Instant::ZERO }
    }

    /// Whether one more may register now.
    pub(crate) fn admits(&mut self, now: Instant) -> bool {
        let Some(cost) = SECOND.checked_div(self.per_second.into()) else { return true };
        let passed = u64::try_from(now.saturating_since(self.at).as_micros()).unwrap_or(SECOND);
        self.unused = self.unused.saturating_add(passed).min(SECOND);
        self.at = self.at.max(now);
        let fits = self.unused >= cost;
        if fits {
            self.unused -= cost;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_admits_so_many_and_the_rest_waits() {
        let mut admission = Admission::new(100);
        let mut admitted =
            |now: u64| (0..1_000).filter(|_| admission.admits(Instant::from_millis(now))).count();
        assert_eq!([admitted(5_000), admitted(5_000), admitted(5_500)], [100, 0, 50]);
        assert_eq!(admitted(60_000), 100, "what was not used is not saved up");
        let mut free = Admission::new(0);
        assert!((0..10_000).all(|_| free.admits(Instant::ZERO)));
    }
}
