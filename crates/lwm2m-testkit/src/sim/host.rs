//! An engine of any kind, and its events so far.

use lwm2m_link::{Engine, Input, Output, Record};
use lwm2m_time::Instant;
use std::any::Any;
use std::convert::Infallible;

/// The methods of an engine that the simulation calls.
pub(super) trait Host: Any {
    fn handle(&mut self, now: Instant, input: Input<'_>);
    /// The next output; events are kept with the time `now`.
    fn poll(&mut self, now: Instant) -> Option<Output<Infallible>>;
    fn poll_timeout(&self) -> Option<Instant>;
    fn is_up(&self) -> bool;
    fn stop(&mut self);
    /// Makes the engine anew from what its disk has kept.
    fn start(&mut self, records: Vec<Record>);
}

/// An engine, unless it has crashed, and the function that makes it.
pub(super) struct Hosted<E: Engine> {
    pub(super) engine: Option<E>,
    pub(super) events: Vec<(Instant, E::Event)>,
    make: Box<dyn FnMut(u8, Vec<Record>) -> E>,
    starts: u8,
}

impl<E: Engine> Hosted<E> {
    pub(super) fn new(mut make: impl FnMut(u8, Vec<Record>) -> E + 'static) -> Self {
        let engine = Some(make(0, Vec::new()));
        Self { engine, events: Vec::new(), make: Box::new(make), starts: 1 }
    }
}

impl<E: Engine<Event: 'static> + 'static> Host for Hosted<E> {
    fn handle(&mut self, now: Instant, input: Input<'_>) {
        if let Some(engine) = &mut self.engine {
            engine.handle(now, input);
        }
    }

    fn poll(&mut self, now: Instant) -> Option<Output<Infallible>> {
        loop {
            match self.engine.as_mut()?.poll()? {
                Output::Transmit(transmit) => return Some(Output::Transmit(transmit)),
                Output::Stream(action) => return Some(Output::Stream(action)),
                Output::Write(write) => return Some(Output::Write(write)),
                Output::Event(event) => self.events.push((now, event)),
            }
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.engine.as_ref()?.poll_timeout()
    }

    fn is_up(&self) -> bool {
        self.engine.is_some()
    }

    fn stop(&mut self) {
        self.engine = None;
    }

    fn start(&mut self, records: Vec<Record>) {
        self.engine = Some((self.make)(self.starts, records));
        self.starts = self.starts.wrapping_add(1);
    }
}
