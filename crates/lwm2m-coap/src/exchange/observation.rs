//! Observing a resource of a peer: RFC 7641 section 3.

use super::Exchanges;
use super::client::{ClientExchange, Purpose, Stage, TokenUse};
use super::key::RequestKey;
use super::transfer::{Step, Transfer, first_answer};
use crate::error::Error;
use crate::event::Event;
use crate::message::Token;
use crate::peer::{PeerId, RequestId};
use crate::request::Request;
use crate::response::Response;
use crate::transport::Transport;
use core::time::Duration;
use lwm2m_time::Instant;

/// An observation that this endpoint holds on a peer.
#[derive(Clone, Debug)]
pub(super) struct Observation {
    pub(super) peer: PeerId,
    pub(super) token: Token,
    /// The request that began it, to fetch blocks and to end it.
    pub(super) request: Request,
    pub(super) freshness: Freshness,
    /// The call that fetches the blocks of the newest representation.
    pub(super) fetch: Option<u64>,
}

impl Observation {
    fn target(&self) -> RequestKey {
        RequestKey::new(self.request.code, &self.request.options, &self.request.payload)
    }
}

/// The sequence number that came last, and when: RFC 7641 section 3.4.
#[derive(Clone, Copy, Debug)]
pub(super) struct Freshness {
    sequence: u32,
    at: Instant,
}

impl Freshness {
    pub(super) const fn new(sequence: u32, at: Instant) -> Self {
        Self { sequence, at }
    }

    /// Takes a sequence number in; `false` if something newer came before.
    pub(super) fn advance(&mut self, sequence: u32, now: Instant) -> bool {
        let (v1, v2) = (self.sequence, sequence);
        let newer = (v1 < v2 && v2 - v1 < 1 << 23)
            || (v1 > v2 && v1 - v2 > 1 << 23)
            || now - self.at > Duration::from_secs(128);
        if newer {
            *self = Self::new(sequence, now);
        }
        newer
    }
}

impl Exchanges {
    /// Begins an observation. One of the same target that was there before ends, as the peer
    /// keeps only one.
    pub(super) fn observe(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        id: u64,
        token: Token,
        sequence: u32,
    ) {
        let Some(call) = self.calls.get(&id) else { return };
        let (peer, id) = (call.peer, RequestId(id));
        let observation = Observation {
            peer,
            token,
            request: call.request.clone(),
            freshness: Freshness::new(sequence, now),
            fetch: Some(id.0),
        };
        if let Some(replaced) = self.observation_like(&observation) {
            self.forget_observation(now, transport, replaced);
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
        // The order on a connection is the order of the states: RFC 8323 section 7.1.
        if !capacity.connected
            && let Some(sequence) = response.options.observe()
            && !observation.freshness.advance(sequence, now)
        {
            transport.messaging.statistics.outdated += 1;
            return;
        }
        let fetch = observation.fetch;
        let limits = self.limits(capacity);
        let step = first_answer(response, &limits);
        match fetch {
            // The blocks of an older state are not wanted any more.
            Some(call) => {
                self.release(transport, call);
                self.take_transfer(call);
                self.with_peer(peer, |peer| peer.queue.retain(|other| *other != call));
                self.take_step(now, transport, call, step);
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

    /// Fetches the other blocks of a notification.
    fn fetch(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        id: RequestId,
        transfer: Transfer,
    ) {
        let call_id = self.id();
        let Some(observation) = self.observations.get_mut(&id) else { return };
        observation.fetch = Some(call_id);
        self.downloading += transfer.held();
        let call = ClientExchange {
            peer: observation.peer,
            request: observation.request.clone(),
            transfer,
            stage: Stage::Queued,
            purpose: Purpose::Fetch(id),
        };
        self.enqueue(now, transport, call_id, call);
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
        self.events.push_back(Event::Notification { id, peer, response });
    }

    /// Forgets an observation and the fetching for it; later notifications are rejected.
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
        if let Some(call) = observation.fetch.filter(|call| *call != id.0) {
            self.drop_call(transport, call);
            self.advance(now, transport, peer);
        }
        Some(observation)
    }

    /// Asks the peer to end an observation.
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
        if self.calls.contains_key(&cancellation.0) {
            // The token stays taken until the answer is here.
            self.tokens.insert((peer, token), TokenUse::ClientExchange(cancellation.0));
        }
        Ok(cancellation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // proves: OBS-02
    #[test]
    fn older_notifications_are_told_from_newer_ones() {
        let at = |seconds: u64| Instant::from_millis(seconds * 1_000);
        let mut freshness = Freshness::new(10, at(0));
        assert!(freshness.advance(12, at(1)));
        assert!(!freshness.advance(11, at(2)));
        assert!(!freshness.advance(12, at(3)));
        assert!(!freshness.advance(11, at(129)));
        assert!(freshness.advance(11, at(130)));
        assert!(freshness.advance(0x7F_FFFF, at(131)));
        assert!(!freshness.advance(0x1F_FFFF, at(131)));
        assert!(freshness.advance(0xFF_FFFF - 1, at(132)));
        assert!(freshness.advance(0xFF_FFFF, at(133)));
        assert!(freshness.advance(0, at(134)));
        assert!(!freshness.advance(0xFF_FFFF, at(135)));
    }
}
