//! `lwm2m-dtls`: all sessions of one server endpoint, on datagrams and on streams.

use crate::{End, IDENTITY, KEY, Mode, Stack, data};
use lwm2m_dtls::certificate::{
    Association, CertificateUsage, Matching, ServerVerification, subject_public_key_info,
};
use lwm2m_dtls::crypto::{AwsLc, Provider, RustCrypto, SigningKey};
use lwm2m_dtls::{
    Backend, CertifiedKey, ClientProfile, ClientSecurity, Config, Credentials, Endpoint, Event,
    SessionId,
};
use lwm2m_time::Instant;
use rustls_pki_types::CertificateDer;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// Unix time of the run: when the certificates are good.
const TODAY: Duration = Duration::from_secs(1_800_000_000);

struct Keys {
    raw_key: Arc<dyn SigningKey>,
    client: Vec<u8>,
    certified: Arc<CertifiedKey>,
    authorities: Vec<CertificateDer<'static>>,
}

impl Credentials for Keys {
    fn psk(&self, identity: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        (identity == IDENTITY.as_bytes()).then(|| Zeroizing::new(KEY.to_vec()))
    }
    fn uses_psk(&self) -> bool {
        true
    }
    fn raw_key(&self) -> Option<Arc<dyn SigningKey>> {
        Some(Arc::clone(&self.raw_key))
    }
    fn trusts_raw_key(&self, spki: &[u8]) -> bool {
        spki == self.client
    }
    fn certificate(&self, _: Option<&str>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.certified))
    }
    fn client_authorities(&self) -> &[CertificateDer<'static>] {
        &self.authorities
    }
}

struct Ours {
    name: &'static str,
    config: Config,
    profile: Arc<ClientProfile>,
    on_stream: bool,
    server: Rc<RefCell<Endpoint>>,
    next: u16,
}

pub(crate) fn on_aws_lc(mode: Mode) -> Option<Box<dyn Stack>> {
    Some(Box::new(Ours::new("ours, aws-lc", Backend::Native, Arc::new(AwsLc), mode)))
}

pub(crate) fn on_rust_crypto(mode: Mode) -> Option<Box<dyn Stack>> {
    Some(Box::new(Ours::new("ours, RustCrypto", Backend::Native, Arc::new(RustCrypto), mode)))
}

/// TLS 1.2 by the native backend.
pub(crate) fn tls12(mode: Mode) -> Option<Box<dyn Stack>> {
    let mut ours = Ours::new("ours, TLS 1.2", Backend::Native, Arc::new(AwsLc), mode);
    ours.on_stream = true;
    Some(Box::new(ours))
}

/// TLS 1.3 by `rustls`, trust by our own.
pub(crate) fn tls13(mode: Mode) -> Option<Box<dyn Stack>> {
    let mut ours = Ours::new("ours, TLS 1.3", Backend::Native, Arc::new(AwsLc), mode);
    ours.on_stream = true;
    Arc::make_mut(&mut ours.profile).tls13 = true;
    (mode != Mode::Psk).then(|| Box::new(ours) as Box<dyn Stack>)
}

/// Certificates are verified by the provider, all else is the library's.
#[cfg(feature = "mbedtls")]
pub(crate) fn on_mbedtls(mode: Mode) -> Option<Box<dyn Stack>> {
    let make =
        || Box::new(Ours::new("ours, mbedtls backend", Backend::MbedTls, Arc::new(AwsLc), mode));
    (mode != Mode::RawPublicKey).then(|| make() as Box<dyn Stack>)
}

/// The same on a stream.
#[cfg(feature = "mbedtls")]
pub(crate) fn tls12_on_mbedtls(mode: Mode) -> Option<Box<dyn Stack>> {
    let mut ours = Ours::new("mbedtls backend, TLS", Backend::MbedTls, Arc::new(AwsLc), mode);
    ours.on_stream = true;
    (mode != Mode::RawPublicKey).then(|| Box::new(ours) as Box<dyn Stack>)
}

