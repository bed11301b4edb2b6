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
        self.recorder_mut().into_iter().for_each(|it| it.forget(peer));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Engine, Input, Outbox};
    use alloc::sync::Arc;
    use alloc::vec::Vec;
    use lwm2m_coap::Config;
    use lwm2m_dtls::{ClientProfile, ClientSecurity, Credentials};
    use zeroize::Zeroizing;

    const ADDRESS: SocketAddr =
        SocketAddr::new(core::net::IpAddr::V4(core::net::Ipv4Addr::LOCALHOST), 5684);
    const NOW: Instant = Instant::ZERO;

    /// Knows every device by the same key.
    struct Keys;

    impl Credentials for Keys {
        fn uses_psk(&self) -> bool {
            true
        }
        fn psk(&self, _: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
            Some(Zeroizing::new(Vec::from(*b"0123456789abcdef")))
        }
    }

    fn written(link: &mut Link) -> Vec<bytes::Bytes> {
        let mut out = Outbox::default();
        out.collect(link);
        let bytes = |action| match action {
            StreamAction::Write { payload, .. } => Some(payload),
            _ => None,
        };
        out.actions.into_iter().filter_map(bytes).collect()
    }

    /// Lets a client connect by TLS, and returns its peer at the server.
    fn connect(server: &mut Link, number: u64) -> PeerId {
        let connection = ConnectionId::Accepted(number);
        server.handle(NOW, Input::Connected { connection, from: ADDRESS, secured: true });
        let mut client = Link::new(Config::default(), [1; 32]);
        client.set_security(lwm2m_dtls::Config::default());
        let (identity, key) = (number.to_be_bytes().to_vec().into(), Keys.psk(b"").expect("a key"));
        let profile = Arc::new(ClientProfile::new(ClientSecurity::Psk { identity, key }));
        client.open_secured_connection(NOW, ADDRESS, profile).expect("room");
        let opened = ConnectionId::Opened(1);
        loop {
            let to_server = written(&mut client);
            let done = to_server.is_empty();
            for bytes in to_server {
                server.handle(NOW, Input::Stream { connection, bytes: &bytes });
            }
            for bytes in written(server) {
                client.handle(NOW, Input::Stream { connection: opened, bytes: &bytes });
            }
            if done {
                return server.connections.carried(connection).expect("open").peer;
            }
        }
    }

    #[test]
    fn a_client_on_a_connection_leaves_nothing_of_its_identity() {
        let mut server = Link::new(Config::default(), [2; 32]);
        let mut config = lwm2m_dtls::Config::default();
        config.credentials = Some(Arc::new(Keys));
        server.set_security(config);
        let known = |server: &Link| server.sessions.as_ref().map(|it| it.by_identity.len());
        for number in 1..20 {
            let peer = connect(&mut server, number);
            assert_eq!(known(&server), Some(1));
            // A registration holds it, and outlives the connection.
            server.hold(peer);
            let connection = ConnectionId::Accepted(number);
            server.handle(NOW, Input::Disconnected { connection });
            assert_eq!(known(&server), Some(1), "it may come back");
            server.release(peer);
            assert_eq!((known(&server), server.peer_count()), (Some(0), 0));
        }
    }
}
