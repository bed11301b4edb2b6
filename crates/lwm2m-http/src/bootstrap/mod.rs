//! A bootstrap server behind the API: what it tells each device, the credentials that devices come
//! with, and how bootstraps went.
//!
//! What is configured is kept by the store of the LwM2M server, in the dialect's JSON.

mod history;

pub(crate) use self::history::Attempt;

use self::history::History;
use crate::json::bootstrap::read_configuration;
use crate::json::security::{read_client, write_client};
use bytes::Bytes;
use lwm2m_bootstrap::{BootstrapServer, Config, Event};
use lwm2m_credentials::{Credential, SecurityStore};
use lwm2m_link::{Record, Table};
use lwm2m_net::{Closed, Handle, Sink, Sockets, WithSink};
use lwm2m_time::Instant;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// What devices are told, by their endpoint names.
pub const BOOTSTRAP: Table = Table(136);
/// The credentials that devices come with, by their endpoint names.
pub const BOOTSTRAP_CREDENTIALS: Table = Table(137);

/// How many devices have a configuration at most, and credentials.
pub(crate) const MAX_DEVICES: usize = 100_000;
/// The most bytes of a configuration.
pub(crate) const MAX_CONFIGURATION: usize = 16 << 10;
/// The most bytes of all configurations: 640 for each device.
const MAX_BYTES: usize = 64 << 20;

type Driven = Handle<WithSink<BootstrapServer, Events>>;

/// A bootstrap server; cheap to clone.
#[derive(Clone)]
pub struct Bootstrap(Arc<Shared>);

struct Shared {
    security: Arc<SecurityStore>,
    configurations: Mutex<Configurations>,
    history: Arc<Mutex<History>>,
    server: OnceLock<Driven>,
    changing: tokio::sync::Mutex<()>,
}

/// What devices are told, as JSON.
#[derive(Default)]
struct Configurations {
    by_name: BTreeMap<String, Bytes>,
    /// The bytes of all.
    bytes: usize,
}

impl Configurations {
    fn set(&mut self, endpoint: &str, json: Option<Bytes>) {
        self.bytes += json.as_ref().map_or(0, Bytes::len);
        let before = match json {
            Some(json) => self.by_name.insert(endpoint.to_owned(), json),
            None => self.by_name.remove(endpoint),
        };
        self.bytes -= before.map_or(0, |it| it.len());
    }
}

impl fmt::Debug for Bootstrap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bootstrap")
            .field("devices", &self.configurations().by_name.len())
            .finish_non_exhaustive()
    }
}

/// Where the events of the engine go.
#[derive(Debug)]
pub(crate) struct Events {
    history: Arc<Mutex<History>>,
    log: fn(&Event),
}

impl Sink<BootstrapServer> for Events {
    fn take(&mut self, _: Instant, _: &mut BootstrapServer, event: Event) {
        (self.log)(&event);
        self.history.lock().unwrap_or_else(PoisonError::into_inner).take(&event);
    }
}

impl Bootstrap {
    /// A bootstrap server that is not started yet, with its own credentials.
    #[must_use]
    pub fn new(security: Arc<SecurityStore>) -> Self {
        Self(Arc::new(Shared {
            security,
            configurations: Mutex::default(),
            history: Arc::default(),
            server: OnceLock::new(),
            changing: tokio::sync::Mutex::default(),
        }))
    }

    /// Restores a record. Returns `false` if it cannot be read.
    pub fn take(&self, table: Table, key: &[u8], value: &[u8]) -> bool {
        let name = std::str::from_utf8(key).ok();
        let json = serde_json::from_slice::<Json>(value).ok();
        let (Some(name), Some(json)) = (name, json) else { return false };
        match table {
            BOOTSTRAP => {
                let is_good = read_configuration(&json).is_ok();
                if is_good {
                    self.configurations().set(name, Some(Bytes::copy_from_slice(value)));
                }
                is_good
            }
            BOOTSTRAP_CREDENTIALS => match read_client(&json) {
                Ok((endpoint, credential)) if endpoint == name => {
                    self.0.security.put(name, credential).is_ok()
                }
                _ => false,
            },
            _ => false,
        }
    }

