//! Requests and responses (RFC 7252 section 5), Observe (RFC 7641), block-wise transfer (RFC 7959).
//!
//! This layer knows tokens but no message IDs. [`Transport`] delivers its messages and reports their
//! outcome, so the same code serves datagrams and connections. Each message passes
//! [`Protection`](crate::protection::Protection) on its way, the seam for OSCORE.
//!
//! | module | what |
//! |---|---|
//! | `client`, `response` | requests of this endpoint and their responses, with the state in `client_exchange` and bodies in `transfer` |
//! | `observe`, `refresh` | observations that this endpoint holds, with the state in `observation` |
//! | `server` | requests of peers, with the state in `server_exchange`, bodies in `bodies`, and `check`, `freshness` (Echo), `key` |
//! | `notify` | observations that peers hold, with the state in `observer` |
//! | `rebind` | what a move to another path means for all of them |
//! | `state` | all of this state in one value, `Exchanges` |

mod assemble;
mod bodies;
mod check;
mod chunk;
mod client;
mod client_exchange;
mod freshness;
mod key;
mod notify;
mod observation;
mod observe;
mod observer;
mod peer;
mod rebind;
mod refresh;
mod response;
mod server;
mod server_exchange;
mod state;
mod streamed;
mod transfer;

pub(crate) use state::Exchanges;
pub(crate) use streamed::Streaming;

use crate::delivery::Refused;
use crate::event::{Event, FailReason, GoneReason};
use crate::ids::{Observer, PeerId};
use crate::transport::Transport;
use lwm2m_time::Instant;

impl Exchanges {
    /// Handles expired responses, requests and bodies. `tell` learns of the peers that have not answered
    /// on their connections so far.
    pub(crate) fn expire(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        mut tell: impl FnMut(PeerId),
    ) {
        while let Some(id) = self.responses.pop_expired(now) {
            let exchange = self.requests.get_mut(&id);
            let later = exchange.and_then(|it| Some((it.peer, it.given_up_at.take()?)));
            match later.filter(|(_, at)| *at > now) {
                Some((peer, at)) => {
                    self.responses.set(id, at);
                    tell(peer);
                }
                None => self.end_request(now, transport, id, Err(FailReason::Timeout)),
            }
        }
        while let Some(entry) = self.waiting.first_entry() {
            if entry.get().expires > now {
                break;
            }
            let peer = entry.remove().peer;
            self.with_peer(peer, |peer| peer.waiting -= 1);
        }
        self.bodies.expire(now, &mut self.touched);
    }

    /// Removes all state about a peer. Pending requests fail with `reason`.
    pub(crate) fn remove_peer(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        peer: PeerId,
        reason: FailReason,
    ) {
        self.bodies.remove_peer(peer);
        let Some(state) = self.peers.get_mut(&peer) else { return };
        state.queue.clear();
        let (requests, observations) = (state.requests.clone(), state.observations.clone());
        for token in state.observed_by.clone() {
            self.forget_observer(transport, Observer { peer, token });
        }
        for id in requests {
            self.end_request(now, transport, id, Err(reason));
        }
        for id in observations {
            self.forget_observation(now, transport, id);
        }
        if self.peers.get(&peer).is_some_and(|state| state.waiting > 0) {
            self.waiting.retain(|_, waiting| waiting.peer != peer);
        }
        self.peers.remove(&peer);
    }

    /// Ends the observations in both directions, because the connection ends.
    pub(crate) fn end_observations(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        peer: PeerId,
    ) {
        let Some(state) = self.peers.get(&peer) else { return };
        let (observations, tokens) = (state.observations.clone(), state.observed_by.clone());
        for token in tokens {
            self.observer_gone(transport, Observer { peer, token }, GoneReason::Closed);
        }
        for id in observations {
            self.forget_observation(now, transport, id);
            self.events.push_back(Event::Failed { id, peer, reason: FailReason::Closed });
        }
    }
}

impl From<Refused> for FailReason {
    fn from(refused: Refused) -> Self {
        match refused {
            // Unreachable: a peer with a pending request has state.
            Refused::Peers => Self::Timeout,
            Refused::MessageIds => Self::TooManyMessages,
            Refused::TooLong => Self::TooLong,
        }
    }
}
