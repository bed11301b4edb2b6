//! The client: it owns the parts, and the application calls it.
//!
//! `engine` takes what the driver brings; `route` passes it, and effects, on to the parts.

mod engine;
mod route;

use crate::account::{Accounts, RegistrationState};
use crate::bootstrap::Bootstrap;
use crate::config::Config;
use crate::configured::{self, Parts};
use crate::context::Context;
use crate::error::{ConfigError, SendError, ValueError};
use crate::ids::SendId;
use crate::keeping::Keeping;
use crate::objects::typed::{Instance, Instances};
use crate::objects::{Object, server};
use crate::reporting::{Reporting, Watched};
use crate::transport::same_address;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;
use lwm2m_core::{ContentFormat, Path};
use lwm2m_time::Instant;

/// A sans-IO LwM2M client. A driver calls it by the [`Engine`](lwm2m_link::Engine) trait, the application by the
/// methods below.
///
/// - life: [`start`](Client::start), [`shutdown`](Client::shutdown), [`rebind`](Client::rebind),
///   [`update_registration`](Client::update_registration)
/// - values: [`update`](Client::update), [`object`](Client::object), [`changed`](Client::changed),
///   [`send`](Client::send)
/// - state: [`registration_state`](Client::registration_state)
///
/// The client takes requests from servers only, in the session of an account with keys or else from
/// the address of the account, and only while it is registered with that server. It drops others
/// without an answer, because OMA wants them ignored and an answer would tell a stranger that there
/// is a device. A session lasts until one side ends it or the server does not answer in it: the
/// client then makes a new one, by the keys of the old one where the server allows that. With
/// several servers each of them has all rights: the Access Control object (2) is not consulted.
pub struct Client {
    pub(crate) cx: Context,
    pub(crate) accounts: Accounts,
    pub(crate) bootstrap: Bootstrap,
    pub(crate) reporting: Reporting,
    pub(crate) keeping: Keeping,
    pub(crate) declined_formats: Vec<ContentFormat>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("endpoint_name", &self.cx.endpoint_name)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// A client with the objects of the application; it makes the objects 0 and 1 from the
    /// accounts. `seed` must be unpredictable outside of tests.
    ///
    /// # Errors
    /// The configuration or an object contradicts itself or the object definitions.
    pub fn new(
        config: Config,
        objects: Vec<Box<dyn Object>>,
        seed: [u8; 32],
    ) -> Result<Self, ConfigError> {
        let declined_formats = config.declined_formats.clone();
        let Parts { cx, accounts, bootstrap } = configured::parts(config, objects, seed)?;
        let (reporting, keeping) = (Reporting::default(), Keeping::default());
        Ok(Self { cx, accounts, bootstrap, reporting, keeping, declined_formats })
    }

    /// Begins to register with all servers (OMA LwM2M Core 6.2.1), or to bootstrap if there are
    /// none (6.1).
    pub fn start(&mut self, now: Instant) {
        self.cx.now = now;
        self.cx.stopping = false;
        self.accounts.iter_mut().for_each(|account| account.begin(&mut self.cx));
        if self.accounts.iter().all(|account| account.is_retired()) {
            self.bootstrap.begin(&mut self.cx);
        }
        self.drain();
    }

    /// De-registers from all servers (OMA LwM2M Core 6.2.3); [`Event::Stopped`](crate::Event::Stopped) tells when that is
    /// done, or given up.
    pub fn shutdown(&mut self, now: Instant) {
        self.cx.now = now;
        self.cx.stopping = true;
        self.bootstrap.abandon(&mut self.cx);
        self.accounts.iter_mut().for_each(|account| account.shutdown(&mut self.cx));
        self.drain();
        self.stop_if_done();
    }

    /// Tells the client that the device has a new address: the client registers anew with all
    /// servers that it is registered with or was about to, as it must without security (OMA LwM2M
    /// Transport 6.4), and in new sessions. Where a session has a Connection ID,
    /// [`update_registration`](Client::update_registration) is enough.
    pub fn rebind(&mut self, now: Instant) {
        self.cx.now = now;
        self.accounts.iter_mut().for_each(|account| account.rebind(&mut self.cx));
        self.drain();
    }

