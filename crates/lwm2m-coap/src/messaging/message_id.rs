//! Message IDs towards one peer: RFC 7252 section 4.4.

use core::time::Duration;
use lwm2m_time::Instant;

/// Issues message IDs in sequence, at most half of them per window of EXCHANGE_LIFETIME. So no ID
/// repeats within EXCHANGE_LIFETIME.
#[derive(Clone, Debug)]
pub(super) struct MessageIds {
    next: u16,
    used: u16,
    window_start: Instant,
}

impl MessageIds {
    const PER_WINDOW: u16 = 1 << 15;

    pub(super) const fn new(first: u16, now: Instant) -> Self {
        Self { next: first, used: 0, window_start: now }
    }

    /// Begins where the time says, so that an endpoint that restarts does not repeat the IDs of its life
    /// before: they are used up after 268 s, which is longer than EXCHANGE_LIFETIME, unless more than
    /// 244 were used in a second.
    pub(super) const fn by_time(now: Instant) -> Self {
        Self::new((now.as_micros() >> 12) as u16, now)
    }

    /// The next message ID, or `None` while too many are in use.
    pub(super) fn next(&mut self, now: Instant, lifetime: Duration) -> Option<u16> {
        if now - self.window_start >= lifetime {
            (self.window_start, self.used) = (now, 0);
        }
        if self.used >= Self::PER_WINDOW {
            return None;
        }
        self.used += 1;
        let id = self.next;
        self.next = id.wrapping_add(1);
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;

    const LIFETIME: Duration = Duration::from_secs(247);

    #[test]
    fn no_id_comes_back_in_the_next_life() {
        let mut last_use: BTreeMap<u16, Instant> = BTreeMap::new();
        for life in 0..200 {
            let start = Instant::from_millis(life * 1_500);
            let mut ids = MessageIds::by_time(start);
            for _ in 0..300 {
                let id = ids.next(start, LIFETIME).unwrap();
                let before = last_use.insert(id, start);
                assert!(before.is_none_or(|before| start - before >= LIFETIME), "{id} in {life}");
            }
        }
    }

    // proves: COAP-13
    #[test]
    fn no_id_comes_back_within_the_exchange_lifetime() {
        let mut ids = MessageIds::new(65_000, Instant::ZERO);
        let mut last_use: BTreeMap<u16, Instant> = BTreeMap::new();
        for millis in (0..1_200_000).step_by(3) {
            let now = Instant::from_millis(millis);
            let Some(id) = ids.next(now, LIFETIME) else { continue };
            if let Some(before) = last_use.insert(id, now) {
                assert!(now - before >= LIFETIME, "{id} came back after {:?}", now - before);
            }
        }
        assert_eq!(last_use.len(), 1 << 16);
    }
}
