//! Routes the messages of the exchange layer to datagrams or a connection, by peer.
//!
//! The exchange layer runs the same code for both kinds of peers. A peer is on a connection or not,
//! so this is an `if` in a few methods instead of a trait. An endpoint without connections pays for
//! one lookup in an empty table.

use crate::config::Config;
use crate::connections::Connections;
use crate::delivery::{Content, Delivery, DeliveryOf, Refused, Source};
use crate::event::Transmit;
use crate::ids::PeerId;
use crate::message::{BlockSize, FRAME_OVERHEAD, Token};
use crate::messaging::Messaging;
use crate::protection::Protection;
use alloc::vec::Vec;
use lwm2m_time::Instant;

/// The largest datagram: RFC 7252 section 4.6.
const MAX_DATAGRAM: usize = 1_152;

/// What fits into a message to a peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Capacity {
    /// The bytes of options and payload that fit into one message.
    pub(crate) content: usize,
    /// Whether the peer is on a connection.
    pub(crate) connected: bool,
    /// Whether the peer supports BERT (RFC 8323 section 6).
    pub(crate) bert: bool,
    /// The block size that this endpoint prefers for the peer.
    pub(crate) preferred: BlockSize,
}

/// The bytes of options and payload that fit into a datagram.
const DATAGRAM_CONTENT: usize = MAX_DATAGRAM - (4 + Token::USUAL_LENGTH + 1);

/// The layer below the exchange layer.
#[derive(Debug)]
pub(crate) struct Transport {
    pub(crate) messaging: Messaging,
    pub(crate) connections: Connections,
    pub(crate) protection: Protection,
    max_peers: usize,
    pub(crate) max_token_length: usize,
}

impl Transport {
    pub(crate) fn new(config: Config, seed: [u8; 32]) -> Self {
        Self {
            messaging: Messaging::new(config, seed),
            connections: Connections::new(&config),
            protection: Protection::default(),
            max_peers: config.max_peers,
            max_token_length: config.max_token_length.min(Token::MAX_LENGTH),
        }
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<Transmit> {
        if let Some(transmit) = self.messaging.poll_transmit() {
            return Some(transmit);
        }
        let transmit = self.connections.poll_transmit()?;
        self.messaging.statistics.sent += 1;
        Some(transmit)
    }

    pub(crate) fn knows(&self, peer: PeerId) -> bool {
        self.messaging.knows(peer) || self.connections.has(peer)
    }

    /// Whether there is room for one more connection.
    pub(crate) fn has_room_for_connection(&self) -> bool {
        self.connections.len() < self.max_peers
    }

    /// Whether there is state about the peer, or room for it.
    pub(crate) fn has_room_for(&self, peer: PeerId) -> bool {
        self.messaging.peer_count() < self.max_peers || self.knows(peer)
    }

    pub(crate) fn capacity(&self, peer: PeerId) -> Capacity {
        let preferred = self.messaging.parameters(peer).preferred_block_size;
        match self.connections.capacity(peer) {
            None => {
                let content = DATAGRAM_CONTENT;
                Capacity { content, connected: false, bert: false, preferred }
            }
            Some((message, bert)) => {
                let content = message.saturating_sub(FRAME_OVERHEAD);
                Capacity { content, connected: true, bert, preferred }
            }
        }
    }

    /// Sends a message. Returns `None` on a connection, where no outcome is reported.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        peer: PeerId,
        reliable: bool,
        content: Content<'_>,
        delivery_of: DeliveryOf,
    ) -> Result<Option<Delivery>, Refused> {
        let content = self.protection.protect(peer, content);
        if self.connections.has(peer) {
            return self.connections.send(peer, content).map(|()| None);
        }
        self.messaging.send(now, peer, reliable, content, delivery_of).map(Some)
    }

    /// Sends the response to a request.
    pub(crate) fn reply(
        &mut self,
        now: Instant,
        source: Source,
        content: Content<'_>,
    ) -> Result<(), Refused> {
        let content = self.protection.protect(source.peer, content);
        if self.connections.has(source.peer) {
            return self.connections.send(source.peer, content);
        }
        self.messaging.reply(now, source, content)
    }

    /// Notes the response to a request that will be sent later.
    pub(crate) fn promise(&mut self, source: Source, content: Content<'_>) {
        if !self.connections.has(source.peer) {
            self.messaging.promise(source, content);
        }
    }

    /// Refuses the request of a stranger, and forgets it.
    pub(crate) fn refuse(&mut self, now: Instant, source: Source, content: Content<'_>) {
        let content = self.protection.protect(source.peer, content);
        self.messaging.refuse(now, source, content);
    }

    /// Answers a request that there was no room to remember. A non-confirmable one gets no answer.
    pub(crate) fn reply_unremembered(&mut self, source: Source, content: Content<'_>) {
        let content = self.protection.protect(source.peer, content);
        self.messaging.reply_unremembered(source, content);
    }

    /// Replaces the content of a confirmable message that is still in flight; `false` if it is not.
    pub(crate) fn replace(&mut self, delivery: Delivery, content: Content<'_>) -> bool {
        if !self.messaging.is_in_flight(delivery) {
            return false;
        }
        let content = self.protection.protect(delivery.peer, content);
        self.messaging.replace(delivery, content);
        true
    }

    /// Acknowledges a request later, unless the response comes first.
    pub(crate) fn expect_reply(&mut self, now: Instant, source: Source) {
        if !self.connections.has(source.peer) {
            self.messaging.expect_reply(now, source);
        }
    }

    /// Acknowledges a request that gets no response.
    pub(crate) fn expect_no_reply(&mut self, source: Source) {
        if self.messaging.is_unanswered(source) {
            self.messaging.acknowledge(source);
        }
    }

    /// Exchanges the paths of two peers, and sends what is under way to `keep` on its new one.
    /// Returns what cannot be sent.
    pub(crate) fn rebind(&mut self, now: Instant, keep: PeerId, from: PeerId) -> Vec<DeliveryOf> {
        self.connections.exchange(keep, from);
        let to_stream = self.connections.has(keep);
        self.messaging.rebind(now, keep, from, to_stream)
    }

    /// Removes all state about a peer.
    pub(crate) fn remove_peer(&mut self, peer: PeerId) {
        self.connections.remove(peer);
        self.messaging.remove_peer(peer);
    }
}
