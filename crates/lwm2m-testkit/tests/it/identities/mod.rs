//! Who may speak for which endpoint: a server or bootstrap server, and devices that are just CoAP
//! and DTLS, in virtual time.

mod bootstrap;
mod certificates;
mod keys;
mod register;
mod sessions;

use lwm2m_coap::{Config, Event, FailReason, PeerId, Request, RequestId, Response};
use lwm2m_dtls::certificate::{
    Association, CertificateUsage, Matching, ServerVerification, subject_public_key_info,
};
use lwm2m_dtls::crypto::{Provider, RustCrypto, SigningKey};
use lwm2m_dtls::{CertifiedKey, ClientProfile, ClientSecurity};
use lwm2m_link::{Engine, Input, Link, LinkEvent, Outbox, SecurityEvent};
use lwm2m_server::security::{Credential, OwnCredentials, SecurityStore};
use lwm2m_time::Instant;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256,
};
use rustls_pki_types::CertificateDer;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

const SERVER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 5684);

/// Settings of DTLS with a clock that certificates are valid by.
fn dtls() -> lwm2m_dtls::Config {
    let mut config = lwm2m_dtls::Config::default();
    config.unix_time_of_origin = Duration::from_secs(1_700_000_000);
    config
}

/// A device: CoAP on DTLS, or on nothing.
struct Device {
    link: Link,
    out: Outbox<LinkEvent>,
    address: SocketAddr,
    /// Its server.
    peer: PeerId,
    answers: Vec<(RequestId, Result<Response, FailReason>)>,
    requests: Vec<Request>,
    events: Vec<SecurityEvent>,
    /// Whether it answers no requests.
    silent: bool,
}

impl Device {
    fn new(now: Instant, host: u8, profile: Option<ClientProfile>) -> Self {
        let mut link = Link::new(Config::default(), [host; 32]);
        link.set_security(dtls());
        let peer = match profile {
            Some(profile) => link.connect_secured(now, SERVER, Arc::new(profile)),
            None => link.connect(SERVER),
        };
        let address = (Ipv4Addr::new(198, 51, 100, host), 40_000).into();
        let peer = peer.expect("room for a peer");
        link.hold(peer);
        let (answers, requests, events) = (Vec::new(), Vec::new(), Vec::new());
        let out = Outbox::default();
        Self { link, out, address, peer, answers, requests, events, silent: false }
    }

    /// Takes what came. Requests of the server are answered with the text 5, and observations begin.
    fn serve(&mut self, now: Instant) {
        while let Some(event) = self.out.event(&mut self.link) {
            let event = match event {
                LinkEvent::Coap(event) => event,
                LinkEvent::Security(event) => {
                    self.events.push(event);
                    continue;
                }
            };
            match event {
                Event::Request { exchange, request, .. } => {
                    let response = Response::new(lwm2m_coap::Code::CONTENT);
                    let response = response.content_format(0).payload("5");
                    let response = match request.options.observe() {
                        Some(0) => response.observe(),
                        _ => response,
                    };
                    self.requests.push(request);
                    if !self.silent {
                        self.link.coap().respond(now, exchange, response).expect("an asker");
                    }
                }
                Event::Response { id, response, .. } => self.answers.push((id, Ok(response))),
                Event::Failed { id, reason, .. } => self.answers.push((id, Err(reason))),
                _ => {}
            }
        }
    }
}

/// A server and its devices, which go by their place.
struct Bed<E: Engine> {
    server: E,
    from_server: Outbox<E::Event>,
    devices: Vec<Device>,
    events: Vec<E::Event>,
    now: Instant,
}

impl<E: Engine> Bed<E> {
    fn new(server: E) -> Self {
        let (devices, events) = (Vec::new(), Vec::new());
        Self { server, from_server: Outbox::default(), devices, events, now: Instant::ZERO }
    }

    /// Adds a device that begins its handshake, or one without security.
    fn device(&mut self, profile: Option<ClientProfile>) -> usize {
        let host = u8::try_from(self.devices.len() + 1).expect("few devices");
        self.devices.push(Device::new(self.now, host, profile));
        self.settle();
        self.devices.len() - 1
    }

    /// Starts a device anew: it knows nothing any more, and is still at its address.
    fn reboot(&mut self, device: usize, profile: Option<ClientProfile>) {
        let host = u8::try_from(device + 1).expect("few devices");
        self.devices[device] = Device::new(self.now, host, profile);
        self.settle();
    }

