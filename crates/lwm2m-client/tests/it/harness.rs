//! A client and raw servers, which are CoAP alone, in virtual time.

use core::time::Duration;
use lwm2m_client::{Client, Config, Event, MemoryObject, Object, Restored, ServerAccount};
use lwm2m_coap::{self as coap, Code, PeerId, Request, RequestId, Response};
use lwm2m_core::{ContentFormat, ObjectInstance, Path, Value};
use lwm2m_link::{Coap, Link, LinkEvent};
use lwm2m_testkit::{CoapPeer, Conditions, Node, Sim};
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

pub(crate) const TLV: u16 = ContentFormat::TLV.0;
pub(crate) const TEXT: u16 = ContentFormat::TEXT.0;
pub(crate) const LINK: u16 = ContentFormat::LINK.0;
pub(crate) const JSON: u16 = ContentFormat::SENML_JSON.0;

/// A raw server and what it heard.
pub(crate) struct Server {
    pub(crate) node: Node<CoapPeer>,
    /// The client, as the server calls it.
    peer: PeerId,
    /// Requests of the client, with the second they came at.
    pub(crate) heard: Vec<(f64, Request)>,
    /// Notifications, with the second they came at.
    pub(crate) notified: Vec<(f64, Response)>,
    answered: Vec<(RequestId, Option<Response>)>,
}

pub(crate) struct Harness {
    pub(crate) sim: Sim,
    pub(crate) client: Node<Client>,
    pub(crate) servers: Vec<Server>,
    pub(crate) events: Vec<Event>,
    /// The last Message ID of a test that writes messages itself.
    pub(crate) next_message_id: u16,
}

pub(crate) const CLIENT: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)), 5683);

pub(crate) fn address(server: usize) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, u8::try_from(server + 1).unwrap()], 5683))
}

pub(crate) fn device() -> MemoryObject {
    MemoryObject::new(3)
        .instance(0, |values| {
            values
                .with(0, "Open Mobile Alliance")
                .with_multiple(6, [(0, 1_i64), (1, 5)])
                .with_multiple(7, [(0, 3800_i64), (1, 5000)])
                .with(9, 100_i64)
                .with_multiple(11, [(0, 0_i64)])
                .with(13, Value::Time(1_367_491_215))
                .with(14, "+02:00")
                .with(16, "U")
        })
        .on_execute(4, |_, _| Ok(()))
}

pub(crate) fn objects() -> Vec<Box<dyn Object>> {
    let portfolio = MemoryObject::new(16)
        .instance(0, |values| values.with_multiple(0, [(0, "a"), (1, "b")]))
        .instance(1, |values| values.with_multiple(0, [(0, "c")]));
    let all_types = MemoryObject::new(3442).instance(0, |values| {
        values.with(110, "text").with(120, 1_i64).with(170, lwm2m_core::ObjectLink::NULL)
    });
    let thermometer = MemoryObject::new(3303)
        .instance(0, |values| values.with(5700, 20.0).with(5701, "Cel"))
        .fixed();
    let presence = MemoryObject::new(3302).instance(0, |values| values.with(5500, false));
    vec![
        Box::new(device()),
        Box::new(portfolio),
        Box::new(all_types),
        Box::new(thermometer),
        Box::new(presence),
        Box::new(MemoryObject::new(6)),
    ]
}

pub(crate) fn config() -> Config {
    Config::new("test").server(ServerAccount::new(1, address(0)))
}

impl Harness {
    pub(crate) fn new(config: Config, objects: Vec<Box<dyn Object>>) -> Self {
        let mut sim = Sim::new(Conditions::INSTANT, 1);
        // A bootstrap server may name further ones.
        let servers = (0..config.servers.len().max(3)).map(|it| server(&mut sim, it)).collect();
        let client = Client::new(config, objects, [9; 32]).unwrap();
        let client = sim.add_engine(CLIENT, client);
        Self::with(sim, servers, client)
    }

    /// A client with the usual objects and a disk.
    pub(crate) fn kept(config: Config) -> Self {
        let mut sim = Sim::new(Conditions::INSTANT, 1);
        let servers = (0..3).map(|it| server(&mut sim, it)).collect();
        let config = config.is_kept(true);
        let client = sim.add_with_disk(CLIENT, move |starts, _| {
            Client::new(config.clone(), objects(), [starts; 32]).unwrap()
        });
        Self::with(sim, servers, client)
    }

