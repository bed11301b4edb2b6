//! An engine together with the sink of its events, as one engine for the driver.
//!
//! The sink gets an event before the driver gets the datagram that tells the peer of it, because an
//! engine appends them to its queue in this order.

use lwm2m_link::{Engine, Input, Output};
use lwm2m_time::Instant;

/// The place where the events of an engine go. A closure with the arguments of [`take`](Sink::take)
/// is a sink.
pub trait Sink<E: Engine> {
    /// Takes an event. It may use the engine to answer it.
    fn take(&mut self, now: Instant, engine: &mut E, event: E::Event);
}

impl<E: Engine, F: FnMut(Instant, &mut E, E::Event)> Sink<E> for F {
    fn take(&mut self, now: Instant, engine: &mut E, event: E::Event) {
        self(now, engine, event);
    }
}

/// An engine whose events go to a sink.
#[derive(Debug)]
pub struct WithSink<E, S> {
    /// The engine.
    pub engine: E,
    /// The sink of its events.
    pub sink: S,
    now: Instant,
}

impl<E, S> WithSink<E, S> {
    /// Puts them together.
    pub const fn new(engine: E, sink: S) -> Self {
        Self { engine, sink, now: Instant::ZERO }
    }
}

/// The sink takes an event when the driver polls it, between the outputs before and after it.
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
            Output::Write(write) => Output::Write(write),
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
