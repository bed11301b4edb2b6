//! Reinforcing interest in observed resources: RFC 7641 section 3.3.1.
//!
//! A peer may have ended its observations while this endpoint did not recognise its notifications.
//! Each request is repeated with its token, one after the other. What comes back is handled as a
//! notification. A peer that has ended the observation begins it anew with a sequence of its own.

use super::client_exchange::{ClientExchange, Purpose, Stage};
use super::key::digest;
use super::state::Exchanges;
use super::transfer::Transfer;
use crate::event::{Event, FailReason};
use crate::ids::{PeerId, RequestId};
use crate::response::Response;
use crate::transport::Transport;
use lwm2m_time::Instant;

/// How far the repetition of the request of an observation has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refresh {
    /// The request need not be repeated.
    Done,
    /// The request is to be repeated.
    Due,
    /// The client exchange with this number repeats it.
    UnderWay(u64),
    /// The peer has the request. The answer is still missing.
    Acknowledged,
}

impl Refresh {
    /// Whether the next notification may be the answer.
    pub(super) const fn expects_answer(self) -> bool {
        matches!(self, Self::UnderWay(_) | Self::Acknowledged)
    }
}

/// Identifies the representation in a notification, to tell an answer that brings nothing new. A peer
/// that produces a collision harms only itself.
pub(super) fn representation(response: &Response) -> u64 {
    let format = response.options.content_format().map_or(u64::MAX, u64::from);
    digest(&response.payload) ^ format.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

impl Exchanges {
    /// Repeats the requests of all observations on a peer of datagrams. A connection loses nothing.
    pub(crate) fn refresh_observations(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        peer: PeerId,
    ) {
        let state = self.peers.get(&peer).filter(|_| !transport.connections.has(peer));
        let Some(state) = state else { return };
        for id in &state.observations {
            if let Some(observation) = self.observations.get_mut(id)
                && !matches!(observation.refresh, Refresh::UnderWay(_))
            {
                observation.refresh = Refresh::Due;
            }
        }
        self.refresh_next(now, transport, peer);
    }

    /// Repeats the next request that is due, unless one is under way.
    pub(super) fn refresh_next(&mut self, now: Instant, transport: &mut Transport, peer: PeerId) {
        let Some(state) = self.peers.get(&peer) else { return };
        let refresh = |id: &RequestId| self.observations.get(id).map(|it| it.refresh);
        if state.observations.iter().any(|id| matches!(refresh(id), Some(Refresh::UnderWay(_)))) {
            return;
        }
        let mut due = state.observations.iter().filter(|id| refresh(id) == Some(Refresh::Due));
        let Some(id) = due.next().copied() else { return };
        let number = self.id();
        let Some(observation) = self.observations.get_mut(&id) else { return };
        let mut request = observation.request.clone();
        request.confirmable = true;
        match self.first_transfer(transport.capacity(peer), &mut request) {
            Ok(transfer @ Transfer::Whole) => {
                if let Some(observation) = self.observations.get_mut(&id) {
                    observation.refresh = Refresh::UnderWay(number);
                }
                let purpose = Purpose::Refresh(id);
                let stage = Stage::Queued;
                let exchange = ClientExchange {
                    peer,
                    request,
                    transfer,
                    stage,
                    purpose,
                    repeated: 0,
                    given_up_at: None,
                };
                self.enqueue(now, transport, number, exchange);
            }
            // The answers to the blocks of a request cannot be told from notifications.
            _ => {
                self.forget_observation(now, transport, id);
                self.events.push_back(Event::Failed { id, peer, reason: FailReason::Closed });
            }
        }
    }

    /// The peer has the repeated request.
    pub(super) fn refreshed(&mut self, now: Instant, transport: &mut Transport, id: RequestId) {
        let Some(observation) = self.observations.get_mut(&id) else { return };
        let Refresh::UnderWay(number) = observation.refresh else { return };
        observation.refresh = Refresh::Acknowledged;
        let peer = observation.peer;
        self.drop_request(transport, number);
        self.advance(now, transport, peer);
        self.refresh_next(now, transport, peer);
    }

    /// The repeated request was rejected, or the peer does not answer. Then the others wait until the
    /// application asks again.
    pub(super) fn refresh_failed(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        id: RequestId,
        reason: Option<FailReason>,
    ) {
        let Some(observation) = self.observations.get_mut(&id) else { return };
        observation.refresh = Refresh::Done;
        let peer = observation.peer;
        if reason == Some(FailReason::Reset) {
            self.forget_observation(now, transport, id);
            self.events.push_back(Event::Failed { id, peer, reason: FailReason::Reset });
            self.refresh_next(now, transport, peer);
        }
    }
}
