//! Who may speak for which endpoint: a server or bootstrap server, and devices that are just CoAP
//! and DTLS, in virtual time.

mod bootstrap;
mod certificates;
mod continuing;
mod kept;
mod keys;
mod register;
mod sessions;
mod sleeper;

use lwm2m_coap::{Code, Config, Event, FailReason, PeerId, Request, Response};
use lwm2m_dtls::certificate::{
    Association, CertificateUsage, Matching, ServerVerification, subject_public_key_info,
};
use lwm2m_dtls::crypto::{Provider, RustCrypto, SigningKey};
use lwm2m_dtls::{CertifiedKey, ClientProfile, ClientSecurity};
use lwm2m_link::{Engine, Link, LinkEvent, SecurityEvent};
use lwm2m_server::security::{Credential, OwnCredentials, SecurityStore};
use lwm2m_testkit::{CoapPeer, Conditions, Node, Sim};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256,
};
use rustls_pki_types::CertificateDer;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

const SERVER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 5684);

/// A DTLS configuration whose clock is within the validity of the certificates.
fn dtls() -> lwm2m_dtls::Config {
    let mut config = lwm2m_dtls::Config::default();
    config.unix_time_of_origin = Duration::from_secs(1_700_000_000);
    config
}

/// A device: CoAP over DTLS, or plain CoAP.
#[derive(Clone, Copy)]
struct Device {
    node: Node<CoapPeer>,
    address: SocketAddr,
    /// The server.
    peer: PeerId,
}

/// Answers requests with the text 5; observations begin.
fn answer(request: &Request) -> Response {
    let response = Response::new(Code::CONTENT).content_format(0).payload("5");
    if request.options.observe() == Some(0) { response.observe() } else { response }
}

/// A server and its devices.
struct Harness<E> {
    sim: Sim,
    server: Node<E>,
    devices: Vec<Device>,
}

impl<E: Engine<Event: 'static> + 'static> Harness<E> {
    fn new(server: E) -> Self {
        let mut sim = Sim::new(Conditions::INSTANT, 1);
        Self { server: sim.add_engine(SERVER, server), sim, devices: Vec::new() }
    }

    /// Adds a device that begins its handshake, or one without security; returns its index.
    fn device(&mut self, profile: Option<ClientProfile>) -> usize {
        let host = u8::try_from(self.devices.len() + 1).expect("few devices");
        let address = (Ipv4Addr::new(198, 51, 100, host), 40_000).into();
        let node = self.sim.add(address, move |_| {
            let mut link = Link::new(Config::default(), [host; 32]);
            link.set_security(dtls());
            CoapPeer::new(link, answer)
        });
        let peer = self.connect(node, profile);
        self.devices.push(Device { node, address, peer });
        self.devices.len() - 1
    }

    /// Restarts a device: its session is lost, its address stays.
    fn reboot(&mut self, device: usize, profile: Option<ClientProfile>) {
        let node = self.devices[device].node;
        self.sim.restart(node);
        self.sim.take_events(node);
        self.devices[device].peer = self.connect(node, profile);
    }

    fn connect(&mut self, node: Node<CoapPeer>, profile: Option<ClientProfile>) -> PeerId {
        let peer = self.sim.with(node, |it, now| {
            let peer = match profile {
                Some(profile) => it.link.connect_secured(now, SERVER, Arc::new(profile)),
                None => it.link.connect(SERVER),
            };
            it.link.hold(peer.expect("room for a peer"));
            peer.expect("room for a peer")
        });
        self.sim.settle();
        peer
    }

    /// The events of the server since the last call.
    fn events(&mut self) -> Vec<E::Event> {
        self.sim.take_events(self.server).into_iter().map(|(_, event)| event).collect()
    }

    fn heard(&self, device: usize) -> impl Iterator<Item = &LinkEvent> {
        self.sim.events(self.devices[device].node).iter().map(|(_, event)| event)
    }

    /// The number of requests that a device got.
    fn requests(&self, device: usize) -> usize {
        let is = |event: &&LinkEvent| matches!(event, LinkEvent::Coap(Event::Request { .. }));
        self.heard(device).filter(is).count()
    }

    /// The session events of a device.
    fn sessions(&self, device: usize) -> impl Iterator<Item = &SecurityEvent> {
        self.heard(device).filter_map(|event| match event {
            LinkEvent::Security(event) => Some(event),
            LinkEvent::Coap(_) | LinkEvent::Unanswered { .. } => None,
        })
    }

    /// Whether the last session of a device has ended.
    fn has_ended(&self, device: usize) -> bool {
        matches!(self.sessions(device).last(), Some(SecurityEvent::Ended { .. }))
    }

    /// Sends a request of a device and waits for its answer or failure.
    fn ask(&mut self, device: usize, request: Request) -> Result<Response, FailReason> {
        let Device { node, peer, .. } = self.devices[device];
        let send = |it: &mut CoapPeer, now| it.link.coap().request(now, peer, request);
        // Fails if the peer is gone.
        let wanted = self.sim.with(node, send).expect("a peer");
        let outcome = |sim: &Sim| {
            sim.events(node).iter().rev().find_map(|(_, event)| match event {
                LinkEvent::Coap(Event::Response { id, response, .. }) if *id == wanted => {
                    Some(Ok(response.clone()))
                }
                LinkEvent::Coap(Event::Failed { id, reason, .. }) if *id == wanted => {
                    Some(Err(*reason))
                }
                _ => None,
            })
        };
        self.sim.run_until(Duration::from_secs(300), |sim| outcome(sim).is_some());
        self.sim.settle();
        outcome(&self.sim).expect("an answer")
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

/// The configuration of a server that trusts an authority and has a certificate from it.
fn own(authority: &Authority) -> OwnCredentials {
    OwnCredentials::default()
        .certificate(authority.certify("server.example"))
        .authorities(vec![authority.certificate.clone()])
}

/// The profile of a client with a certificate that expects the server's certificate.
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
