//! The monotonic clock that engines are handed, and its relation to the wall clock.

use lwm2m_time::Instant;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A clock whose instants count from the beginning of Unix time, so that those of one run of a program
/// mean the same in the next. It never goes back: a wall clock that is set after the start does not
/// change it.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: tokio::time::Instant,
    start: Duration,
}

impl Clock {
    /// Starts a clock.
    #[must_use]
    pub fn start() -> Self {
        let start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { origin: tokio::time::Instant::now(), start }
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Instant {
        let now = (self.start + self.origin.elapsed()).as_micros();
        Instant::from_micros(u64::try_from(now).unwrap_or(u64::MAX))
    }

    /// The runtime's time of an engine's `instant`, to sleep until.
    #[must_use]
    pub fn to_tokio(&self, instant: Instant) -> tokio::time::Instant {
        self.origin + Duration::from_micros(instant.as_micros()).saturating_sub(self.start)
    }

    /// The wall clock's time of `instant`, as if the wall clock had never been set since the start.
    #[must_use]
    pub fn to_wall(&self, instant: Instant) -> SystemTime {
        UNIX_EPOCH + Duration::from_micros(instant.as_micros())
    }
}
