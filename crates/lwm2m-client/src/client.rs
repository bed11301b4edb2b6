//! The client: objects, servers, and the loop that drives them.

use crate::account::{Account, RegistrationState, State};
use crate::bootstrap::Bootstrap;
use crate::config::{BootstrapAccount, Config, ServerAccount};
use crate::error::{ConfigError, ValueError};
use crate::event::Event;
use crate::objects::server::{self, Settings};
use crate::objects::{HIDDEN, Object, security, store::Store};
use crate::operations::attributes::AttributeTable;
use crate::reporting::Observation;
use crate::security::{KeyPair, Security, SecurityMode, Trust};
use crate::transport::Transport;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;
use lwm2m_coap::{self as coap, Admit, Observer, PeerId, RequestId};
use lwm2m_core::{ContentFormat, Path, Version};
use lwm2m_link::{Engine, Input, Link, LinkEvent, Output, Outputs, StreamAction};
use lwm2m_objects::Registry;
use lwm2m_time::{Instant, TimerTable};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use zeroize::Zeroizing;

/// A sans-IO LwM2M client. A driver calls it by the [`Engine`] trait, the application by the
/// methods below.
///
/// - life: [`start`](Client::start), [`shutdown`](Client::shutdown), [`rebind`](Client::rebind),
///   [`update_registration`](Client::update_registration)
/// - values: [`update`](Client::update), [`object`](Client::object), [`changed`](Client::changed),
///   [`send`](Client::send)
/// - state: [`registration_state`](Client::registration_state)
///
/// Requests are taken from servers alone, in the session of an account with keys or else from the
/// address, and only while the client is registered with that server. Others are dropped without an
/// answer, because OMA wants them ignored and an answer would tell a stranger that there is a
/// device. A session lasts until one side ends it or the server does not answer in it: the client
/// then makes a new one, by the keys of the old one where the server allows that. With several servers each of them has all
/// rights: the Access Control object (2) is not consulted.
pub struct Client {
    pub(crate) endpoint_name: String,
    pub(crate) link: Link,
    pub(crate) store: Store,
    pub(crate) accounts: Vec<Account>,
    pub(crate) attributes: AttributeTable,
    pub(crate) observations: BTreeMap<Observer, Observation>,
    /// The bootstrap server, if there is one.
    pub(crate) bootstrap: Option<Bootstrap>,
    /// What makes profiles of accounts.
    pub(crate) trust: Trust,
    /// What keys are made of.
    rng: ChaCha20Rng,
    /// The version to begin with.
    pub(crate) version: Version,
    pub(crate) declined_formats: Vec<ContentFormat>,
    pub(crate) timers: TimerTable<Timer>,
    pub(crate) events: Outputs<Event>,
    /// The Sends that are under way, with the server.
    pub(crate) sends: BTreeMap<RequestId, u16>,
    pub(crate) stopping: bool,
    /// Connections that are to end when nothing is pending on them any more.
    pub(crate) leaving: Vec<PeerId>,
    /// The time that CoAP may take for one request, which an Update has to leave.
    pub(crate) request_span: Duration,
    /// How long a bootstrap server may be silent.
    pub(crate) exchange_lifetime: Duration,
}

/// The deadlines of a client; accounts are numbered as in the configuration.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Timer {
    /// The next Register or Update, or the end of a Disable.
    Account(usize),
    /// The next Bootstrap-Request, or the end of the server's time for a command.
    Bootstrap,
    /// The account of the bootstrap server is purged.
    BootstrapAccount,
    /// A change may be notified now.
    Pmin(Observer),
    /// A notification is due without a change.
    Pmax(Observer),
    /// The value has to be looked at.
    Epmax(Observer),
}

/// The longest endpoint name in bytes: a Uri-Query option has 255 (RFC 7252 section 5.10).
const MAX_ENDPOINT_NAME: usize = 252;

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("endpoint_name", &self.endpoint_name).finish_non_exhaustive()
    }
}