    /// Starts it on these sockets and a thread of its own, with a log of its events. The credentials in
    /// `config` are replaced by its own.
    ///
    /// # Errors
    /// A socket cannot be bound.
    pub async fn start(
        &self,
        sockets: Sockets,
        config: Config,
        seed: [u8; 32],
        log: fn(&Event),
    ) -> io::Result<()> {
        let config = Config { security: Arc::clone(&self.0.security), ..config };
        let mut engine = BootstrapServer::new(config, seed);
        for (endpoint, json) in &self.configurations().by_name {
            let json = serde_json::from_slice::<Json>(json).unwrap_or_default();
            // It was read before.
            if let Ok(commands) = read_configuration(&json) {
                engine.configure(endpoint.as_str(), commands);
            }
        }
        let events = Events { history: Arc::clone(&self.0.history), log };
        let engine = WithSink::new(engine, events);
        let handle = Handle::bind_on_thread("lwm2m-bootstrap", sockets, engine, None).await?;
        self.0.server.set(handle).map_err(|_| io::Error::other("it was started before"))
    }

    /// Where it listens; nowhere before it is started.
    #[must_use]
    pub fn local(&self) -> Option<lwm2m_net::Addresses> {
        self.0.server.get().map(|server| *server.local())
    }

    /// The endpoint names that have a configuration, in their order.
    #[must_use]
    pub fn configured_devices(&self) -> Vec<String> {
        self.configurations().by_name.keys().cloned().collect()
    }

    /// The credentials that devices come with.
    #[must_use]
    pub fn security(&self) -> &Arc<SecurityStore> {
        &self.0.security
    }

    /// What a device is told.
    pub(crate) fn configuration(&self, endpoint: &str) -> Option<Json> {
        let json = self.configurations().by_name.get(endpoint).cloned()?;
        serde_json::from_slice(&json).ok()
    }

    /// The endpoint names after one that have a configuration, at most so many.
    pub(crate) fn names_after(&self, last: Option<&str>, limit: usize) -> Vec<String> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = last.map_or(Unbounded, Excluded);
        let configurations = self.configurations();
        configurations
            .by_name
            .range::<str, _>((from, Unbounded))
            .take(limit)
            .map(|(it, _)| it.clone())
            .collect()
    }

    pub(crate) fn attempts(&self, endpoint: &str) -> Vec<Attempt> {
        self.0.history.lock().unwrap_or_else(PoisonError::into_inner).of(endpoint)
    }

    /// Whether a configuration of so many bytes has room, in place of the one that the device has.
    pub(crate) fn has_room_for(&self, endpoint: &str, bytes: usize) -> bool {
        let configurations = self.configurations();
        let (devices, used) = (configurations.by_name.len(), configurations.bytes);
        match configurations.by_name.get(endpoint) {
            Some(own) => used - own.len() + bytes <= MAX_BYTES,
            None => devices < MAX_DEVICES && used + bytes <= MAX_BYTES,
        }
    }

    /// Sets what a device is told; `None`: nothing, so that it is refused.
    pub(crate) async fn set(&self, endpoint: &str, json: Option<Bytes>) -> Result<(), Closed> {
        let name = endpoint.to_owned();
        let parsed = json.as_deref().and_then(|it| serde_json::from_slice::<Json>(it).ok());
        let commands = parsed.and_then(|json| read_configuration(&json).ok());
        self.configurations().set(endpoint, json);
        self.engine(move |engine, _| match commands {
            Some(commands) => engine.configure(name, commands),
            None => _ = engine.remove(&name),
        })
        .await
    }

    /// Runs something on the engine, which has been started.
    pub(crate) async fn engine<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut BootstrapServer, Instant) -> T + Send + 'static,
    ) -> Result<T, Closed> {
        let server = self.0.server.get().ok_or(Closed)?;
        server.with(move |it, now| run(&mut it.engine, now)).await
    }

    /// The right to change what it has, of which there is one.
    pub(crate) async fn begin_change(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.0.changing.lock().await
    }

    fn configurations(&self) -> MutexGuard<'_, Configurations> {
        self.0.configurations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The record of what a device is told.
pub(crate) fn record(endpoint: &str, json: Option<Bytes>) -> Record {
    Record { table: BOOTSTRAP, key: Bytes::copy_from_slice(endpoint.as_bytes()), value: json }
}

/// The record of the credential of a device.
pub(crate) fn credential_record(endpoint: &str, credential: Option<&Credential>) -> Record {
    let value = credential.map(|it| Bytes::from(write_client(endpoint, it).to_string()));
    let key = Bytes::copy_from_slice(endpoint.as_bytes());
    Record { table: BOOTSTRAP_CREDENTIALS, key, value }
}
