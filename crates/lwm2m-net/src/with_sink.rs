//! An engine together with the sink of its events, as one engine for the driver.
//!
//! The sink gets an event before the driver gets the datagram that tells the peer of it, because an
//! engine appends them to its queue in this order.

use lwm2m_link::{Engine, Input, Output};
use lwm2m_time::Instant;

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

    fn handle(&mut self, now: Instant, input: Input<'_>) {
        self.now = now;
        self.engine.handle(now, input);
    }

    fn poll(&mut self) -> Option<Output<()>> {
        Some(match self.engine.poll()? {
            Output::Transmit(transmit) => Output::Transmit(transmit),
            Output::Stream(action) => Output::Stream(action),
            Output::Event(event) => {
                self.sink.take(self.now, &mut self.engine, event);
                Output::Event(())
            }
        })
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.engine.poll_timeout()
    }
}
