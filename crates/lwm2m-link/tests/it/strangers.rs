//! Peers that answer for others: sessions with messages that are made by hand.

use crate::harness::{address, profile, server};
use bytes::Bytes;
use lwm2m_coap::{Code, Event, Observer, Request, RequestId, Response};
use lwm2m_dtls::{Config, Endpoint, SessionId};
use lwm2m_link::{Engine, Input, Link, LinkEvent, Outbox, PeerId};
use lwm2m_time::Instant;
use std::net::SocketAddr;

const ACK: u8 = 0x60;
const RST: u8 = 0x70;
/// GET with the token `t` and Observe 0, confirmable.
const OBSERVE: [u8; 6] = [0x41, 0x01, 0, 1, b't', 0x60];

/// A device that is just DTLS.
struct Device {
    address: SocketAddr,
    endpoint: Endpoint,
    session: SessionId,
    heard: Vec<Bytes>,
}

impl Device {
    fn new(number: u8) -> Self {
        let mut endpoint = Endpoint::new(Config::default(), [number; 32]);
        let to = address("192.0.2.2:5684");
        let key = profile(crate::harness::KEY);
        let session = endpoint.connect(Instant::ZERO, to, key).expect("a session");
        let address = SocketAddr::from(([192, 0, 2, 100 + number], 1_000));
        Self { address, endpoint, session, heard: Vec::new() }
    }
}

/// A server with two devices.
struct Attackers {
    server: Link,
    out: Outbox<LinkEvent>,
    devices: [Device; 2],
    now: Instant,
    told: Vec<Event>,
}

impl Attackers {
    /// Both devices have a session and observe the server.
    fn new() -> (Self, [PeerId; 2]) {
        let devices = [Device::new(1), Device::new(2)];
        let mut harness = Self {
            server: server(),
            out: Outbox::default(),
            devices,
            now: Instant::ZERO,
            told: Vec::new(),
        };
        harness.carry();
        let peers = [0, 1].map(|device| {
            harness.say(device, &OBSERVE);
            let Some(Event::Request { exchange, peer, .. }) = harness.told.pop() else { panic!() };
            let response = Response::new(Code::CONTENT).observe();
            harness.server.coap().respond(harness.now, exchange, response).expect("waiting");
            harness.carry();
            peer
        });
        (harness, peers)
    }

    fn say(&mut self, device: usize, message: &[u8]) {
        let Device { endpoint, session, .. } = &mut self.devices[device];
        endpoint.send(self.now, *session, message).expect("a session");
        self.carry();
    }

    /// What a device has heard of late.
    fn heard(&mut self, device: usize) -> Vec<Bytes> {
        self.carry();
        std::mem::take(&mut self.devices[device].heard)
    }

    fn carry(&mut self) {
        loop {
            let mut any = false;
            for device in &mut self.devices {
                while let Some(sent) = device.endpoint.poll_transmit() {
                    any = true;
                    let from = device.address;
                    let input = Input::secured_datagram(from, &sent.payload);
                    self.server.handle(self.now, input);
                }
                while let Some(event) = device.endpoint.poll_event() {
                    if let lwm2m_dtls::Event::Data { data, .. } = event {
                        device.heard.push(data);
                    }
                }
            }
            while let Some(sent) = self.out.transmit(&mut self.server) {
                any = true;
                let to = self.devices.iter_mut().find(|it| it.address == sent.to).expect("one");
                let server = address("192.0.2.2:5684");
                to.endpoint.handle_datagram(self.now, server, &sent.payload);
            }
            self.told.extend(self.out.events.drain(..).filter_map(|event| match event {
                LinkEvent::Coap(event) => Some(event),
                LinkEvent::Security(_) | LinkEvent::Unanswered { .. } => None,
            }));
            if !any {
                return;
            }
        }
    }

    /// Lets time pass until something is due at the server.
    fn wait(&mut self) {
        self.now = self.server.poll_timeout().expect("a timer");
        self.server.handle(self.now, Input::Timeout);
        self.carry();
    }

    /// Asks a device; the request's name and its bytes.
    fn ask(&mut self, device: usize, peer: PeerId) -> (RequestId, Bytes) {
        self.heard(device);
        let id = self.server.coap().request(self.now, peer, Request::get()).expect("sent");
        let heard = self.heard(device);
        let [request] = &heard[..] else { panic!("{heard:?}") };
        (id, request.clone())
    }
}

/// The answer 2.05 to a request, in its acknowledgement.
fn answer(request: &[u8]) -> Vec<u8> {
    let token = usize::from(request[0] & 0x0F);
    [&[ACK | request[0] & 0x0F, 0x45], &request[2..4 + token]].concat()
}

// proves: SEC-22
#[test]
fn answers_acknowledgements_and_resets_count_in_the_session_of_their_message() {
    let (mut harness, [a, b]) = Attackers::new();
    let (id, request) = harness.ask(0, a);
    let mid = [request[2], request[3]];
    harness.say(1, &answer(&request));
    harness.say(1, &[ACK, 0, mid[0], mid[1]]);
    harness.say(1, &[RST, 0, mid[0], mid[1]]);
    assert_eq!(harness.told, []);
    while harness.heard(0).is_empty() {
        // Nobody has acknowledged it for device A.
        harness.wait();
    }
    harness.say(0, &answer(&request));
    assert!(matches!(harness.told[..], [Event::Response { id: of, .. }] if of == id));

    harness.told.clear();
    let observer = Observer { peer: a, token: lwm2m_coap::Token::new(b"t").expect("short") };
    let now = harness.now;
    let state = Response::new(Code::CONTENT);
    harness.server.coap().notify(now, observer, state, true).expect("an observer");
    let heard = harness.heard(0);
    let reset = [RST, 0, heard[0][2], heard[0][3]];
    harness.say(1, &reset);
    assert_eq!(harness.told, []);
    harness.say(0, &reset);
    assert!(
        matches!(harness.told[..], [Event::ObserverGone { observer: of, .. }] if of == observer),
        "{:?}",
        harness.told
    );
    // What is not told apart by its token is told apart by its session.
    let other = Observer { peer: b, ..observer };
    let still = harness.server.coap().notify(now, other, Response::new(Code::CONTENT), true);
    assert!(still.is_ok());
}
