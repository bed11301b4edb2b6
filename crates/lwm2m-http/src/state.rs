//! What the routes share: the server, the limits, the event streams.

use crate::access::{Access, Secret};
use crate::bootstrap::Bootstrap;
use crate::bulk::Bulks;
use crate::credentials_file::CredentialsFile;
use crate::error::ApiError;
use crate::events::{Hub, Limits};
use crate::group_commit::GroupCommit;
use crate::metrics::Requests;
use crate::models::Models;
use crate::outputs::Outputs;
use crate::routes;
use lwm2m_link::Record;
use lwm2m_net::directory::Listed;
use lwm2m_net::{Closed, ServerHandle};
use lwm2m_objects::{DeviceModel, ObjectDefinition, Registry};
use lwm2m_server::Registration;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit, oneshot};
use tokio::task::JoinSet;

/// The limits of the API. Start from [`ApiConfig::default`] and change what differs:
/// `ApiConfig::default().with_max_subscribers(16)`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ApiConfig {
    /// The largest body of a request in bytes. Default: 1 MiB.
    pub body_limit: usize,
    /// How long a device may take to answer if the request does not say. Default: 5 s.
    pub timeout: Duration,
    /// The longest `timeout` that a request can ask for; longer ones are cut to it. Default: 300 s.
    pub max_timeout: Duration,
    /// How many event streams may be open at a time. Default: 256.
    pub max_subscribers: usize,
    /// How many events an event stream may be behind before it misses the oldest. All streams share
    /// the memory of events that they wait for. Default: 16,384.
    pub max_unread_events: usize,
    /// How many bytes an event stream may be behind before it misses the oldest events.
    /// Default: 8 MiB.
    pub max_unread_bytes: usize,
    /// How far back the history of a resource is told. Default: 30 days.
    pub history_for: Duration,
    /// The host names, without ports, that the server answers to besides IP addresses and
    /// `localhost`. Others get 403, because anyone can make a name resolve to this server.
    /// Default: none.
    pub hosts: Vec<String>,
    /// Where credentials that come by the API are kept; without it, a restart loses them.
    /// Default: none.
    pub credentials_file: Option<CredentialsFile>,
    /// Who may use the API. Without it, everybody who reaches the API may do everything.
    /// Default: none.
    pub access: Option<Access>,
    /// The object definitions of the operator. The server has to begin with their
    /// [registry](Models::registry). Default: none.
    pub models: Models,
    /// The bulk operations of before. Default: none.
    pub bulks: Bulks,
    /// The bootstrap server. Default: none.
    pub bootstrap: Option<Bootstrap>,
    /// The endpoints whose credentials the API may not change, because they come from elsewhere.
    /// Default: none.
    pub fixed_credentials: BTreeSet<String>,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            body_limit: 1 << 20,
            timeout: Duration::from_secs(5),
            max_timeout: Duration::from_secs(300),
            max_subscribers: 256,
            max_unread_events: 16_384,
            max_unread_bytes: 8 << 20,
            history_for: Duration::from_secs(30 * 86_400),
            hosts: Vec::new(),
            credentials_file: None,
            access: None,
            models: Models::default(),
            bulks: Bulks::default(),
            bootstrap: None,
            fixed_credentials: BTreeSet::new(),
        }
    }
}

impl ApiConfig {
    /// Sets [`Self::body_limit`].
    #[must_use]
    pub fn with_body_limit(self, bytes: usize) -> Self {
        Self { body_limit: bytes, ..self }
    }

    /// Sets [`Self::timeout`] and [`Self::max_timeout`].
    #[must_use]
    pub fn with_timeouts(self, timeout: Duration, max_timeout: Duration) -> Self {
        Self { timeout, max_timeout, ..self }
    }

    /// Sets [`Self::max_subscribers`].
    #[must_use]
    pub fn with_max_subscribers(self, streams: usize) -> Self {
        Self { max_subscribers: streams, ..self }
    }

    /// Sets [`Self::max_unread_events`].
    #[must_use]
    pub fn with_max_unread_events(self, events: usize) -> Self {
        Self { max_unread_events: events, ..self }
    }

    /// Sets [`Self::max_unread_bytes`].
    #[must_use]
    pub fn with_max_unread_bytes(self, bytes: usize) -> Self {
        Self { max_unread_bytes: bytes, ..self }
    }

