//! Spans of time for people.

use core::fmt;
use core::time::Duration;

/// A span as a number and a unit, rounded down: `90 s`, `3 h`.
///
/// ```
/// use core::time::Duration;
/// use lwm2m_time::Rough;
///
/// assert_eq!(Rough(Duration::from_secs(119)).to_string(), "119 s");
/// assert_eq!(Rough(Duration::from_secs(120)).to_string(), "2 min");
/// assert_eq!(Rough(Duration::from_secs(7_200)).to_string(), "2 h");
/// assert_eq!(Rough(Duration::from_secs(172_800)).to_string(), "2 days");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rough(pub Duration);

impl fmt::Display for Rough {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            seconds @ 0..120 => write!(f, "{seconds} s"),
            seconds @ 120..7_200 => write!(f, "{} min", seconds / 60),
            seconds @ 7_200..172_800 => write!(f, "{} h", seconds / 3_600),
            seconds => write!(f, "{} days", seconds / 86_400),
        }
    }
}
