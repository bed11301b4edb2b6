//! A raw peer: CoAP and DTLS without LwM2M above them, answering by a rule.

use lwm2m_coap::{Event, Request, Response};
use lwm2m_link::{Engine, Input, Link, LinkEvent, Output, Outputs};
use lwm2m_time::Instant;
use std::collections::VecDeque;

/// A [`Link`] that answers requests by itself. All events of the link are events of the peer, so
/// [`Sim::events`](super::Sim::events) tells what it heard, when, and in which order.
pub struct CoapPeer {
    /// CoAP and its sessions.
    pub link: Link,
    /// Answers to give before those of the rule.
    pub answers: VecDeque<Response>,
    /// Whether requests stay without an answer. Default: `false`.
    pub silent: bool,
    rule: Box<dyn FnMut(&Request) -> Response>,
    outputs: Outputs<LinkEvent>,
    now: Instant,
}

impl CoapPeer {
    /// A peer that answers requests by a rule.
    #[must_use]
    pub fn new(link: Link, rule: impl FnMut(&Request) -> Response + 'static) -> Self {
        Self {
            link,
            answers: VecDeque::new(),
            silent: false,
            rule: Box::new(rule),
            outputs: Outputs::default(),
            now: Instant::ZERO,
        }
    }

    fn handle_events(&mut self) {
        while let Some(event) = self.outputs.take_from(&mut self.link) {
            if let LinkEvent::Coap(Event::Request { exchange, request, .. }) = &event
                && !self.silent
            {
                let answer = self.answers.pop_front().unwrap_or_else(|| (self.rule)(request));
                // A peer that is gone takes no answer.
                let _ = self.link.coap().respond(self.now, *exchange, answer);
            }
            self.outputs.push_back(event);
        }
    }
}

impl Engine for CoapPeer {
    type Event = LinkEvent;

    fn handle(&mut self, now: Instant, input: Input<'_>) {
        self.now = now;
        self.link.handle(now, input);
        self.handle_events();
    }

    fn poll(&mut self) -> Option<Output<LinkEvent>> {
        // A test may have used the link.
        self.handle_events();
        self.outputs.poll()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.link.poll_timeout()
    }
}
