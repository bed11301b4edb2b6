//! Observing resources of peers: RFC 7641 section 3.

use super::client_exchange::{ClientExchange, Purpose, Stage, TokenUse};
use super::observation::{Freshness, Observation};
use super::refresh::{Refresh, representation};
use super::state::Exchanges;
use super::transfer::{Step, Transfer, first_answer};
use crate::delivery::{Content, DeliveryOf};
use crate::error::Error;
use crate::event::Event;
use crate::ids::{PeerId, RequestId};
use crate::message::{OptionNumber, Token};
use crate::request::Request;
use crate::response::Response;
use crate::transport::Transport;
use lwm2m_time::Instant;

impl Exchanges {
    /// Begins an observation. Forgets an earlier one of the same target, as the peer does (RFC 7641
    /// section 4.1).
    pub(super) fn observe(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        id: u64,
        token: Token,
        sequence: u32,
    ) {
        let Some(exchange) = self.requests.get(&id) else { return };
        let (peer, id) = (exchange.peer, RequestId(id));
        let observation = Observation {
            peer,
            token,
            request: exchange.request.clone(),
            freshness: Freshness::new(sequence, now),
            fetch: Some(id.0),
            refresh: Refresh::Done,
            latest: 0,
        };
        if let Some(replaced) = self.observation_like(&observation) {
            self.end_observation(now, transport, replaced);
        }
        self.observations.insert(id, observation);
        self.tokens.insert((peer, token), TokenUse::Observation(id));
        self.with_peer(peer, |peer| peer.observations.push(id));
    }

    fn observation_like(&self, new: &Observation) -> Option<RequestId> {
        let target = new.target();
        let mut ids = self.peers.get(&new.peer)?.observations.iter().copied();
        ids.find(|id| {
            self.observations.get(id).is_some_and(|old| old.target().has_same_target(&target))
        })
    }

    pub(super) fn notification(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        id: RequestId,
        response: Response,
    ) {
        let Some(observation) = self.observations.get_mut(&id) else { return };
        let peer = observation.peer;
        let capacity = transport.capacity(peer);
        // A connection preserves the order: RFC 8323 section 7.1.
        if !capacity.connected
            && let Some(sequence) = response.options.observe()
            && !observation.freshness.advance(sequence, now)
        {
            if !observation.refresh.expects_answer() {
                transport.messaging.statistics.outdated += 1;
                return;
            }
            observation.freshness = Freshness::new(sequence, now);
        }
        let fetch = observation.fetch;
        let limits = self.limits(capacity);
        let step = first_answer(response, &limits);
        match fetch {
            // Stop fetching the blocks of an older state.
            Some(exchange) => {
                self.release(transport, exchange);
                self.take_transfer(exchange);
                self.with_peer(peer, |peer| peer.queue.retain(|other| *other != exchange));
                self.take_step(now, transport, exchange, step);
            }
            None => self.first_step(now, transport, id, peer, step),
        }
    }

    fn first_step(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        id: RequestId,
        peer: PeerId,
        step: Step,
    ) {
        match step {
            Step::Complete(response) => self.deliver(now, transport, id, peer, response),
            Step::Continue(transfer) => self.fetch(now, transport, id, transfer),
            Step::Failed(_) => transport.messaging.statistics.bad_responses += 1,
        }
    }

    /// Fetches the remaining blocks of a notification.
    fn fetch(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        id: RequestId,
        transfer: Transfer,
    ) {
        let number = self.id();
        let Some(observation) = self.observations.get_mut(&id) else { return };
        observation.fetch = Some(number);
        self.downloading += transfer.held();
        let exchange = ClientExchange {
            peer: observation.peer,
            request: observation.request.clone(),
            transfer,
            stage: Stage::Queued,
            purpose: Purpose::Fetch(id),
            repeated: 0,
            given_up_at: None,
        };
        self.enqueue(now, transport, number, exchange);
    }

