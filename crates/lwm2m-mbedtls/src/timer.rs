//! The library's timer on a passed clock.

use lwm2m_time::Instant;
use mbedtls::ssl::context::TimerCallback;
use mbedtls_sys::types::raw_types::{c_int, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// The clock and the timer; clones share them.
#[derive(Clone, Default)]
pub(crate) struct Timer(Arc<Clock>);

/// All in microseconds. The timer is not set while `last` is 0.
#[derive(Default)]
struct Clock {
    /// The longest wait.
    limit: u64,
    now: AtomicU64,
    first: AtomicU64,
    last: AtomicU64,
}

impl Timer {
    /// Creates a timer that waits no longer than the limit.
    pub(crate) fn new(limit: Duration) -> Self {
        let limit = u64::try_from(limit.as_micros()).unwrap_or(u64::MAX);
        Self(Arc::new(Clock { limit, ..Clock::default() }))
    }

    pub(crate) fn set_now(&self, now: Instant) {
        self.0.now.store(now.as_micros(), Relaxed);
    }

    /// When the timer expires.
    pub(crate) fn next(&self) -> Option<Instant> {
        let at = self.0.last.load(Relaxed);
        (at > 0).then(|| Instant::ZERO + Duration::from_micros(at))
    }
}

impl Clock {
    /// Sets the timer to two times in milliseconds from now; 0 for the last one clears it.
    fn set(&self, first: u32, last: u32) {
        let after = |wait: u32| {
            let wait = (u64::from(wait) * 1_000).min(self.limit);
            self.now.load(Relaxed).saturating_add(wait)
        };
        self.first.store(after(first), Relaxed);
        self.last.store(if last > 0 { after(last) } else { 0 }, Relaxed);
    }

    /// How many of the two times have passed; -1 if the timer is not set.
    fn passed(&self) -> c_int {
        let [now, first, last] = [&self.now, &self.first, &self.last].map(|it| it.load(Relaxed));
        match () {
            () if last == 0 => -1,
            () if now >= last => 2,
            () if now >= first => 1,
            () => 0,
        }
    }
}

#[allow(unsafe_code)]
impl TimerCallback for Timer {
    unsafe extern "C" fn set_timer(clock: *mut c_void, first: u32, last: u32) {
        // SAFETY: the pointer is that of `data_ptr`. It points to the clock, which the timer in the
        // library's context keeps alive; all fields are atomic or constant.
        let clock = unsafe { &*clock.cast_const().cast::<Clock>() };
        clock.set(first, last);
    }

    unsafe extern "C" fn get_timer(clock: *mut c_void) -> c_int {
        // SAFETY: as above.
        let clock = unsafe { &*clock.cast_const().cast::<Clock>() };
        clock.passed()
    }

    fn data_ptr(&mut self) -> *mut c_void {
        Arc::as_ptr(&self.0).cast_mut().cast()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_times_pass_one_after_the_other() {
        let timer = Timer::new(Duration::from_secs(1));
        assert_eq!((timer.0.passed(), timer.next()), (-1, None));
        timer.set_now(Instant::from_millis(5_000));
        timer.0.set(250, 2_000);
        assert_eq!(timer.next(), Some(Instant::from_millis(6_000)));
        for (now, passed) in [(5_000, 0), (5_249, 0), (5_250, 1), (5_999, 1), (6_000, 2)] {
            timer.set_now(Instant::from_millis(now));
            assert_eq!(timer.0.passed(), passed, "{now}");
        }
        timer.0.set(0, 0);
        assert_eq!((timer.0.passed(), timer.next()), (-1, None));
    }
}
