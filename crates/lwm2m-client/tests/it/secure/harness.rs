//! A client with one secured account, and a raw server that knows keys, in virtual time.

use crate::harness::objects;
use lwm2m_client::security::{Provider, RustCrypto};
use lwm2m_client::{
    Client, Config, Event, MemoryObject, RegistrationState, Security, ServerAccount,
};
use lwm2m_coap::{self as coap, Code, PeerId, Request, Response};
use lwm2m_dtls::certificate::subject_public_key_info;
use lwm2m_dtls::crypto::SigningKey;
use lwm2m_dtls::{self as dtls, CertifiedKey, Credentials, TicketKey};
use lwm2m_link::{Engine, Identity, Input, Link, LinkEvent, Outbox, Transmit};
use lwm2m_time::Instant;
use rustls_pki_types::CertificateDer;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

macro_rules! data {
    ($name:literal) => {
        include_bytes!(concat!("../../../../lwm2m-dtls/tests/data/", $name, ".der")).as_slice()
    };
}
pub(super) use data;

pub(super) const KEY: &[u8] = b"0123456789abcdef";

pub(super) fn server_address() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 5684))
}

fn client_address() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 9], 49_152))
}

/// What the server knows: a key for any of its identities, and the key pairs of the test data.
pub(super) struct Known {
    pub(super) identities: Vec<&'static [u8]>,
    pub(super) key: Vec<u8>,
    pub(super) devices: Vec<Vec<u8>>,
    pub(super) server_key: &'static [u8],
    pub(super) chain: Vec<&'static [u8]>,
    pub(super) authorities: Vec<CertificateDer<'static>>,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            identities: vec![b"device"],
            key: KEY.to_vec(),
            devices: vec![spki(data!("client.key"))],
            server_key: data!("server.key"),
            chain: vec![data!("server.cert"), data!("intermediate.cert")],
            authorities: vec![CertificateDer::from(data!("root.cert"))],
        }
    }
}

impl Credentials for Known {
    fn uses_psk(&self) -> bool {
        true
    }
    fn psk(&self, identity: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.identities.contains(&identity).then(|| Zeroizing::new(self.key.clone()))
    }
    fn raw_key(&self) -> Option<Arc<dyn SigningKey>> {
        RustCrypto.signing_key(self.server_key).ok()
    }
    fn trusts_raw_key(&self, spki: &[u8]) -> bool {
        self.devices.iter().any(|device| device == spki)
    }
    fn certificate(&self, _: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let chain = self.chain.iter().map(|der| CertificateDer::from(*der)).collect();
        Some(Arc::new(CertifiedKey { chain, key: self.raw_key()? }))
    }
    fn client_authorities(&self) -> &[CertificateDer<'static>] {
        &self.authorities
    }
}

pub(super) fn spki(key: &[u8]) -> Vec<u8> {
    subject_public_key_info(&RustCrypto.signing_key(key).unwrap().public_key())
}

pub(super) fn psk() -> Security {
    Security::psk("device", KEY)
}

pub(super) fn raw() -> Security {
    Security::raw_public_key(data!("client.key"), spki(data!("server.key")))
}

pub(super) fn certificate(server: &'static [u8]) -> Security {
    Security::certificate(data!("client.cert"), data!("client.key"), server)
}

pub(super) fn account(security: Security) -> ServerAccount {
    let mut account = ServerAccount::new(1, server_address()).lifetime(300).secured(security);
    account.uri = "coaps://server.example.com".into();
    account
}

pub(super) fn config(security: Security) -> Config {
    let mut config = Config::new("device").server(account(security));
    config.dtls = at_a_good_time();
    config
}

/// When all certificates are valid but the short one.
fn at_a_good_time() -> dtls::Config {
    let mut config = dtls::Config::default();
    config.unix_time_of_origin = Duration::from_secs(2_200_000_000);
    config
}

pub(super) struct Harness {
    pub(super) client: Client,
    out: Outbox<Event>,
    pub(super) server: Link,
    from_server: Outbox<LinkEvent>,
    /// Whether datagrams reach the server.
    pub(super) reachable: bool,
    pub(super) now: Instant,
    pub(super) events: Vec<Event>,
    /// Requests of the client: who asked, method and first segment of the path.
    pub(super) heard: Vec<(PeerId, String)>,
    answers: Vec<Response>,
    known: Arc<Known>,
    servers: u8,
}

impl Harness {
    pub(super) fn new(security: Security) -> Self {
        Self::with(config(security), Known::default())
    }

