//! A peer goes on at another address, or in another session or connection.

use super::{Carrier, Link};
use lwm2m_coap::PeerId;
use lwm2m_time::Instant;

/// Why a peer cannot go on by the path of another one. Nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum RebindError {
    /// The link does not know one of the peers.
    UnknownPeer,
    /// The peers have not proven the same identity.
    OtherIdentity,
    /// The session or connection of the path is over.
    Unreachable,
    /// The path has requests or observations of its own.
    Busy,
}

impl core::fmt::Display for RebindError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::UnknownPeer => "one of the peers is not known",
            Self::OtherIdentity => "the peers have different identities",
            Self::Unreachable => "the session or connection of the new path is over",
            Self::Busy => "the new path has requests or observations of its own",
        })
    }
}

impl core::error::Error for RebindError {}

impl Link {
    /// Lets the peer `keep` go on by the path of `from`: at its address, or in its session or on
    /// its connection. The caller knows that both are the same device, for example by an Update
    /// from a new address (OMA LwM2M Core 6.2.2).
    ///
    /// - Requests to `keep`, its observations and their tokens stay. Requests with idempotent
    ///   methods that wait for an answer are sent again; others wait on for their answers, because
    ///   the device may have handled them.
    /// - Requests from `from` that wait for an answer become requests from `keep`.
    /// - Message IDs and remembered duplicates stay with their paths.
    /// - `from` then names the old path, whose session or connection is closed.
    ///
    /// # Errors
    /// See [`RebindError`]. A session of another identity never inherits anything. All peers
    /// without security have the same identity, so there the caller alone decides.
    pub fn rebind(&mut self, now: Instant, keep: PeerId, from: PeerId) -> Result<(), RebindError> {
        self.now = self.now.max(now);
        let identities = [self.identity(keep), self.identity(from)];
        let [Some(kept), Some(new)] = identities else { return Err(RebindError::UnknownPeer) };
        if kept != new {
            return Err(RebindError::OtherIdentity);
        }
        if keep == from {
            return Ok(());
        }
        if !self.is_reachable(from) {
            return Err(RebindError::Unreachable);
        }
        if !self.coap.rebind(now, keep, from) {
            return Err(RebindError::Busy);
        }
        self.exchange_paths(keep, from);
        self.recorder_mut().into_iter().for_each(|it| it.join(keep, from));
        self.reconnect(keep);
        self.leave_path(from);
        self.settle();
        Ok(())
    }

    /// Exchanges the addresses and carriers of two peers.
    fn exchange_paths(&mut self, a: PeerId, b: PeerId) {
        let Some([of_a, of_b]) = self.paths(a, b) else { return };
        for (peer, (address, carrier)) in [(a, of_a), (b, of_b)] {
            if carrier == Carrier::Datagrams {
                let hash = self.hash(address);
                if let Ok(entry) = self.by_address.find_entry(hash, |known| *known == peer) {
                    entry.remove();
                }
            }
        }
        for (peer, (address, carrier)) in [(a, of_b), (b, of_a)] {
            if let Some(state) = self.peers.get_mut(&peer) {
                (state.address, state.carrier) = (address, carrier);
            }
            let session = match carrier {
                Carrier::Datagrams => {
                    self.enter_address(peer, address);
                    None
                }
                Carrier::Session(session) => Some(session),
                Carrier::Connection(connection) => self.connections.carry(connection, peer),
            };
            self.note_stranger(peer);
            if let (Some(session), Some(sessions)) = (session, &mut self.sessions) {
                // The name of a session that is over must not come back.
                if sessions.is_named(session) {
                    sessions.name(session, peer);
                }
            }
        }
    }

    fn paths(&self, a: PeerId, b: PeerId) -> Option<[(core::net::SocketAddr, Carrier); 2]> {
        let (a, b) = (self.peers.get(&a)?, self.peers.get(&b)?);
        Some([(a.address, a.carrier), (b.address, b.carrier)])
    }

    /// Closes the session or connection of a path that is not used any more.
    fn leave_path(&mut self, peer: PeerId) {
        match self.peers.get(&peer).map(|it| it.carrier) {
            Some(Carrier::Connection(connection)) => self.end_connection(connection, peer),
            Some(Carrier::Session(_)) => self.end_session(peer),
            Some(Carrier::Datagrams) | None => {}
        }
        self.unused.insert(peer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lwm2m_coap::Config;
    use std::net::SocketAddr;

    #[test]
    fn a_peer_that_moves_often_leaves_no_addresses_behind() {
        let at = |port: u16| SocketAddr::from(([192, 0, 2, 1], port));
        let mut link = Link::new(Config::default(), [1; 32]);
        let peer = link.connect(at(1)).expect("room");
        link.hold(peer);
        for port in 2..100 {
            let path = link.connect(at(port)).expect("room");
            link.rebind(Instant::ZERO, peer, path).expect("without security");
            assert_eq!(link.connect(at(port)), Some(peer));
            assert_eq!(link.by_address.len(), link.peers.len());
        }
        link.release(peer);
        assert_eq!((link.by_address.len(), link.peers.len()), (0, 0));
    }
}
