//! The parameters of an endpoint.

use crate::message::{BlockSize, Token};
use core::time::Duration;

/// Defines a struct of parameters with its defaults, and a method to set each field.
macro_rules! parameters {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $($(#[$field_meta:meta])* $field:ident: $type:ty = $default:expr,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $type,)*
        }

        impl $name {
            $(
                #[doc = concat!("Sets the field `", stringify!($field), "`.")]
                #[must_use]
                pub const fn $field(mut self, $field: $type) -> Self {
                    self.$field = $field;
                    self
                }
            )*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }
    };
}

parameters! {
    /// Transmission parameters: RFC 7252 section 4.8.
    ///
    /// ```
    /// use core::time::Duration;
    /// use lwm2m_coap::TransmissionParameters;
    ///
    /// let satellite = TransmissionParameters::default().ack_timeout(Duration::from_secs(20));
    /// assert_eq!(satellite.max_transmit_wait(), Duration::from_secs(930));
    /// ```
    pub struct TransmissionParameters {
        /// ACK_TIMEOUT: the shortest wait for an acknowledgement before the first retransmission.
        /// Each further wait is twice as long. Default: 2 s.
        ack_timeout: Duration = Duration::from_secs(2),
        /// ACK_RANDOM_FACTOR in thousandths: the first wait is random between ACK_TIMEOUT and
        /// ACK_TIMEOUT times this factor. At least 1,000. Default: 1,500.
        ack_random_factor: u32 = 1_500,
        /// MAX_RETRANSMIT: how often a confirmable message is retransmitted before it fails.
        /// Default: 4.
        max_retransmit: u32 = 4,
        /// NSTART: how many confirmable requests to one peer may be in flight, neither answered
        /// nor acknowledged. Notifications do not count: each observation may have one in flight.
        /// Default: 1.
        nstart: usize = 1,
        /// EXCHANGE_LIFETIME: how long the message ID of a confirmable message is remembered, and
        /// how long a request of a peer waits for the application. Default: 247 s.
        exchange_lifetime: Duration = Duration::from_secs(247),
        /// NON_LIFETIME: how long the message ID of a non-confirmable message is remembered.
        /// Default: 145 s.
        non_lifetime: Duration = Duration::from_secs(145),
        /// How long a client waits for the response after an empty acknowledgement, after a
        /// non-confirmable request, or on a connection. Default: 247 s.
        response_timeout: Duration = Duration::from_secs(247),
    }
}

impl TransmissionParameters {
    /// The longest wait for an acknowledgement before the first retransmission. Default: 3 s.
    #[must_use]
    pub fn longest_first_wait(&self) -> Duration {
        self.ack_timeout.saturating_mul(self.ack_random_factor) / 1_000
    }

    /// MAX_TRANSMIT_WAIT: the longest time from the first transmission of a confirmable message
    /// until its sender gives up (RFC 7252 section 4.8.2). Default: 93 s.
    #[must_use]
    pub fn max_transmit_wait(&self) -> Duration {
        let doublings = 2_u32.saturating_pow(self.max_retransmit.saturating_add(1)) - 1;
        self.ack_timeout.saturating_mul(doublings).saturating_mul(self.ack_random_factor) / 1_000
    }
}

parameters! {
    /// Parameters that may differ by peer, for example for a device with little memory behind a
    /// slow network. See [`Endpoint::set_parameters`](crate::Endpoint::set_parameters).
    pub struct PeerParameters {
        /// The timing of messages to and from the peer.
        transmission: TransmissionParameters = TransmissionParameters::default(),
        /// The largest block that the endpoint sends to the peer and asks it for (RFC 7959
        /// section 2.2). Default: 1,024 bytes.
        preferred_block_size: BlockSize = BlockSize::B1024,
    }
}

