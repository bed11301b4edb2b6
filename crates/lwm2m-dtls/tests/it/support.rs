//! Credentials, and two endpoints on a virtual network and clock.

use lwm2m_dtls::certificate::{
    Association, CertificateUsage, Matching, ServerVerification, subject_public_key_info,
};
use lwm2m_dtls::crypto::{Provider, RustCrypto, SigningKey};
use lwm2m_dtls::{
    Backend, CertifiedKey, ClientProfile, ClientSecurity, Config, ConnectionIds, Credentials,
    Endpoint, Event, SessionId,
};
use lwm2m_time::Instant;
use rustls_pki_types::CertificateDer;
use std::cell::Cell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Credentials in memory.
#[derive(Default)]
pub(crate) struct Store {
    pub(crate) psk: HashMap<Vec<u8>, Vec<u8>>,
    pub(crate) raw_key: Option<Arc<dyn SigningKey>>,
    pub(crate) trusted: Vec<Vec<u8>>,
    pub(crate) certificate: Option<Arc<CertifiedKey>>,
    pub(crate) authorities: Vec<CertificateDer<'static>>,
}

impl Credentials for Store {
    fn psk(&self, identity: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.psk.get(identity).cloned().map(Zeroizing::new)
    }
    fn uses_psk(&self) -> bool {
        !self.psk.is_empty()
    }
    fn raw_key(&self) -> Option<Arc<dyn SigningKey>> {
        self.raw_key.clone()
    }
    fn trusts_raw_key(&self, spki: &[u8]) -> bool {
        self.trusted.iter().any(|trusted| trusted == spki)
    }
    fn certificate(&self, _: Option<&str>) -> Option<Arc<CertifiedKey>> {
        self.certificate.clone()
    }
    fn client_authorities(&self) -> &[CertificateDer<'static>] {
        &self.authorities
    }
}

pub(crate) const IDENTITY: &[u8] = b"urn:dev:1";
pub(crate) const KEY: &[u8] = b"0123456789abcdef";

/// The configuration of a server that knows one device by PSK.
pub(crate) fn psk_config() -> Config {
    let psk = HashMap::from([(IDENTITY.to_vec(), KEY.to_vec())]);
    server_config(Store { psk, ..Store::default() })
}

pub(crate) fn server_config(store: Store) -> Config {
    let mut config = Config::default();
    [_, config.backend] = backends();
    config.credentials = Some(Arc::new(store));
    config
}

pub(crate) fn psk_profile(key: &[u8]) -> ClientProfile {
    let key = Zeroizing::new(key.to_vec());
    ClientProfile::new(ClientSecurity::Psk { identity: IDENTITY.into(), key })
}

/// Connection IDs of four random bytes.
pub(crate) struct FourBytes;

impl ConnectionIds for FourBytes {
    fn length(&self) -> usize {
        4
    }
    fn generate(&self, random: [u8; 8], cid: &mut [u8]) {
        cid.copy_from_slice(&random[..4]);
    }
}

thread_local! {
    /// The backends of client and server in the tests of this thread.
    static BACKENDS: Cell<[Backend; 2]> = const { Cell::new([Backend::Native; 2]) };
}

/// Sets the backends of the endpoints that are created next.
#[cfg(feature = "mbedtls")]
pub(crate) fn set_backends(client: Backend, server: Backend) {
    BACKENDS.set([client, server]);
}

/// The backends of client and server.
pub(crate) fn backends() -> [Backend; 2] {
    BACKENDS.get()
}

pub(crate) const CLIENT: &str = "192.0.2.1:1000";
pub(crate) const SERVER: &str = "192.0.2.2:5684";

pub(crate) fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// The fate of a datagram: from `(is from the client, bytes)` to the datagrams that are delivered.
pub(crate) type Fate<'a> = &'a mut dyn FnMut(bool, &[u8]) -> Vec<Vec<u8>>;

/// A client and a server.
pub(crate) struct Pair {
    pub(crate) now: Instant,
    pub(crate) client: Endpoint,
    pub(crate) server: Endpoint,
    pub(crate) client_address: SocketAddr,
}

impl Pair {
    pub(crate) fn new(mut client: Config, mut server: Config) -> Self {
        [client.backend, server.backend] = backends();
        Self {
            now: Instant::ZERO,
            client: Endpoint::new(client, [1; 32]),
            server: Endpoint::new(server, [2; 32]),
            client_address: address(CLIENT),
        }
    }

    pub(crate) fn connect(&mut self, profile: ClientProfile) -> SessionId {
        self.client.connect(self.now, address(SERVER), Arc::new(profile)).expect("a good profile")
    }

    /// Delivers datagrams until there are none; `fate` may lose or change them.
    pub(crate) fn exchange(&mut self, fate: Fate<'_>) {
        loop {
            let to_server = self.client.poll_transmit();
            let to_client = self.server.poll_transmit();
            if to_server.is_none() && to_client.is_none() {
                return;
            }
            for datagram in to_server.into_iter().flat_map(|sent| fate(true, &sent.payload)) {
                self.server.handle_datagram(self.now, self.client_address, &datagram);
            }
            for datagram in to_client.into_iter().flat_map(|sent| fate(false, &sent.payload)) {
                self.client.handle_datagram(self.now, address(SERVER), &datagram);
            }
        }
    }