fn certified(chain: &[&'static [u8]], key: Arc<dyn SigningKey>) -> Arc<CertifiedKey> {
    let chain = chain.iter().map(|der| CertificateDer::from(*der)).collect();
    Arc::new(CertifiedKey { chain, key })
}

fn profile(mode: Mode, key: Arc<dyn SigningKey>, server: &dyn SigningKey) -> ClientProfile {
    let security = match mode {
        Mode::Psk => {
            let key = Zeroizing::new(KEY.to_vec());
            ClientSecurity::Psk { identity: IDENTITY.into(), key }
        }
        Mode::RawPublicKey => {
            let server = subject_public_key_info(&server.public_key()).into();
            ClientSecurity::RawPublicKey { key, server }
        }
        Mode::Certificate => {
            let data = data!("root.cert.der").to_vec();
            let verification = Arc::new(ServerVerification {
                usage: CertificateUsage::TrustAnchorAssertion,
                association: Association { matching: Matching::Exact, data },
                roots: Vec::new(),
            });
            let certified = certified(&[data!("client.cert.der")], key);
            ClientSecurity::Certificate { certified, verification }
        }
    };
    let mut profile = ClientProfile::new(security);
    profile.server_name = Some("server.example.com".into());
    profile
}

impl Ours {
    fn new(name: &'static str, backend: Backend, provider: Arc<dyn Provider>, mode: Mode) -> Self {
        let client = provider.signing_key(data!("client.key.der")).unwrap();
        let server = provider.signing_key(data!("server.key.der")).unwrap();
        let profile = Arc::new(profile(mode, Arc::clone(&client), &*server));
        let chain = [data!("server.cert.der"), data!("intermediate.cert.der")];
        let mut config = Config::default();
        config.backend = backend;
        config.provider = provider;
        config.unix_time_of_origin = TODAY;
        // What others keep for resumption is not in their figures either.
        config.session_cache = 0;
        let mut at_server = config.clone();
        at_server.credentials = Some(Arc::new(Keys {
            client: subject_public_key_info(&client.public_key()),
            certified: certified(&chain, Arc::clone(&server)),
            raw_key: server,
            authorities: vec![CertificateDer::from(data!("root.cert.der"))],
        }));
        let server = Rc::new(RefCell::new(Endpoint::new(at_server, [1; 32])));
        Self { name, config, profile, on_stream: false, server, next: 0 }
    }
}

const SERVER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1);

impl Stack for Ours {
    fn name(&self) -> &'static str {
        self.name
    }
    fn client(&mut self) -> Box<dyn End> {
        let mut endpoint = Endpoint::new(self.config.clone(), [2; 32]);
        let profile = Arc::clone(&self.profile);
        let session = match self.on_stream {
            true => endpoint.connect_stream(Instant::ZERO, SERVER, profile, None),
            false => endpoint.connect(Instant::ZERO, SERVER, profile),
        };
        let endpoint = Rc::new(RefCell::new(endpoint));
        let (session, on_stream) = (Some(session.unwrap()), self.on_stream);
        Box::new(Side { endpoint, peer: SERVER, session, on_stream, connected: false })
    }
    fn server(&mut self) -> Box<dyn End> {
        self.next += 1;
        let peer = SocketAddr::new(SERVER.ip(), self.next);
        let endpoint = Rc::clone(&self.server);
        let on_stream = self.on_stream;
        let accept = || endpoint.borrow_mut().accept_stream(Instant::ZERO, peer).unwrap();
        let session = on_stream.then(accept);
        Box::new(Side { endpoint, peer, session, on_stream, connected: false })
    }
    fn is_counted(&self) -> bool {
        self.config.backend == Backend::Native
    }
    fn settle(&mut self) {
        let late = Instant::ZERO + Duration::from_secs(3600);
        self.server.borrow_mut().handle_timeout(late);
    }
}

/// An endpoint towards one peer.
struct Side {
    endpoint: Rc<RefCell<Endpoint>>,
    peer: SocketAddr,
    session: Option<SessionId>,
    on_stream: bool,
    connected: bool,
}

impl End for Side {
    fn handle(&mut self, datagram: &[u8]) {
        let mut endpoint = self.endpoint.borrow_mut();
        match self.session.filter(|_| self.on_stream) {
            Some(session) => endpoint.handle_stream(Instant::ZERO, session, datagram),
            None => endpoint.handle_datagram(Instant::ZERO, self.peer, datagram),
        }
        if !self.connected
            && let Some(Event::Connected { session, .. }) = endpoint.poll_event()
        {
            self.session = Some(session);
            self.connected = true;
        }
    }
    fn poll(&mut self) -> Option<Vec<u8>> {
        let mut endpoint = self.endpoint.borrow_mut();
        match self.on_stream {
            true => endpoint.poll_stream().map(|(_, bytes)| bytes.into()),
            false => endpoint.poll_transmit().map(|sent| sent.payload.into()),
        }
    }
    fn is_connected(&self) -> bool {
        self.connected
    }
    fn send(&mut self, data: &[u8]) {
        let session = self.session.unwrap();
        self.endpoint.borrow_mut().send(Instant::ZERO, session, data).unwrap();
    }
    fn received(&mut self) -> bool {
        self.endpoint.borrow_mut().poll_event().is_some()
    }
}
