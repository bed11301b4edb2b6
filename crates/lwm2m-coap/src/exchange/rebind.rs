//! The exchanges of a peer that moves to another path.

use super::client_exchange::Stage;
use super::state::Exchanges;
use crate::ids::PeerId;
use crate::message::Code;
use crate::transport::Transport;
use lwm2m_time::Instant;

/// Whether a request may be sent again although the peer may have handled it: the method is
/// idempotent (RFC 7252 section 5.1, RFC 8132 section 2).
const fn is_repeatable(code: Code) -> bool {
    matches!(code, Code::GET | Code::PUT | Code::DELETE | Code::FETCH)
}

impl Exchanges {
    /// Whether this endpoint has asked the peer something, or one observes the other.
    pub(crate) fn is_engaged(&self, peer: PeerId) -> bool {
        self.peers.get(&peer).is_some_and(|state| {
            !state.requests.is_empty()
                || !state.observations.is_empty()
                || !state.observed_by.is_empty()
        })
    }

    /// Prepares the requests to a peer for another path; `stream` says whether the old or the new
    /// one is a stream. A request that is not idempotent is not sent again, because the peer may
    /// have handled it, but still waits for its response.
    pub(crate) fn leave_path(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        peer: PeerId,
        stream: bool,
    ) {
        let requests = self.peers.get(&peer).map(|state| state.requests.clone());
        let most = transport.messaging.transmission(peer).max_retransmit;
        for id in requests.unwrap_or_default() {
            let Some(exchange) = self.requests.get_mut(&id) else { continue };
            let repeatable =
                is_repeatable(exchange.request.code) && (!stream || exchange.repeated < most);
            exchange.repeated += u32::from(stream && repeatable);
            match exchange.stage {
                Stage::Queued => {}
                Stage::Sent(..) if repeatable && !stream => {}
                Stage::Sent(token, delivery) => {
                    transport.messaging.forget(delivery);
                    if exchange.request.confirmable {
                        self.with_peer(peer, |state| state.in_flight -= 1);
                    }
                    self.set_stage(id, Stage::Acknowledged(token));
                    let timeout = transport.messaging.transmission(peer).response_timeout;
                    self.responses.set(id, now + timeout);
                    if repeatable {
                        self.requeue(id, peer, token);
                    }
                }
                Stage::Acknowledged(token) if repeatable && stream => {
                    self.requeue(id, peer, token);
                }
                Stage::Acknowledged(_) => {}
            }
        }
    }

    fn set_stage(&mut self, id: u64, stage: Stage) {
        if let Some(exchange) = self.requests.get_mut(&id) {
            exchange.stage = stage;
        }
    }

    /// Lets the current message of a request be sent once more.
    fn requeue(&mut self, id: u64, peer: PeerId, token: crate::message::Token) {
        self.release_token(peer, token, id);
        self.responses.cancel(id);
        self.set_stage(id, Stage::Queued);
        self.with_peer(peer, |state| state.queue.push(id));
    }

    /// Gives the requests of `from` that wait for the application to `keep`. Those of `keep` came
    /// by another path, so they are answered by messages of their own.
    pub(crate) fn take_over(&mut self, keep: PeerId, from: PeerId) {
        let waiting = |peer| self.peers.get(&peer).map_or(0, |state| state.waiting);
        if waiting(keep) + waiting(from) == 0 {
            return;
        }
        let mut taken = 0;
        for exchange in self.waiting.values_mut() {
            if exchange.peer == keep {
                exchange.source = None;
            } else if exchange.peer == from {
                exchange.peer = keep;
                exchange.source.iter_mut().for_each(|source| source.peer = keep);
                taken += 1;
            }
        }
        if taken > 0 {
            self.with_peer(keep, |state| state.waiting += taken);
            self.with_peer(from, |state| state.waiting -= taken);
        }
    }
}
