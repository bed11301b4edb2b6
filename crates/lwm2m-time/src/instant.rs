//! Points in time.

use core::ops::{Add, Sub};
use core::time::Duration;

/// A point in time: microseconds since an origin that the driver chooses.
///
/// Arithmetic saturates. A sum ends at the largest instant, and the time since a later instant is
/// zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Instant(u64);

impl Instant {
    /// The origin.
    pub const ZERO: Self = Self(0);

    /// The instant `micros` microseconds after the origin.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// The instant `millis` milliseconds after the origin.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// The microseconds since the origin.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to this instant; zero if `earlier` is later.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(micros))
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.saturating_since(earlier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let one = Instant::from_millis(1);
        assert_eq!(one, Instant::from_micros(1_000));
        assert_eq!(one + Duration::from_micros(5), Instant::from_micros(1_005));
        assert_eq!(one + Duration::MAX, Instant::from_micros(u64::MAX));
        assert_eq!(one - Instant::ZERO, Duration::from_millis(1));
        assert_eq!(Instant::ZERO - one, Duration::ZERO);
        assert_eq!(Instant::from_millis(u64::MAX).as_micros(), u64::MAX);
    }
}