    /// Restarts a client that has a disk, a second after what it was told.
    pub(crate) fn restart(&mut self) -> Restored {
        self.run(2.0);
        self.sim.restart(self.client);
        let records = self.sim.disk(self.client).records();
        let restored = self.sim.with(self.client, |it, now| {
            let mut restore = it.restore(now);
            for record in &records {
                restore.take(record.table, &record.key, record.value.as_deref().unwrap());
            }
            restore.finish()
        });
        self.events.clear();
        self.servers.iter_mut().for_each(|server| server.heard.clear());
        self.start();
        self.run(1.0);
        restored
    }

    fn with(sim: Sim, servers: Vec<Server>, client: Node<Client>) -> Self {
        Self { sim, client, servers, events: Vec::new(), next_message_id: 40_000 }
    }

    /// A client with the usual objects that is registered with its servers.
    pub(crate) fn registered(config: Config) -> Self {
        let registered = config.servers.len();
        let mut harness = Self::new(config, objects());
        harness.start();
        for server in harness.servers.iter_mut().take(registered) {
            assert_eq!(server.heard.len(), 1, "one Register");
            server.heard.clear();
        }
        harness.events.clear();
        harness
    }

    pub(crate) fn start(&mut self) {
        self.sim.with(self.client, |it, now| it.start(now));
        self.settle();
    }

    /// Answers that a server gives instead of the usual ones.
    pub(crate) fn answers(&mut self, server: usize) -> &mut VecDeque<Response> {
        &mut self.sim[self.servers[server].node].answers
    }

    /// CoAP of a server.
    pub(crate) fn coap(&mut self, server: usize) -> Coap<'_> {
        self.sim[self.servers[server].node].link.coap()
    }

    /// Whether datagrams pass between the client and a server.
    pub(crate) fn set_reachable(&mut self, server: usize, reachable: bool) {
        match reachable {
            true => self.sim.heal(),
            false => self.sim.sever(self.client, self.servers[server].node),
        }
    }

    /// Moves all datagrams until none is left.
    pub(crate) fn settle(&mut self) {
        self.sim.settle();
        self.note();
    }

    /// Lets virtual time pass.
    pub(crate) fn run(&mut self, seconds: f64) {
        self.sim.run_for(Duration::from_secs_f64(seconds));
        self.note();
    }

    fn note(&mut self) {
        self.events.extend(self.sim.take_events(self.client).into_iter().map(|(_, event)| event));
        for server in &mut self.servers {
            for (at, event) in self.sim.take_events(server.node) {
                if let LinkEvent::Coap(event) = event {
                    server.note(Duration::from_micros(at.as_micros()).as_secs_f64(), event);
                }
            }
        }
    }

    /// Puts a request of a server on its way, and returns its name.
    pub(crate) fn begin(&mut self, server: usize, request: Request) -> RequestId {
        let Server { node, peer, .. } = self.servers[server];
        let send = |it: &mut CoapPeer, now| it.link.coap().request(now, peer, request);
        self.sim.with(node, send).unwrap()
    }

    /// Sends a request of a server and returns its name.
    pub(crate) fn send(&mut self, server: usize, request: Request) -> RequestId {
        let id = self.begin(server, request);
        self.settle();
        id
    }

    /// Sends a request whose first answer is lost.
    pub(crate) fn send_quietly(&mut self, request: Request) -> RequestId {
        let id = self.begin(0, request);
        self.sim.step(self.sim.now);
        let answer = self.sim.network.arrive(self.sim.now).unwrap();
        assert_eq!(
            answer.payload.first().map(|byte| byte >> 4),
            Some(0b0110),
            "an acknowledgement"
        );
        self.settle();
        id
    }

    /// The answer to a request, if there is one already.
    pub(crate) fn answer(&mut self, server: usize, id: RequestId) -> Option<Response> {
        let answered = &mut self.servers[server].answered;
        let place = answered.iter().position(|(known, _)| *known == id)?;
        answered.remove(place).1
    }

    pub(crate) fn ask_as(&mut self, server: usize, request: Request) -> Response {
        let id = self.send(server, request);
        self.answer(server, id).expect("an answer at once")
    }

    pub(crate) fn ask(&mut self, request: Request) -> Response {
        self.ask_as(0, request)
    }

    /// The code of the answer to a request.
    pub(crate) fn code(&mut self, request: Request) -> String {
        self.ask(request).code.to_string()
    }

    /// The text that a Read answers.
    pub(crate) fn text(&mut self, path: &str) -> String {
        let response = self.ask(get(path).accept(TEXT));
        assert_eq!(response.code, Code::CONTENT, "{path}");
        String::from_utf8(response.payload.to_vec()).unwrap()
    }

    /// What Discover answers.
    pub(crate) fn discover(&mut self, path: &str) -> String {
        self.discover_as(0, path)
    }

    pub(crate) fn discover_as(&mut self, server: usize, path: &str) -> String {
        let response = self.ask_as(server, get(path).accept(LINK));
        assert_eq!(response.options.content_format(), Some(LINK), "{path}: {}", response.code);
        String::from_utf8(response.payload.to_vec()).unwrap()
    }

    /// Sets a value of an object.
    pub(crate) fn set(&mut self, path: &str, value: impl Into<Value>) {
        let path: Path = path.parse().unwrap();
        let [object, instance, resource] = *path.ids() else { panic!("no resource") };
        let set = |target: &mut MemoryObject| target.set(instance, resource, value);
        self.sim.with(self.client, |it, now| it.update(now, object, set)).unwrap();
        self.settle();
    }

    pub(crate) fn insert(&mut self, object: u16, instance: u16, values: ObjectInstance) {
        let insert = |target: &mut MemoryObject| target.insert(instance, values);
        self.sim.with(self.client, |it, now| it.update(now, object, insert)).unwrap();
        self.settle();
    }

    /// What the first server heard since the last call: second, method, path, queries, payload.
    pub(crate) fn heard(&mut self) -> Vec<String> {
        self.heard_by(0)
    }

    pub(crate) fn heard_by(&mut self, server: usize) -> Vec<String> {
        let heard = core::mem::take(&mut self.servers[server].heard);
        heard.iter().map(|(second, request)| describe(*second, request)).collect()
    }

    /// Seconds and payloads of the notifications since the last call.
    pub(crate) fn notified(&mut self) -> Vec<(f64, String)> {
        let notified = core::mem::take(&mut self.servers[0].notified);
        let text = |r: &Response| String::from_utf8_lossy(&r.payload).into_owned();
        notified.iter().map(|(second, response)| (*second, text(response))).collect()
    }
}

