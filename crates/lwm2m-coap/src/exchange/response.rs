//! Receiving responses: RFC 7252 section 5.3.

use super::check;
use super::client_exchange::{Purpose, Stage, TokenUse};
use super::refresh::{Refresh, representation};
use super::state::Exchanges;
use super::transfer::{Limits, Step, Transfer};
use crate::event::{Event, FailReason, ProtocolFault};
use crate::ids::{PeerId, RequestId};
use crate::message::{Code, OptionNumber, Parts, Token};
use crate::response::Response;
use crate::transport::{Capacity, Transport};
use bytes::Bytes;
use lwm2m_time::Instant;

impl Exchanges {
    /// Whether an exchange waits for the response to a message with this token.
    pub(crate) fn awaits(&self, id: u64, peer: PeerId, token: Token) -> bool {
        match self.tokens.get(&(peer, token)) {
            Some(TokenUse::Request(of)) => *of == id,
            Some(TokenUse::Observation(of)) => {
                let observation = self.observations.get(of);
                observation.is_some_and(|it| it.refresh == Refresh::UnderWay(id))
            }
            None => false,
        }
    }

    /// Whether a request to the peer, or an observation, has this token.
    pub(crate) fn has_token(&self, peer: PeerId, token: Token) -> bool {
        self.tokens.contains_key(&(peer, token))
    }

    /// Handles a response or a notification. Returns `false` if it must be rejected. `separate` tells
    /// whether it came in a message of its own or in an acknowledgement.
    pub(crate) fn response(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        peer: PeerId,
        parts: &Parts<'_>,
        separate: bool,
    ) -> bool {
        let token = parts.token;
        let Some(token_use) = self.tokens.get(&(peer, token)).copied() else { return false };
        let incoming = transport.protection.unprotect(peer, parts);
        let understood = check::response(&incoming.options);
        let response = Response {
            code: incoming.code,
            options: incoming.options,
            payload: Bytes::copy_from_slice(incoming.payload),
        };
        match token_use {
            TokenUse::Request(id) if !understood => {
                let fault = FailReason::Protocol(ProtocolFault::CriticalOption);
                self.end_request(now, transport, id, Err(fault));
            }
            TokenUse::Request(id) => self.answer(now, transport, id, token, response, separate),
            TokenUse::Observation(id) => {
                if !separate {
                    self.refreshed(now, transport, id);
                }
                match understood {
                    true => self.notification(now, transport, id, response),
                    false => transport.messaging.statistics.bad_responses += 1,
                }
            }
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
        let Some(exchange) = self.requests.get(&id) else { return };
        let capacity = transport.capacity(exchange.peer);
        let observed = response.options.observe();
        if separate && observed.is_some() && matches!(exchange.purpose, Purpose::Cancellation(_)) {
            // This is a notification from before the cancellation.
            return;
        }
        let registers = exchange.purpose == Purpose::Request
            && exchange.request.options.observe() == Some(0)
            && response.code.is_success()
            && !matches!(exchange.transfer, Transfer::Download(_))
            && transport.connections.takes_requests(exchange.peer);
        self.release(transport, id);
        if let (true, Some(sequence)) = (registers, observed) {
            self.observe(now, transport, id, token, sequence);
        }
        if self.repeats_with_echo(now, transport, id, &response) {
            return;
        }
        let transfer = self.take_transfer(id);
        let limits = self.limits(capacity);
        let Some(exchange) = self.requests.get(&id) else { return };
        let step = transfer.answer(&exchange.request, response, &limits);
        self.take_step(now, transport, id, step);
    }

    pub(super) fn take_transfer(&mut self, id: u64) -> Transfer {
        let Some(exchange) = self.requests.get_mut(&id) else { return Transfer::Whole };
        self.downloading -= exchange.transfer.held();
        core::mem::replace(&mut exchange.transfer, Transfer::Whole)
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
            Step::Continue(transfer) => self.continue_request(now, transport, id, transfer),
            Step::Complete(response) => self.end_request(now, transport, id, Ok(response)),
            Step::Failed(reason) => self.end_request(now, transport, id, Err(reason)),
        }
    }