    pub(super) fn deliver(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        id: RequestId,
        peer: PeerId,
        response: Response,
    ) {
        if !response.code.is_success() || response.options.observe().is_none() {
            self.forget_observation(now, transport, id);
        }
        if self.brings_news(id, &response) {
            self.events.push_back(Event::Notification { id, peer, response });
        }
    }

    /// Notes what the application is told. `false` for the answer to a repeated request, if the
    /// application was told the same before.
    pub(super) fn brings_news(&mut self, id: RequestId, response: &Response) -> bool {
        let Some(observation) = self.observations.get_mut(&id) else { return true };
        let told = core::mem::replace(&mut observation.latest, representation(response));
        let is_known = observation.refresh.expects_answer() && told == observation.latest;
        if observation.refresh == Refresh::Acknowledged {
            observation.refresh = Refresh::Done;
        }
        !is_known
    }

    /// Forgets an observation. On a connection, where the next notification cannot be rejected, tells
    /// the peer (RFC 8323 section 7.4); its answer is ignored.
    pub(super) fn end_observation(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        id: RequestId,
    ) -> Option<Observation> {
        let observation = self.forget_observation(now, transport, id)?;
        let Observation { peer, token, request, .. } = &observation;
        tell_end(now, transport, *peer, *token, request);
        Some(observation)
    }

    /// Tells a peer on a connection that the observation is not wanted which a request would begin
    /// that is given up.
    pub(super) fn give_up_observing(&self, now: Instant, transport: &mut Transport, id: u64) {
        let Some(exchange) = self.requests.get(&id) else { return };
        let begins = exchange.purpose == Purpose::Request
            && exchange.request.options.observe() == Some(0)
            && !self.observations.contains_key(&RequestId(id));
        if let (true, Stage::Acknowledged(token)) = (begins, exchange.stage) {
            tell_end(now, transport, exchange.peer, token, &exchange.request);
        }
    }

    /// Forgets an observation and its fetch. Later notifications are rejected.
    pub(super) fn forget_observation(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        id: RequestId,
    ) -> Option<Observation> {
        let observation = self.observations.remove(&id)?;
        let peer = observation.peer;
        self.tokens.remove(&(peer, observation.token));
        self.with_peer(peer, |peer| peer.observations.retain(|other| *other != id));
        let fetch = observation.fetch.filter(|exchange| *exchange != id.0);
        let refresh = match observation.refresh {
            Refresh::UnderWay(exchange) => Some(exchange),
            _ => None,
        };
        for exchange in fetch.into_iter().chain(refresh) {
            self.drop_request(transport, exchange);
            self.advance(now, transport, peer);
        }
        if refresh.is_some() {
            self.refresh_next(now, transport, peer);
        }
        Some(observation)
    }

    /// Deregisters at the peer: RFC 7641 section 3.6.
    pub(crate) fn cancel_observation(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        id: RequestId,
    ) -> Result<RequestId, Error> {
        let observation = self.observations.get(&id).ok_or(Error::UnknownRequest(id))?;
        let (peer, token) = (observation.peer, observation.token);
        let request = observation.request.clone().observe(1);
        let cancellation =
            self.begin(now, transport, peer, request, Purpose::Cancellation(token))?;
        self.forget_observation(now, transport, id);
        if self.requests.contains_key(&cancellation.0) {
            // The token stays in use until the response arrives.
            self.tokens.insert((peer, token), TokenUse::Request(cancellation.0));
        }
        Ok(cancellation)
    }
}

/// Tells a peer on a connection that an observation is over: by its request with Observe 1 and its
/// token.
fn tell_end(
    now: Instant,
    transport: &mut Transport,
    peer: PeerId,
    token: Token,
    request: &Request,
) {
    if !transport.connections.has(peer) || !transport.connections.takes_requests(peer) {
        return;
    }
    let mut request = request.clone().observe(1);
    request.options.remove(OptionNumber::BLOCK2);
    let Request { code, ref options, ref payload, .. } = request;
    let content = Content { code, token, options, payload };
    // If it does not fit into a message, the observation ends with the connection.
    let _ = transport.send(now, peer, true, content, DeliveryOf::Response);
}
