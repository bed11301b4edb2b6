//! What an endpoint is made with: limits, credentials, and the profile of a client session.

use crate::backend::Backend;
use crate::certificate::{self, ServerVerification};
use crate::crypto::{Provider, RustCrypto, SigningKey};
use crate::suite::CipherSuite;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;
use core::time::Duration;
use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

/// The settings of an endpoint.
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    /// Who speaks DTLS and TLS; see [`check`](Self::check).
    pub backend: Backend,
    /// The library for P-256.
    pub provider: Arc<dyn Provider>,
    /// The keys of the server; without them no handshake is accepted.
    pub credentials: Option<Arc<dyn Credentials>>,
    /// The suites a server accepts, most preferred first.
    pub suites: Vec<CipherSuite>,
    /// The length of a datagram at most, in bytes of UDP payload; at least 128.
    pub mtu: usize,
    /// When a flight is sent again for the first time; doubles up to a minute. RFC 6347 has one
    /// second, RFC 7925 advises nine on constrained links.
    pub retransmit_after: Duration,
    /// After this long a handshake has failed.
    pub handshake_timeout: Duration,
    /// Handshakes that may be under way at once on datagrams, and as many on streams. On datagrams a
    /// server gives the oldest up for a new one, on streams it takes no more.
    pub max_handshakes: usize,
    /// Handshakes that clients of one host may have under way, on datagrams and streams: of an
    /// IPv4 address or an IPv6 network of 64 bits.
    pub max_handshakes_per_host: usize,
    /// Established sessions at most.
    pub max_sessions: usize,
    /// Makes the Connection IDs handed out to peers; without it none is asked for (RFC 9146).
    pub connection_ids: Option<Arc<dyn ConnectionIds>>,
    /// How many sessions a server keeps for resumption by session id.
    pub session_cache: usize,
    /// Seals session tickets (RFC 5077); without it none are issued.
    pub ticket_key: Option<TicketKey>,
    /// How long a session may be resumed.
    pub resumption_lifetime: Duration,
    /// Unix time at `Instant::ZERO`: the clock that certificates are held against.
    pub unix_time_of_origin: Duration,
    /// What is spoken above TLS on streams, by its name for ALPN (RFC 7301). A peer that names
    /// other protocols only is refused, one that names none is not. Datagrams have no such thing.
    pub application_protocol: Option<Bytes>,
    /// Whether a server on streams speaks TLS 1.3 with clients that offer it and show a certificate
    /// or raw public key. Only with the feature `tls13`, where it is the default.
    pub tls13: bool,
    /// Gets the secrets of every session, to decrypt captures. Leave it off.
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
            max_sessions: 10_000_000,
            connection_ids: None,
            session_cache: 1_000,
            ticket_key: None,
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

/// A key that seals tickets or exported sessions (AES-128-GCM).
#[derive(Clone)]
pub struct TicketKey(Zeroizing<[u8; 16]>);

impl TicketKey {
    /// The key of these bytes.
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

/// What a server knows of itself and its clients. Every method has a default that knows nothing.
pub trait Credentials: Send + Sync {
    /// The pre-shared key of an identity, at most 64 bytes.
    fn psk(&self, identity: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let _ = identity;
        None
    }

    /// Whether pre-shared keys are used at all.
    fn uses_psk(&self) -> bool {
        false
    }

    /// The server's key for the mode of raw public keys.
    fn raw_key(&self) -> Option<Arc<dyn SigningKey>> {
        None
    }

    /// Whether a client with this SubjectPublicKeyInfo (DER) is known.
    fn trusts_raw_key(&self, spki: &[u8]) -> bool {
        let _ = spki;
        false
    }

    /// The server's certificate; the name is the one the client asked for (SNI).
    fn certificate(&self, server_name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let _ = server_name;
        None
    }

    /// The authorities of client certificates.
    fn client_authorities(&self) -> &[CertificateDer<'static>] {
        &[]
    }
}

/// A certificate chain, leaf first, and its private key.
#[derive(Clone, Debug)]
pub struct CertifiedKey {
    /// The certificates, DER.
    pub chain: Vec<CertificateDer<'static>>,
    /// The key of the first one.
    pub key: Arc<dyn SigningKey>,
}

impl CertifiedKey {
    /// Whether it is for a host: by its dNSNames or iPAddresses, else by its common name.
    pub fn is_for(&self, host: &str) -> bool {
        certificate::is_for(&self.chain, host)
    }
}

/// Makes the Connection IDs of one endpoint.
pub trait ConnectionIds: Send + Sync {
    /// The length of all of them: 1 to 255 bytes.
    fn length(&self) -> usize;

    /// Fills a new one; `random` is fresh. Called again if the result is in use.
    fn generate(&self, random: [u8; 8], cid: &mut [u8]);
}

/// Takes secrets in the format of NSS: a line is `LABEL random secret`, the latter two in hex.
pub trait KeyLog: Send + Sync {
    /// The client's random value and a secret of its session. The label is `CLIENT_RANDOM` for the
    /// master secret of version 1.2; version 1.3 has several secrets.
    fn log(&self, label: &str, client_random: &[u8; 32], secret: &[u8]);
}

/// How a client connects.
#[derive(Clone)]
pub struct ClientProfile {
    /// The mode and its keys.
    pub security: ClientSecurity,
    /// Exactly the suites to offer; empty for the defaults of the mode.
    pub suites: Vec<CipherSuite>,
    /// The host of the server's URI: the name that its certificate must have, and the one for SNI
    /// (RFC 6066) unless it is an IP address. Without it only a certificate is accepted that is
    /// configured itself.
    pub server_name: Option<String>,
    /// Whether to offer Connection IDs: ours by the endpoint's generator, or an empty one.
    pub connection_id: bool,
    /// Whether to offer to show, when an address has changed, that the new one is ours (RFC 9853);
    /// only with Connection IDs.
    pub return_routability_check: bool,
    /// max_fragment_length to ask for: 1 to 4 for 512, 1024, 2048, 4096 bytes (RFC 6066).
    pub max_fragment_length: Option<u8>,
    /// The longest plaintext that we take in a record (RFC 8449).
    pub record_size_limit: Option<u16>,
    /// Whether a server without extended master secret is refused.
    pub require_extended_master_secret: bool,
    /// Whether to ask for a session ticket.
    pub tickets: bool,
    /// Whether to speak TLS 1.3 on streams and nothing older, with a certificate or raw public key
    /// and the feature `tls13`. Else it is 1.2, which is what every server of LwM2M has.
    pub tls13: bool,
}

impl ClientProfile {
    /// The defaults for a mode.
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

    /// The suites that are offered.
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

/// The mode of a client session and its keys.
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
        /// The server's SubjectPublicKeyInfo, DER: only exactly this one is accepted.
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
    /// Which mode it is.
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

/// A mode of security.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Pre-shared key.
    Psk,
    /// Raw public keys.
    RawPublicKey,
    /// X.509 certificates.
    Certificate,
}
