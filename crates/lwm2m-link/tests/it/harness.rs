//! A device and a server that share a key, and what lies between them.

use lwm2m_coap::{Code, Config, Event, Request, RequestId, Response};
use lwm2m_dtls::{ClientProfile, ClientSecurity, ConnectionIds, Credentials};
use lwm2m_link::{Identity, Link, LinkEvent, PeerId, SecurityEvent};
use lwm2m_testkit::{CoapPeer, Conditions, Node, Sim};
use lwm2m_time::Instant;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
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

/// A server that knows the key.
pub(crate) fn server() -> Link {
    let mut server = Link::new(Config::default(), [3; 32]);
    server.set_security(server_security());
    server
}

pub(crate) fn server_security() -> lwm2m_dtls::Config {
    let mut config = lwm2m_dtls::Config::default();
    config.credentials = Some(Arc::new(Keys));
    config.connection_ids = Some(Arc::new(FourBytes));
    config
}

/// A device, a server, and what each was told.
pub(crate) struct Harness {
    pub(crate) sim: Sim,
    pub(crate) device: Node<Link>,
    pub(crate) server: Node<CoapPeer>,
    pub(crate) server_address: SocketAddr,
    /// What the device was told.
    pub(crate) told: Vec<Event>,
    pub(crate) security: Vec<SecurityEvent>,
    /// The peers of the device that did not answer at first, and when it was told.
    pub(crate) unanswered: Vec<(Instant, PeerId)>,
    /// What the server was told besides requests.
    pub(crate) heard: Vec<Event>,
    /// The peers that asked the server, with their identities.
    pub(crate) asked: Vec<(PeerId, Identity)>,
}

impl Harness {
    pub(crate) fn new() -> Self {
        let mut sim = Sim::new(Conditions::INSTANT, 1);
        sim.streams.delay = Duration::ZERO;
        sim.network.capture = Some(Vec::new());
        let mut device = Link::new(Config::default(), [1; 32]);
        device.set_security(lwm2m_dtls::Config::default());
        let device = sim.add_engine(address("192.0.2.1:1000"), device);
        let server_address = address("192.0.2.2:5684");
        let answer = |_: &Request| Response::new(Code::CONTENT);
        let server = sim.add_engine(server_address, CoapPeer::new(server(), answer));
        Self {
            sim,
            device,
            server,
            server_address,
            told: Vec::new(),
            security: Vec::new(),
            unanswered: Vec::new(),
            heard: Vec::new(),
            asked: Vec::new(),
        }
    }

    pub(crate) fn server(&mut self) -> &mut Link {
        &mut self.sim[self.server].link
    }

    pub(crate) fn connect(&mut self, key: &[u8]) -> PeerId {
        let (to, profile) = (self.server_address, profile(key));
        self.sim.with(self.device, |it, now| {
            let peer = it.connect_secured(now, to, profile).expect("room");
            it.hold(peer);
            peer
        })
    }

    pub(crate) fn open_connection(&mut self, key: &[u8]) -> PeerId {
        let (to, profile) = (self.server_address, profile(key));
        let open = |it: &mut Link, now| it.open_secured_connection(now, to, profile);
        self.sim.with(self.device, open).expect("room")
    }

    pub(crate) fn ask(&mut self, peer: PeerId) -> RequestId {
        let ask = |it: &mut Link, now| it.coap().request(now, peer, Request::get());
        self.sim.with(self.device, ask).expect("a request")
    }

    /// Lets nothing pass between the two, or all of it again.
    pub(crate) fn set_reachable(&mut self, reachable: bool) {
        match reachable {
            true => self.sim.heal(),
            false => self.sim.sever(self.device, self.server),
        }
    }

    /// Carries everything that does not have to wait.
    pub(crate) fn settle(&mut self) {
        self.sim.settle();
        self.note();
    }

    /// Lets time pass until the next thing is due.
    pub(crate) fn wait(&mut self) -> bool {
        let stepped = self.sim.step(self.sim.now + Duration::from_secs(100_000));
        self.note();
        stepped
    }

    fn note(&mut self) {
        let sent = self.sim.network.capture.as_ref();
        assert!(sent.is_some_and(|sent| sent.iter().all(|it| it.secured)), "in the clear");
        for (_, event) in self.sim.take_events(self.device) {
            match event {
                LinkEvent::Coap(event) => self.told.push(event),
                LinkEvent::Security(event) => self.security.push(event),
                LinkEvent::Unanswered { peer } => self.unanswered.push((self.sim.now, peer)),
            }
        }
        for (_, event) in self.sim.take_events(self.server) {
            match event {
                LinkEvent::Coap(Event::Request { peer, .. }) => {
                    let identity = self.server().identity(peer).expect("a peer").clone();
                    self.asked.push((peer, identity));
                }
                LinkEvent::Coap(event) => self.heard.push(event),
                LinkEvent::Security(_) | LinkEvent::Unanswered { .. } => {}
            }
        }
    }
}