impl Client {
    /// A client with the objects of the application; the objects 0 and 1 are made from the
    /// accounts. `seed` must be unpredictable outside of tests.
    ///
    /// # Errors
    /// The configuration or an object contradicts itself or the object definitions.
    pub fn new(
        config: Config,
        mut objects: Vec<Box<dyn Object>>,
        seed: [u8; 32],
    ) -> Result<Self, ConfigError> {
        check_name(&config.endpoint_name)?;
        check_accounts(&config.servers, config.bootstrap.as_ref())?;
        let own = |id: &u16| *id == server::ID || HIDDEN.contains(id);
        if let Some(id) = objects.iter().map(|object| object.id()).find(own) {
            return Err(ConfigError::ReservedObject(id));
        }
        let bootstraps = config.bootstrap.is_some();
        objects.push(Box::new(server::object(&config.servers, config.version, bootstraps)));
        if let Some(account) = &config.bootstrap {
            objects.push(Box::new(security::object(account, &config.servers)));
        }
        let trust = Trust {
            roots: config.roots,
            provider: config.dtls.provider.clone(),
            built_in: config.bootstrap.as_ref().and_then(|account| built_in(&account.security)),
            enrolled: None,
            authority: None,
        };
        let store = Store::new(objects, Registry::with(config.definitions), config.version)?;
        let (accounts, bootstrap) =
            secured(config.servers, config.bootstrap, config.version, &trust)?;
        check_transports(&accounts, bootstrap.as_ref(), config.version)?;
        let mut link = Link::new(config.coap, seed);
        link.set_connection_config(config.connections);
        if bootstraps || accounts.iter().any(|account| account.profile.is_some()) {
            // Another seed: what one tells the network must say nothing of the other.
            link.set_security(config.dtls);
        }
        Ok(Self {
            endpoint_name: config.endpoint_name,
            request_span: config.coap.transmission.max_transmit_wait(),
            exchange_lifetime: config.coap.transmission.exchange_lifetime,
            link,
            store,
            accounts,
            bootstrap,
            trust,
            rng: stream_for_keys(seed),
            version: config.version,
            declined_formats: config.declined_formats,
            attributes: AttributeTable::default(),
            observations: BTreeMap::new(),
            timers: TimerTable::new(),
            events: Outputs::default(),
            sends: BTreeMap::new(),
            stopping: false,
            leaving: Vec::new(),
        })
    }

    /// Fresh randomness for a key.
    pub(crate) fn random_bytes(&mut self) -> Zeroizing<[u8; 32]> {
        let mut bytes = Zeroizing::new([0; 32]);
        self.rng.fill_bytes(&mut *bytes);
        bytes
    }

    /// Begins to register with all servers, or to bootstrap if there are none.
    pub fn start(&mut self, now: Instant) {
        self.stopping = false;
        for account in 0..self.accounts.len() {
            self.register_afresh(now, account);
        }
        if self.accounts.iter().all(Account::is_retired) {
            self.begin_bootstrap(now);
        }
        self.drain(now);
    }

    /// De-registers from all servers; [`Event::Stopped`] tells when that is done, or given up.
    pub fn shutdown(&mut self, now: Instant) {
        self.stopping = true;
        self.abandon_bootstrap();
        for account in 0..self.accounts.len() {
            match self.accounts.get_mut(account).map(|account| &mut account.state) {
                // A server that is about to answer a Register knows this client: the answer tells
                // where to de-register.
                Some(State::Registering(_)) => {}
                Some(State::Deregistering(state)) => {
                    state.disabled = false;
                    self.timers.cancel(Timer::Account(account));
                }
                _ => self.deregister(now, account, None),
            }
        }
        self.drain(now);
        self.stop_if_done();
    }

