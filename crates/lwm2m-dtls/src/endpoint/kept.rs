//! Which record numbers a session may use that survives a crash.
//!
//! A restored session begins to send at the limit that the store has. So before a crash only smaller
//! numbers are used, and no number is used twice.

use crate::channel::Channel;
use crate::counters::SessionFingerprint;
use crate::record::header::MAX_SEQUENCE;
use alloc::collections::VecDeque;
use bytes::Bytes;
use core::time::Duration;
use lwm2m_time::Instant;

/// How many numbers a write of the limit reserves. The next write is due when half of them are used:
/// then a session that sends all the time writes once in 32,768 records, and a store that needs a
/// second keeps up with 32,768 records a second. A restart wastes 65,536 of 2^48 numbers at most.
const RESERVE: u64 = 1 << 16;
/// How many records wait for a new limit.
const MAX_HELD: usize = 16;
/// How long a record waits for a new limit: CoAP resends it after two to three seconds, and again
/// after as much as six.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// The state of a session that the store keeps.
pub(super) struct Kept {
    pub(super) fingerprint: SessionFingerprint,
    /// Whether the store has the session.
    pub(super) is_recorded: bool,
    /// The greatest limit that was given out to be written; 0 before the first one.
    issued: u64,
    /// Asks for a write when fewer numbers are left.
    ask_below: u64,
    /// Records that wait for a new limit, and since when.
    held: VecDeque<(Instant, Bytes)>,
}

impl Kept {
    /// A session that the store does not have yet.
    pub(super) fn new(fingerprint: SessionFingerprint) -> Self {
        let held = VecDeque::new();
        Self { fingerprint, is_recorded: false, issued: 0, ask_below: RESERVE / 2, held }
    }

    /// A session that the store has with this limit.
    pub(super) fn restored(fingerprint: SessionFingerprint, limit: u64) -> Self {
        Self { is_recorded: true, issued: limit, ..Self::new(fingerprint) }
    }

    /// Returns the limit to write next. The first one holds at once, since the store may have it
    /// before it says so.
    pub(super) fn limit(&mut self, channel: &mut Channel) -> u64 {
        let is_first = self.issued == 0;
        if self.issued.saturating_sub(channel.sequence) < RESERVE / 2 {
            self.issued = (channel.sequence + RESERVE).min(MAX_SEQUENCE + 1);
        }
        if is_first {
            channel.limit = self.issued;
        }
        self.issued
    }

    /// The store has the session with this limit.
    pub(super) fn written(&mut self, channel: &mut Channel, limit: u64) {
        // A greater one was never given out.
        if limit <= self.issued {
            self.is_recorded = true;
            channel.limit = channel.limit.max(limit);
            self.ask_below = RESERVE / 2;
        }
    }

    /// Whether it is time to ask for a write: at half of the reserve and, because a write may fail,
    /// each time that half of the rest is used.
    pub(super) fn asks(&mut self, channel: &Channel) -> bool {
        let left = channel.limit.saturating_sub(channel.sequence);
        let asks = self.issued > 0 && left < self.ask_below;
        if asks {
            self.ask_below = left / 2;
        }
        asks
    }

    /// Lets a record wait for a new limit, and asks for one again. `false` if too many wait, or one
    /// for too long.
    pub(super) fn hold(&mut self, now: Instant, data: &[u8]) -> bool {
        let oldest = self.held.front().map_or(now, |(since, _)| *since);
        let waits = self.held.len() < MAX_HELD && now.saturating_since(oldest) <= MAX_WAIT;
        if waits {
            self.held.push_back((now, Bytes::copy_from_slice(data)));
            self.ask_below = RESERVE / 2;
        }
        waits
    }

    /// Takes the records that have waited, except those that waited too long.
    pub(super) fn take_held(&mut self, now: Instant) -> impl Iterator<Item = Bytes> + use<> {
        let held = core::mem::take(&mut self.held).into_iter();
        let in_time = move |(since, _): &(Instant, Bytes)| now.saturating_since(*since) <= MAX_WAIT;
        held.filter(in_time).map(|(_, data)| data)
    }
}
