//! A client and raw servers, made of CoAP endpoints alone, on a virtual clock.

use core::time::Duration;
use lwm2m_client::{Client, Config, Event, MemoryObject, Object, ServerAccount};
use lwm2m_coap::{self as coap, Code, Endpoint, PeerId, Request, RequestId, Response};
use lwm2m_core::{ContentFormat, ObjectInstance, Path, Value};
use lwm2m_link::{Engine, Input, Outbox};
use lwm2m_time::Instant;
use std::collections::VecDeque;
use std::net::SocketAddr;

const CLIENT: PeerId = PeerId(0);

pub(crate) const TLV: u16 = ContentFormat::TLV.0;
pub(crate) const TEXT: u16 = ContentFormat::TEXT.0;
pub(crate) const LINK: u16 = ContentFormat::LINK.0;
pub(crate) const JSON: u16 = ContentFormat::SENML_JSON.0;

/// A raw server and what it heard.
pub(crate) struct Server {
    pub(crate) coap: Endpoint,
    pub(crate) reachable: bool,
    /// Requests of the client, with the second they came at.
    pub(crate) heard: Vec<(f64, Request)>,
    /// Notifications, with the second they came at.
    pub(crate) notified: Vec<(f64, Response)>,
    /// Answers to give instead of the usual ones.
    pub(crate) answers: VecDeque<Response>,
    answered: Vec<(RequestId, Option<Response>)>,
}

pub(crate) struct Harness {
    pub(crate) client: Client,
    pub(crate) out: Outbox<Event>,
    pub(crate) servers: Vec<Server>,
    pub(crate) now: Instant,
    pub(crate) events: Vec<Event>,
}

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
        let server = |number: usize| Server {
            coap: Endpoint::new(coap::Config::default(), [u8::try_from(number).unwrap() + 1; 32]),
            reachable: true,
            heard: Vec::new(),
            notified: Vec::new(),
            answers: VecDeque::new(),
            answered: Vec::new(),
        };
        // A bootstrap server may name further ones.
        let servers = (0..config.servers.len().max(3)).map(server).collect();
        let client = Client::new(config, objects, [9; 32]).unwrap();
        Self { client, out: Outbox::default(), servers, now: Instant::ZERO, events: Vec::new() }
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
        self.client.start(self.now);
        self.settle();
    }

    pub(crate) fn seconds(&self) -> f64 {
        Duration::from_micros(self.now.as_micros()).as_secs_f64()
    }

    /// Moves all datagrams until none is left.
    pub(crate) fn settle(&mut self) {
        loop {
            let mut moved = false;
            while let Some(transmit) = self.out.transmit(&mut self.client) {
                moved = true;
                let place = (0..self.servers.len()).find(|place| address(*place) == transmit.to);
                let server = &mut self.servers[place.expect("a server")];
                if server.reachable {
                    server.coap.handle_datagram(self.now, CLIENT, &transmit.payload);
                }
            }
            for place in 0..self.servers.len() {
                moved |= self.serve(place);
            }
            if !moved {
                break;
            }
        }
        self.events.extend(self.out.events.drain(..));
    }

    fn serve(&mut self, place: usize) -> bool {
        let (seconds, now) = (self.seconds(), self.now);
        let server = &mut self.servers[place];
        while let Some(event) = server.coap.poll_event() {
            match event {
                coap::Event::Request { exchange, request, .. } => {
                    let usual = usual_answer(&request);
                    let answer = server.answers.pop_front().unwrap_or(usual);
                    server.heard.push((seconds, request));
                    server.coap.respond(now, exchange, answer).unwrap();
                }
                coap::Event::Response { id, response, .. } => {
                    server.answered.push((id, Some(response)));
                }
                coap::Event::Failed { id, .. } => server.answered.push((id, None)),
                coap::Event::Notification { response, .. } => {
                    server.notified.push((seconds, response));
                }
                _ => {}
            }
        }
        let mut moved = false;
        while let Some(transmit) = server.coap.poll_transmit() {
            moved = true;
            if server.reachable {
                self.client.handle(now, Input::datagram(address(place), &transmit.payload));
            }
        }
        moved
    }

    /// Lets virtual time pass.
    pub(crate) fn run(&mut self, seconds: f64) {
        let end = self.now + Duration::from_secs_f64(seconds);
        self.settle();
        loop {
            let timeouts = self.servers.iter().filter_map(|server| server.coap.poll_timeout());
            let next = timeouts.chain(self.client.poll_timeout()).min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            self.client.handle(self.now, Input::Timeout);
            for server in &mut self.servers {
                server.coap.handle_timeout(self.now);
            }
            self.settle();
        }
        self.now = end;
    }

    /// Sends a request of a server and returns its name.
    pub(crate) fn send(&mut self, server: usize, request: Request) -> RequestId {
        let id = self.servers[server].coap.request(self.now, CLIENT, request).unwrap();
        self.settle();
        id
    }

    /// Sends a request whose first answer is lost.
    pub(crate) fn send_quietly(&mut self, request: Request) -> RequestId {
        let server = &mut self.servers[0];
        let id = server.coap.request(self.now, CLIENT, request).unwrap();
        let datagram = server.coap.poll_transmit().unwrap().payload;
        self.client.handle(self.now, Input::datagram(address(0), &datagram));
        let answer = self.out.transmit(&mut self.client).unwrap();
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
        self.client.update(self.now, object, set).unwrap();
        self.settle();
    }

    pub(crate) fn insert(&mut self, object: u16, instance: u16, values: ObjectInstance) {
        let insert = |target: &mut MemoryObject| target.insert(instance, values);
        self.client.update(self.now, object, insert).unwrap();
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