    /// Sets [`Self::history_for`].
    #[must_use]
    pub fn with_history_for(self, span: Duration) -> Self {
        Self { history_for: span, ..self }
    }

    /// Adds names to [`Self::hosts`].
    #[must_use]
    pub fn with_hosts(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.hosts.extend(names);
        self
    }

    /// Sets [`Self::credentials_file`].
    #[must_use]
    pub fn with_credentials_file(self, file: CredentialsFile) -> Self {
        Self { credentials_file: Some(file), ..self }
    }

    /// Sets [`Self::access`].
    #[must_use]
    pub fn with_access(self, access: Access) -> Self {
        Self { access: Some(access), ..self }
    }

    /// Sets [`Self::bootstrap`].
    #[must_use]
    pub fn with_bootstrap(self, bootstrap: Option<Bootstrap>) -> Self {
        Self { bootstrap, ..self }
    }

    /// Sets [`Self::bulks`].
    #[must_use]
    pub fn with_bulks(self, bulks: Bulks) -> Self {
        Self { bulks, ..self }
    }

    /// Sets [`Self::models`].
    #[must_use]
    pub fn with_models(self, models: Models) -> Self {
        Self { models, ..self }
    }

    /// Sets [`Self::fixed_credentials`].
    #[must_use]
    pub fn with_fixed_credentials(self, endpoints: BTreeSet<String>) -> Self {
        Self { fixed_credentials: endpoints, ..self }
    }
}

