//! Peers that have proven nothing and that no engine holds: anybody can make any number of them.

use super::{Carrier, Link};
use crate::overload::Overload;
use lwm2m_coap::PeerId;

/// Strangers are at most one peer in so many.
const STRANGERS: usize = 16;

impl Link {
    /// What was refused or forgotten so far because a bound was reached, below the engine.
    #[must_use]
    pub fn overload(&self) -> Overload {
        let statistics = self.statistics();
        Overload {
            strangers: self.evicted(),
            datagrams: self.refused(),
            connections: self.refused_connections(),
            handshakes: self.deferred_handshakes(),
            requests: statistics.dropped_overload,
            forgotten: statistics.evicted,
            ..Overload::default()
        }
    }

    /// How many strangers gave way to others.
    #[must_use]
    pub const fn evicted(&self) -> u64 {
        self.evicted
    }

    /// How many connections were closed at once for want of room.
    #[must_use]
    pub const fn refused_connections(&self) -> u64 {
        self.refused_connections
    }

    /// How many sessions clients have established: by a full handshake, and by resumption.
    #[must_use]
    pub const fn accepted_sessions(&self) -> (u64, u64) {
        self.accepted
    }

    /// How many handshakes of clients were put off because too many came in a second
    /// ([`lwm2m_dtls::Config::max_handshakes_per_second`]).
    #[must_use]
    pub fn deferred_handshakes(&self) -> u64 {
        self.sessions.as_ref().map_or(0, |sessions| sessions.endpoint.deferred())
    }

    /// How many datagrams were dropped because the table of peers was full.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// Forgets the oldest stranger if there are too many; `false` if all places are taken by peers
    /// that are held.
    pub(super) fn make_room_for_stranger(&mut self) -> bool {
        let most = (self.max_peers / STRANGERS).max(1);
        if self.strangers.len() < most && self.by_address.len() < self.max_peers {
            return true;
        }
        let Some(oldest) = self.strangers.pop_first() else { return false };
        self.evicted += 1;
        self.coap.remove_peer(oldest);
        self.unused.insert(oldest);
        self.settle();
        true
    }

    /// Notes whether a peer is a stranger, after something has changed.
    pub(super) fn note_stranger(&mut self, peer: PeerId) {
        let state = self.peers.get(&peer);
        match state.is_some_and(|it| it.holds == 0 && it.carrier == Carrier::Datagrams) {
            true => _ = self.strangers.insert(peer),
            false => _ = self.strangers.remove(&peer),
        }
    }
}