    /// Says that the device has a new address: the client registers anew with all servers that it
    /// is registered with or was about to, as it must without security (OMA LwM2M Transport 6.4),
    /// and in new sessions. Where a session has a Connection ID,
    /// [`update_registration`](Client::update_registration) is enough.
    pub fn rebind(&mut self, now: Instant) {
        for account in 0..self.accounts.len() {
            let busy = self.accounts.get(account).is_some_and(|account| {
                !matches!(account.state, State::Idle | State::Disabled | State::Deregistering(_))
            });
            if busy {
                self.end_session(now, account);
                self.register_afresh(now, account);
            }
        }
        self.drain(now);
    }

    /// Sends an Update to a server now, if the client is registered there (OMA LwM2M Core 6.2.2).
    /// If the client had given the server up, it registers again.
    pub fn update_registration(&mut self, now: Instant, short_server_id: u16) {
        let place = self.place_of(short_server_id);
        if let Some(account) = place {
            let idle = self.accounts.get(account).is_some_and(|a| matches!(a.state, State::Idle));
            if idle && !self.stopping {
                self.register_afresh(now, account);
            } else {
                self.send_update(now, account);
            }
        }
        self.drain(now);
    }

    /// Runs `change` on an object of the application and reports what it changed: to servers that
    /// observe it by notifications (OMA LwM2M Core 6.4), to servers that have the values
    /// [sent](crate::ServerAccount::send_on_change) by Send, and to all servers by an Update if
    /// object instances have come or gone. Values that stay the same are not reported.
    ///
    /// ```no_run
    /// # use lwm2m_client::{Client, MemoryObject, ValueError};
    /// # fn measured(client: &mut Client, now: lwm2m_time::Instant) -> Result<(), ValueError> {
    /// client.update::<MemoryObject>(now, 3303, |sensor| sensor.set(0, 5700, 21.9))
    /// # }
    /// ```
    ///
    /// # Errors
    /// The error of `change`; what it has changed before is reported nevertheless. Also
    /// [`ValueError::NoObject`] if there is no object `id` of type `T`.
    pub fn update<T: Object>(
        &mut self,
        now: Instant,
        id: u16,
        change: impl FnOnce(&mut T) -> Result<(), ValueError>,
    ) -> Result<(), ValueError> {
        let instances = self.store.instance_ids(id);
        let before = self.values_to_send(id);
        let object = self.store.object_as_mut(id).ok_or(ValueError::NoObject(id))?;
        let outcome = change(object);
        if id == server::ID || self.store.instance_ids(id) != instances {
            self.synchronise(now);
        }
        self.report(now, &[Path::object(id)]);
        self.send_changes(now, before);
        self.drain(now);
        outcome
    }

    /// Tells the client that what lives at `path` has changed by itself: a value that an
    /// [`Object`] computes when it is read. After changes by [`update`](Client::update) or by a
    /// server there is nothing to tell.
    pub fn changed(&mut self, now: Instant, path: &Path) {
        if path.depth() <= 2 {
            self.synchronise(now);
        }
        self.report(now, &[*path]);
        self.drain(now);
    }

    /// An object as the type that it has; `None` if there is no such object or it is of another
    /// type. To change it, call [`update`](Client::update).
    #[must_use]
    pub fn object<T: Object>(&self, id: u16) -> Option<&T> {
        self.store.object_as(id)
    }

    /// How far the registration with a server has come; `None` for one that is not configured.
    #[must_use]
    pub fn registration_state(&self, short_server_id: u16) -> Option<RegistrationState> {
        let place = self.place_of(short_server_id)?;
        let timer = self.timers.at(Timer::Account(place)).unwrap_or_default();
        Some(match self.accounts.get(place)?.state {
            State::Idle => RegistrationState::Idle,
            State::Registering(_) => RegistrationState::Registering,
            State::Waiting => RegistrationState::Waiting(timer),
            State::Registered(_) => RegistrationState::Registered,
            State::Deregistering(_) => RegistrationState::Deregistering,
            State::Disabled => RegistrationState::Disabled(timer),
        })
    }

