//! What the layers below have to send and to tell goes up and out.

use super::{Carrier, Link, LinkEvent};
use crate::engine::{StreamAction, Transmit};
use lwm2m_coap::Event;

impl Link {
    /// Takes what the layers below have to send and to tell, and does what follows from it.
    pub(super) fn settle(&mut self) {
        loop {
            self.settle_coap();
            self.settle_sessions();
            let ended = self.connections.take_ended();
            if ended.is_empty() && self.unused.is_empty() {
                return;
            }
            for (connection, carried) in ended {
                self.close(connection, carried);
            }
            while let Some(peer) = self.unused.pop_first() {
                self.forget_if_unused(peer);
            }
        }
    }

    /// Takes what CoAP has to send and to tell.
    pub(super) fn settle_coap(&mut self) {
        // A request may be the first input for a while, and what it sends must not seem that old.
        self.now = self.now.max(self.coap.now());
        loop {
            while let Some(transmit) = self.coap.poll_transmit() {
                self.send(transmit);
            }
            match self.coap.poll_event() {
                None => return,
                Some(Event::PeerIdle { peer }) => _ = self.unused.insert(peer),
                Some(event) => {
                    if let Event::Closed { peer, .. } = &event
                        && let Some(connection) = self.connection_of(*peer)
                    {
                        self.connections.end(connection);
                    }
                    self.outputs.push_back(LinkEvent::Coap(event));
                }
            }
        }
    }

    /// Sends a message of CoAP by what carries its peer.
    pub(super) fn send(&mut self, transmit: lwm2m_coap::Transmit) {
        let lwm2m_coap::Transmit { peer, payload } = transmit;
        self.record_sent(peer, &payload);
        let Some(state) = self.peers.get(&peer) else { return };
        match (state.carrier, &mut self.sessions) {
            (Carrier::Datagrams, _) => {
                self.outputs.transmit(Transmit { to: state.address, payload, secured: false });
            }
            (Carrier::Session(session), Some(sessions)) => {
                sessions.send(self.now, session, payload, false);
            }
            (Carrier::Connection(connection), sessions) => {
                let session = self.connections.carried(connection).map(|it| it.session);
                match (session, sessions) {
                    (Some(Some(session)), Some(sessions)) => {
                        sessions.send(self.now, session, payload, true);
                    }
                    (Some(None), _) => {
                        self.outputs.stream(StreamAction::Write { connection, payload });
                    }
                    _ => {}
                }
            }
            (Carrier::Session(_), None) => {}
        }
    }
}
