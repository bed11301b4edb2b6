//! Sending requests: RFC 7252 section 5.2.

use super::client_exchange::{ClientExchange, Purpose, Stage, TokenUse};
use super::state::Exchanges;
use super::transfer::{Transfer, Upload};
use crate::delivery::{Content, DeliveryOf};
use crate::error::Error;
use crate::event::FailReason;
use crate::ids::{PeerId, RequestId};
use crate::message::{BlockSize, BlockValue, OptionNumber};
use crate::request::Request;
use crate::transport::{Capacity, Transport};
use lwm2m_time::Instant;

/// The most bytes that a block-wise transfer adds to the options of a request.
const BLOCK_OPTIONS: usize = 24;

impl Exchanges {
    pub(crate) fn request(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        peer: PeerId,
        request: Request,
    ) -> Result<RequestId, Error> {
        self.begin(now, transport, peer, request, Purpose::Request)
    }

    pub(super) fn begin(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        peer: PeerId,
        mut request: Request,
        purpose: Purpose,
    ) -> Result<RequestId, Error> {
        if !request.code.is_request() {
            return Err(Error::Code);
        }
        let pending = self.peers.get(&peer).map_or(0, |peer| peer.requests.len());
        if pending >= self.config.max_pending_per_peer {
            return Err(Error::TooManyPending(peer));
        }
        if !transport.connections.takes_requests(peer) {
            return Err(Error::Released(peer));
        }
        if !transport.has_room_for(peer) {
            return Err(Error::TooManyPeers(peer));
        }
        let transfer = self.first_transfer(transport.capacity(peer), &mut request)?;
        let id = self.id();
        let exchange = ClientExchange {
            peer,
            request,
            transfer,
            stage: Stage::Queued,
            purpose,
            repeated: 0,
            given_up_at: None,
        };
        self.enqueue(now, transport, id, exchange);
        Ok(RequestId(id))
    }

    /// Decides whether the request is sent whole or in blocks.
    pub(super) fn first_transfer(
        &mut self,
        capacity: Capacity,
        request: &mut Request,
    ) -> Result<Transfer, Error> {
        let preferred = capacity.preferred;
        request.options.remove(OptionNumber::BLOCK1);
        request.options.remove(OptionNumber::BLOCK2);
        if preferred < BlockSize::B1024 {
            let early = BlockValue { number: 0, more: false, size: preferred };
            request.options.push_uint(OptionNumber::BLOCK2, early.to_uint());
        }
        let (options, body) = (request.options.as_encoded().len(), request.payload.len());
        if body <= capacity.largest_whole() && options + body <= capacity.content {
            return Ok(Transfer::Whole);
        }
        let chunk = capacity
            .chunk(options + BLOCK_OPTIONS, capacity.largest_block())
            .ok_or(Error::OptionsTooLong)?;
        if !chunk.can_number(body) {
            return Err(Error::BodyTooLarge);
        }
        Ok(Transfer::Upload(Upload::new(chunk, self.id())))
    }

    pub(super) fn enqueue(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        id: u64,
        exchange: ClientExchange,
    ) {
        let peer = exchange.peer;
        self.requests.insert(id, exchange);
        self.with_peer(peer, |peer| {
            peer.requests.push(id);
            peer.queue.push(id);
        });
        self.advance(now, transport, peer);
    }

    /// Holds requests to a peer back, or sends them.
    pub(crate) fn suspend(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        peer: PeerId,
        suspended: bool,
    ) {
        self.with_peer(peer, |peer| peer.suspended = suspended);
        self.advance(now, transport, peer);
    }

    /// Sends queued requests as far as NSTART allows.
    pub(crate) fn advance(&mut self, now: Instant, transport: &mut Transport, peer: PeerId) {
        while let Some(state) = self.peers.get_mut(&peer).filter(|state| !state.suspended) {
            let Some(id) = state.queue.first().copied() else { return };
            let confirmable =
                self.requests.get(&id).is_some_and(|exchange| exchange.request.confirmable);
            if confirmable && state.in_flight >= transport.messaging.transmission(peer).nstart {
                return;
            }
            state.queue.remove(0);
            self.transmit(now, transport, id);
        }
    }

