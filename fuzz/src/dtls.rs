//! A DTLS client and server with pre-shared or raw public keys, and an attacker between them.

use lwm2m_dtls::certificate::subject_public_key_info;
use lwm2m_dtls::crypto::{Provider, RustCrypto, SigningKey};
use lwm2m_dtls::{
    Backend, CipherSuite, ClientProfile, ClientSecurity, Config, ConnectionIds, Credentials,
    Endpoint, Event,
};
use lwm2m_time::Instant;
use std::net::SocketAddr;
use std::sync::Arc;
use zeroize::Zeroizing;

const KEY: &[u8] = b"0123456789abcdef";
/// What the client sends once it is connected: the only thing that the server may ever deliver.
pub const SECRET: &[u8] = b"only from the client";

struct Keys {
    raw: Option<Arc<dyn SigningKey>>,
}

impl Credentials for Keys {
    fn uses_psk(&self) -> bool {
        true
    }
    fn psk(&self, identity: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        (identity == b"device").then(|| Zeroizing::new(KEY.to_vec()))
    }
    fn raw_key(&self) -> Option<Arc<dyn SigningKey>> {
        self.raw.clone()
    }
    fn trusts_raw_key(&self, spki: &[u8]) -> bool {
        self.raw.as_ref().is_some_and(|key| spki == subject_public_key_info(&key.public_key()))
    }
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

/// A handshake about to begin; the first byte of a script chooses its kind.
pub struct Wire {
    /// Sends [`Event::Connected`] or fails.
    pub client: Endpoint,
    /// Accepts.
    pub server: Endpoint,
    now: Instant,
}

impl Wire {
    /// Client and server, the first hello waiting.
    pub fn new(kind: u8) -> Self {
        let (mut client, server, profile) = configured(kind);
        let now = Instant::from_millis(1);
        client.connect(now, address(true), Arc::new(profile)).expect("a profile");
        Self { client, server, now }
    }

    /// The next datagram under way, and whether it is from the client.
    pub fn take(&mut self) -> Option<(bool, Vec<u8>)> {
        let sent = self.client.poll_transmit().map(|sent| (true, sent));
        let (up, sent) = sent.or_else(|| self.server.poll_transmit().map(|sent| (false, sent)))?;
        Some((up, sent.payload.to_vec()))
    }

    /// Delivers a datagram and looks at the events.
    pub fn deliver(&mut self, up: bool, datagram: &[u8]) {
        self.deliver_from(address(!up), up, datagram);
    }

    /// Delivers a datagram as if it came from another address.
    pub fn deliver_from_elsewhere(&mut self, up: bool, datagram: &[u8]) {
        self.deliver_from(SocketAddr::from(([127, 0, 0, 2], 2000)), up, datagram);
    }

    fn deliver_from(&mut self, from: SocketAddr, up: bool, datagram: &[u8]) {
        let endpoint = if up { &mut self.server } else { &mut self.client };
        endpoint.handle_datagram(self.now, from, datagram);
        self.look();
    }

    fn look(&mut self) {
        while let Some(event) = self.client.poll_event() {
            match event {
                Event::Connected { session, .. } => {
                    // It may have been closed by what came next in the datagram.
                    let _ = self.client.send(self.now, session, SECRET);
                }
                Event::Data { .. } => panic!("data that nobody sent"),
                _ => {}
            }
        }
        while let Some(event) = self.server.poll_event() {
            if let Event::Data { data, .. } = event {
                assert_eq!(data, SECRET);
            }
        }
    }

    /// Carries what is under way until all is quiet, then lets all timers run out.
    pub fn run_out(&mut self) {
        for _ in 0..1_000 {
            while let Some((up, datagram)) = self.take() {
                self.deliver(up, &datagram);
            }
            let due = [self.client.poll_timeout(), self.server.poll_timeout()];
            let Some(due) = due.into_iter().flatten().min() else { return };
            self.now = due;
            self.client.handle_timeout(due);
            self.server.handle_timeout(due);
            self.look();
        }
        panic!("it never ends");
    }
}

/// A client, a server and how they connect: bit 0 is for Connection IDs, 1 and 2 choose the mode. With
/// the feature `mbedtls`, and a mode that this backend has, bits 3 and 4 choose it for client and server.
pub fn configured(kind: u8) -> (Endpoint, Endpoint, ClientProfile) {
    let (client, server, profile) = configs(kind);
    (Endpoint::new(client, [1; 32]), Endpoint::new(server, [2; 32]), profile)
}

/// The configurations of [`configured`].
pub fn configs(kind: u8) -> (Config, Config, ClientProfile) {
    let key = RustCrypto
        .signing_key(include_bytes!("../../crates/lwm2m-dtls/tests/data/server.key.der"))
        .expect("a key");
    let raw = kind & 6 == 6;
    let by = |bit| if raw { Backend::Native } else { backend(kind & bit != 0) };
    let ids = kind & 1 != 0 && by(8).has_connection_ids() && by(16).has_connection_ids();
    let mut config = Config::default();
    config.connection_ids = ids.then(|| Arc::new(FourBytes) as _);
    config.backend = by(8);
    let client = config.clone();
    config.backend = by(16);
    config.credentials =
        Some(Arc::new(Keys { raw: by(16).has_raw_public_keys().then(|| key.clone()) }));
    let security = if raw {
        let server = subject_public_key_info(&key.public_key()).into();
        ClientSecurity::RawPublicKey { key, server }
    } else {
        ClientSecurity::Psk { identity: "device".into(), key: Zeroizing::new(KEY.to_vec()) }
    };
    let mut profile = ClientProfile::new(security);
    if kind & 6 == 2 {
        profile.suites = vec![CipherSuite::PSK_WITH_AES_128_CBC_SHA256];
    }
    (client, config, profile)
}

#[cfg(feature = "mbedtls")]
pub(crate) fn backend(other: bool) -> Backend {
    if other { Backend::MbedTls } else { Backend::Native }
}

#[cfg(not(feature = "mbedtls"))]
pub(crate) fn backend(_: bool) -> Backend {
    Backend::Native
}

/// The address of either side.
pub fn address(server: bool) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], if server { 5684 } else { 1000 }))
}

/// Carries so many datagrams, then gives the rest of the script to one side: datagrams with a
/// length of one byte before each.
pub fn feed(script: &[u8], to_server: bool) {
    let Some((&[kind, genuine], mut rest)) = script.split_first_chunk() else { return };
    let mut wire = Wire::new(kind);
    for _ in 0..genuine % 8 {
        if let Some((up, datagram)) = wire.take() {
            wire.deliver(up, &datagram);
        }
    }
    while let Some((&length, after)) = rest.split_first() {
        let (datagram, after) = after.split_at(after.len().min(length.into()));
        wire.deliver(to_server, datagram);
        rest = after;
    }
    wire.run_out();
}
