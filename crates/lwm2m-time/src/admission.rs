//! How many of something may begin in a second, so that a crowd that comes at once is served one after
//! the other.

use crate::Instant;
use alloc::boxed::Box;
use alloc::vec;
use core::net::IpAddr;

const SECOND: u64 = 1_000_000;
/// How many groups of hosts are told apart. Two hosts that fall into one group share its part.
const GROUPS: usize = 256;
/// The part of a second's worth that one host may have while others are waiting.
const SHARE: u32 = 8;

/// A number of admissions a second, of which a second's worth may come at once. What is not used is not
/// saved up.
///
/// While more than half of a second's worth is left, everybody is admitted. The other half is for hosts
/// that had less than an eighth of it in this second, so that a host that floods leaves room. Which hosts
/// count as one is decided by a hash, so that the memory is the same for any number of them: 1 KiB, or none
/// without a limit.
///
/// ```
/// use lwm2m_time::{Admission, Instant};
///
/// // A random key.
/// let mut admission = Admission::new(100, 0x9e37_79b9_7f4a_7c15);
/// let (now, flood) = (Instant::from_millis(5_000), "192.0.2.1".parse()?);
/// assert_eq!((0..1_000).filter(|_| admission.admits(now, flood)).count(), 50);
/// assert!(admission.admits(now, "192.0.2.2".parse()?));
/// # Ok::<(), core::net::AddrParseError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Admission {
    /// 0 is no limit.
    per_second: u32,
    /// Microseconds of the limit that are unused.
    unused: u64,
    at: Instant,
    /// What each group of hosts had since the beginning of this second.
    taken: Box<[u32]>,
    since: Instant,
    key: u64,
}

impl Admission {
    /// Admits so many a second; 0 is no limit. `key` is random, so that nobody can choose hosts that
    /// count as one with somebody else's.
    #[must_use]
    pub fn new(per_second: u32, key: u64) -> Self {
        let (at, since, key) = (Instant::ZERO, Instant::ZERO, key | 1);
        let groups = if per_second > 0 { GROUPS } else { 0 };
        Self { per_second, unused: SECOND, at, taken: vec![0; groups].into(), since, key }
    }

    /// Whether one more may begin now for a host.
    pub fn admits(&mut self, now: Instant, host: IpAddr) -> bool {
        let Some(cost) = SECOND.checked_div(self.per_second.into()) else { return true };
        self.advance(now);
        let half = self.unused < cost.saturating_add(SECOND / 2);
        let share = (self.per_second / SHARE).max(1);
        let group = self.group(host);
        let Some(taken) = self.taken.get_mut(group) else { return false };
        let fits = self.unused >= cost && !(half && *taken >= share);
        if fits {
            self.unused -= cost;
            *taken = taken.saturating_add(1);
        }
        fits
    }

    fn advance(&mut self, now: Instant) {
        let passed = u64::try_from(now.saturating_since(self.at).as_micros()).unwrap_or(SECOND);
        self.unused = self.unused.saturating_add(passed).min(SECOND);
        self.at = self.at.max(now);
        if now.saturating_since(self.since).as_secs() > 0 {
            self.since = now;
            self.taken.fill(0);
        }
    }

    /// The group of a host: an IPv4 address, or the upper half of an IPv6 address.
    fn group(&self, host: IpAddr) -> usize {
        let number = match host.to_canonical() {
            IpAddr::V4(ip) => ip.to_bits().into(),
            IpAddr::V6(ip) => (ip.to_bits() >> 64) as u64 ^ u64::MAX,
        };
        // Multiply and shift: two hosts are in one group for one key in 128 at most.
        (number.wrapping_mul(self.key) >> (u64::BITS - GROUPS.trailing_zeros())) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    #[test]
    fn a_second_admits_so_many_and_the_rest_waits() {
        let mut admission = Admission::new(100, 0x9e37_79b9_7f4a_7c15);
        let mut admitted = |now: u64| {
            (0..1_000).filter(|it| admission.admits(Instant::from_millis(now), host(*it))).count()
        };
        assert_eq!([admitted(5_000), admitted(5_000), admitted(5_500)], [100, 0, 50]);
        assert_eq!(admitted(60_000), 100, "what was not used is not saved up");
        let mut free = Admission::new(0, 1);
        assert!((0..10_000).all(|_| free.admits(Instant::ZERO, host(0))));
    }

    #[test]
    fn a_host_that_floods_leaves_room_for_others() {
        let mut admission = Admission::new(100, 0x9e37_79b9_7f4a_7c15);
        let mut admitted = [0; 2];
        for millis in 5_000..15_000 {
            let now = Instant::from_millis(millis);
            (0..10).for_each(|_| admitted[0] += u32::from(admission.admits(now, host(1))));
            // Forty devices a second of other hosts.
            if millis % 25 == 0 {
                let other = host(1_000 + u32::try_from(millis).unwrap());
                admitted[1] += u32::from(admission.admits(now, other));
            }
        }
        assert!(admitted[1] >= 390, "of 400: {admitted:?}");
        assert!(admitted[0] >= 500, "what others leave is not lost: {admitted:?}");
    }

    #[test]
    fn a_limit_of_one_admits_one() {
        let mut admission = Admission::new(1, 7);
        let mut admits = |now, it| admission.admits(Instant::from_millis(now), host(it));
        assert_eq!([admits(5_000, 1), admits(5_000, 2), admits(6_000, 1)], [true, false, true]);
    }

    #[test]
    fn an_owner_of_addresses_is_one_host() {
        let admission = Admission::new(1, 0x9e37_79b9_7f4a_7c15);
        let group = |text: &str| admission.group(text.parse().unwrap());
        assert_eq!(group("::ffff:192.0.2.1"), group("192.0.2.1"));
        assert_eq!(group("2001:db8::1"), group("2001:db8::ffff:2"));
        assert_ne!(group("2001:db8::1"), group("2001:db8:0:1::1"));
    }
}
