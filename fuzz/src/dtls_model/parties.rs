//! The parties: a server, two clients that it knows, one that it does not know, and a rogue server.

use lwm2m_dtls::certificate::{
    Association, CertificateUsage, Matching, ServerVerification, subject_public_key_info,
};
use lwm2m_dtls::crypto::{Provider, RustCrypto, SigningKey};
use lwm2m_dtls::{
    CertifiedKey, CipherSuite, ClientProfile, ClientSecurity, Config, Credentials, Endpoint,
    Identity, TicketKey,
};
use rustls_pki_types::CertificateDer;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

use crate::dtls::{FourBytes, backend};

/// The clients that the server knows.
pub(super) const KNOWN: usize = 2;
/// The client without a credential of the server's: it claims to be the first one.
pub(super) const STRANGER: usize = 2;
/// The most handshakes under way at the server, and the most sessions.
pub(super) const MAX_HANDSHAKES: usize = 4;
pub(super) const MAX_SESSIONS: usize = 64;

/// A test key or certificate.
macro_rules! data {
    ($name:literal) => {
        include_bytes!(concat!("../../../crates/lwm2m-dtls/tests/data/", $name, ".der")).as_slice()
    };
}

/// What a script chooses for all parties.
#[derive(Clone, Copy)]
pub(super) struct Setup {
    kind: u8,
    limits: u8,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Psk(CipherSuite),
    RawPublicKey,
    Certificate,
}

impl Setup {
    /// Bits 0 and 1 of `kind` choose the mode, 2 and 3 Connection IDs of server and client, 4
    /// tickets, 5 return routability checks. With the feature `mbedtls`, 6 and 7 choose this backend
    /// for the clients and for the servers. `limits` chooses the MTU and session cache.
    pub(super) fn new(kind: u8, limits: u8) -> Self {
        Self { kind, limits }
    }

    fn has(self, bit: u8) -> bool {
        self.kind >> bit & 1 == 1
    }

    fn mode(self) -> Mode {
        match self.kind & 3 {
            0 => Mode::Psk(CipherSuite::PSK_WITH_AES_128_CCM_8),
            1 => Mode::Psk(CipherSuite::PSK_WITH_AES_128_CBC_SHA256),
            2 => Mode::RawPublicKey,
            _ => Mode::Certificate,
        }
    }

    fn config(self, backend_bit: u8, cid_bit: u8) -> Config {
        let mut config = Config::default();
        config.backend = match self.mode() {
            Mode::RawPublicKey => Default::default(),
            _ => backend(self.has(backend_bit)),
        };
        let ids = self.has(cid_bit) && config.backend.has_connection_ids();
        config.connection_ids = ids.then(|| Arc::new(FourBytes) as _);
        config.mtu = [1232, 128, 256, 600][usize::from(self.limits & 3)];
        config.max_handshakes = MAX_HANDSHAKES;
        config.max_sessions = MAX_SESSIONS;
        config.session_cache = [4, 0][usize::from(self.limits >> 2 & 1)];
        config.unix_time_of_origin = Duration::from_secs(2_200_000_000);
        config
    }

    /// Whether a session is found by its Connection ID when its client moves.
    pub(super) fn sessions_move(self) -> bool {
        self.config(7, 2).connection_ids.is_some() && self.config(6, 3).backend.has_connection_ids()
    }

    /// The server; the rogue one knows none of its secrets and trusts everybody.
    pub(super) fn server(self, is_rogue: bool) -> Endpoint {
        let mut config = self.config(7, 2);
        config.ticket_key = self.has(4).then(|| TicketKey::new([u8::from(is_rogue); 16]));
        config.credentials = Some(Arc::new(Store { mode: self.mode(), is_rogue }));
        Endpoint::new(config, [200 + u8::from(is_rogue); 32])
    }

    /// A client and its profile.
    pub(super) fn client(self, client: usize) -> (Endpoint, Arc<ClientProfile>) {
        let mut profile = ClientProfile::new(security(self.mode(), client));
        if let Mode::Psk(suite) = self.mode() {
            profile.suites = vec![suite];
        }
        profile.server_name = Some("server.example.com".into());
        profile.return_routability_check = self.has(5);
        (Endpoint::new(self.config(6, 3), [client as u8; 32]), Arc::new(profile))
    }