    fn transmit(&mut self, now: Instant, transport: &mut Transport, id: u64) {
        let Some(exchange) = self.requests.get(&id) else { return };
        let (peer, confirmable) = (exchange.peer, exchange.request.confirmable);
        let token = match exchange.purpose {
            Purpose::Cancellation(token) => token,
            Purpose::Refresh(id) => match self.observations.get(&id) {
                Some(observation) => observation.token,
                None => return,
            },
            Purpose::Request | Purpose::Fetch(_) => self.fresh_token(peer),
        };
        let Some(exchange) = self.requests.get_mut(&id) else { return };
        let (options, payload) = exchange.transfer.message(&exchange.request);
        let content =
            Content { code: exchange.request.code, token, options: &options, payload: &payload };
        let sent = transport.send(now, peer, confirmable, content, DeliveryOf::Request(id));
        if sent.is_ok() {
            // A repeated request of an observation leaves the token to the observation.
            self.tokens.entry((peer, token)).or_insert(TokenUse::Request(id));
        }
        match sent {
            Ok(None) => {
                // A connection delivers the message or ends, so it counts as acknowledged.
                exchange.stage = Stage::Acknowledged(token);
                let transmission = transport.messaging.transmission(peer);
                exchange.given_up_at = Some(now + transmission.response_timeout);
                let told_after = transmission.longest_first_wait();
                self.responses.set(id, now + told_after.min(transmission.response_timeout));
            }
            Ok(Some(delivery)) => {
                exchange.stage = Stage::Sent(token, delivery);
                if confirmable {
                    self.with_peer(peer, |peer| peer.in_flight += 1);
                } else {
                    self.responses
                        .set(id, now + transport.messaging.transmission(peer).response_timeout);
                }
            }
            Err(refused) => self.end_request(now, transport, id, Err(refused.into())),
        }
    }

    /// The peer acknowledged the message of an exchange. The response follows separately.
    pub(crate) fn request_acknowledged(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        id: u64,
    ) {
        let Some(exchange) = self.requests.get_mut(&id) else { return };
        if let Purpose::Refresh(observed) = exchange.purpose {
            return self.refreshed(now, transport, observed);
        }
        if let (Stage::Sent(token, _), true) = (exchange.stage, exchange.request.confirmable) {
            let peer = exchange.peer;
            exchange.stage = Stage::Acknowledged(token);
            self.responses.set(id, now + transport.messaging.transmission(peer).response_timeout);
            self.with_peer(peer, |peer| peer.in_flight -= 1);
            self.advance(now, transport, peer);
        }
    }

    /// The message of an exchange was rejected, or never acknowledged.
    pub(crate) fn request_failed(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        id: u64,
        reason: FailReason,
    ) {
        self.end_request(now, transport, id, Err(reason));
    }

    /// Whether the first message of a request waits for its turn.
    pub(crate) fn is_queued(&self, id: RequestId) -> bool {
        let stage = self.requests.get(&id.0).map(|exchange| exchange.stage);
        matches!(stage, Some(Stage::Queued))
    }

    /// Whether the current message of a request is sent and not acknowledged.
    pub(crate) fn is_in_flight(&self, id: RequestId) -> bool {
        let observation = self.observations.get(&id);
        let fetch = observation.and_then(|it| it.fetch).unwrap_or(id.0);
        let stage = self.requests.get(&fetch).map(|exchange| exchange.stage);
        matches!(stage, Some(Stage::Sent(..)))
    }

    /// Forgets a request or an observation without an event, and on datagrams without a message.
    /// Returns its peer.
    pub(crate) fn cancel(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        id: RequestId,
    ) -> Option<PeerId> {
        self.give_up_observing(now, transport, id.0);
        let observed = self.end_observation(now, transport, id).map(|observed| observed.peer);
        let requested = self.drop_request(transport, id.0).map(|(peer, _)| peer);
        let peer = requested.or(observed)?;
        self.advance(now, transport, peer);
        Some(peer)
    }
}