/// The server and the limits that a [`router`](crate::router) works with; cheap to clone.
#[derive(Clone, Debug)]
pub struct ApiState(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    server: ServerHandle,
    config: ApiConfig,
    hub: Hub,
    /// Permits for event streams.
    streams: Arc<Semaphore>,
    /// The permit to write a page of a list.
    pages: Semaphore,
    credentials: GroupCommit,
    requests: Requests,
    outputs: Outputs,
    /// What goes on besides requests.
    tasks: Mutex<JoinSet<()>>,
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
        let limits = Limits { events: config.max_unread_events, bytes: config.max_unread_bytes };
        let streams = config.max_subscribers.min(Semaphore::MAX_PERMITS);
        Self(Arc::new(Shared {
            hub: Hub::new(server.clone(), limits),
            server,
            config,
            streams: Arc::new(Semaphore::new(streams)),
            pages: Semaphore::new(1),
            credentials: GroupCommit::default(),
            tasks: Mutex::default(),
            outputs: Outputs::default(),
            requests: Requests::default(),
        }))
    }

    pub(crate) fn server(&self) -> &ServerHandle {
        &self.0.server
    }

    pub(crate) fn config(&self) -> &ApiConfig {
        &self.0.config
    }

    pub(crate) fn hub(&self) -> &Hub {
        &self.0.hub
    }

    /// Waits for the permit to write a page of a list. Lists take turns in the order in which they
    /// ask, so that many of them take no more of the processor than one.
    pub(crate) async fn begin_page(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed.
        self.0.pages.acquire().await.ok()
    }

    /// Refuses if the credentials of `endpoint` are fixed.
    pub(crate) fn may_change_credentials(&self, endpoint: &str) -> Result<(), ApiError> {
        match self.0.config.fixed_credentials.contains(endpoint) {
            true => Err(ApiError::FixedCredentials(endpoint.to_owned())),
            false => Ok(()),
        }
    }

    /// The changes of credentials on their way to the file.
    pub(crate) fn credentials_changes(&self) -> &GroupCommit {
        &self.0.credentials
    }

    /// The device that registered as `endpoint`.
    pub(crate) fn device(&self, endpoint: &str) -> Result<KnownDevice, ApiError> {
        let listed = self.0.server.directory().get(endpoint);
        let Listed { registration, is_asleep } =
            listed.ok_or_else(|| ApiError::UnknownEndpoint(endpoint.to_owned()))?;
        Ok(KnownDevice { registration, is_asleep, registry: self.0.server.registry() })
    }

    /// Keeps records of the API. Without a store they last as long as the server. They are on their way
    /// when this returns; what it returns tells when they are durable.
    pub(crate) fn keep(
        &self,
        records: Vec<Record>,
    ) -> impl Future<Output = Result<(), ApiError>> + Send + use<> {
        let (handle, is_empty) = (self.server().clone(), records.is_empty());
        let (sender, promised) = oneshot::channel();
        self.server().post(move |server, _| {
            // What is taken away is, also where that cannot be promised at present.
            let removes = records.iter().all(|record| record.value.is_none());
            let can = removes || server.can_promise();
            let _ = sender.send(can.then(|| server.keep_for_application(records)));
        });
        async move {
            if is_empty {
                return Ok(());
            }
            let promised = promised.await.map_err(|_| Closed)?;
            let promised =
                promised.ok_or_else(|| ApiError::NotKept("the store has failed".to_owned()))?;
            let written = handle.written(promised).await;
            written.map_err(|error| ApiError::NotKept(error.to_string()))
        }
    }

    /// Waits until all is durable that has been promised so far; at once without a store.
    pub(crate) async fn settled(&self) -> Result<(), ApiError> {
        let promised = self.server().with(|server, _| server.promised()).await?;
        let written = self.server().written(promised).await;
        written.map_err(|error| ApiError::NotKept(error.to_string()))
    }

    /// Keeps records that nobody waits for; the last second of them may be lost.
    pub(crate) fn note(&self, records: Vec<Record>) {
        self.server().post(move |server, _| server.note_for_application(records));
    }

    /// The time in milliseconds since 1970.
    pub(crate) fn milliseconds(&self) -> u64 {
        let clock = self.server().clock();
        crate::json::milliseconds(clock, clock.now())
    }

    /// Makes the first token, for an admin, and a link that opens the page once within an hour; `None`
    /// where somebody can use the API already, or nobody has to prove anything.
    ///
    /// # Errors
    /// They cannot be kept, or the operating system has no randomness.
    pub async fn begin_access(&self) -> Result<Option<FirstAccess>, BeginError> {
        if self.config().access.as_ref().is_none_or(|access| !access.is_empty()) {
            return Ok(None);
        }
        let first = routes::first(self).await.map_err(|error| BeginError(error.to_string()))?;
        let (token, link) = first;
        Ok(Some(FirstAccess { token, link }))
    }

    /// Starts a task that goes on until [`end`](Self::end), whatever requests come.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks();
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }

    /// Ends all tasks, where they wait next. Without this they keep the server from ending, for each of them
    /// has a handle of it.
    pub async fn end(&self) {
        let mut tasks = std::mem::take(&mut *self.tasks());
        tasks.shutdown().await;
    }

    fn tasks(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes on with the bulk operations that have yet to go through the fleet. Call it once, in a runtime.
    pub fn resume_bulks(&self) {
        for id in self.config().bulks.running() {
            self.spawn(routes::run_bulk(self.clone(), id));
        }
    }

    /// Has the definitions of files in place of those that the files had before. They hold from now on,
    /// also for devices that are registered.
    ///
    /// # Errors
    /// The server has been shut down.
    pub async fn set_model_files(&self, files: Vec<ObjectDefinition>) -> Result<(), Closed> {
        let models = &self.config().models;
        let _turn = models.begin_change().await;
        models.set_files(files);
        self.server().set_registry(models.registry()).await
    }

    /// The requests that were answered so far.
    pub(crate) fn requests(&self) -> &Requests {
        &self.0.requests
    }

    /// The outputs of events.
    pub(crate) fn outputs(&self) -> &Outputs {
        &self.0.outputs
    }

    /// How many event streams are open.
    pub(crate) fn open_streams(&self) -> usize {
        self.0.config.max_subscribers.saturating_sub(self.0.streams.available_permits())
    }

    /// A permit for an event stream, given back when it is dropped; `None` if all are taken.
    pub(crate) fn permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0.streams).try_acquire_owned().ok()
    }
}

/// What the first admin gets.
#[derive(Debug)]
pub struct FirstAccess {
    /// For programs, and to log in to the page.
    pub token: Secret,
    /// For the address of the page: `/#link=` and its text.
    pub link: Secret,
}

/// Why there is no first token.
#[derive(Debug, thiserror::Error)]
#[error("cannot make the first token of the HTTP API: {0}")]
pub struct BeginError(String);

/// A registered device, with the object definitions that its model is taken from.
#[derive(Debug)]
pub(crate) struct KnownDevice {
    pub(crate) registration: Arc<Registration>,
    /// Whether it is in queue mode and sleeps.
    pub(crate) is_asleep: bool,
    registry: Arc<Registry>,
}

impl KnownDevice {
    /// The definitions that hold for the device.
    pub(crate) fn model(&self) -> DeviceModel<'_> {
        self.registration.model(&self.registry)
    }
}