    pub(super) fn with(config: Config, known: Known) -> Self {
        let known = Arc::new(known);
        Self {
            client: Client::new(config, objects(), [9; 32]).unwrap(),
            out: Outbox::default(),
            server: server(&known, 1),
            from_server: Outbox::default(),
            reachable: true,
            now: Instant::ZERO,
            events: Vec::new(),
            heard: Vec::new(),
            answers: Vec::new(),
            known,
            servers: 1,
        }
    }

    /// One that has registered.
    pub(super) fn registered(security: Security) -> Self {
        let mut harness = Self::new(security);
        harness.start();
        assert!(harness.is_registered(), "{:?}", harness.events);
        harness.events.clear();
        harness
    }

    /// The server starts anew and knows only what is on its disk: keys of devices and of tickets.
    pub(super) fn restart_server(&mut self) {
        self.servers += 1;
        self.server = server(&self.known, self.servers);
    }

    pub(super) fn start(&mut self) {
        self.client.start(self.now);
        self.settle();
    }

    pub(super) fn is_registered(&self) -> bool {
        self.client.registration_state(1) == Some(RegistrationState::Registered)
    }

    /// The peer that the client is to the server now.
    pub(super) fn peer(&self) -> PeerId {
        self.heard.last().expect("a request").0
    }

    pub(super) fn identity(&self) -> Option<&Identity> {
        self.server.identity(self.peer())
    }

    /// The value of TLS-DTLS Alert Code (/1/0/11).
    pub(super) fn alert_code(&mut self) -> Option<lwm2m_core::Value> {
        self.client.object::<MemoryObject>(1)?.value(0, 11).cloned()
    }

    /// Asks the client and returns what it answers at once.
    pub(super) fn ask(&mut self, request: Request) -> Response {
        let peer = self.peer();
        self.server.coap().request(self.now, peer, request).unwrap();
        self.settle();
        self.answers.pop().expect("an answer")
    }

    /// Hands a datagram to the client as if it came from the server.
    pub(super) fn inject(&mut self, datagram: &[u8]) {
        self.client.handle(self.now, Input::secured_datagram(server_address(), datagram));
    }

    /// What the client sends next; the server does not get it.
    pub(super) fn take(&mut self) -> Option<Transmit> {
        self.out.transmit(&mut self.client)
    }

    pub(super) fn settle(&mut self) {
        loop {
            let mut moved = false;
            while let Some(transmit) = self.out.transmit(&mut self.client) {
                moved = true;
                assert!(transmit.secured, "something in clear text");
                if self.reachable {
                    let (from, datagram) = (client_address(), &transmit.payload);
                    self.server.handle(self.now, Input::secured_datagram(from, datagram));
                }
            }
            self.serve();
            while let Some(transmit) = self.from_server.transmit(&mut self.server) {
                moved = true;
                if self.reachable {
                    let (from, datagram) = (server_address(), &transmit.payload);
                    self.client.handle(self.now, Input::secured_datagram(from, datagram));
                }
            }
            if !moved {
                break;
            }
        }
        self.events.extend(self.out.events.drain(..));
    }

    fn serve(&mut self) {
        while let Some(event) = self.from_server.event(&mut self.server) {
            let LinkEvent::Coap(event) = event else { continue };
            match event {
                coap::Event::Request { exchange, peer, request, .. } => {
                    self.server.coap().respond(self.now, exchange, answer(&request)).unwrap();
                    let first = request.options.uri_path().next().unwrap_or_default();
                    let path = String::from_utf8_lossy(first).into_owned();
                    self.heard.push((peer, format!("{} {path}", request.code)));
                }
                coap::Event::Response { response, .. }
                | coap::Event::Notification { response, .. } => self.answers.push(response),
                _ => {}
            }
        }
    }

    /// Lets virtual time pass.
    pub(super) fn run(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        self.settle();
        loop {
            let timeouts = [self.client.poll_timeout(), self.server.poll_timeout()];
            let next = timeouts.into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            self.client.handle(self.now, Input::Timeout);
            self.server.handle(self.now, Input::Timeout);
            self.settle();
        }
        self.now = end;
    }
}

fn server(known: &Arc<Known>, seed: u8) -> Link {
    let mut link = Link::new(coap::Config::default(), [seed; 32]);
    let mut config = at_a_good_time();
    config.credentials = Some(Arc::clone(known) as Arc<dyn Credentials>);
    config.ticket_key = Some(TicketKey::new([5; 16]));
    link.set_security(config);
    link
}

fn answer(request: &Request) -> Response {
    match request.code {
        Code::POST if request.options.uri_path().count() == 1 => {
            Response::new(Code::CREATED).location_segment("rd").location_segment("5a3f")
        }
        Code::POST => Response::new(Code::CHANGED),
        _ => Response::new(Code::DELETED),
    }
}
