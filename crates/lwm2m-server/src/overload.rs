//! What a server refuses because a bound is reached.

use std::fmt;
use std::time::Duration;

/// The least time between two [`Event::Overloaded`](crate::Event::Overloaded).
pub(crate) const TELL_EVERY: Duration = Duration::from_secs(60);

/// What a server has refused or forgotten because a bound of its [`Config`](crate::Config) was
/// reached. Its text is one line for a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Overload {
    /// Registers and Updates that were answered 5.03.
    pub registrations: u64,
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
    pub(crate) const fn since(&self, earlier: &Self) -> Self {
        Self {
            registrations: self.registrations - earlier.registrations,
            strangers: self.strangers - earlier.strangers,
            datagrams: self.datagrams - earlier.datagrams,
            connections: self.connections - earlier.connections,
            handshakes: self.handshakes - earlier.handshakes,
            requests: self.requests - earlier.requests,
            forgotten: self.forgotten - earlier.forgotten,
        }
    }
}

impl fmt::Display for Overload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bounds were reached:")?;
        let counts = [
            (self.registrations, "registrations refused"),
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
