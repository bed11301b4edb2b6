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
use lwm2m_link::{Identity, Link, LinkEvent};
use lwm2m_testkit::sim::network::InFlight;
use lwm2m_testkit::{CoapPeer, Conditions, Node, Sim};
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
    pub(super) sim: Sim,
    pub(super) client: Node<Client>,
    pub(super) server: Node<CoapPeer>,
    pub(super) events: Vec<Event>,
    /// Requests of the client: the peer, the method and the first segment of the path.
    pub(super) heard: Vec<(PeerId, String)>,
    answers: Vec<Response>,
}

impl Harness {
    pub(super) fn new(security: Security) -> Self {
        Self::with(config(security), Known::default())
    }

    pub(super) fn with(config: Config, known: Known) -> Self {
        let known = Arc::new(known);
        let mut sim = Sim::new(Conditions::INSTANT, 1);
        sim.network.capture = Some(Vec::new());
        let client = Client::new(config, objects(), [9; 32]).unwrap();
        let client = sim.add_engine(client_address(), client);
        // It keeps what is on a disk: keys of devices and of tickets.
        let server =
            sim.add(server_address(), move |starts| CoapPeer::new(server(&known, starts), answer));
        Self { sim, client, server, events: Vec::new(), heard: Vec::new(), answers: Vec::new() }
    }

    /// A harness whose client has registered.
    pub(super) fn registered(security: Security) -> Self {
        let mut harness = Self::new(security);
        harness.start();
        assert!(harness.is_registered(), "{:?}", harness.events);
        harness.events.clear();
        harness
    }

    /// Whether datagrams pass between client and server.
    pub(super) fn set_reachable(&mut self, reachable: bool) {
        match reachable {
            true => self.sim.heal(),
            false => self.sim.sever(self.client, self.server),
        }
    }

    pub(super) fn start(&mut self) {
        self.call(|client, now| client.start(now));
    }

    /// Calls the client and carries all that follows.
    pub(super) fn call<T>(&mut self, call: impl FnOnce(&mut Client, Instant) -> T) -> T {
        let result = self.sim.with(self.client, call);
        self.settle();
        result
    }

    pub(super) fn is_registered(&self) -> bool {
        self.sim[self.client].registration_state(1) == Some(RegistrationState::Registered)
    }

    /// The peer that the client is to the server now.
    pub(super) fn peer(&self) -> PeerId {
        self.heard.last().expect("a request").0
    }

    pub(super) fn identity(&self) -> Option<&Identity> {
        self.sim[self.server].link.identity(self.peer())
    }

    /// The value of TLS-DTLS Alert Code (/1/0/11).
    pub(super) fn alert_code(&self) -> Option<lwm2m_core::Value> {
        self.sim[self.client].object::<MemoryObject>(1)?.value(0, 11).cloned()
    }

    /// Asks the client and returns what it answers at once.
    pub(super) fn ask(&mut self, request: Request) -> Response {
        let peer = self.peer();
        let ask = |it: &mut CoapPeer, now| it.link.coap().request(now, peer, request).unwrap();
        self.sim.with(self.server, ask);
        self.settle();
        self.answers.pop().expect("an answer")
    }

    /// Hands a datagram to the client as if it came from the server.
    pub(super) fn inject(&mut self, datagram: &[u8]) {
        self.sim.inject(self.client, server_address(), true, datagram);
    }

    /// The next datagram that was sent since everything was carried.
    pub(super) fn take(&mut self) -> Option<InFlight> {
        let sent = self.sim.network.capture.as_mut()?;
        (!sent.is_empty()).then(|| sent.remove(0))
    }

    /// Carries everything that does not have to wait.
    pub(super) fn settle(&mut self) {
        self.sim.settle();
        self.note();
    }

    /// Lets virtual time pass.
    pub(super) fn run(&mut self, seconds: u64) {
        self.sim.run_for(Duration::from_secs(seconds));
        self.note();
    }

    fn note(&mut self) {
        let sent = self.sim.network.capture.replace(Vec::new()).unwrap_or_default();
        assert!(sent.iter().all(|it| it.secured), "something in clear text");
        self.events.extend(self.sim.take_events(self.client).into_iter().map(|(_, event)| event));
        for (_, event) in self.sim.take_events(self.server) {
            let LinkEvent::Coap(event) = event else { continue };
            match event {
                coap::Event::Request { peer, request, .. } => {
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
}

fn server(known: &Arc<Known>, starts: u8) -> Link {
    let mut link = Link::new(coap::Config::default(), [starts + 1; 32]);
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
