//! The client's side: requests of this endpoint and what they lead to.

use super::block::{BlockSize, BlockValue};
use super::check;
use super::transfer::{Limits, Step, Transfer, Upload};
use super::{Exchanges, Incoming};
use crate::error::Error;
use crate::event::{Event, FailReason, ProtocolFault};
use crate::message::{Code, OptionNumber, Token};
use crate::messaging::{Content, Delivery, DeliveryOf};
use crate::peer::{PeerId, RequestId};
use crate::request::Request;
use crate::response::Response;
use crate::transport::{Capacity, Transport};
use bytes::Bytes;
use lwm2m_time::Instant;

/// The most bytes that the options of a block-wise transfer add to those of the request.
const BLOCK_OPTIONS: usize = 24;

/// A request that has no complete answer yet, or the fetching of a large notification.
#[derive(Clone, Debug)]
pub(super) struct ClientExchange {
    pub(super) peer: PeerId,
    pub(super) request: Request,
    pub(super) transfer: Transfer,
    pub(super) stage: Stage,
    pub(super) purpose: Purpose,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Stage {
    /// It waits for its turn.
    Queued,
    /// A message is out; a confirmable one is not acknowledged yet and takes one of the turns.
    Sent(Token, Delivery),
    /// The peer has the message, its response is still to come.
    Acknowledged(Token),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    /// The application asked.
    Request,
    /// The application ends the observation that has this token.
    Cancellation(Token),
    /// Blocks of a notification.
    Fetch(RequestId),
}

/// Whom a token belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum TokenUse {
    ClientExchange(u64),
    Observation(RequestId),
}

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
        let pending = self.peers.get(&peer).map_or(0, |peer| peer.calls.len());
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
        let call = ClientExchange { peer, request, transfer, stage: Stage::Queued, purpose };
        self.enqueue(now, transport, id, call);
        Ok(RequestId(id))
    }

    /// How the request goes out: whole if it fits, else in blocks.
    fn first_transfer(
        &mut self,
        capacity: Capacity,
        request: &mut Request,
    ) -> Result<Transfer, Error> {
        let preferred = capacity.preferred;
        request.options.remove(OptionNumber::BLOCK1);
        request.options.remove(OptionNumber::BLOCK2);
        if preferred < BlockSize::B1024 {
            let wish = BlockValue { number: 0, more: false, size: preferred };
            request.options.push_uint(OptionNumber::BLOCK2, wish.to_uint());
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
        call: ClientExchange,
    ) {
        let peer = call.peer;
        self.calls.insert(id, call);
        self.with_peer(peer, |peer| {
            peer.calls.push(id);
            peer.queue.push(id);
        });
        self.advance(now, transport, peer);
    }

    /// Lets calls to a peer wait, or have their turns.
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

    /// Sends what has its turn.
    pub(super) fn advance(&mut self, now: Instant, transport: &mut Transport, peer: PeerId) {
        while let Some(state) = self.peers.get_mut(&peer).filter(|state| !state.suspended) {
            let Some(id) = state.queue.first().copied() else { return };
            let confirmable = self.calls.get(&id).is_some_and(|call| call.request.confirmable);
            if confirmable && state.in_flight >= transport.messaging.params(peer).nstart {
                return;
            }
            state.queue.remove(0);
            self.transmit(now, transport, id);
        }
    }

    fn transmit(&mut self, now: Instant, transport: &mut Transport, id: u64) {
        let Some(call) = self.calls.get(&id) else { return };
        let (peer, confirmable) = (call.peer, call.request.confirmable);
        let token = match call.purpose {
            Purpose::Cancellation(token) => token,
            Purpose::Request | Purpose::Fetch(_) => self.fresh_token(peer),
        };
        let Some(call) = self.calls.get_mut(&id) else { return };
        let (options, payload) = call.transfer.message(&call.request);
        let content =
            Content { code: call.request.code, token, options: &options, payload: &payload };
        match transport.send(now, peer, confirmable, content, DeliveryOf::ClientExchange(id)) {
            Ok(None) => {
                // It arrives, or the connection ends: as good as acknowledged.
                call.stage = Stage::Acknowledged(token);
                self.tokens.insert((peer, token), TokenUse::ClientExchange(id));
                self.responses.set(id, now + transport.messaging.params(peer).response_timeout);
            }
            Ok(Some(delivery)) => {
                call.stage = Stage::Sent(token, delivery);
                self.tokens.insert((peer, token), TokenUse::ClientExchange(id));
                if confirmable {
                    self.with_peer(peer, |peer| peer.in_flight += 1);
                } else {
                    self.responses.set(id, now + transport.messaging.params(peer).response_timeout);
                }
            }
            Err(refused) => self.end_call(now, transport, id, Err(refused.into())),
        }
    }

    /// The peer has the message of a call; the response is to follow.
    pub(crate) fn call_acknowledged(&mut self, now: Instant, transport: &mut Transport, id: u64) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        if let (Stage::Sent(token, _), true) = (call.stage, call.request.confirmable) {
            let peer = call.peer;
            call.stage = Stage::Acknowledged(token);
            self.responses.set(id, now + transport.messaging.params(peer).response_timeout);
            self.with_peer(peer, |peer| peer.in_flight -= 1);
            self.advance(now, transport, peer);
        }
    }

    /// The message of a call was rejected or never acknowledged.
    pub(crate) fn call_failed(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        id: u64,
        reason: FailReason,
    ) {
        self.end_call(now, transport, id, Err(reason));
    }

    /// Whether a call waits for the response to a message with this token.
    pub(crate) fn awaits(&self, id: u64, peer: PeerId, token: Token) -> bool {
        self.tokens.get(&(peer, token)) == Some(&TokenUse::ClientExchange(id))
    }

    /// Takes a response or a notification in; `false` if it is to be rejected. `separate` tells
    /// one that is a message of its own from one that came with an acknowledgement.
    pub(crate) fn response(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        peer: PeerId,
        incoming: Incoming<'_>,
        separate: bool,
    ) -> bool {
        let token = incoming.token;
        let Some(token_use) = self.tokens.get(&(peer, token)).copied() else { return false };
        let understood = check::response(&incoming.options);
        let response = Response {
            code: incoming.code,
            options: incoming.options,
            payload: Bytes::copy_from_slice(incoming.payload),
        };
        match token_use {
            TokenUse::ClientExchange(id) if !understood => {
                let fault = FailReason::Protocol(ProtocolFault::CriticalOption);
                self.end_call(now, transport, id, Err(fault));
            }
            TokenUse::ClientExchange(id) => {
                self.answer(now, transport, id, token, response, separate)
            }
            TokenUse::Observation(id) if understood => {
                self.notification(now, transport, id, response);
            }
            TokenUse::Observation(_) => transport.messaging.statistics.bad_responses += 1,
        }
        understood
    }

    fn answer(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        id: u64,
        token: Token,
        response: Response,
        separate: bool,
    ) {
        let Some(call) = self.calls.get(&id) else { return };
        let capacity = transport.capacity(call.peer);
        let observed = response.options.observe();
        if separate && observed.is_some() && matches!(call.purpose, Purpose::Cancellation(_)) {
            // A notification that was under way when its observation was cancelled.
            return;
        }
        let registers = call.purpose == Purpose::Request
            && call.request.options.observe() == Some(0)
            && response.code.is_success()
            && !matches!(call.transfer, Transfer::Download(_))
            && transport.connections.takes_requests(call.peer);
        self.release(transport, id);
        if let (true, Some(sequence)) = (registers, observed) {
            self.observe(now, transport, id, token, sequence);
        }
        if self.repeats_with_echo(now, transport, id, &response) {
            return;
        }
        let transfer = self.take_transfer(id);
        let limits = self.limits(capacity);
        let Some(call) = self.calls.get(&id) else { return };
        let step = transfer.answer(&call.request, response, &limits);
        self.take_step(now, transport, id, step);
    }

    pub(super) fn take_transfer(&mut self, id: u64) -> Transfer {
        let Some(call) = self.calls.get_mut(&id) else { return Transfer::Whole };
        self.downloading -= call.transfer.held();
        core::mem::replace(&mut call.transfer, Transfer::Whole)
    }

    pub(super) fn limits(&mut self, capacity: Capacity) -> Limits {
        Limits {
            preferred: capacity.largest_block(),
            connected: capacity.connected,
            max_body: self.config.max_body,
            tag: self.id(),
        }
    }

    pub(super) fn take_step(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        id: u64,
        step: Step,
    ) {
        match step {
            Step::Continue(transfer) => self.continue_call(now, transport, id, transfer),
            Step::Complete(response) => self.end_call(now, transport, id, Ok(response)),
            Step::Failed(reason) => self.end_call(now, transport, id, Err(reason)),
        }
    }

    fn continue_call(&mut self, now: Instant, transport: &mut Transport, id: u64, next: Transfer) {
        let held = self.downloading + next.held();
        if held > self.config.max_assembly_total {
            return self.end_call(now, transport, id, Err(FailReason::TooLarge));
        }
        let Some(call) = self.calls.get_mut(&id) else { return };
        self.downloading = held;
        call.transfer = next;
        let peer = call.peer;
        self.with_peer(peer, |peer| peer.queue.insert(0, id));
        self.advance(now, transport, peer);
    }

    /// A peer that asks for freshness gets the request again with its Echo value, once: RFC 9175
    /// section 2.
    fn repeats_with_echo(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        id: u64,
        response: &Response,
    ) -> bool {
        let Some(call) = self.calls.get_mut(&id) else { return false };
        let echo = response.options.get(OptionNumber::ECHO);
        let (Code::UNAUTHORIZED, Some(echo)) = (response.code, echo) else { return false };
        if call.request.options.get(OptionNumber::ECHO).is_some() {
            return false;
        }
        call.request.options.push(OptionNumber::ECHO, echo);
        let peer = call.peer;
        self.with_peer(peer, |peer| peer.queue.insert(0, id));
        self.advance(now, transport, peer);
        true
    }

    /// Gives back what the message of a call that is out takes: its delivery, token and turn.
    pub(super) fn release(&mut self, transport: &mut Transport, id: u64) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let peer = call.peer;
        let stage = core::mem::replace(&mut call.stage, Stage::Queued);
        self.responses.cancel(id);
        match stage {
            Stage::Queued => {}
            Stage::Sent(token, delivery) => {
                transport.messaging.forget(delivery);
                self.tokens.remove(&(peer, token));
                if call.request.confirmable {
                    self.with_peer(peer, |peer| peer.in_flight -= 1);
                }
            }
            Stage::Acknowledged(token) => {
                self.tokens.remove(&(peer, token));
            }
        }
    }

    /// Ends a call and tells the application, if it is concerned.
    pub(super) fn end_call(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        id: u64,
        outcome: Result<Response, FailReason>,
    ) {
        let Some((peer, purpose)) = self.drop_call(transport, id) else { return };
        let bad = matches!(outcome, Err(FailReason::Protocol(_) | FailReason::TooLarge));
        transport.messaging.statistics.bad_responses += u64::from(bad);
        match purpose {
            Purpose::Request | Purpose::Cancellation(_) => {
                self.report(now, transport, RequestId(id), peer, outcome);
            }
            Purpose::Fetch(observed) => {
                if let Some(observation) = self.observations.get_mut(&observed) {
                    observation.fetch = None;
                }
                // Blocks that cannot be had are no end: the next notification brings newer ones.
                if let Some(response) = outcome.ok().filter(|response| response.code.is_success()) {
                    self.deliver(now, transport, observed, peer, response);
                }
            }
        }
        self.advance(now, transport, peer);
    }

    fn report(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        id: RequestId,
        peer: PeerId,
        outcome: Result<Response, FailReason>,
    ) {
        let event = match outcome {
            Ok(response) => {
                if let Some(observation) = self.observations.get_mut(&id) {
                    observation.fetch = None;
                }
                if !response.code.is_success() || response.options.observe().is_none() {
                    self.forget_observation(now, transport, id);
                }
                Event::Response { id, peer, response }
            }
            Err(reason) => {
                self.forget_observation(now, transport, id);
                Event::Failed { id, peer, reason }
            }
        };
        self.events.push_back(event);
    }

    /// Takes a call out of everything.
    pub(super) fn drop_call(
        &mut self,
        transport: &mut Transport,
        id: u64,
    ) -> Option<(PeerId, Purpose)> {
        self.release(transport, id);
        let call = self.calls.remove(&id)?;
        if let Purpose::Cancellation(token) = call.purpose {
            self.tokens.remove(&(call.peer, token));
        }
        self.downloading -= call.transfer.held();
        self.with_peer(call.peer, |peer| {
            peer.calls.retain(|other| *other != id);
            peer.queue.retain(|other| *other != id);
        });
        Some((call.peer, call.purpose))
    }

    /// Forgets a request or an observation without telling anybody; the peer it was sent to.
    pub(crate) fn cancel(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        id: RequestId,
    ) -> Option<PeerId> {
        let observed = self.forget_observation(now, transport, id).map(|observed| observed.peer);
        let called = self.drop_call(transport, id.0).map(|(peer, _)| peer);
        let peer = called.or(observed)?;
        self.advance(now, transport, peer);
        Some(peer)
    }
}