parameters! {
    /// The parameters of an endpoint. Each field that begins with `max` bounds memory.
    ///
    /// ```
    /// use lwm2m_coap::{BlockSize, Config};
    ///
    /// let config = Config::default().max_peers(10).preferred_block_size(BlockSize::B256);
    /// assert_eq!((config.max_peers, config.max_body), (10, 1 << 20));
    /// ```
    pub struct Config {
        /// The timing of messages, for all peers without parameters of their own.
        transmission: TransmissionParameters = TransmissionParameters::default(),
        /// How long the application may take before a confirmable request gets an empty
        /// acknowledgement, so that the response becomes a separate one (RFC 7252 section 5.2.2).
        /// Default: 500 ms.
        separate_after: Duration = Duration::from_millis(500),
        /// The largest block that this endpoint sends and asks for (RFC 7959 section 2.2).
        /// Default: 1,024 bytes.
        preferred_block_size: BlockSize = BlockSize::B1024,
        /// The longest token that is accepted from a peer, in bytes: from 8 (RFC 7252 section 3)
        /// to [`Token::MAX_LENGTH`] (RFC 8974). The endpoint's own tokens have 8. Default: 8.
        max_token_length: usize = Token::USUAL_LENGTH,
        /// The largest body that is accepted, in bytes. Larger requests are answered 4.13; larger
        /// responses fail with [`FailReason::TooLarge`](crate::FailReason::TooLarge). Default: 1 MiB.
        max_body: usize = 1 << 20,
        /// Whether the application evaluates If-Match and If-None-Match. If not, requests with them are
        /// answered 4.02 (RFC 7252 sections 5.10.8 and 5.4.1). Default: no.
        conditional_requests: bool = false,
        /// How long an incomplete body, or a response whose blocks are fetched, is kept after its
        /// last block (RFC 7959 sections 2.4 and 2.5). Default: 247 s.
        body_lifetime: Duration = Duration::from_secs(247),
        /// The longest time between two confirmable notifications to one observer (RFC 7641
        /// section 4.5 requires at most 24 hours). Default: 24 h.
        confirm_notifications_every: Duration = Duration::from_secs(24 * 3_600),
        /// The number of peers with state. Default: 1,048,576.
        max_peers: usize = 1 << 20,
        /// The number of requests that are pending at one peer, including those that wait for
        /// NSTART. Default: 64.
        max_pending_per_peer: usize = 64,
        /// The number of requests that wait for the application, over all peers. Further requests
        /// are answered 5.03. So are those of a peer that has as many waiting as there are slots
        /// left, which keeps room for others. Default: 65,536.
        max_exchanges: usize = 1 << 16,
        /// The number of requests of one peer that wait for the application. Default: 64.
        max_exchanges_per_peer: usize = 64,
        /// The number of messages that are remembered to detect duplicates, over all peers (RFC
        /// 7252 section 4.5). Default: 4,194,304.
        max_duplicates: usize = 1 << 22,
        /// The number of messages that are remembered for one peer. Default: 256.
        max_duplicates_per_peer: usize = 256,
        /// The bytes of replies that are kept to answer duplicates, over all peers.
        /// Default: 256 MiB.
        max_reply_bytes: usize = 256 << 20,
        /// The number of observations that peers hold on this endpoint. Default: 1,048,576.
        max_observers: usize = 1 << 20,
        /// The number of observations that one peer holds on this endpoint. Default: 256.
        max_observers_per_peer: usize = 256,
        /// The bytes of bodies that are being assembled, over all peers; requests and responses
        /// count separately. Default: 64 MiB.
        max_assembly_total: usize = 64 << 20,
        /// The number of request bodies that are being assembled for one peer, and the number of
        /// responses that are kept for it. Default: 8.
        max_assemblies_per_peer: usize = 8,
        /// The bytes of responses that are kept until their blocks are fetched, over all peers.
        /// Default: 64 MiB.
        max_cached_total: usize = 64 << 20,
        /// The longest message that is accepted on a connection, in bytes; announced as
        /// Max-Message-Size (RFC 8323 section 5.3.1). Default: 8,448, which holds eight blocks of
        /// 1,024 bytes and their options.
        max_message_size: u32 = 8_448,
        /// The bytes of incomplete messages, over all connections. A connection that exceeds it is
        /// aborted. Default: 64 MiB.
        max_incomplete_messages: usize = 64 << 20,
        /// Max-Age of a 5.03, in seconds: when a peer that was refused may try again (RFC 7252
        /// section 5.9.3.4). Default: 60.
        retry_after: u32 = 60,
        /// Maximum age of an unsafe request (all methods but GET and FETCH). Without a fresh Echo
        /// it gets 4.01 with the value to repeat it with, and the application does not see it (RFC
        /// 9175 section 2.3). A value holds for half of this time at least. Default: `None`, which
        /// checks nothing.
        freshness: Option<Duration> = None,
    }
}

impl Config {
    /// The parameters of peers that have none of their own.
    #[must_use]
    pub const fn peer_parameters(&self) -> PeerParameters {
        PeerParameters {
            transmission: self.transmission,
            preferred_block_size: self.preferred_block_size,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_wait_is_that_of_the_rfc() {
        assert_eq!(TransmissionParameters::default().max_transmit_wait(), Duration::from_secs(93));
    }
}
