//! The resources behind a CoAP endpoint: late answers, observers, and the clock.

use super::resources::{Answer, Resources};
use lwm2m_coap::{Code, Endpoint, Event, ExchangeId, Observer, Request, Response};
use lwm2m_net::service::Service;
use lwm2m_time::Instant;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// How long `/separate` takes.
const LATE: Duration = Duration::from_millis(1_500);
/// How often the clock steps.
const STEP: Duration = Duration::from_secs(5);

/// The request of an observer.
#[derive(Debug)]
struct Observation {
    path: String,
    request: Request,
    /// The Content-Format of the first answer, which all notifications have.
    format: Option<u16>,
}

/// The plugtest resources as a service.
#[derive(Debug, Default)]
pub(crate) struct Plugtest {
    resources: Resources,
    observations: BTreeMap<Observer, Observation>,
    late: VecDeque<(Instant, ExchangeId, Response)>,
    next_step: Option<Instant>,
}

impl Service for Plugtest {
    fn handle_event(&mut self, now: Instant, coap: &mut Endpoint, event: Event) {
        match event {
            Event::Request { exchange, peer, request, token } => {
                self.handle_request(now, coap, exchange, Observer { peer, token }, request);
            }
            Event::ObserverGone { observer, .. } => {
                self.observations.remove(&observer);
                if self.observations.is_empty() {
                    self.next_step = None;
                }
            }
            _ => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant, coap: &mut Endpoint) {
        while let Some((_, exchange, response)) = self.late.pop_front_if(|(at, ..)| *at <= now) {
            respond(now, coap, exchange, response);
        }
        if self.next_step.is_some_and(|at| at <= now) {
            self.next_step = Some(now + STEP);
            self.resources.ticks += 1;
            let resources = &self.resources;
            let of_clock = |it: &Observation| resources.is_clock(&it.path);
            let observers: Vec<_> = self.observers(of_clock);
            self.notify(now, coap, &observers);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.late.front().map(|(at, ..)| *at).into_iter().chain(self.next_step).min()
    }
}

impl Plugtest {
    fn handle_request(
        &mut self,
        now: Instant,
        coap: &mut Endpoint,
        exchange: ExchangeId,
        observer: Observer,
        request: Request,
    ) {
        let segments = request.options.uri_path().map(String::from_utf8_lossy);
        let path = segments.collect::<Vec<_>>().join("/");
        let answer = self.resources.handle(&path, &request);
        match answer {
            Answer::Late(response) => self.late.push_back((now + LATE, exchange, response)),
            Answer::Now(mut response) => {
                let changed = matches!(response.code, Code::CHANGED | Code::DELETED);
                let observes = request.code == Code::GET && request.options.observe() == Some(0);
                if observes
                    && response.code.is_success()
                    && self.resources.observable(&path).is_some()
                {
                    response = self.observed(now, response);
                    let format = response.options.content_format();
                    let observation = Observation { path: path.clone(), request, format };
                    self.observations.insert(observer, observation);
                }
                respond(now, coap, exchange, response);
                if changed && self.resources.observable(&path).is_some() {
                    let observers = self.observers(|it| it.path == path);
                    self.notify(now, coap, &observers);
                }
            }
        }
    }

    fn observed(&mut self, now: Instant, response: Response) -> Response {
        self.next_step.get_or_insert(now + STEP);
        response.observe()
    }

    fn observers(&self, which: impl Fn(&Observation) -> bool) -> Vec<Observer> {
        self.observations
            .iter()
            .filter(|(_, it)| which(it))
            .map(|(observer, _)| *observer)
            .collect()
    }

    /// Notifies observers. An error, or another Content-Format than before, ends the observation
    /// (RFC 7641, section 4.2).
    fn notify(&mut self, now: Instant, coap: &mut Endpoint, observers: &[Observer]) {
        for observer in observers {
            let Some(Observation { path, request, format }) = self.observations.get(observer)
            else {
                continue;
            };
            let confirmable = self.resources.observable(path).unwrap_or(true);
            let Answer::Now(mut response) = self.resources.handle(path, request) else { continue };
            if response.code.is_success() && response.options.content_format() != *format {
                response = Code::NOT_ACCEPTABLE.into();
            }
            if !response.code.is_success() {
                self.observations.remove(observer);
            }
            // If the observer is gone, an event follows.
            let _ = coap.notify(now, *observer, response, confirmable);
        }
    }
}

/// Answers; a peer that is gone needs no answer.
fn respond(now: Instant, coap: &mut Endpoint, exchange: ExchangeId, response: Response) {
    let _ = coap.respond(now, exchange, response);
}
