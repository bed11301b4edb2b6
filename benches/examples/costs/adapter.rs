//! The engines as the scenarios see them: all that depends on the shape of their interface.

use bytes::Bytes;
use lwm2m_core::Path;
use lwm2m_credentials::{Credential, SecurityStore};
use lwm2m_dtls::crypto::AwsLc;
use lwm2m_dtls::{
    CidRoute, ClientProfile, ClientSecurity, Endpoint, Event, RoutingCids, SessionId,
};
use lwm2m_link::{Engine, Input, Output};
use lwm2m_server::{Config, Operation};
use lwm2m_time::Instant;
use std::net::SocketAddr;
use std::sync::Arc;
use zeroize::Zeroizing;

const KEY: &[u8] = b"0123456789abcdef";
/// The bytes of a Connection ID of the server.
const CID_LENGTH: u8 = 6;

/// The pre-shared keys of all devices; the identity is the endpoint name.
pub(crate) struct Keys(Arc<SecurityStore>);

impl Keys {
    pub(crate) fn new(endpoints: impl Iterator<Item = String>) -> Self {
        let store = SecurityStore::default();
        for endpoint in endpoints {
            let key = Credential::psk(endpoint.as_bytes(), KEY).expect("a key of 16 bytes");
            store.put(&endpoint, key).expect("a new endpoint");
        }
        Self(Arc::new(store))
    }
}

/// The server engine.
pub(crate) struct Server(lwm2m_server::Server);

impl Server {
    pub(crate) fn new(keys: Option<&Keys>) -> Self {
        let mut config = Config::default();
        if let Some(Keys(store)) = keys {
            config.security = Arc::clone(store);
            config.dtls = Some(dtls());
        }
        Self(lwm2m_server::Server::new(config, [7; 32]))
    }

    /// Handles a datagram, and timers that are due as a driver does.
    pub(crate) fn datagram(&mut self, now: Instant, from: SocketAddr, secured: bool, bytes: &[u8]) {
        self.pass_time(now);
        self.0.handle(now, Input::Datagram { from, secured, bytes });
    }

    pub(crate) fn pass_time(&mut self, now: Instant) {
        if self.0.poll_timeout().is_some_and(|due| due <= now) {
            self.0.handle(now, Input::Timeout);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.0.poll_timeout()
    }

    /// Passes on what is to be sent, and drops the events.
    pub(crate) fn poll(&mut self, mut send: impl FnMut(SocketAddr, Bytes)) {
        while let Some(output) = self.0.poll() {
            if let Output::Transmit(transmit) = output {
                send(transmit.to, transmit.payload);
            }
        }
    }

    pub(crate) fn read(&mut self, now: Instant, endpoint: &str, path: Path) {
        let read = Operation::Read { path, format: None };
        self.0.submit(now, endpoint, read).expect("a legal operation");
    }

    pub(crate) fn observe(&mut self, now: Instant, endpoint: &str, path: Path) {
        let observe = Operation::Observe { path, format: None };
        self.0.submit(now, endpoint, observe).expect("a legal operation");
    }

    pub(crate) fn registrations(&self) -> usize {
        self.0.registrations().count()
    }

    pub(crate) fn observations(&self, endpoint: &str) -> usize {
        self.0.observations(endpoint).count()
    }
}

fn dtls() -> lwm2m_dtls::Config {
    let mut config = lwm2m_dtls::Config::default();
    config.provider = Arc::new(AwsLc);
    config.connection_ids = Some(Arc::new(RoutingCids::new(CidRoute::default(), CID_LENGTH)));
    config
}

/// One end of a DTLS session.
pub(crate) struct Session {
    endpoint: Endpoint,
    session: Option<SessionId>,
}

impl Session {
    /// The end of a client with Connection ID, which begins its handshake.
    pub(crate) fn connect(now: Instant, seed: [u8; 32], server: SocketAddr, name: &str) -> Self {
        let mut endpoint = Endpoint::new(lwm2m_dtls::Config::default(), seed);
        let key = Zeroizing::new(KEY.to_vec());
        let profile = ClientProfile::new(ClientSecurity::Psk {
            identity: Bytes::copy_from_slice(name.as_bytes()),
            key,
        });
        let session = endpoint.connect(now, server, Arc::new(profile)).expect("a valid profile");
        Self { endpoint, session: Some(session) }
    }

    /// The end of a server that nobody has connected to yet.
    pub(crate) fn accept(keys: &Keys) -> Self {
        let endpoint = Endpoint::new(keys.0.secure(&dtls()), [3; 32]);
        Self { endpoint, session: None }
    }

    /// Returns the plaintext of a datagram, if it has any; `true` if it establishes the session.
    pub(crate) fn read(
        &mut self,
        now: Instant,
        from: SocketAddr,
        bytes: &[u8],
    ) -> (Vec<Bytes>, bool) {
        self.endpoint.handle_datagram(now, from, bytes);
        let (mut plaintext, mut connected) = (Vec::new(), false);
        while let Some(event) = self.endpoint.poll_event() {
            match event {
                Event::Data { data, .. } => plaintext.push(data),
                Event::Connected { session, .. } => {
                    self.session = Some(session);
                    connected = true;
                }
                other => panic!("the session ended: {other:?}"),
            }
        }
        (plaintext, connected)
    }

    pub(crate) fn write(&mut self, now: Instant, plaintext: &[u8]) {
        let session = self.session.expect("a session");
        self.endpoint.send(now, session, plaintext).expect("an established session");
    }

    pub(crate) fn poll(&mut self) -> Option<Bytes> {
        self.endpoint.poll_transmit().map(|transmit| transmit.payload)
    }
}