impl Server {
    fn note(&mut self, second: f64, event: coap::Event) {
        match event {
            coap::Event::Request { request, .. } => self.heard.push((second, request)),
            coap::Event::Response { id, response, .. } => self.answered.push((id, Some(response))),
            coap::Event::Failed { id, .. } => self.answered.push((id, None)),
            coap::Event::Notification { response, .. } => self.notified.push((second, response)),
            _ => {}
        }
    }
}

fn server(sim: &mut Sim, number: usize) -> Server {
    let seed = u8::try_from(number).unwrap() + 1;
    let mut link = Link::new(coap::Config::default(), [seed; 32]);
    let peer = link.connect(CLIENT).unwrap();
    link.hold(peer);
    let node = sim.add_engine(address(number), CoapPeer::new(link, usual_answer));
    Server { node, peer, heard: Vec::new(), notified: Vec::new(), answered: Vec::new() }
}

fn usual_answer(request: &Request) -> Response {
    let bootstrap_or_send = |segment: &[u8]| matches!(segment, b"bs" | b"dp");
    match request.code {
        Code::POST if request.options.uri_path().any(bootstrap_or_send) => {
            Response::new(Code::CHANGED)
        }
        Code::POST if request.options.uri_path().count() == 1 => {
            Response::new(Code::CREATED).location_segment("rd").location_segment("5a3f")
        }
        Code::POST => Response::new(Code::CHANGED),
        _ => Response::new(Code::DELETED),
    }
}

fn describe(second: f64, request: &Request) -> String {
    let text = |segment: &[u8]| String::from_utf8(segment.to_vec()).unwrap();
    let path: Vec<_> = request.options.uri_path().map(text).collect();
    let query: Vec<_> = request.options.uri_query().map(text).collect();
    let method = match request.code {
        Code::POST => "POST",
        Code::DELETE => "DELETE",
        Code::GET => "GET",
        _ => "other",
    };
    let line = format!("{} {method} /{} {}", second.round(), path.join("/"), query.join("&"));
    let payload = String::from_utf8_lossy(&request.payload);
    format!("{line} {payload}").trim_end().to_owned()
}

fn request(code: Code, path: &str) -> Request {
    Request::new(code).path(path.split('/').filter(|segment| !segment.is_empty()))
}

pub(crate) fn get(path: &str) -> Request {
    request(Code::GET, path)
}

pub(crate) fn put(path: &str) -> Request {
    request(Code::PUT, path)
}

pub(crate) fn post(path: &str) -> Request {
    request(Code::POST, path)
}

pub(crate) fn delete(path: &str) -> Request {
    request(Code::DELETE, path)
}

/// Write-Attributes of a query such as `pmin=1&pmax=2`.
pub(crate) fn attributes(path: &str, query: &str) -> Request {
    query.split('&').fold(put(path), |request, parameter| request.query(parameter))
}

/// Bytes written as hexadecimal digits, blanks between them ignored.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap()).collect()
}
