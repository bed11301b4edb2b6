//! The clock of a node against the time of the simulation.

use lwm2m_time::Instant;
use std::time::Duration;

const MILLION: u64 = 1_000_000;

/// A clock with a constant speed since its last change.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// The time of the last change, in simulation time and in its own.
    since: (Instant, Instant),
    /// The microseconds that it counts per second of the simulation.
    rate: u32,
}

impl Clock {
    pub(super) const fn new() -> Self {
        Self { since: (Instant::ZERO, Instant::ZERO), rate: 1_000_000 }
    }

    pub(super) fn local(&self, global: Instant) -> Instant {
        let (from, local) = self.since;
        local + scale(global.saturating_since(from), self.rate.into(), MILLION)
    }

    /// The first simulation time at which the clock shows at least `local`.
    pub(super) fn global(&self, local: Instant) -> Instant {
        let (from, since) = self.since;
        from + scale(local.saturating_since(since), MILLION, self.rate.max(1).into())
    }

    pub(super) fn set_rate(&mut self, now: Instant, rate: u32) {
        self.since = (now, self.local(now));
        self.rate = rate;
    }

    pub(super) fn jump(&mut self, now: Instant, by: Duration) {
        self.since = (now, self.local(now) + by);
    }
}

/// Rounded up, so that no timer comes early.
fn scale(span: Duration, times: u64, over: u64) -> Duration {
    let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(micros.saturating_mul(times).div_ceil(over))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_of_a_clock_are_due_when_it_shows_them() {
        let mut clock = Clock::new();
        for (rate, jump) in [(1_000_000, 0), (1_000_100, 0), (333_333, 7), (3_000_000, 90)] {
            let now = Instant::from_millis(12_345);
            clock.set_rate(now, rate);
            clock.jump(now, Duration::from_secs(jump));
            let local = clock.local(now) + Duration::from_micros(1_234_567);
            let due = clock.global(local);
            assert!(clock.local(due) >= local, "{rate}");
            // Both directions round up, so a slow clock shows the same for some microseconds.
            let rounding = 2 + MILLION / u64::from(rate);
            let early = Instant::from_micros(due.as_micros() - rounding);
            assert!(clock.local(early) < local, "{rate}");
        }
    }
}
