//! The replay window: RFC 6347 section 4.1.2.6.

/// The received numbers among the last 64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReplayWindow {
    /// One more than the greatest received number.
    next: u64,
    /// Bit i: the number `next - 1 - i` was received.
    seen: u64,
}

const WIDTH: u64 = u64::BITS as u64;

impl ReplayWindow {
    /// Creates a window from its [`parts`](Self::parts).
    pub(crate) fn from_parts(next: u64, seen: u64) -> Self {
        Self { next, seen }
    }

    /// One more than the greatest received number, and the received ones among the 64 before.
    pub(crate) fn parts(&self) -> (u64, u64) {
        (self.next, self.seen)
    }

    /// The window that takes no number below its greatest one.
    pub(crate) fn closed(self) -> Self {
        Self { seen: u64::MAX, ..self }
    }

    /// Whether the number is new and not too old.
    pub(crate) fn accepts(&self, sequence: u64) -> bool {
        if sequence >= self.next {
            return true;
        }
        let age = self.next - 1 - sequence;
        age < WIDTH && self.seen & (1 << age) == 0
    }

    /// Adds the number of an authentic record. Returns whether it is greater than all before.
    pub(crate) fn insert(&mut self, sequence: u64) -> bool {
        if sequence < self.next {
            let age = self.next - 1 - sequence;
            if age < WIDTH {
                self.seen |= 1 << age;
            }
            return false;
        }
        let shift = sequence - self.next + 1;
        self.seen = if shift < WIDTH { (self.seen << shift) | 1 } else { 1 };
        self.next = sequence + 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_and_old_numbers_are_refused_and_reordering_within_64_is_not() {
        let mut window = ReplayWindow::default();
        assert!(window.accepts(0));
        assert!(window.insert(0));
        assert!(!window.accepts(0));
        assert!(window.insert(100));
        assert!(window.accepts(37) && !window.accepts(36));
        assert!(!window.insert(50));
        assert!(!window.accepts(50) && window.accepts(51) && window.accepts(101));
        assert!(window.insert(163));
        assert!(!window.accepts(100) && window.accepts(101));
    }

    #[test]
    fn a_closed_window_takes_nothing_earlier() {
        let window = ReplayWindow::from_parts(10, 1).closed();
        assert!(!window.accepts(9) && window.accepts(10));
    }
}
