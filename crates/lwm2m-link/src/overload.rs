//! What a server refuses because a bound is reached.

use core::fmt;
use core::time::Duration;
use lwm2m_time::Instant;

/// The least time between two reports.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// What a server or bootstrap server has refused or forgotten because a bound of its configuration was
/// reached. Its text is one line for a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Overload {
    /// Registers and Updates that were answered 5.03.
    pub registrations: u64,
    /// Requests for a bootstrap that were answered 5.03.
    pub bootstraps: u64,
    /// Peers on plain CoAP without a registration that gave way to others.
    pub strangers: u64,
    /// Datagrams that were dropped, because there was no place for their senders.
    pub datagrams: u64,
    /// Connections that were closed at once.
    pub connections: u64,
    /// Handshakes that were put off, because too many came in a second.
    pub handshakes: u64,
    /// Requests that CoAP answered 5.03 or dropped.
    pub requests: u64,
    /// Messages and bodies that CoAP forgot before their time.
    pub forgotten: u64,
}

impl Overload {
    /// What has come since `earlier`.
    const fn since(&self, earlier: &Self) -> Self {
        Self {
            registrations: self.registrations - earlier.registrations,
            bootstraps: self.bootstraps - earlier.bootstraps,
            strangers: self.strangers - earlier.strangers,
            datagrams: self.datagrams - earlier.datagrams,
            connections: self.connections - earlier.connections,
            handshakes: self.handshakes - earlier.handshakes,
            requests: self.requests - earlier.requests,
            forgotten: self.forgotten - earlier.forgotten,
        }
    }
}

/// Tells an application what was refused, once a minute at most.
#[derive(Clone, Copy, Debug, Default)]
pub struct OverloadReports {
    told: Overload,
    at: Option<Instant>,
}

impl OverloadReports {
    /// What is to be told now: what has come since the last report, if it is time for another one.
    pub fn next(&mut self, now: Instant, total: Overload) -> Option<Overload> {
        let is_time = self.at.is_none_or(|at| now.saturating_since(at) >= TELL_EVERY);
        if total == self.told || !is_time {
            return None;
        }
        self.at = Some(now);
        let earlier = core::mem::replace(&mut self.told, total);
        Some(total.since(&earlier))
    }
}

impl fmt::Display for Overload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bounds were reached:")?;
        let counts = [
            (self.registrations, "registrations refused"),
            (self.bootstraps, "bootstraps refused"),
            (self.strangers, "strangers forgotten"),
            (self.datagrams, "datagrams dropped"),
            (self.connections, "connections closed"),
            (self.handshakes, "handshakes put off"),
            (self.requests, "requests refused"),
            (self.forgotten, "messages and bodies forgotten early"),
        ];
        let mut separator = " ";
        for (count, what) in counts.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, "{separator}{count} {what}")?;
            separator = ", ";
        }
        Ok(())
    }
}
