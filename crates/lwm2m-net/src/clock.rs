//! The monotonic clock that engines are handed, and its relation to the wall clock.

use lwm2m_time::Instant;
use std::time::{Duration, SystemTime};

/// A clock that starts at zero when it is made.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: tokio::time::Instant,
    wall_origin: SystemTime,
}

impl Clock {
    /// Starts a clock.
    #[must_use]
    pub fn start() -> Self {
        Self { origin: tokio::time::Instant::now(), wall_origin: SystemTime::now() }
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Instant {
        let elapsed = self.origin.elapsed().as_micros();
        Instant::from_micros(u64::try_from(elapsed).unwrap_or(u64::MAX))
    }

    /// The runtime's time of an engine's `instant`, to sleep until.
    #[must_use]
    pub fn to_tokio(&self, instant: Instant) -> tokio::time::Instant {
        self.origin + Duration::from_micros(instant.as_micros())
    }

    /// The wall clock's time of `instant`, as if the wall clock had never been set since the start.
    #[must_use]
    pub fn to_wall(&self, instant: Instant) -> SystemTime {
        self.wall_origin + Duration::from_micros(instant.as_micros())
    }
}
