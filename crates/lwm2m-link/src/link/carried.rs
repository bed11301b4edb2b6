//! Peers that connections carry: how they begin and end.

use super::{Carrier, Link, Secured, canonical};
use crate::connections::{Carried, Direction};
use crate::engine::{ConnectionId, StreamAction};
use core::net::SocketAddr;
use lwm2m_coap::PeerId;
use lwm2m_dtls::SessionId;
use lwm2m_time::Instant;

impl Link {
    pub(super) fn connection_of(&self, peer: PeerId) -> Option<ConnectionId> {
        match self.peers.get(&peer)?.carrier {
            Carrier::Connection(connection) => Some(connection),
            Carrier::Datagrams | Carrier::Session(_) => None,
        }
    }

    /// Opens a connection unless there is one to that address.
    pub(super) fn open(
        &mut self,
        now: Instant,
        to: SocketAddr,
        secured: Secured,
    ) -> Option<PeerId> {
        if let Some(peer) = self.connections.opened_to(to) {
            return Some(peer);
        }
        let connection = self.connections.next_opened();
        let peer = self.begin_connection(now, connection, Direction::To(to), secured);
        self.settle();
        peer
    }

    pub(super) fn begin_connection(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        direction: Direction,
        secured: Secured,
    ) -> Option<PeerId> {
        self.now = self.now.max(now);
        if !self.connections.has_room(direction) {
            return None;
        }
        let address = canonical(direction.address());
        let session = match (secured, &mut self.sessions) {
            (Secured::No, _) => None,
            (_, None) => return None,
            (Secured::AsServer, Some(sessions)) => {
                Some(sessions.endpoint.accept_stream(now, address).ok()?)
            }
            (Secured::AsClient(profile), Some(sessions)) => {
                Some(sessions.begin(now, address, profile, true).ok()?)
            }
        };
        let peer = self.new_peer(address, Carrier::Connection(connection));
        if let (Some(session), Some(sessions)) = (session, &mut self.sessions) {
            sessions.name(session, peer);
        }
        if self.coap.connected(now, peer).is_err() {
            self.abandon(peer, session);
            return None;
        }
        self.connections.begin(now, connection, Carried { peer, session }, direction);
        if let Direction::To(to) = direction {
            self.outputs.stream(StreamAction::Open { connection, to });
        }
        Some(peer)
    }

    /// Forgets a peer that CoAP has no room for.
    pub(super) fn abandon(&mut self, peer: PeerId, session: Option<SessionId>) {
        self.peers.remove(&peer);
        if let (Some(session), Some(sessions)) = (session, &mut self.sessions) {
            sessions.forget(session);
            // It has just begun, so it is there.
            let _ = sessions.endpoint.close(session);
        }
    }

    /// The session of a peer is over.
    pub(super) fn lose(&mut self, peer: PeerId) {
        match self.peers.get(&peer).map(|it| it.carrier) {
            Some(Carrier::Connection(connection)) => self.end_connection(connection, peer),
            Some(_) => self.coap.lose(self.now, peer),
            None => {}
        }
        self.unused.insert(peer);
    }

    /// A connection is over. From now on another one to the same address may be opened.
    pub(super) fn end_connection(&mut self, connection: ConnectionId, peer: PeerId) {
        self.coap.disconnected(self.now, peer);
        self.settle_coap();
        self.connections.end(connection);
    }

    /// Closes a connection that has ended, with the close_notify of its session.
    pub(super) fn close(&mut self, connection: ConnectionId, carried: Carried) {
        if let (Some(session), Some(sessions)) = (carried.session, &mut self.sessions) {
            // The session may have ended first.
            let _ = sessions.endpoint.close(session);
            self.settle_sessions();
        }
        self.outputs.stream(StreamAction::Close { connection });
        self.unused.insert(carried.peer);
    }
}