    /// Sends an Update to a server now, if the client is registered there (OMA LwM2M Core 6.2.2).
    /// If the client had given the server up, it registers again.
    pub fn update_registration(&mut self, now: Instant, short_server_id: u16) {
        self.cx.now = now;
        if let Some(account) = self.accounts.of_server(short_server_id) {
            account.update(&mut self.cx);
        }
        self.drain();
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
        self.cx.now = now;
        let store = &mut self.cx.store;
        let instances = store.instance_ids(id);
        let watched = Watched::of(id, &self.accounts, store);
        let object = store.object_as_mut(id).ok_or(ValueError::NoObject(id))?;
        let outcome = change(object);
        if id == server::ID || store.instance_ids(id) != instances {
            self.accounts.synchronise(&mut self.cx);
            self.keep_changes_of(id);
        }
        self.reporting.report(&mut self.cx, &self.accounts, &[Path::object(id)]);
        for (server, paths) in watched.changed(&self.cx.store) {
            // A server that forbids Send, or that the client is not registered with, gets none.
            let _ = self.send(now, server, &paths, None);
        }
        self.drain();
        outcome
    }

    /// Runs `change` on an instance of an object that is made of structs, and reports what it changed as
    /// [`update`](Client::update) does.
    ///
    /// # Errors
    /// [`ValueError::NoObject`] if the client has no [`Instances`] of `T`; [`ValueError::NoInstance`] if there
    /// is no such instance.
    pub fn update_instance<T: Instance>(
        &mut self,
        now: Instant,
        instance: u16,
        change: impl FnOnce(&mut T),
    ) -> Result<(), ValueError> {
        self.update(now, T::OBJECT, |object: &mut Instances<T>| {
            let missing = ValueError::NoInstance(Path::instance(T::OBJECT, instance));
            object.get_mut(instance).map(change).ok_or(missing)
        })
    }

    /// Tells the client that what lives at `path` has changed by itself: a value that an
    /// [`Object`] computes when it is read. After changes by [`update`](Client::update) or by a
    /// server there is nothing to tell.
    pub fn changed(&mut self, now: Instant, path: &Path) {
        self.cx.now = now;
        if path.depth() <= 2 {
            self.accounts.synchronise(&mut self.cx);
        }
        self.reporting.report(&mut self.cx, &self.accounts, &[*path]);
        self.drain();
    }

    /// An object as the type that it has; `None` if there is no such object or it is of another
    /// type. To change it, call [`update`](Client::update).
    #[must_use]
    pub fn object<T: Object>(&self, id: u16) -> Option<&T> {
        self.cx.store.object_as(id)
    }

    /// Sends what lives at `paths` to a server (Send, OMA LwM2M Core 6.4.6), in SenML CBOR unless
    /// `format` says SenML JSON or (since LwM2M 1.2) LwM2M CBOR. An [`Event::Sent`](crate::Event::Sent) follows.
    ///
    /// # Errors
    /// Nothing is sent if the client is not registered with the server, if the server forbids it
    /// (/1/x/23 is true or missing), or if one of the paths is not registered or not readable.
    pub fn send(
        &mut self,
        now: Instant,
        short_server_id: u16,
        paths: &[Path],
        format: Option<ContentFormat>,
    ) -> Result<SendId, SendError> {
        self.cx.now = now;
        let account = self.accounts.of_server(short_server_id);
        let account = account.ok_or(SendError::NotRegistered(short_server_id))?;
        let sent = self.reporting.send(&mut self.cx, account, paths, format);
        self.drain();
        sent
    }

    /// Tells the client where a server listens: the answer to [`Event::AddressWanted`](crate::Event::AddressWanted). If that is
    /// another address than before, what is under way with the server begins anew.
    ///
    /// # Errors
    /// Another server has that address.
    pub fn set_address(
        &mut self,
        now: Instant,
        short_server_id: u16,
        address: SocketAddr,
    ) -> Result<(), ConfigError> {
        self.cx.now = now;
        let Some(id) = self.accounts.account_id(short_server_id) else { return Ok(()) };
        match self.accounts.iter().find(|account| account.is_at(address)) {
            Some(same) if same.id == id => return Ok(()),
            Some(other) => return Err(ConfigError::SameAddress(short_server_id, other.server())),
            None => {}
        }
        let bootstrap = self.bootstrap.server.as_ref();
        if bootstrap.is_some_and(|state| same_address(state.account.address, address)) {
            return Err(ConfigError::SameAddress(short_server_id, 0));
        }
        if let Some(account) = self.accounts.get_mut(id) {
            account.set_address(&mut self.cx, address);
        }
        self.drain();
        Ok(())
    }

    /// How far the registration with a server has come; `None` for a server that is not configured.
    #[must_use]
    pub fn registration_state(&self, short_server_id: u16) -> Option<RegistrationState> {
        let id = self.accounts.account_id(short_server_id)?;
        Some(self.accounts.get(id)?.registration_state(&self.cx))
    }
}
