//! An engine together with the sink of its events, as one engine for the driver.
//!
//! The sink gets an event before the driver gets the datagram that tells the peer of it: what a
//! peer knows to be done, the sink knows as well.

use lwm2m_link::{Engine, PeerId, StreamAction, Transmit};
use lwm2m_time::Instant;
use std::net::SocketAddr;

/// Where the events of an engine go.
pub(crate) trait Sink<E: Engine> {
    /// Takes an event; it may use the engine to answer it.
    fn take(&mut self, now: Instant, engine: &mut E, event: E::Event);
}

/// An engine whose events go to a sink.
pub(crate) struct WithSink<E, S> {
    pub(crate) engine: E,
    pub(crate) sink: S,
    now: Instant,
}

impl<E, S> WithSink<E, S> {
    pub(crate) const fn new(engine: E, sink: S) -> Self {
        Self { engine, sink, now: Instant::ZERO }
    }
}

impl<E: Engine, S: Sink<E>> Engine for WithSink<E, S> {
    type Event = ();

    fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        self.now = now;
        self.engine.handle_datagram(now, from, datagram);
    }

    fn handle_secured_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        self.now = now;
        self.engine.handle_secured_datagram(now, from, datagram);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        self.engine.handle_timeout(now);
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        while self.poll_event().is_some() {}
        self.engine.poll_transmit()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.engine.poll_timeout()
    }

    fn poll_event(&mut self) -> Option<()> {
        let event = self.engine.poll_event()?;
        self.sink.take(self.now, &mut self.engine, event);
        Some(())
    }

    fn handle_connected(
        &mut self,
        now: Instant,
        from: SocketAddr,
        secured: bool,
    ) -> Option<PeerId> {
        self.now = now;
        self.engine.handle_connected(now, from, secured)
    }

    fn handle_stream(&mut self, now: Instant, peer: PeerId, bytes: &[u8]) {
        self.now = now;
        self.engine.handle_stream(now, peer, bytes);
    }

    fn handle_disconnected(&mut self, now: Instant, peer: PeerId) {
        self.now = now;
        self.engine.handle_disconnected(now, peer);
    }

    fn poll_stream(&mut self) -> Option<StreamAction> {
        self.engine.poll_stream()
    }
}
