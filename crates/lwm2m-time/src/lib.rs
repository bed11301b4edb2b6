//! The clock value, the timer table and the bounds on rates of the sans-IO engines.
//!
//! Nothing here reads a clock. The driver of an engine passes an [`Instant`] in, so a daemon and a
//! test on a virtual clock run the same code.
//!
//! | module | what |
//! |---|---|
//! | [`instant`] | a point in time, in microseconds |
//! | [`timers`] | named deadlines; the earliest one is the next wake-up |
//! | [`admission`] | how many of something may begin in a second |
//! | [`Rough`] | a span of time for people |
//!
//! ```
//! use core::time::Duration;
//! use lwm2m_time::{Instant, TimerTable};
//!
//! let mut timers = TimerTable::new();
//! timers.set("retransmit", Instant::ZERO + Duration::from_secs(2));
//! timers.set("keep-alive", Instant::ZERO + Duration::from_secs(20));
//! assert_eq!(timers.next(), Some(Instant::from_millis(2_000)));
//! assert_eq!(timers.pop_expired(Instant::from_millis(2_500)), Some("retransmit"));
//! assert_eq!(timers.pop_expired(Instant::from_millis(2_500)), None);
//! ```
#![no_std]
#![warn(clippy::indexing_slicing)]

extern crate alloc;

pub mod admission;
pub mod instant;
mod rough;
pub mod timers;

pub use admission::Admission;
pub use instant::Instant;
pub use rough::Rough;
pub use timers::{TimerQueue, TimerTable};