    /// The account of a server; none is called 0.
    pub(crate) fn place_of(&self, short_server_id: u16) -> Option<usize> {
        let is = |account: &Account| !account.is_retired() && account.server() == short_server_id;
        self.accounts.iter().position(is)
    }

    /// Handles what the link has to tell, and passes on what it has to send.
    pub(crate) fn drain(&mut self, now: Instant) {
        while let Some(event) = self.events.take_from(&mut self.link) {
            match event {
                LinkEvent::Security(event) => self.handle_security_event(now, event),
                LinkEvent::Coap(event) => self.handle_coap_event(now, event),
            }
        }
    }

    fn handle_coap_event(&mut self, now: Instant, event: coap::Event) {
        match event {
            coap::Event::Request { exchange, peer, request, token } => {
                let observer = Observer { peer, token };
                self.handle_request(now, exchange, observer, &request);
            }
            coap::Event::Response { id, response, .. } => {
                self.handle_answer(now, id, Ok(response));
            }
            coap::Event::Failed { id, reason, .. } => self.handle_answer(now, id, Err(reason)),
            coap::Event::ObserverGone { observer, .. } => self.end_observation(observer),
            coap::Event::Closed { peer, .. } => self.connection_ended(now, peer),
            _ => {}
        }
    }

    /// The account of a peer.
    pub(crate) fn account_of(&self, peer: PeerId) -> Option<usize> {
        self.accounts.iter().position(|account| account.peer == Some(peer))
    }

    /// The account whose settings are an instance of the Server object.
    pub(crate) fn account_at(&self, instance: u16) -> Option<usize> {
        self.accounts.iter().position(|account| account.instance == instance)
    }

    /// The settings of an account, which servers may change.
    pub(crate) fn settings(&self, account: usize) -> Settings<'_> {
        let instance = self.accounts.get(account).map_or(u16::MAX, |account| account.instance);
        Settings::of(&self.store, instance)
    }

    /// What a server without security may send from an address; `None` for other senders, whose
    /// datagrams are dropped. Only a server that the client is registered with may send requests,
    /// and a server that has disabled itself nothing but repetitions of them.
    fn admission(&self, from: SocketAddr) -> Option<Admit> {
        if let Some(account) = self.accounts.iter().find(|it| !it.has_session() && it.is_at(from)) {
            return Some(match account.state {
                State::Registered(_) => Admit::All,
                State::Disabled => Admit::Repetitions,
                _ => Admit::NoRequests,
            });
        }
        let is = |state: &&Bootstrap| !state.has_session() && same(state.account.address, from);
        let state = self.bootstrap.as_ref().filter(is)?;
        Some(if state.is_open(self.version) { Admit::All } else { Admit::NoRequests })
    }

    fn handle_timers(&mut self, now: Instant) {
        while let Some(timer) = self.timers.pop_expired(now) {
            match timer {
                Timer::Account(account) => self.handle_account_timer(now, account),
                Timer::Bootstrap => self.handle_bootstrap_timer(now),
                Timer::BootstrapAccount => self.purge_bootstrap_account(now),
                Timer::Pmin(observer) | Timer::Epmax(observer) => self.evaluate(now, observer),
                Timer::Pmax(observer) => self.notify_regularly(now, observer),
            }
        }
    }
}

impl Engine for Client {
    type Event = Event;

    fn handle(&mut self, now: Instant, input: Input<'_>) {
        let admit = match input {
            Input::Datagram { from, secured: false, .. } => self.admission(from),
            // A client opens connections and accepts none.
            Input::Connected { connection, .. } => {
                return self.events.stream(StreamAction::Close { connection });
            }
            // The client has chosen the server of a session or a connection.
            _ => Some(Admit::All),
        };
        let Some(admit) = admit else { return };
        self.link.handle_admitted(now, input, admit);
        self.drain(now);
        if matches!(input, Input::Timeout) {
            self.handle_timers(now);
            self.drain(now);
        }
    }

