//! How a link is driven.

use super::{Link, LinkEvent, Secured, canonical};
use crate::connections::Direction;
use crate::engine::{ConnectionId, Engine, Input, Output, StreamAction};
use crate::recorder::Way;
use core::net::SocketAddr;
use lwm2m_coap::{Admit, Sender, Unanswered};
use lwm2m_time::Instant;

/// A datagram from an unknown address is dropped while the table of peers is full of held peers.
impl Engine for Link {
    type Event = LinkEvent;

    fn handle(&mut self, now: Instant, input: Input<'_>) {
        self.handle_admitted(now, input, Admit::All);
    }

    fn poll(&mut self) -> Option<Output<LinkEvent>> {
        self.outputs.poll()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let sessions = self.sessions.as_ref().and_then(|it| it.endpoint.poll_timeout());
        let below = self.connections.poll_timeout().into_iter().chain(sessions);
        self.coap.poll_timeout().into_iter().chain(below).min()
    }
}

impl Link {
    /// Takes an input as [`Engine::handle`] does, with a rule for datagrams at the port for coap:
    /// anyone can send them in the name of any address. The rule does not concern what arrives in a
    /// session or on a connection.
    pub fn handle_admitted(&mut self, now: Instant, input: Input<'_>, admit: Admit) {
        self.now = self.now.max(now);
        match input {
            Input::Datagram { from, secured: false, bytes } => match self.peer_at(from) {
                Some(peer) => {
                    let is_stranger = self.strangers.contains(&peer);
                    self.record_received(peer, bytes, false);
                    let sender = if is_stranger { Sender::Stranger } else { Sender::Known };
                    self.coap.handle_from(now, peer, sender, bytes, admit);
                }
                None => self.refused += 1,
            },
            Input::Datagram { from, secured: true, bytes } => {
                let from = canonical(from);
                self.record_arrival(bytes);
                if let Some(sessions) = &mut self.sessions {
                    sessions.endpoint.handle_datagram(now, from, bytes);
                }
                self.record_handled(from);
            }
            Input::Connected { connection, from, secured } => {
                self.handle_connected(now, connection, from, secured);
            }
            Input::Stream { connection, bytes } => self.handle_stream(now, connection, bytes),
            Input::Disconnected { connection } => self.handle_disconnected(now, connection),
            Input::Timeout => self.handle_timeout(now),
            // The link keeps nothing by itself.
            Input::Written(_) | Input::WriteFailed(_) => {}
        }
        self.settle();
    }

    fn handle_connected(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        from: SocketAddr,
        secured: bool,
    ) {
        // A driver that uses a name twice must not take over the connection of another peer.
        if self.connections.has(connection) {
            return;
        }
        let secured = if secured { Secured::AsServer } else { Secured::No };
        let direction = Direction::From(canonical(from));
        if self.begin_connection(now, connection, direction, secured).is_none() {
            self.refused_connections += 1;
            self.settle_sessions();
            self.outputs.stream(StreamAction::Close { connection });
        }
    }

    fn handle_stream(&mut self, now: Instant, connection: ConnectionId, bytes: &[u8]) {
        let Some(carried) = self.connections.carried(connection) else { return };
        match (carried.session, &mut self.sessions) {
            (Some(session), Some(sessions)) => {
                sessions.endpoint.handle_stream(now, session, bytes);
                self.record_stream(carried.peer, session, Way::Received, bytes);
                self.settle_sessions();
            }
            _ => {
                self.record_received(carried.peer, bytes, true);
                self.coap.handle_stream_from(now, carried.peer, Sender::Known, bytes);
            }
        }
        // The peer may go on by another connection, or has gone on by this one.
        let peer = self.connections.carried(connection).map_or(carried.peer, |it| it.peer);
        self.connections.heard(now, connection, self.coap.has_greeted(peer));
    }

    fn handle_disconnected(&mut self, now: Instant, connection: ConnectionId) {
        let Some(carried) = self.connections.carried(connection) else { return };
        if let (Some(session), Some(sessions)) = (carried.session, &mut self.sessions) {
            sessions.endpoint.handle_stream_end(now, session);
            self.settle_sessions();
        }
        self.end_connection(connection, carried.peer);
    }

    fn handle_timeout(&mut self, now: Instant) {
        if let Some(sessions) = &mut self.sessions {
            sessions.endpoint.handle_timeout(now);
            self.settle_sessions();
        }
        self.coap.handle_timeout(now);
        while let Some(Unanswered { peer, retransmissions }) = self.coap.poll_unanswered() {
            match retransmissions {
                1 => self.outputs.push_back(LinkEvent::Unanswered { peer }),
                _ => self.renew_session(peer),
            }
        }
        self.settle_coap();
        self.connections.handle_timeout(now, &mut self.coap);
    }
}