    /// The client whose identity this is; a panic if the server knows no such client.
    pub(super) fn client_of(self, identity: &Identity) -> usize {
        let is_of = |&client: &usize| match (identity, self.mode()) {
            (Identity::Psk(name), Mode::Psk(_)) => name == psk(client).0,
            (Identity::RawPublicKey(spki), Mode::RawPublicKey) => *spki == public(key_of(client)),
            (Identity::Certificate(names), Mode::Certificate) => {
                names.common_name.as_deref() == Some(["urn:dev:1", "lwm2m"][client])
            }
            _ => false,
        };
        let client = (0..KNOWN).find(is_of);
        client.unwrap_or_else(|| panic!("a session with an identity nobody has: {identity:?}"))
    }

    /// Whether this is what a client is to see of the server.
    pub(super) fn is_server(self, identity: &Identity, client: usize) -> bool {
        match (identity, self.mode()) {
            (Identity::Psk(name), Mode::Psk(_)) => name == psk(client).0,
            (Identity::RawPublicKey(spki), Mode::RawPublicKey) => *spki == public(SERVER_KEY),
            (Identity::Certificate(names), Mode::Certificate) => {
                names.common_name.as_deref() == Some("lwm2m")
            }
            _ => false,
        }
    }
}

const SERVER_KEY: &[u8] = data!("server.key");

/// The identity and key of a client; the stranger has the first one's identity and another key.
fn psk(client: usize) -> (&'static [u8], &'static [u8]) {
    [
        (&b"urn:dev:0"[..], &b"0123456789abcdef"[..]),
        (b"urn:dev:1", b"fedcba9876543210"),
        (b"urn:dev:0", b"a key of nobody."),
    ][client]
}

fn key_of(client: usize) -> &'static [u8] {
    [data!("client.key"), data!("other.key"), data!("stranger.key")][client]
}

fn signing_key(der: &[u8]) -> Arc<dyn SigningKey> {
    RustCrypto.signing_key(der).expect("a key")
}

fn public(der: &[u8]) -> Vec<u8> {
    subject_public_key_info(&signing_key(der).public_key())
}

fn certified(chain: &[&'static [u8]], key: &[u8]) -> Arc<CertifiedKey> {
    let chain = chain.iter().map(|der| CertificateDer::from(*der)).collect();
    Arc::new(CertifiedKey { chain, key: signing_key(key) })
}

fn server_chain() -> Arc<CertifiedKey> {
    certified(&[data!("server.cert"), data!("intermediate.cert")], SERVER_KEY)
}

fn security(mode: Mode, client: usize) -> ClientSecurity {
    match mode {
        Mode::Psk(_) => {
            let (identity, key) = psk(client);
            ClientSecurity::Psk { identity: identity.into(), key: Zeroizing::new(key.to_vec()) }
        }
        Mode::RawPublicKey => ClientSecurity::RawPublicKey {
            key: signing_key(key_of(client)),
            server: public(SERVER_KEY).into(),
        },
        Mode::Certificate => {
            let certified = match client {
                0 => certified(&[data!("client.cert")], key_of(0)),
                1 => server_chain(),
                _ => certified(&[data!("stranger.cert")], key_of(client)),
            };
            let server = data!("server.cert").to_vec();
            let verification = Arc::new(ServerVerification {
                usage: CertificateUsage::DomainIssued,
                association: Association { matching: Matching::Exact, data: server },
                roots: vec![CertificateDer::from(data!("root.cert"))],
            });
            ClientSecurity::Certificate { certified, verification }
        }
    }
}

/// The credentials of a server.
struct Store {
    mode: Mode,
    is_rogue: bool,
}

const ROOT: &[CertificateDer<'static>] = &[CertificateDer::from_slice(data!("root.cert"))];

impl Credentials for Store {
    fn uses_psk(&self) -> bool {
        matches!(self.mode, Mode::Psk(_))
    }
    fn psk(&self, identity: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        if self.is_rogue {
            return Some(Zeroizing::new(b"guessed by rogue".to_vec()));
        }
        let (_, key) = (0..KNOWN).map(psk).find(|(name, _)| *name == identity)?;
        Some(Zeroizing::new(key.to_vec()))
    }
    fn raw_key(&self) -> Option<Arc<dyn SigningKey>> {
        let key = if self.is_rogue { data!("root.key") } else { SERVER_KEY };
        (self.mode == Mode::RawPublicKey).then(|| signing_key(key))
    }
    fn trusts_raw_key(&self, spki: &[u8]) -> bool {
        self.is_rogue || (0..KNOWN).any(|client| spki == public(key_of(client)))
    }
    fn certificate(&self, _: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let is_used = self.mode == Mode::Certificate;
        let rogue = || certified(&[data!("other.cert")], data!("other.key"));
        is_used.then(|| if self.is_rogue { rogue() } else { server_chain() })
    }
    fn client_authorities(&self) -> &[CertificateDer<'static>] {
        if self.mode == Mode::Certificate { ROOT } else { &[] }
    }
}
