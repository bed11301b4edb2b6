//! The state of an observation that this endpoint holds on a peer: RFC 7641 section 3.

use super::key::RequestKey;
use super::refresh::Refresh;
use crate::ids::PeerId;
use crate::message::Token;
use crate::request::Request;
use core::time::Duration;
use lwm2m_time::Instant;

/// An observation that this endpoint holds on a peer.
#[derive(Clone, Debug)]
pub(super) struct Observation {
    pub(super) peer: PeerId,
    pub(super) token: Token,
    /// The request that began the observation. It is repeated to fetch blocks and to deregister.
    pub(super) request: Request,
    pub(super) freshness: Freshness,
    /// The exchange that fetches the blocks of the newest representation.
    pub(super) fetch: Option<u64>,
    /// How far the repetition of the request has come.
    pub(super) refresh: Refresh,
    /// Identifies the representation that the application was told last.
    pub(super) latest: u64,
}

impl Observation {
    pub(super) fn target(&self) -> RequestKey {
        RequestKey::new(self.request.code, &self.request.options, &self.request.payload)
    }
}

/// The latest sequence number and its arrival: RFC 7641 section 3.4.
#[derive(Clone, Copy, Debug)]
pub(super) struct Freshness {
    sequence: u32,
    at: Instant,
}

impl Freshness {
    pub(super) const fn new(sequence: u32, at: Instant) -> Self {
        Self { sequence, at }
    }

    /// Updates the sequence number. Returns `false` if it is not newer.
    pub(super) fn advance(&mut self, sequence: u32, now: Instant) -> bool {
        let (v1, v2) = (self.sequence, sequence);
        let newer = (v1 < v2 && v2 - v1 < 1 << 23)
            || (v1 > v2 && v1 - v2 > 1 << 23)
            || now - self.at > Duration::from_secs(128);
        if newer {
            *self = Self::new(sequence, now);
        }
        newer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // proves: OBS-02
    #[test]
    fn notifications_are_ordered_by_sequence_number_and_time() {
        let at = |seconds: u64| Instant::from_millis(seconds * 1_000);
        let mut freshness = Freshness::new(10, at(0));
        assert!(freshness.advance(12, at(1)));
        assert!(!freshness.advance(11, at(2)));
        assert!(!freshness.advance(12, at(3)));
        assert!(!freshness.advance(11, at(129)));
        assert!(freshness.advance(11, at(130)));
        assert!(freshness.advance(0x7F_FFFF, at(131)));
        assert!(!freshness.advance(0x1F_FFFF, at(131)));
        assert!(freshness.advance(0xFF_FFFF - 1, at(132)));
        assert!(freshness.advance(0xFF_FFFF, at(133)));
        assert!(freshness.advance(0, at(134)));
        // Half of the numbers ahead is as far as half of them behind.
        assert!(!freshness.advance(1 << 23, at(134)));
        assert!(freshness.advance((1 << 23) - 1, at(134)));
        assert!(freshness.advance(1 << 23, at(134)));
        assert!(!freshness.advance(0, at(134)));
        assert!(freshness.advance(0xFF_FFFF, at(134)) && freshness.advance(0, at(134)));
        assert!(!freshness.advance(0xFF_FFFF, at(135)));
    }
}
