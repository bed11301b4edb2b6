//! A CoAP endpoint among random datagrams, with an application that asks, answers and notifies. Each
//! request ends exactly once, notifications belong to observations, and in the end nothing is kept.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lwm2m_coap::{Code, Config, Endpoint, Event, ExchangeId, Observer, PeerId, Request, RequestId};
use lwm2m_coap::{OptionNumber, Response};
use lwm2m_fuzz::{Input, address, play};
use lwm2m_link::{Engine, Output, Transmit};
use lwm2m_time::Instant;
use std::collections::BTreeSet;

fuzz_target!(|script: &[u8]| {
    let mut subject = Subject(Endpoint::new(Config::default(), [7; 32]));
    let mut application = Application::default();
    play(&mut subject, script, |subject, now, input| application.take(&mut subject.0, now, input));
    application.finish(&mut subject.0);
});

/// The endpoint with the port as the peer's id.
struct Subject(Endpoint);

impl Engine for Subject {
    type Event = Event;

    fn handle(&mut self, now: Instant, input: lwm2m_link::Input<'_>) {
        match input {
            lwm2m_link::Input::Datagram { from, bytes, .. } => {
                self.0.handle_datagram(now, PeerId(from.port().into()), bytes);
            }
            lwm2m_link::Input::Timeout => self.0.handle_timeout(now),
            _ => {}
        }
    }

    fn poll(&mut self) -> Option<Output<Event>> {
        let Some(transmit) = self.0.poll_transmit() else {
            return self.0.poll_event().map(Output::Event);
        };
        let to = address(u8::from(transmit.peer == peer(1)));
        Some(Output::Transmit(Transmit { to, payload: transmit.payload, secured: false }))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.0.poll_timeout()
    }
}

fn peer(peer: u8) -> PeerId {
    PeerId(address(peer).port().into())
}

/// What the application remembers, to use it in a later step.
#[derive(Default)]
struct Application {
    exchange: Option<ExchangeId>,
    observer: Option<Observer>,
    request: Option<RequestId>,
    /// Requests that have not ended.
    pending: BTreeSet<RequestId>,
    /// Requests that began an observation.
    observing: BTreeSet<RequestId>,
}

impl Application {
    fn take(&mut self, endpoint: &mut Endpoint, now: Instant, input: Input<'_, Event>) {
        match input {
            Input::Event(Event::Request { exchange, peer, request, token }) => {
                self.exchange = Some(exchange);
                if request.options.observe() == Some(0) {
                    self.observer = Some(Observer { peer, token });
                }
            }
            Input::Event(Event::Response { id, response, .. }) => {
                self.end(id);
                if response.options.observe().is_some() {
                    self.observing.insert(id);
                }
            }
            Input::Event(Event::Failed { id, .. }) => {
                // An observation that a peer refuses to refresh fails after its request has ended.
                if !self.observing.remove(&id) {
                    self.end(id);
                }
            }
            Input::Event(Event::Notification { id, .. }) => {
                assert!(self.observing.contains(&id), "a notification of no observation");
            }
            Input::Event(_) => {}
            Input::Step(operation, bytes) => self.act(endpoint, now, operation, bytes),
        }
    }

    fn end(&mut self, id: RequestId) {
        assert!(self.pending.remove(&id), "a request ended that was not pending");
    }

    /// All time has passed.
    fn finish(&self, endpoint: &mut Endpoint) {
        if endpoint.poll_timeout().is_some() {
            return;
        }
        assert!(self.pending.is_empty(), "a request never ended");
        for peer in [peer(0), peer(1)] {
            endpoint.remove_peer(peer);
            assert!(endpoint.is_idle(peer), "something is kept about a peer that was removed");
        }
        assert!(endpoint.poll_timeout().is_none() && endpoint.poll_transmit().is_none());
    }

    fn act(&mut self, endpoint: &mut Endpoint, now: Instant, operation: u8, bytes: &[u8]) {
        match operation % 8 {
            0 => self.respond(endpoint, now, response(bytes)),
            1 => self.respond(endpoint, now, response(bytes).observe()),
            2 | 3 => {
                let to = peer(operation % 8 - 2);
                let id = endpoint.request(now, to, request(bytes)).ok();
                self.pending.extend(id);
                self.request = id.or(self.request);
            }
            4 => {
                if let Some(observer) = self.observer {
                    let confirmable = bytes.len().is_multiple_of(2);
                    let _ = endpoint.notify(now, observer, response(bytes), confirmable);
                }
            }
            5 => {
                if let Some(id) = self.request.take() {
                    endpoint.cancel(id);
                    self.pending.remove(&id);
                }
            }
            6 => {
                if let Some(id) = self.request {
                    self.pending.extend(endpoint.cancel_observation(now, id));
                }
            }
            _ if bytes.len() == 3 => endpoint.refresh_observations(now, peer(bytes[0] % 2)),
            _ => self.forget(endpoint, bytes),
        }
    }

    fn respond(&mut self, endpoint: &mut Endpoint, now: Instant, response: Response) {
        if let Some(exchange) = self.exchange.take() {
            let _ = endpoint.respond(now, exchange, response);
        }
    }

    fn forget(&mut self, endpoint: &mut Endpoint, bytes: &[u8]) {
        match (bytes.first(), self.observer.take()) {
            (Some(_), Some(observer)) => endpoint.forget_observer(observer),
            (first, _) => endpoint.remove_peer(peer(first.copied().unwrap_or(0) % 2)),
        }
    }
}

/// The bytes 50 times over, so that block-wise transfer comes into play.
fn body(bytes: &[u8]) -> Vec<u8> {
    bytes.repeat(50)
}

fn response(bytes: &[u8]) -> Response {
    let code = if bytes.len() == 1 { Code::NOT_FOUND } else { Code::CONTENT };
    Response::new(code).payload(body(bytes))
}

fn request(bytes: &[u8]) -> Request {
    let Some((&first, rest)) = bytes.split_first() else { return Request::get() };
    let request = Request::new(Code::new(0, 1 + first % 7)).path_segment("3");
    let mut request = if first & 8 == 0 { request } else { request.observe(0) };
    if first & 16 != 0 {
        request.options.push(OptionNumber(2048 + u16::from(first)), rest);
    }
    let request = if first & 32 == 0 { request } else { request.non_confirmable() };
    if first & 64 == 0 { request } else { request.payload(body(rest)) }
}
