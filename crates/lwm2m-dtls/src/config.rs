//! The configuration of an endpoint: limits, credentials, and the profiles of client sessions.

use crate::backend::Backend;
use crate::certificate::verify::{self, ServerVerification};
use crate::crypto::provider::{Provider, SigningKey};
use crate::crypto::rust_crypto::RustCrypto;
use crate::identity::Identity;
use crate::mode::Mode;
use crate::suite::CipherSuite;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;
use core::time::Duration;
use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

/// The configuration of an endpoint.
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    /// The implementation of DTLS and TLS; see [`check`](Self::check). Default:
    /// [`Backend::Native`].
    pub backend: Backend,
    /// The library for P-256. Default: [`RustCrypto`].
    pub provider: Arc<dyn Provider>,
    /// The credentials of the server; without them the endpoint is client only. Default: none.
    pub credentials: Option<Arc<dyn Credentials>>,
    /// The cipher suites that a server accepts, most preferred first. Default:
    /// [`CipherSuite::SERVER_DEFAULTS`].
    pub suites: Vec<CipherSuite>,
    /// The longest datagram of a handshake, in bytes of UDP payload; at least 128. Default: 1232.
    pub mtu: usize,
    /// The first retransmission interval; it doubles up to a minute. RFC 6347 recommends one
    /// second, RFC 7925 nine seconds for constrained links. Default: 1 s.
    pub retransmit_after: Duration,
    /// When an unfinished handshake fails. Default: 90 s.
    pub handshake_timeout: Duration,
    /// The most handshakes under way on datagrams, and as many on streams. When full, the oldest
    /// server handshake on datagrams is evicted; new TLS connections are refused. Default: 10,000.
    pub max_handshakes: usize,
    /// The most handshakes under way with the clients of one host, which is an IPv4 address or an
    /// IPv6 /64, on datagrams and as many on streams. When full, the oldest of the host is evicted.
    /// Default: 1,000.
    pub max_handshakes_per_host: usize,
    /// The handshakes that clients may begin in a second, on datagrams and streams together, also those
    /// that resume a session; see [`Admission`](lwm2m_time::Admission). Beyond it, the ClientHello of a
    /// client on datagrams is dropped, which sends it again, and connections are refused. Default: 0,
    /// no limit.
    pub max_handshakes_per_second: u32,
    /// The most established sessions. Default: 10,000,000.
    pub max_sessions: usize,
    /// Generates the Connection IDs for the records of peers; without it we accept records without
    /// one (RFC 9146). Default: none.
    pub connection_ids: Option<Arc<dyn ConnectionIds>>,
    /// How many sessions a server caches for resumption by session id. Default: 1,000.
    pub session_cache: usize,
    /// The key that seals session tickets; without it a server issues none (RFC 5077). Default:
    /// none.
    pub ticket_key: Option<TicketKey>,
    /// The key that seals the sessions on datagrams that survive a crash; see
    /// [`Endpoint::counters`](crate::Endpoint::counters). The application keeps it, and apart from
    /// what it seals. Without it no session is kept, which costs nothing. Default: none.
    pub durable_sessions: Option<TicketKey>,
    /// How long a session may be resumed. Default: one day.
    pub resumption_lifetime: Duration,
    /// The Unix time at `Instant::ZERO`. Certificates are checked against this clock. Default: 0, for
    /// instants that count from the beginning of Unix time.
    pub unix_time_of_origin: Duration,
    /// The application protocol on streams, by its ALPN name (RFC 7301). A peer that names only
    /// other protocols is refused; a peer that names none is accepted. Ignored on datagrams.
    /// Default: none.
    pub application_protocol: Option<Bytes>,
    /// Whether a server on streams accepts TLS 1.3 from clients with a certificate or raw public
    /// key. Needs the feature `tls13`. Default: on with that feature.
    pub tls13: bool,
    /// Receives the secrets of every session, to decrypt captures. Default: none.
    pub key_log: Option<Arc<dyn KeyLog>>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            backend: Backend::Native,
            provider: Arc::new(RustCrypto),
            credentials: None,
            suites: CipherSuite::SERVER_DEFAULTS.to_vec(),
            mtu: 1232,
            retransmit_after: Duration::from_secs(1),
            handshake_timeout: Duration::from_secs(90),
            max_handshakes: 10_000,
            max_handshakes_per_host: 1_000,
            max_handshakes_per_second: 0,
            max_sessions: 10_000_000,
            connection_ids: None,
            session_cache: 1_000,
            ticket_key: None,
            durable_sessions: None,
            resumption_lifetime: Duration::from_secs(86_400),
            unix_time_of_origin: Duration::ZERO,
            application_protocol: None,
            tls13: cfg!(feature = "tls13"),
            key_log: None,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("suites", &self.suites).finish_non_exhaustive()
    }
}

/// A key that seals tickets, exported or durable sessions (AES-128-GCM).
#[derive(Clone)]
pub struct TicketKey(Zeroizing<[u8; 16]>);

impl TicketKey {
    /// Creates a key from its bytes.
    pub fn new(key: [u8; 16]) -> Self {
        Self(Zeroizing::new(key))
    }

    pub(crate) fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for TicketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketKey(..)")
    }
}

/// The credentials of a server and its clients. The default of each method is to have none.
pub trait Credentials: Send + Sync {
    /// The pre-shared key of a client's identity, at most 64 bytes (RFC 4279).
    fn psk(&self, identity: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let _ = identity;
        None
    }

    /// Whether the server offers pre-shared keys.
    fn uses_psk(&self) -> bool {
        false
    }

    /// The server's key for raw public keys (RFC 7250).
    fn raw_key(&self) -> Option<Arc<dyn SigningKey>> {
        None
    }

