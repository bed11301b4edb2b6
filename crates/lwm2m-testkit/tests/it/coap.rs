//! Our CoAP endpoint and libcoap, each as client and as server.

use lwm2m_coap::{Code, Event, ExchangeId, Observer, PeerId, Request, Response};
use lwm2m_testkit::peer::{CoapClient, LibcoapServer, PATIENCE, UdpEndpoint};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

/// Longer than the endpoint waits before it sends an empty acknowledgement.
const LATE: Duration = Duration::from_millis(700);

/// A server with a value at `/value` that can be read, written and observed; `/late` answers late.
struct Application {
    udp: UdpEndpoint,
    value: Vec<u8>,
    observers: Vec<Observer>,
    late: Option<ExchangeId>,
}

impl Application {
    /// Serves until the returned sender is dropped; `None` if libcoap is not installed.
    fn start() -> Option<(CoapClient, Sender<()>)> {
        let udp = UdpEndpoint::open().unwrap();
        let client = CoapClient::new(udp.address().unwrap())?;
        let (stop, stopped) = channel::<()>();
        let mut this = Self { udp, value: b"first".to_vec(), observers: Vec::new(), late: None };
        thread::spawn(move || {
            while stopped.try_recv() != Err(std::sync::mpsc::TryRecvError::Disconnected) {
                match this.udp.next_event(LATE).unwrap() {
                    Some(Event::Request { exchange, request, token, peer }) => {
                        this.answer(exchange, &request, Observer { peer, token });
                    }
                    Some(Event::ObserverGone { observer, .. }) => {
                        this.observers.retain(|it| *it != observer);
                    }
                    Some(_) => {}
                    None => this.answer_late(),
                }
            }
        });
        Some((client, stop))
    }

    fn answer(&mut self, exchange: ExchangeId, request: &Request, observer: Observer) {
        let path: Vec<_> = request.options.uri_path().collect();
        let response = match (path.as_slice(), request.code) {
            ([b"value"], Code::GET) => {
                let response = Response::new(Code::CONTENT).payload(self.value.clone());
                if request.options.observe() == Some(0) {
                    self.observers.push(observer);
                    response.observe()
                } else {
                    response
                }
            }
            ([b"value"], Code::PUT) => {
                self.value = request.payload.to_vec();
                self.notify();
                Response::new(Code::CHANGED)
            }
            ([b"late"], _) => {
                self.late = Some(exchange);
                return;
            }
            _ => Response::new(Code::NOT_FOUND),
        };
        let now = self.udp.now();
        self.udp.endpoint.respond(now, exchange, response).unwrap();
    }

    fn notify(&mut self) {
        let now = self.udp.now();
        for observer in &self.observers {
            let response = Response::new(Code::CONTENT).payload(self.value.clone());
            self.udp.endpoint.notify(now, *observer, response, true).unwrap();
        }
    }

    fn answer_late(&mut self) {
        if let Some(exchange) = self.late.take() {
            let response = Response::new(Code::CONTENT).payload("at last");
            let now = self.udp.now();
            self.udp.endpoint.respond(now, exchange, response).unwrap();
        }
    }
}

fn text(length: usize) -> String {
    (0..)
        .flat_map(|line| format!("line {line}\n").into_bytes())
        .map(char::from)
        .take(length)
        .collect()
}

#[test]
fn libcoap_reads_and_writes() {
    let Some((client, _stop)) = Application::start() else { return };
    assert_eq!(client.body("get", "/value", &[]).unwrap().trim_ascii(), b"first");
    assert_eq!(client.request("put", "/value", &["-e", "second"]).unwrap().code, "2.04");
    assert_eq!(client.body("get", "/value", &["-N"]).unwrap().trim_ascii(), b"second", "NON");
    assert_eq!(client.request("get", "/nothing", &[]).unwrap().code, "4.04");
    assert_eq!(client.request("get", "/value", &["-O", "65001,x"]).unwrap().code, "4.02");
}

