//! A device and a server that share a key, and what lies between them.

use lwm2m_coap::{Code, Config, Event, Request, RequestId, Response};
use lwm2m_dtls::{ClientProfile, ClientSecurity, ConnectionIds, Credentials};
use lwm2m_link::{Engine, Identity, Link, PeerId, SecurityEvent, StreamAction};
use lwm2m_time::Instant;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use zeroize::Zeroizing;

pub(crate) const KEY: &[u8] = b"0123456789abcdef";

/// Knows every device by the same key.
struct Keys;

impl Credentials for Keys {
    fn uses_psk(&self) -> bool {
        true
    }
    fn psk(&self, _: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        Some(Zeroizing::new(KEY.to_vec()))
    }
}

struct FourBytes;

impl ConnectionIds for FourBytes {
    fn length(&self) -> usize {
        4
    }
    fn generate(&self, random: [u8; 8], cid: &mut [u8]) {
        cid.copy_from_slice(&random[..4]);
    }
}

pub(crate) fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

pub(crate) fn profile(key: &[u8]) -> Arc<ClientProfile> {
    let key = Zeroizing::new(key.to_vec());
    Arc::new(ClientProfile::new(ClientSecurity::Psk { identity: "device".into(), key }))
}

/// A device, a server, and what each was told.
pub(crate) struct Harness {
    pub(crate) now: Instant,
    pub(crate) device: Link,
    pub(crate) server: Link,
    pub(crate) device_address: SocketAddr,
    pub(crate) server_address: SocketAddr,
    /// What the device was told.
    pub(crate) told: Vec<Event>,
    pub(crate) security: Vec<SecurityEvent>,
    /// Who asked the server, and as whom.
    pub(crate) asked: Vec<(PeerId, Identity)>,
    /// The names of a connection at the device and at the server.
    streams: HashMap<PeerId, PeerId>,
}

impl Harness {
    pub(crate) fn new() -> Self {
        let mut device = Link::new(Config::default(), [1; 32]);
        device.set_security(lwm2m_dtls::Config::default());
        let mut server = Link::new(Config::default(), [3; 32]);
        let mut config = lwm2m_dtls::Config::default();
        config.credentials = Some(Arc::new(Keys));
        config.connection_ids = Some(Arc::new(FourBytes));
        server.set_security(config);
        Self {
            now: Instant::from_millis(1),
            device,
            server,
            device_address: address("192.0.2.1:1000"),
            server_address: address("192.0.2.2:5684"),
            told: Vec::new(),
            security: Vec::new(),
            asked: Vec::new(),
            streams: HashMap::new(),
        }
    }

    pub(crate) fn connect(&mut self, key: &[u8]) -> PeerId {
        let peer = self.device.connect_secured(self.now, self.server_address, profile(key));
        let peer = peer.expect("room");
        self.device.hold(peer);
        peer
    }

    pub(crate) fn ask(&mut self, peer: PeerId) -> RequestId {
        self.device.coap().request(self.now, peer, Request::get()).expect("a request")
    }

    /// Carries everything that does not have to wait.
    pub(crate) fn settle(&mut self) {
        // Once more: the last events may have left something to be sent.
        while self.step(true) | self.step(true) {}
    }

    /// Carries what is under way; to the server, or else it is lost.
    pub(crate) fn step(&mut self, to_server: bool) -> bool {
        let up: Vec<_> = std::iter::from_fn(|| self.device.poll_transmit()).collect();
        for sent in up.iter().filter(|_| to_server) {
            assert!(sent.secured, "in the clear");
            let from = self.device_address;
            self.server.handle_secured_datagram(self.now, from, &sent.payload);
        }
        let down: Vec<_> = std::iter::from_fn(|| self.server.poll_transmit()).collect();
        for sent in down.iter().filter(|sent| sent.to == self.device_address) {
            self.device.handle_secured_datagram(self.now, self.server_address, &sent.payload);
        }
        let streams = self.carry_streams();
        let told = self.tell();
        !up.is_empty() || !down.is_empty() || streams || told
    }

    fn carry_streams(&mut self) -> bool {
        let mut any = false;
        while let Some(action) = self.device.poll_stream() {
            any = true;
            match action {
                StreamAction::Open { peer, .. } => {
                    let there = self.server.handle_connected(self.now, self.device_address, true);
                    self.streams.insert(peer, there.expect("room"));
                }
                StreamAction::Write { peer, payload } => {
                    self.server.handle_stream(self.now, self.streams[&peer], &payload);
                }
                StreamAction::Close { peer } => {
                    self.server.handle_disconnected(self.now, self.streams[&peer]);
                }
            }
        }
        while let Some(action) = self.server.poll_stream() {
            any = true;
            let here = |there| *self.streams.iter().find(|(_, it)| **it == there).expect("one").0;
            match action {
                StreamAction::Open { .. } => panic!("a server connects"),
                StreamAction::Write { peer, payload } => {
                    self.device.handle_stream(self.now, here(peer), &payload);
                }
                StreamAction::Close { peer } => {
                    self.device.handle_disconnected(self.now, here(peer));
                }
            }
        }
        any
    }

    fn tell(&mut self) -> bool {
        let mut any = false;
        self.security.extend(std::iter::from_fn(|| self.device.poll_security_event()));
        while let Some(event) = self.device.poll_event() {
            self.told.push(event);
            any = true;
        }
        while self.server.poll_security_event().is_some() {}
        while let Some(event) = self.server.poll_event() {
            any = true;
            if let Event::Request { exchange, peer, .. } = event {
                let identity = self.server.identity(peer).expect("a peer").clone();
                self.asked.push((peer, identity));
                let response = Response::new(Code::CONTENT);
                self.server.coap().respond(self.now, exchange, response).expect("waiting");
            }
        }
        any
    }

    /// Lets time pass until the next thing is due.
    pub(crate) fn wait(&mut self) -> bool {
        let due = [self.device.poll_timeout(), self.server.poll_timeout()];
        let Some(due) = due.into_iter().flatten().min() else { return false };
        self.now = due;
        self.device.handle_timeout(due);
        self.server.handle_timeout(due);
        true
    }
}