    fn poll(&mut self) -> Option<Output<Event>> {
        self.events.poll()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        [self.link.poll_timeout(), self.timers.next()].into_iter().flatten().min()
    }
}

/// Whether two addresses are one, however the socket writes IPv4.
pub(crate) fn same(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() == other.port() && one.ip().to_canonical() == other.ip().to_canonical()
}

/// A name has to fit into one Uri-Query option, `ep=` before it.
const fn check_name(endpoint_name: &str) -> Result<(), ConfigError> {
    match endpoint_name.len() {
        1..=MAX_ENDPOINT_NAME => Ok(()),
        length => Err(ConfigError::EndpointName(length)),
    }
}

/// What a device in mode 4 was made with.
fn built_in(security: &Security) -> Option<KeyPair> {
    (security.mode == SecurityMode::Enrolled).then(|| KeyPair {
        chain: security.public_key_or_identity.clone(),
        key: security.secret_key.clone(),
    })
}

/// Another stream than those of the layers below: what they show of theirs says nothing of it.
fn stream_for_keys(seed: [u8; 32]) -> ChaCha20Rng {
    let mut rng = ChaCha20Rng::from_seed(seed);
    rng.set_stream(u64::MAX);
    rng
}

/// The accounts with the profiles of their sessions.
fn secured(
    servers: Vec<ServerAccount>,
    bootstrap: Option<BootstrapAccount>,
    version: Version,
    trust: &Trust,
) -> Result<(Vec<Account>, Option<Bootstrap>), ConfigError> {
    let mut accounts = Vec::new();
    for (account, instance) in servers.into_iter().zip(0..) {
        let id = account.short_server_id;
        let security = trust.complete(account.security.clone(), false);
        let profile = security.and_then(|security| trust.profile(&security, &account.uri));
        let profile = profile.map_err(|error| ConfigError::Security(id, error))?;
        accounts.push(Account::new(account, profile, instance, version));
    }
    let Some(account) = bootstrap else { return Ok((accounts, None)) };
    let profile = trust.profile(&account.security, &account.uri);
    let profile = profile.map_err(|error| ConfigError::Security(0, error))?;
    Ok((accounts, Some(Bootstrap::new(account, profile, security::FIRST_BOOTSTRAP))))
}

/// LwM2M 1.0 has no TCP.
fn check_transports(
    accounts: &[Account],
    bootstrap: Option<&Bootstrap>,
    version: Version,
) -> Result<(), ConfigError> {
    let servers = accounts.iter().map(|it| (it.server(), &it.config.uri));
    let all = servers.chain(bootstrap.map(|it| (0, &it.account.uri)));
    let by_tcp = |(_, uri): &(u16, &String)| Transport::of(uri) == Transport::Tcp;
    match all.filter(|_| version == Version::V1_0).find(by_tcp) {
        Some((server, _)) => Err(ConfigError::Transport(server)),
        None => Ok(()),
    }
}

fn check_accounts(
    accounts: &[ServerAccount],
    bootstrap: Option<&BootstrapAccount>,
) -> Result<(), ConfigError> {
    for (place, account) in accounts.iter().enumerate() {
        let id = account.short_server_id;
        let mut others = accounts.iter().skip(place + 1);
        let repeated = others.clone().any(|other| other.short_server_id == id);
        if id == 0 || id == u16::MAX || repeated {
            return Err(ConfigError::ShortServerId(id));
        }
        if account.address.is_none() {
            continue;
        }
        if let Some(other) = others.find(|other| other.address == account.address) {
            return Err(ConfigError::SameAddress(id, other.short_server_id));
        }
        if bootstrap.is_some_and(|bootstrap| Some(bootstrap.address) == account.address) {
            return Err(ConfigError::SameAddress(id, 0));
        }
    }
    Ok(())
}
