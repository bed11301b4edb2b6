//! The parameters of an endpoint; the defaults are those of the RFCs.

use crate::message::{BlockSize, Token};
use core::time::Duration;

/// The timing of messages: RFC 7252 section 4.8.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TransmissionParams {
    /// The shortest wait for an acknowledgement; 2 s.
    pub ack_timeout: Duration,
    /// How much longer the first wait may be, in thousandths: 1,500 is a factor of 1.5.
    pub ack_random_factor: u32,
    /// How often a confirmable message is sent again; 4.
    pub max_retransmit: u32,
    /// How many confirmable requests to a peer are under way at the same time, neither answered
    /// nor acknowledged; 1. Notifications have a limit of their own: one for each observation.
    pub nstart: usize,
    /// How long the message ID of a confirmable message is remembered; 247 s.
    pub exchange_lifetime: Duration,
    /// How long the message ID of a non-confirmable message is remembered; 145 s.
    pub non_lifetime: Duration,
    /// How long a client waits for the response after an empty acknowledgement, or after a
    /// non-confirmable request; 247 s.
    pub response_timeout: Duration,
}

impl Default for TransmissionParams {
    fn default() -> Self {
        Self {
            ack_timeout: Duration::from_secs(2),
            ack_random_factor: 1_500,
            max_retransmit: 4,
            nstart: 1,
            exchange_lifetime: Duration::from_secs(247),
            non_lifetime: Duration::from_secs(145),
            response_timeout: Duration::from_secs(247),
        }
    }
}

impl TransmissionParams {
    /// The longest time from the first transmission of a confirmable message until the sender
    /// gives up, MAX_TRANSMIT_WAIT; 93 s by default.
    #[must_use]
    pub fn max_transmit_wait(&self) -> Duration {
        let doublings = 2_u32.saturating_pow(self.max_retransmit.saturating_add(1)) - 1;
        self.ack_timeout.saturating_mul(doublings).saturating_mul(self.ack_random_factor) / 1_000
    }
}

/// The parameters that may differ from peer to peer: one device is far away, another has little
/// memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PeerParameters {
    /// The timing of messages.
    pub transmission: TransmissionParams,
    /// The size of blocks that this endpoint sends to the peer and asks it for.
    pub preferred_block_size: BlockSize,
}

/// The parameters of an endpoint. Every one that begins with `max` bounds memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Config {
    /// The timing of messages.
    pub transmission: TransmissionParams,
    /// How long the application may think before a request is acknowledged by an empty message
    /// and the response becomes a separate one; 500 ms.
    pub separate_after: Duration,
    /// The size of blocks that this endpoint sends and asks for; 1,024 bytes.
    pub preferred_block_size: BlockSize,
    /// The longest token that this endpoint takes from a peer, in bytes: 8, which is all that RFC
    /// 7252 knows, up to [`Token::MAX_LENGTH`] with those of RFC 8974. Its own tokens have 8.
    pub max_token_length: usize,
    /// The largest body that this endpoint accepts; 1 MiB.
    pub max_body: usize,
    /// How long a cached body or an unfinished one is kept; 247 s.
    pub body_lifetime: Duration,
    /// The longest time between two confirmable notifications to an observer; 24 h.
    pub confirm_notifications_every: Duration,
    /// The number of peers about which state is held; 1,048,576.
    pub max_peers: usize,
    /// The number of requests of ours that one peer may have pending, waiting ones included; 64.
    pub max_pending_per_peer: usize,
    /// The number of requests that wait for the application, over all peers; 65,536. More are
    /// answered 5.03, and so are those of a peer that has as many waiting as there is room left.
    pub max_exchanges: usize,
    /// The number of requests of one peer that wait for the application; 64.
    pub max_exchanges_per_peer: usize,
    /// The number of messages that are remembered to recognise duplicates, over all peers;
    /// 4,194,304.
    pub max_duplicates: usize,
    /// The number of messages that are remembered for one peer; 256.
    pub max_duplicates_per_peer: usize,
    /// The bytes of replies that are kept for duplicates, over all peers; 256 MiB.
    pub max_reply_bytes: usize,
    /// The number of observations that peers hold on this endpoint; 1,048,576.
    pub max_observers: usize,
    /// The number of observations that one peer holds on this endpoint; 256.
    pub max_observers_per_peer: usize,
    /// The bytes of bodies that are being assembled, over all peers; 64 MiB.
    pub max_assembly_total: usize,
    /// The number of bodies that are being assembled for one peer; 8.
    pub max_assemblies_per_peer: usize,
    /// The bytes of large responses that are kept for fetching their blocks; 64 MiB.
    pub max_served_total: usize,
    /// The bytes of the longest message that is taken on a connection, announced as
    /// Max-Message-Size (RFC 8323 section 5.3.1); 8,448, which is eight blocks and their options.
    pub max_message_size: u32,
    /// The bytes of messages that have arrived in part, over all connections; 64 MiB. A connection
    /// that exceeds it is aborted.
    pub max_incomplete_messages: usize,
    /// When a peer may try again that was refused because a bound was reached: Max-Age of the 5.03,
    /// in seconds; 60.
    pub retry_after: u32,
    /// How old a request of a peer may be that may change something (all but GET and FETCH): one
    /// that does not show by its Echo option that it is fresh is answered 4.01 with the value to
    /// repeat it with (RFC 9175 section 2), and the application does not see it. A value holds for
    /// half of this time at least. `None`, the default, asks for nothing.
    pub freshness: Option<Duration>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            transmission: TransmissionParams::default(),
            separate_after: Duration::from_millis(500),
            preferred_block_size: BlockSize::B1024,
            max_token_length: Token::USUAL_LENGTH,
            max_body: 1 << 20,
            body_lifetime: Duration::from_secs(247),
            confirm_notifications_every: Duration::from_secs(24 * 3_600),
            max_peers: 1 << 20,
            max_pending_per_peer: 64,
            max_exchanges: 1 << 16,
            max_exchanges_per_peer: 64,
            max_duplicates: 1 << 22,
            max_duplicates_per_peer: 256,
            max_reply_bytes: 256 << 20,
            max_observers: 1 << 20,
            max_observers_per_peer: 256,
            max_assembly_total: 64 << 20,
            max_assemblies_per_peer: 8,
            max_served_total: 64 << 20,
            max_message_size: 8_448,
            max_incomplete_messages: 64 << 20,
            retry_after: 60,
            freshness: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_wait_is_that_of_the_rfc() {
        assert_eq!(TransmissionParams::default().max_transmit_wait(), Duration::from_secs(93));
    }
}
