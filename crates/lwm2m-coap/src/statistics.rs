//! Counters of an endpoint.

/// Counters of an endpoint since it was created.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Statistics {
    /// Received datagrams, and received messages on connections.
    pub received: u64,
    /// Sent datagrams including retransmissions, and sent messages on connections.
    pub sent: u64,
    /// Retransmissions of confirmable messages.
    pub retransmitted: u64,
    /// Received duplicates.
    pub duplicates: u64,
    /// Malformed datagrams and streams.
    pub malformed: u64,
    /// Sent Resets.
    pub resets_sent: u64,
    /// Received Resets.
    pub resets_received: u64,
    /// Received acknowledgements, Resets and responses that match no message or request.
    pub unexpected: u64,
    /// Confirmable messages that were never acknowledged.
    pub timeouts: u64,
    /// Requests that were answered 5.03 or dropped because a bound of the
    /// [`Config`](crate::Config) was reached.
    pub dropped_overload: u64,
    /// Requests that were refused for their options: an unknown critical option, a reserved block
    /// size, a request to a proxy.
    pub refused: u64,
    /// Requests that were answered 4.13 because their body is larger than
    /// [`Config::max_body`](crate::Config::max_body).
    pub oversized: u64,
    /// Requests that were answered 4.00 or 4.08 because their block is out of order, has a wrong
    /// length or is past the end.
    pub bad_blocks: u64,
    /// Responses and notifications that broke a rule or a bound, see [`FailReason::Protocol`] and
    /// [`FailReason::TooLarge`].
    ///
    /// [`FailReason::Protocol`]: crate::FailReason::Protocol
    /// [`FailReason::TooLarge`]: crate::FailReason::TooLarge
    pub bad_responses: u64,
    /// Notifications that came after a newer one.
    pub outdated: u64,
    /// Requests that were answered by a challenge, because they were not known to be fresh:
    /// [`Config::freshness`](crate::Config::freshness).
    pub challenged: u64,
    /// Remembered messages, unfinished bodies and cached bodies that were forgotten before their
    /// time because a bound was reached.
    pub evicted: u64,
}