    fn continue_request(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        id: u64,
        next: Transfer,
    ) {
        let held = self.downloading + next.held();
        if held > self.config.max_assembly_total {
            return self.end_request(now, transport, id, Err(FailReason::TooLarge));
        }
        let Some(exchange) = self.requests.get_mut(&id) else { return };
        self.downloading = held;
        exchange.transfer = next;
        let peer = exchange.peer;
        self.with_peer(peer, |peer| peer.queue.insert(0, id));
        self.advance(now, transport, peer);
    }

    /// Repeats the request once with the Echo value of a 4.01: RFC 9175 section 2.3.
    fn repeats_with_echo(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        id: u64,
        response: &Response,
    ) -> bool {
        let Some(exchange) = self.requests.get_mut(&id) else { return false };
        let echo = response.options.get(OptionNumber::ECHO);
        let (Code::UNAUTHORIZED, Some(echo)) = (response.code, echo) else { return false };
        if exchange.request.options.get(OptionNumber::ECHO).is_some() {
            return false;
        }
        exchange.request.options.push(OptionNumber::ECHO, echo);
        let peer = exchange.peer;
        self.with_peer(peer, |peer| peer.queue.insert(0, id));
        self.advance(now, transport, peer);
        true
    }

    /// Releases the delivery, the token and the NSTART slot of an exchange's message.
    pub(super) fn release(&mut self, transport: &mut Transport, id: u64) {
        let Some(exchange) = self.requests.get_mut(&id) else { return };
        let peer = exchange.peer;
        let stage = core::mem::replace(&mut exchange.stage, Stage::Queued);
        self.responses.cancel(id);
        match stage {
            Stage::Queued => {}
            Stage::Sent(token, delivery) => {
                transport.messaging.forget(delivery);
                if exchange.request.confirmable {
                    self.with_peer(peer, |peer| peer.in_flight -= 1);
                }
                self.release_token(peer, token, id);
            }
            Stage::Acknowledged(token) => self.release_token(peer, token, id),
        }
    }

    /// Releases the token of an exchange, unless it is that of an observation.
    pub(super) fn release_token(&mut self, peer: PeerId, token: Token, id: u64) {
        if self.tokens.get(&(peer, token)) == Some(&TokenUse::Request(id)) {
            self.tokens.remove(&(peer, token));
        }
    }

    /// Ends an exchange and reports the outcome to the application.
    pub(super) fn end_request(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        id: u64,
        outcome: Result<Response, FailReason>,
    ) {
        if outcome == Err(FailReason::Timeout) {
            self.give_up_observing(now, transport, id);
        }
        let Some((peer, purpose)) = self.drop_request(transport, id) else { return };
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
                // A failed fetch does not end the observation: a newer notification follows.
                if let Some(response) = outcome.ok().filter(|response| response.code.is_success()) {
                    self.deliver(now, transport, observed, peer, response);
                }
            }
            Purpose::Refresh(observed) => {
                self.refresh_failed(now, transport, observed, outcome.err());
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
                    observation.latest = representation(&response);
                }
                if !response.code.is_success() || response.options.observe().is_none() {
                    self.forget_observation(now, transport, id);
                }
                Event::Response { id, peer, response }
            }
            Err(reason) => {
                match reason {
                    FailReason::Closed | FailReason::Cancelled => {
                        self.forget_observation(now, transport, id)
                    }
                    _ => self.end_observation(now, transport, id),
                };
                Event::Failed { id, peer, reason }
            }
        };
        self.events.push_back(event);
    }

    /// Removes an exchange and all references to it.
    pub(super) fn drop_request(
        &mut self,
        transport: &mut Transport,
        id: u64,
    ) -> Option<(PeerId, Purpose)> {
        self.release(transport, id);
        let exchange = self.requests.remove(&id)?;
        if let Purpose::Cancellation(token) = exchange.purpose {
            self.tokens.remove(&(exchange.peer, token));
        }
        self.downloading -= exchange.transfer.held();
        self.with_peer(exchange.peer, |peer| {
            peer.requests.retain(|other| *other != id);
            peer.queue.retain(|other| *other != id);
        });
        Some((exchange.peer, exchange.purpose))
    }
}