#[test]
fn libcoap_waits_for_a_separate_response() {
    let Some((client, _stop)) = Application::start() else { return };
    assert_eq!(client.body("get", "/late", &[]).unwrap().trim_ascii(), b"at last");
    assert_eq!(client.body("get", "/late", &["-N"]).unwrap().trim_ascii(), b"at last", "NON");
}

#[test]
fn libcoap_moves_large_bodies() {
    let Some((client, _stop)) = Application::start() else { return };
    let large = text(9_000);
    for size in ["16", "64", "512", "1024"] {
        let body = format!("{size} {large}");
        assert_eq!(
            client.request("put", "/value", &["-b", size, "-e", &body]).unwrap().code,
            "2.04"
        );
        let read = client.body("get", "/value", &["-b", size]).unwrap();
        assert_eq!(read.trim_ascii(), body.trim_ascii().as_bytes(), "blocks of {size}");
    }
}

#[test]
fn libcoap_observes() {
    let Some((client, _stop)) = Application::start() else { return };
    let observing = thread::spawn(move || client.body("get", "/value", &["-s", "1"]).unwrap());
    let mut written = 0;
    while !observing.is_finished() {
        written += 1;
        let body = format!("<{written}>");
        // The code of the answer is not asked for here: the writer may have the port of the observer
        // that has just ended, and take a notification for the answer.
        client.request("put", "/value", &["-e", &body]).unwrap();
    }
    let seen = String::from_utf8(observing.join().unwrap()).unwrap();
    assert!(seen.matches('<').count() > 2, "{written} written, {seen} seen");
}

/// Our endpoint as a client of libcoap's server.
struct Client {
    udp: UdpEndpoint,
    peer: PeerId,
    _server: LibcoapServer,
}

impl Client {
    fn start() -> Option<Self> {
        let server = LibcoapServer::start().unwrap()?;
        let mut udp = UdpEndpoint::open().unwrap();
        let peer = udp.peer(server.address);
        Some(Self { udp, peer, _server: server })
    }

    fn ask(&mut self, request: Request) -> Response {
        let now = self.udp.now();
        let asked = self.udp.endpoint.request(now, self.peer, request).unwrap();
        match self.udp.next_event(PATIENCE).unwrap() {
            Some(Event::Response { id, response, .. }) if id == asked => response,
            other => panic!("no response but {other:?}"),
        }
    }
}

#[test]
fn libcoap_is_read_and_written() {
    let Some(mut client) = Client::start() else { return };
    let index = client.ask(Request::get());
    assert_eq!(index.code, Code::CONTENT);
    assert!(!index.payload.is_empty());
    assert_eq!(client.ask(Request::get().path(["nothing"])).code, Code::NOT_FOUND);
    let links = client.ask(Request::get().path([".well-known", "core"]));
    assert_eq!(links.options.content_format(), Some(40));
}

#[test]
fn libcoap_answers_late() {
    let Some(mut client) = Client::start() else { return };
    let response = client.ask(Request::get().path(["async"]).query("1"));
    assert_eq!(response.code, Code::CONTENT);
    assert_eq!(&response.payload[..], b"done");
}

#[test]
fn libcoap_takes_and_gives_large_bodies() {
    let Some(mut client) = Client::start() else { return };
    let large = text(9_000);
    let write = Request::put().path(["example_data"]).content_format(0).payload(large.clone());
    assert!(client.ask(write).code.is_success());
    let read = client.ask(Request::get().path(["example_data"]));
    assert_eq!(read.code, Code::CONTENT);
    assert!(read.payload == large.as_bytes(), "{} bytes came back", read.payload.len());
}

#[test]
fn libcoap_is_observed() {
    let Some(mut client) = Client::start() else { return };
    let first = client.ask(Request::get().path(["time"]).observe(0));
    assert!(first.options.observe().is_some(), "{first:?}");
    for _ in 0..2 {
        match client.udp.next_event(PATIENCE).unwrap() {
            Some(Event::Notification { response, .. }) => assert_eq!(response.code, Code::CONTENT),
            other => panic!("no notification but {other:?}"),
        }
    }
}