    /// Delivers datagrams and advances the clock until neither side has anything to do.
    pub(crate) fn run(&mut self, fate: Fate<'_>) {
        loop {
            self.exchange(fate);
            let next = [self.client.poll_timeout(), self.server.poll_timeout()];
            let Some(next) = next.into_iter().flatten().min() else { return };
            self.now = next;
            self.client.handle_timeout(next);
            self.server.handle_timeout(next);
        }
    }

    /// Delivers every datagram.
    pub(crate) fn settle(&mut self) {
        self.exchange(&mut deliver);
    }
}

pub(crate) fn deliver(_: bool, datagram: &[u8]) -> Vec<Vec<u8>> {
    vec![datagram.to_vec()]
}

/// The events besides those of flights that had no answer at first.
pub(crate) fn events(endpoint: &mut Endpoint) -> Vec<Event> {
    let all = std::iter::from_fn(|| endpoint.poll_event());
    all.filter(|event| !matches!(event, Event::Unanswered { .. })).collect()
}

/// The session of the only Connected event.
pub(crate) fn connected(endpoint: &mut Endpoint) -> SessionId {
    match events(endpoint).as_slice() {
        [Event::Connected { session, .. }] => *session,
        other => panic!("not connected: {other:?}"),
    }
}

/// The data of all sessions.
pub(crate) fn received(endpoint: &mut Endpoint) -> Vec<Vec<u8>> {
    let data = |event| match event {
        Event::Data { data, .. } => Some(data.to_vec()),
        _ => None,
    };
    events(endpoint).into_iter().filter_map(data).collect()
}

/// A test key or certificate.
macro_rules! data {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/", $name, ".der"))
            .as_slice()
    };
}
pub(crate) use data;

pub(crate) fn signing_key(der: &[u8]) -> Arc<dyn SigningKey> {
    RustCrypto.signing_key(der).expect("a P-256 key")
}

pub(crate) fn spki(key: &Arc<dyn SigningKey>) -> Vec<u8> {
    subject_public_key_info(&key.public_key())
}

/// A client and a server that know each other's raw public keys.
pub(crate) fn rpk() -> (ClientProfile, Store) {
    let (client, server) = (signing_key(data!("client.key")), signing_key(data!("server.key")));
    let trusted = vec![spki(&client)];
    let server_spki = spki(&server).into();
    let security = ClientSecurity::RawPublicKey { key: client, server: server_spki };
    (ClientProfile::new(security), Store { raw_key: Some(server), trusted, ..Store::default() })
}

/// A client and a server with key pairs, in a mode that both backends support. Their flights are
/// long.
pub(crate) fn key_pairs() -> (ClientProfile, Config) {
    let (profile, store) = match backends().iter().all(|it| it.has_raw_public_keys()) {
        true => rpk(),
        false => {
            let profile = x509_profile(CertificateUsage::DomainIssued, data!("server.cert"));
            (profile, x509_store())
        }
    };
    (profile, at_a_good_time(server_config(store)))
}

pub(crate) fn certified(chain: &[&[u8]], key: &[u8]) -> Arc<CertifiedKey> {
    let chain = chain.iter().map(|der| CertificateDer::from(der.to_vec())).collect();
    Arc::new(CertifiedKey { chain, key: signing_key(key) })
}

/// A server with a certificate that trusts the root.
pub(crate) fn x509_store() -> Store {
    let chain = [data!("server.cert"), data!("intermediate.cert")];
    Store {
        certificate: Some(certified(&chain, data!("server.key"))),
        authorities: vec![CertificateDer::from(data!("root.cert"))],
        ..Store::default()
    }
}

/// The profile of the client whose certificate the root has issued.
pub(crate) fn x509_profile(usage: CertificateUsage, data: &[u8]) -> ClientProfile {
    x509_profile_with(usage, Matching::Exact, data)
}

pub(crate) fn x509_profile_with(
    usage: CertificateUsage,
    matching: Matching,
    data: &[u8],
) -> ClientProfile {
    let verification = ServerVerification {
        usage,
        association: Association { matching, data: data.to_vec() },
        roots: vec![CertificateDer::from(data!("root.cert"))],
    };
    let certified = certified(&[data!("client.cert")], data!("client.key"));
    let verification = Arc::new(verification);
    let mut profile = ClientProfile::new(ClientSecurity::Certificate { certified, verification });
    profile.server_name = Some("server.example.com".into());
    profile
}

/// The Unix time of the tests: the certificates are valid, except that `short` has expired.
pub(crate) fn at_a_good_time(mut config: Config) -> Config {
    config.unix_time_of_origin = std::time::Duration::from_secs(2_200_000_000);
    config
}
