//! A bootstrap server and a raw device.

use lwm2m_bootstrap::{BootstrapServer, Command, Config, Event};
use lwm2m_coap::{self as coap, Code, Endpoint, PeerId, Request, RequestId, Response};
use lwm2m_core::{Node, ObjectInstance, Path, Resource, Value};
use lwm2m_link::{Engine, Input, Outbox};
use lwm2m_time::Instant;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

const SERVER: PeerId = PeerId(0);
const DEVICE: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 7)), 40_000);

/// What went over the wire, seen from the device.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Seen {
    /// A command of the server.
    Command(Request),
    /// The code of an answer of the server.
    Answer(Code),
}

pub(crate) struct Harness {
    pub(crate) server: BootstrapServer,
    out: Outbox<Event>,
    pub(crate) device: Endpoint,
    pub(crate) now: Instant,
    pub(crate) events: Vec<Event>,
    pub(crate) seen: Vec<Seen>,
    /// Answers to give instead of the usual ones.
    pub(crate) answers: VecDeque<Response>,
    /// Whether the device answers at all.
    pub(crate) silent: bool,
    answered: Vec<(RequestId, Response)>,
}

impl Harness {
    pub(crate) fn new(config: Config) -> Self {
        let mut server = BootstrapServer::new(config, [7; 32]);
        server.configure("a", commands());
        Self {
            server,
            out: Outbox::default(),
            device: Endpoint::new(coap::Config::default(), [9; 32]),
            now: Instant::ZERO,
            events: Vec::new(),
            seen: Vec::new(),
            answers: VecDeque::new(),
            silent: false,
            answered: Vec::new(),
        }
    }

    fn settle(&mut self) {
        loop {
            let mut moved = false;
            while let Some(transmit) = self.device.poll_transmit() {
                moved = true;
                self.server.handle(self.now, Input::datagram(DEVICE, &transmit.payload));
            }
            while let Some(transmit) = self.out.transmit(&mut self.server) {
                moved = true;
                self.device.handle_datagram(self.now, SERVER, &transmit.payload);
            }
            self.serve();
            if !moved {
                break;
            }
        }
        self.events.extend(self.out.events.drain(..));
    }

    fn serve(&mut self) {
        while let Some(event) = self.device.poll_event() {
            match event {
                coap::Event::Request { exchange, request, .. } => {
                    let usual = match request.code {
                        Code::DELETE => Response::new(Code::DELETED),
                        _ => Response::new(Code::CHANGED),
                    };
                    self.seen.push(Seen::Command(request));
                    if !self.silent {
                        let answer = self.answers.pop_front().unwrap_or(usual);
                        self.device.respond(self.now, exchange, answer).unwrap();
                    }
                }
                coap::Event::Response { id, response, .. } => {
                    self.seen.push(Seen::Answer(response.code));
                    self.answered.push((id, response));
                }
                _ => {}
            }
        }
    }

    pub(crate) fn pass(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        self.settle();
        loop {
            let next = self.server.poll_timeout().into_iter().chain(self.device.poll_timeout());
            let Some(next) = next.min().filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            self.server.handle(self.now, Input::Timeout);
            self.device.handle_timeout(self.now);
            self.settle();
        }
        self.now = end;
    }

    /// Sends a request of the device, with what follows from it, and returns the answer.
    pub(crate) fn ask(&mut self, request: Request) -> Response {
        let id = self.device.request(self.now, SERVER, request).unwrap();
        self.settle();
        let place = self.answered.iter().position(|(known, _)| *known == id).expect("an answer");
        self.answered.remove(place).1
    }

    /// The commands that came, as method and path.
    pub(crate) fn commands(&self) -> Vec<String> {
        let commands = self.seen.iter().filter_map(|seen| match seen {
            Seen::Command(request) => Some(request),
            Seen::Answer(_) => None,
        });
        commands.map(line).collect()
    }
}

fn line(request: &Request) -> String {
    let method = match request.code {
        Code::GET => "GET",
        Code::POST => "POST",
        Code::PUT => "PUT",
        Code::DELETE => "DELETE",
        _ => "other",
    };
    let text = |segment: &[u8]| String::from_utf8(segment.to_vec()).unwrap();
    let path: Vec<_> = request.options.uri_path().map(text).collect();
    format!("{method} /{}", path.join("/"))
}

/// Two deletes and three writes.
pub(crate) fn commands() -> Vec<Command> {
    let settings = ObjectInstance::default().with(0, 1_i64).with(1, 300_i64);
    let security = ObjectInstance::default().with(0, "coap://192.0.2.1").with(10, 1_i64);
    let mute = Node::Resource(Resource::Single(Value::Boolean(false)));
    vec![
        Command::Delete(Path::object(0)),
        Command::Delete(Path::object(1)),
        Command::Write(Path::instance(0, 1), Node::ObjectInstance(security)),
        Command::Write(Path::instance(1, 0), Node::ObjectInstance(settings)),
        Command::Write(Path::resource(1, 0, 23), mute),
    ]
}

/// What [`commands`] look like, with the end.
pub(crate) const LINES: [&str; 6] =
    ["DELETE /0", "DELETE /1", "PUT /0/1", "PUT /1/0", "PUT /1/0/23", "POST /bs"];

/// Bootstrap-Request with a query such as `ep=a&pct=112`.
pub(crate) fn bs(query: &str) -> Request {
    with_query(Request::post().path(["bs"]), query)
}

/// Bootstrap-Pack-Request.
pub(crate) fn bspack(query: &str, accept: u16) -> Request {
    with_query(Request::get().path(["bspack"]), query).accept(accept)
}

fn with_query(request: Request, query: &str) -> Request {
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts.fold(request, |request, part| request.query(part))
}
