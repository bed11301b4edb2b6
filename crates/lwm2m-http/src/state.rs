//! What the routes share: the server, the limits, the seats of event streams.

use crate::credentials_file::CredentialsFile;
use crate::error::ApiError;
use lwm2m_net::ServerHandle;
use lwm2m_objects::{DeviceModel, Registry};
use lwm2m_server::{Registration, Server};
use lwm2m_time::Instant;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

/// The limits of the API.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ApiConfig {
    /// The largest body of a request in bytes; 1 MiB.
    pub body_limit: usize,
    /// How long a device may take to answer where the request does not say; 5 s.
    pub timeout: Duration,
    /// The longest `timeout` that a request can ask for; longer ones are cut to it; 300 s.
    pub max_timeout: Duration,
    /// How many event streams may be open at a time; 256.
    pub max_subscribers: usize,
    /// The host names, without ports, that the server answers to besides IP addresses and
    /// `localhost`; none. Others get 403, because anybody can make a name resolve to this server.
    pub hosts: Vec<String>,
    /// Where credentials that come by the API are kept; with none, a restart loses them.
    pub credentials_file: Option<CredentialsFile>,
    /// The endpoints whose credentials the API may not change, because they come from elsewhere.
    pub fixed_credentials: BTreeSet<String>,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            body_limit: 1 << 20,
            timeout: Duration::from_secs(5),
            max_timeout: Duration::from_secs(300),
            max_subscribers: 256,
            hosts: Vec::new(),
            credentials_file: None,
            fixed_credentials: BTreeSet::new(),
        }
    }
}

/// The server and the limits that a [`router`](crate::router) works with; cheap to clone.
#[derive(Clone, Debug)]
pub struct ApiState {
    server: ServerHandle,
    config: Arc<ApiConfig>,
    seats: Arc<Semaphore>,
    credentials: Arc<Mutex<()>>,
}

impl ApiState {
    /// An API on `server` with the default limits.
    #[must_use]
    pub fn new(server: ServerHandle) -> Self {
        Self::with_config(server, ApiConfig::default())
    }

    /// An API on `server` with limits of your own.
    #[must_use]
    pub fn with_config(server: ServerHandle, config: ApiConfig) -> Self {
        let seats = Arc::new(Semaphore::new(config.max_subscribers.min(Semaphore::MAX_PERMITS)));
        Self { server, config: Arc::new(config), seats, credentials: Arc::default() }
    }

    pub(crate) const fn server(&self) -> &ServerHandle {
        &self.server
    }

    pub(crate) fn config(&self) -> &ApiConfig {
        &self.config
    }

    /// Waits for the turn to change the credentials of `endpoint`, so that changes reach the file
    /// in their order; refuses if they are fixed.
    pub(crate) async fn begin_credentials_change(
        &self,
        endpoint: &str,
    ) -> Result<OwnedMutexGuard<()>, ApiError> {
        match self.config.fixed_credentials.contains(endpoint) {
            true => Err(ApiError::FixedCredentials(endpoint.to_owned())),
            false => Ok(Arc::clone(&self.credentials).lock_owned().await),
        }
    }

    /// What is known of the device `endpoint`.
    pub(crate) async fn known(&self, endpoint: &str) -> Result<Known, ApiError> {
        let name = endpoint.to_owned();
        let find = move |server: &mut Server, _: Instant| {
            let registration = Arc::clone(server.registration(&name)?);
            Some(Known { registration, registry: Arc::clone(server.registry()) })
        };
        let known = self.server.with(find).await?;
        known.ok_or_else(|| ApiError::UnknownEndpoint(endpoint.to_owned()))
    }

    /// A permit for an event stream, given back when it is dropped; `None` if all are taken.
    pub(crate) fn permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.seats).try_acquire_owned().ok()
    }
}

/// A device, and the definitions among which those of its objects are.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) registration: Arc<Registration>,
    registry: Arc<Registry>,
}

impl Known {
    /// The definitions that hold for the device.
    pub(crate) fn model(&self) -> DeviceModel<'_> {
        self.registration.model(&self.registry)
    }
}