    /// Whether a client with this SubjectPublicKeyInfo (DER) is trusted.
    fn trusts_raw_key(&self, spki: &[u8]) -> bool {
        let _ = spki;
        false
    }

    /// The generation of a client's credential: another number each time it is removed or replaced,
    /// so that no session of an earlier one is resumed, not even if the same key comes back.
    /// Default: 0, always.
    fn generation(&self, identity: &Identity) -> u64 {
        let _ = identity;
        0
    }

    /// The server's certificate for the name that the client asked for (SNI, RFC 6066).
    fn certificate(&self, server_name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let _ = server_name;
        None
    }

    /// The trusted authorities of client certificates.
    fn client_authorities(&self) -> &[CertificateDer<'static>] {
        &[]
    }
}

/// A certificate chain, leaf first, and its private key.
#[derive(Clone, Debug)]
pub struct CertifiedKey {
    /// The certificates (DER).
    pub chain: Vec<CertificateDer<'static>>,
    /// The private key of the leaf.
    pub key: Arc<dyn SigningKey>,
}

impl CertifiedKey {
    /// Whether the leaf is issued for a host: by its dNSNames or iPAddresses, or without any by its
    /// common name (RFC 6125).
    pub fn is_for(&self, host: &str) -> bool {
        verify::is_for(&self.chain, host)
    }
}

/// Generates the Connection IDs of one endpoint (RFC 9146).
pub trait ConnectionIds: Send + Sync {
    /// The length of all IDs: 1 to 255 bytes.
    fn length(&self) -> usize;

    /// Writes a new ID; `random` is fresh. Called again if the ID is in use.
    fn generate(&self, random: [u8; 8], cid: &mut [u8]);
}

/// Receives secrets for a key log in NSS format, whose lines are `LABEL random secret`, the last
/// two in hex.
pub trait KeyLog: Send + Sync {
    /// Receives a secret of the session with this client random. The label is `CLIENT_RANDOM` for
    /// the master secret of version 1.2; version 1.3 has several secrets.
    fn log(&self, label: &str, client_random: &[u8; 32], secret: &[u8]);
}

/// The profile of a client session.
#[derive(Clone)]
pub struct ClientProfile {
    /// The security mode and its keys.
    pub security: ClientSecurity,
    /// The cipher suites to offer. Default: empty, for the defaults of the mode.
    pub suites: Vec<CipherSuite>,
    /// The host of the server's URI. The server's certificate must be issued for it, and unless it
    /// is an IP address, it is sent as SNI (RFC 6066). Without a name only a pinned certificate is
    /// accepted. Default: none.
    pub server_name: Option<String>,
    /// Whether to offer Connection IDs: one of the endpoint's generator, or an empty one (RFC
    /// 9146). Default: on.
    pub connection_id: bool,
    /// Whether to offer return routability checks, by which we confirm a new address of ours (RFC
    /// 9853). Needs Connection IDs. Default: on.
    pub return_routability_check: bool,
    /// The max_fragment_length to ask for: 1 to 4 for 512, 1024, 2048 or 4096 bytes (RFC 6066).
    /// Default: none.
    pub max_fragment_length: Option<u8>,
    /// The longest plaintext that we accept in a record, in bytes (RFC 8449). Default: none.
    pub record_size_limit: Option<u16>,
    /// Whether to refuse a server without extended master secret (RFC 7627). Default: off.
    pub require_extended_master_secret: bool,
    /// Whether to ask for a session ticket (RFC 5077). Default: on.
    pub tickets: bool,
    /// Whether to use TLS 1.3 on streams and no older version, which takes a certificate or raw
    /// public key and the feature `tls13`. Default: off, because every LwM2M server supports 1.2.
    pub tls13: bool,
}

impl ClientProfile {
    /// Creates a profile with the defaults of the mode.
    pub fn new(security: ClientSecurity) -> Self {
        Self {
            security,
            suites: Vec::new(),
            server_name: None,
            connection_id: true,
            return_routability_check: true,
            max_fragment_length: None,
            record_size_limit: None,
            require_extended_master_secret: false,
            tickets: true,
            tls13: false,
        }
    }

    /// The cipher suites to offer.
    pub(crate) fn offered(&self) -> Vec<CipherSuite> {
        if !self.suites.is_empty() {
            return self.suites.clone();
        }
        match self.security {
            ClientSecurity::Psk { .. } => CipherSuite::PSK_DEFAULTS.to_vec(),
            _ => CipherSuite::ECDSA_DEFAULTS.to_vec(),
        }
    }
}

/// The security mode of a client session and its keys.
#[derive(Clone)]
pub enum ClientSecurity {
    /// A pre-shared key (RFC 4279).
    Psk {
        /// The identity, at most 128 bytes.
        identity: Bytes,
        /// The key, 1 to 64 bytes.
        key: Zeroizing<Vec<u8>>,
    },
    /// Raw public keys (RFC 7250).
    RawPublicKey {
        /// Our key.
        key: Arc<dyn SigningKey>,
        /// The server's SubjectPublicKeyInfo (DER). No other key is accepted.
        server: Bytes,
    },
    /// X.509 certificates.
    Certificate {
        /// Our chain and key.
        certified: Arc<CertifiedKey>,
        /// How the server's certificate is checked.
        verification: Arc<ServerVerification>,
    },
}

impl ClientSecurity {
    /// The mode.
    pub fn mode(&self) -> Mode {
        match self {
            Self::Psk { .. } => Mode::Psk,
            Self::RawPublicKey { .. } => Mode::RawPublicKey,
            Self::Certificate { .. } => Mode::Certificate,
        }
    }
}

impl fmt::Debug for ClientProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientProfile")
            .field("mode", &self.security.mode())
            .field("suites", &self.suites)
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}
