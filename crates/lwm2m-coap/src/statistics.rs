//! Counters of one endpoint.

/// What an endpoint has seen and done since it was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Statistics {
    /// Datagrams, and messages on connections, that came in.
    pub received: u64,
    /// Datagrams, and messages on connections, that were handed out for sending, retransmissions included.
    pub sent: u64,
    /// Confirmable messages that were sent again.
    pub retransmitted: u64,
    /// Messages that had come in before.
    pub duplicates: u64,
    /// Datagrams that are no CoAP message, and streams that cannot be read.
    pub malformed: u64,
    /// Resets that were sent.
    pub resets_sent: u64,
    /// Resets that came in.
    pub resets_received: u64,
    /// Acknowledgements, Resets and responses that fit nothing.
    pub unexpected: u64,
    /// Confirmable messages that nobody acknowledged.
    pub timeouts: u64,
    /// Requests that were answered 5.03, or dropped, because a bound was reached.
    pub dropped_overload: u64,
    /// Requests whose options cannot be honoured: a critical one that is not understood, a block
    /// size that is reserved, a request to a proxy.
    pub refused: u64,
    /// Bodies of requests that were refused because they are larger than
    /// [`Config::max_body`](crate::Config::max_body).
    pub oversized: u64,
    /// Requests with a block that fits no body: out of turn, of a wrong length, past the end. They
    /// were answered 4.00 or 4.08.
    pub bad_blocks: u64,
    /// Responses and notifications that were of no use: [`FailReason::Protocol`] and
    /// [`FailReason::TooLarge`] tell why.
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
