//! A peer with CoAP and DTLS but without LwM2M, which answers by a rule.

use lwm2m_coap::{Event, Request, Response};
use lwm2m_link::{Engine, Input, Link, LinkEvent, Output, Outputs};
use lwm2m_time::Instant;
use std::collections::VecDeque;

/// A [`Link`] that answers requests by itself. All events of the link are events of the peer, so
/// [`Sim::events`](super::Sim::events) tells what it heard, when, and in which order.
pub struct CoapPeer {
    /// The CoAP endpoint with its sessions.
    pub link: Link,
    /// Answers that are used first; the rule is asked when they are used up.
    pub answers: VecDeque<Response>,
    /// Whether to leave requests unanswered. Default: off.
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
                // Fails if the peer is gone.
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
        // A test may have changed the link directly.
        self.handle_events();
        self.outputs.poll()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.link.poll_timeout()
    }
}