    fn settle(&mut self) {
        loop {
            let mut moved = false;
            for device in &mut self.devices {
                while let Some(sent) = device.out.transmit(&mut device.link) {
                    moved = true;
                    let (from, secured, bytes) = (device.address, sent.secured, &sent.payload);
                    self.server.handle(self.now, Input::Datagram { from, secured, bytes });
                }
            }
            while let Some(sent) = self.from_server.transmit(&mut self.server) {
                moved = true;
                let at = |device: &&mut Device| device.address == sent.to;
                let Some(device) = self.devices.iter_mut().find(at) else { continue };
                let (from, secured, bytes) = (SERVER, sent.secured, &sent.payload);
                device.link.handle(self.now, Input::Datagram { from, secured, bytes });
            }
            self.devices.iter_mut().for_each(|device| device.serve(self.now));
            self.events.extend(self.from_server.events.drain(..));
            if !moved {
                break;
            }
        }
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.settle();
            let devices = self.devices.iter().filter_map(|device| device.link.poll_timeout());
            let next = devices.chain(self.server.poll_timeout()).min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            self.server.handle(self.now, Input::Timeout);
            self.devices.iter_mut().for_each(|it| it.link.handle(self.now, Input::Timeout));
        }
        self.now = end;
    }

    /// Sends a request of a device and waits for its answer, or for its end.
    fn ask(&mut self, device: usize, request: Request) -> Result<Response, FailReason> {
        let it = &mut self.devices[device];
        // A peer that is gone takes no request.
        let id = it.link.coap().request(self.now, it.peer, request).expect("a peer");
        self.settle();
        let answered = |bed: &Self| bed.devices[device].answers.iter().any(|(of, _)| *of == id);
        if !answered(self) {
            self.pass(Duration::from_secs(300));
        }
        let answers = &mut self.devices[device].answers;
        let place = answers.iter().position(|(of, _)| *of == id).expect("an answer");
        answers.remove(place).1
    }
}

/// A profile of a pre-shared key.
fn psk(identity: &[u8], key: &[u8]) -> Option<ClientProfile> {
    let (identity, key) = (identity.to_vec().into(), Zeroizing::new(key.to_vec()));
    Some(ClientProfile::new(ClientSecurity::Psk { identity, key }))
}

fn psk_credential(identity: &[u8], key: &[u8]) -> Credential {
    Credential::psk(identity, key).unwrap()
}

/// A store with the endpoints `a` and `b`, whose identities are `id-a` and `id-b`.
fn psk_store() -> Arc<SecurityStore> {
    let store = SecurityStore::default();
    store.put("a", psk_credential(b"id-a", b"key a")).unwrap();
    store.put("b", psk_credential(b"id-b", b"key b")).unwrap();
    Arc::new(store)
}

/// A key pair for raw public keys.
struct Pair {
    key: Arc<dyn SigningKey>,
    spki: Vec<u8>,
}

impl Pair {
    fn new() -> Self {
        Self::of(&KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap())
    }

    fn of(pair: &KeyPair) -> Self {
        let key = RustCrypto.signing_key(&pair.serialize_der()).unwrap();
        Self { spki: subject_public_key_info(&key.public_key()), key }
    }
}

/// An authority that issues certificates.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        let certificate = CertificateDer::from(certificate.der().to_vec());
        Self { issuer: Issuer::new(params, key), certificate }
    }

    /// A certificate for a common name, and its key.
    fn certify(&self, name: &str) -> Arc<CertifiedKey> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let chain = vec![CertificateDer::from(certificate.der().to_vec())];
        Arc::new(CertifiedKey { chain, key: Pair::of(&key).key })
    }
}

/// What a server is that believes an authority, with a certificate of it.
fn own(authority: &Authority) -> OwnCredentials {
    OwnCredentials::default()
        .certificate(authority.certify("server.example"))
        .authorities(vec![authority.certificate.clone()])
}

/// A profile that shows a certificate and expects that of the server.
fn certified(certified: Arc<CertifiedKey>, own: &OwnCredentials) -> Option<ClientProfile> {
    let server = own.certificate.as_ref().expect("a certificate");
    let data = server.chain[0].to_vec();
    let verification = ServerVerification {
        usage: CertificateUsage::DomainIssued,
        association: Association { matching: Matching::Exact, data },
        roots: Vec::new(),
    };
    let verification = Arc::new(verification);
    Some(ClientProfile::new(ClientSecurity::Certificate { certified, verification }))
}
