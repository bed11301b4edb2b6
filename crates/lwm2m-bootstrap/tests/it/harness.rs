//! A bootstrap server and a raw device.

use lwm2m_bootstrap::{BootstrapServer, Command, Config, Event};
use lwm2m_coap::{self as coap, Code, PeerId, Request, RequestId, Response};
use lwm2m_core::{Node, ObjectInstance, Path, Resource, Value};
use lwm2m_link::{Link, LinkEvent};
use lwm2m_testkit::{CoapPeer, Conditions, Node as SimNode, Sim};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

const SERVER: SocketAddr = address([192, 0, 2, 1], 5683);
const DEVICE: SocketAddr = address([198, 51, 100, 7], 40_000);

const fn address([a, b, c, d]: [u8; 4], port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), port)
}

/// What went over the wire, seen from the device.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Seen {
    /// A command of the server.
    Command(Request),
    /// The code of an answer of the server.
    Answer(Code),
}

pub(crate) struct Harness {
    pub(crate) sim: Sim,
    pub(crate) server: SimNode<BootstrapServer>,
    pub(crate) device: SimNode<CoapPeer>,
    pub(crate) events: Vec<Event>,
    pub(crate) seen: Vec<Seen>,
    /// The server, as the device calls it.
    peer: PeerId,
}

impl Harness {
    pub(crate) fn new(config: Config) -> Self {
        let mut sim = Sim::new(Conditions::INSTANT, 1);
        let mut server = BootstrapServer::new(config, [7; 32]);
        server.configure("a", commands());
        let server = sim.add_engine(SERVER, server);
        let mut link = Link::new(coap::Config::default(), [9; 32]);
        let peer = link.connect(SERVER).unwrap();
        link.hold(peer);
        let device = sim.add_engine(DEVICE, CoapPeer::new(link, usual_answer));
        Self { sim, server, device, events: Vec::new(), seen: Vec::new(), peer }
    }

    /// Notes what was told and seen; returns the answers to requests of the device.
    fn note(&mut self) -> Vec<(RequestId, Response)> {
        self.events.extend(self.sim.take_events(self.server).into_iter().map(|(_, event)| event));
        let mut answers = Vec::new();
        for (_, event) in self.sim.take_events(self.device) {
            match event {
                LinkEvent::Coap(coap::Event::Request { request, .. }) => {
                    self.seen.push(Seen::Command(request));
                }
                LinkEvent::Coap(coap::Event::Response { id, response, .. }) => {
                    self.seen.push(Seen::Answer(response.code));
                    answers.push((id, response));
                }
                _ => {}
            }
        }
        answers
    }

    pub(crate) fn pass(&mut self, seconds: u64) {
        self.sim.run_for(Duration::from_secs(seconds));
        self.note();
    }

    /// Sends a request of the device, with what follows from it, and returns the answer.
    pub(crate) fn ask(&mut self, request: Request) -> Response {
        let peer = self.peer;
        let send = |it: &mut CoapPeer, now| it.link.coap().request(now, peer, request);
        let wanted = self.sim.with(self.device, send).unwrap();
        self.sim.settle();
        let answers = self.note();
        answers.into_iter().find(|(id, _)| *id == wanted).expect("an answer").1
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

fn usual_answer(request: &Request) -> Response {
    match request.code {
        Code::DELETE => Response::new(Code::DELETED),
        _ => Response::new(Code::CHANGED),
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
