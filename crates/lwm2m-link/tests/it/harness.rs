//! A device and a server that share a key, and what lies between them.

use lwm2m_coap::{Code, Config, Event, Request, RequestId, Response};
use lwm2m_dtls::{ClientProfile, ClientSecurity, ConnectionIds, Credentials};
use lwm2m_link::{
    ConnectionId, Engine, Identity, Input, Link, LinkEvent, Outbox, PeerId, SecurityEvent,
    StreamAction,
};
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
    pub(crate) from_device: Outbox<LinkEvent>,
    pub(crate) from_server: Outbox<LinkEvent>,
    pub(crate) device_address: SocketAddr,
    pub(crate) server_address: SocketAddr,
    /// What the device was told.
    pub(crate) told: Vec<Event>,
    pub(crate) security: Vec<SecurityEvent>,
    /// The peers that asked the server, with their identities.
    pub(crate) asked: Vec<(PeerId, Identity)>,
    /// The names of a connection at the device and at the server.
    streams: HashMap<ConnectionId, ConnectionId>,
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
            from_device: Outbox::default(),
            from_server: Outbox::default(),
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
        self.collect();
        let up = core::mem::take(&mut self.from_device.transmits);
        for sent in up.iter().filter(|_| to_server) {
            assert!(sent.secured, "in the clear");
            let from = self.device_address;
            self.server.handle(self.now, Input::secured_datagram(from, &sent.payload));
        }
        self.collect();
        let down = core::mem::take(&mut self.from_server.transmits);
        for sent in down.iter().filter(|sent| sent.to == self.device_address) {
            let input = Input::secured_datagram(self.server_address, &sent.payload);
            self.device.handle(self.now, input);
        }
        let streams = self.carry_streams();
        let told = self.tell();
        !up.is_empty() || !down.is_empty() || streams || told
    }

    fn collect(&mut self) {
        self.from_device.collect(&mut self.device);
        self.from_server.collect(&mut self.server);
    }

    fn carry_streams(&mut self) -> bool {
        self.collect();
        let up = core::mem::take(&mut self.from_device.actions);
        let down = core::mem::take(&mut self.from_server.actions);
        let any = !up.is_empty() || !down.is_empty();
        for action in up {
            let there = self.streams.get(&action.connection()).copied();
            match action {
                StreamAction::Open { connection, .. } => {
                    let there = ConnectionId::Accepted(self.streams.len() as u64);
                    self.streams.insert(connection, there);
                    let (from, secured) = (self.device_address, true);
                    let input = Input::Connected { connection: there, from, secured };
                    self.server.handle(self.now, input);
                }
                StreamAction::Write { payload, .. } => {
                    let connection = there.expect("open");
                    self.server.handle(self.now, Input::Stream { connection, bytes: &payload });
                }
                StreamAction::Close { .. } => {
                    let connection = there.expect("open");
                    self.server.handle(self.now, Input::Disconnected { connection });
                }
            }
        }
        for action in down {
            let here = |(_, there): &(_, &ConnectionId)| **there == action.connection();
            let connection = *self.streams.iter().find(here).expect("open").0;
            match action {
                StreamAction::Open { .. } => panic!("a server connects"),
                StreamAction::Write { payload, .. } => {
                    self.device.handle(self.now, Input::Stream { connection, bytes: &payload });
                }
                StreamAction::Close { .. } => {
                    self.device.handle(self.now, Input::Disconnected { connection });
                }
            }
        }
        any
    }

    fn tell(&mut self) -> bool {
        self.collect();
        let mut any = false;
        for event in core::mem::take(&mut self.from_device.events) {
            match event {
                LinkEvent::Coap(event) => {
                    self.told.push(event);
                    any = true;
                }
                LinkEvent::Security(event) => self.security.push(event),
            }
        }
        for event in core::mem::take(&mut self.from_server.events) {
            if let LinkEvent::Coap(Event::Request { exchange, peer, .. }) = event {
                any = true;
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
        self.device.handle(due, Input::Timeout);
        self.server.handle(due, Input::Timeout);
        true
    }
}
