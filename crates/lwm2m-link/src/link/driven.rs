//! How a link is driven.

use super::{Carrier, Link, Secured, canonical};
use crate::connections::Direction;
use crate::engine::{Engine, StreamAction, Transmit};
use core::net::SocketAddr;
use lwm2m_coap::{Event, PeerId};
use lwm2m_time::Instant;

/// A datagram from an unknown address is dropped while the table of peers is full.
impl Engine for Link {
    type Event = Event;

    fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        self.now = self.now.max(now);
        match self.peer_at(from) {
            Some(peer) => self.coap.handle_datagram(now, peer, datagram),
            None => self.refused += 1,
        }
    }

    fn handle_secured_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        self.now = self.now.max(now);
        if let Some(sessions) = &mut self.sessions {
            sessions.endpoint.handle_datagram(now, canonical(from), datagram);
            self.settle_sessions();
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.now = self.now.max(now);
        if let Some(sessions) = &mut self.sessions {
            sessions.endpoint.handle_timeout(now);
            self.settle_sessions();
        }
        self.coap.handle_timeout(now);
        self.connections.handle_timeout(now, &mut self.coap);
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        while let Some(lwm2m_coap::Transmit { peer, payload }) = self.coap.poll_transmit() {
            // A peer that was forgotten meanwhile has nowhere to send to.
            let Some(state) = self.peers.get(&peer) else { continue };
            match (state.carrier, &mut self.sessions) {
                (Carrier::Connection, _) => self.connections.write(peer, payload),
                (Carrier::Datagrams, _) => {
                    return Some(Transmit { to: state.address, payload, secured: false });
                }
                (Carrier::Session(session), Some(sessions)) => {
                    sessions.send(self.now, session, payload, false);
                }
                (Carrier::SecuredConnection(session), Some(sessions)) => {
                    sessions.send(self.now, session, payload, true);
                }
                _ => {}
            }
        }
        self.write_streams();
        self.close_ended();
        self.unused.extend(self.connections.take_ended());
        while let Some(peer) = self.unused.pop_first() {
            self.forget_if_unused(peer);
        }
        let sent = self.sessions.as_mut()?.endpoint.poll_transmit()?;
        Some(Transmit { to: sent.peer, payload: sent.payload, secured: true })
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let sessions = self.sessions.as_ref().and_then(|it| it.endpoint.poll_timeout());
        let below = self.connections.poll_timeout().into_iter().chain(sessions);
        self.coap.poll_timeout().into_iter().chain(below).min()
    }

    fn poll_event(&mut self) -> Option<Event> {
        loop {
            match self.coap.poll_event()? {
                Event::PeerIdle { peer } => {
                    // A Reset may still have to go to it.
                    self.unused.insert(peer);
                }
                Event::Closed { peer, reason } => {
                    self.connections.end(peer);
                    return Some(Event::Closed { peer, reason });
                }
                event => return Some(event),
            }
        }
    }

    fn handle_connected(
        &mut self,
        now: Instant,
        from: SocketAddr,
        secured: bool,
    ) -> Option<PeerId> {
        let secured = if secured { Secured::AsServer } else { Secured::No };
        self.begin_connection(now, Direction::From(canonical(from)), secured)
    }

    fn handle_stream(&mut self, now: Instant, peer: PeerId, bytes: &[u8]) {
        self.now = self.now.max(now);
        match (self.peers.get(&peer).map(|it| it.carrier), &mut self.sessions) {
            (Some(Carrier::SecuredConnection(session)), Some(sessions)) => {
                sessions.endpoint.handle_stream(now, session, bytes);
                self.settle_sessions();
            }
            _ => self.coap.handle_stream(now, peer, bytes),
        }
        self.connections.heard(now, peer, self.coap.has_greeted(peer));
    }

    fn handle_disconnected(&mut self, now: Instant, peer: PeerId) {
        self.now = self.now.max(now);
        let session = self.peers.get(&peer).and_then(|it| it.carrier.session());
        if let (Some(session), Some(sessions)) = (session, &mut self.sessions) {
            sessions.endpoint.handle_stream_end(now, session);
            self.settle_sessions();
        }
        self.end_connection(peer);
    }

    fn poll_stream(&mut self) -> Option<StreamAction> {
        self.connections.poll_action()
    }
}
