//! Accounts: the servers of a client, and the registration with each (OMA LwM2M Core 6.2).

mod adopt;
mod kept;
mod register;
mod session;
mod state;
mod transport;
mod update;

pub(crate) use adopt::Planned;
pub use state::RegistrationState;
pub(crate) use state::{Attempts, Registered, State};

use crate::config::ServerAccount;
use crate::context::Context;
use crate::ids::{AccountId, Timer};
use crate::objects::server::Settings;
use crate::objects::store::Store;
use crate::security::{ClientProfile, SecurityMode};
use crate::transport::{Transport, same_address};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;
use lwm2m_coap::{PeerId, RequestId};
use lwm2m_core::Version;

/// The servers of a client.
#[derive(Default)]
pub(crate) struct Accounts(Vec<Account>);

/// A server, and how far the registration with it has come.
pub(crate) struct Account {
    pub(crate) id: AccountId,
    pub(crate) config: ServerAccount,
    /// How its sessions are made; `None` without security.
    pub(crate) profile: Option<Arc<ClientProfile>>,
    /// The instance of the Server object (1) with its settings.
    pub(crate) instance: u16,
    /// The version that the server accepts, as far as it is known.
    pub(crate) version: Version,
    /// The version to begin with.
    highest: Version,
    pub(crate) peer: Option<PeerId>,
    /// What carries the messages of the peer.
    transport: Transport,
    attempts: Attempts,
    /// How often in a row the server said that it is overloaded.
    overloads: u32,
    /// Whether the registration is in the store.
    recorded: bool,
    /// The registration before a restart, until the client starts.
    restored: Option<Registered>,
    pub(crate) state: State,
}

impl Accounts {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Account> {
        self.0.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Account> {
        self.0.iter_mut()
    }

    pub(crate) fn get(&self, id: AccountId) -> Option<&Account> {
        self.0.get(id.0)
    }

    pub(crate) fn get_mut(&mut self, id: AccountId) -> Option<&mut Account> {
        self.0.get_mut(id.0)
    }

    /// The account of a short server id.
    pub(crate) fn account_id(&self, short_server_id: u16) -> Option<AccountId> {
        let is = |account: &&Account| !account.is_retired() && account.server() == short_server_id;
        self.iter().find(is).map(|account| account.id)
    }

    /// The account of a short server id, to be changed.
    pub(crate) fn of_server(&mut self, short_server_id: u16) -> Option<&mut Account> {
        let id = self.account_id(short_server_id)?;
        self.get_mut(id)
    }

    /// The account of a peer.
    pub(crate) fn of_peer(&mut self, peer: PeerId) -> Option<&mut Account> {
        self.iter_mut().find(|account| account.peer == Some(peer))
    }

    /// The account whose settings are an instance of the Server object.
    pub(crate) fn at_instance(&mut self, instance: u16) -> Option<&mut Account> {
        self.iter_mut().find(|account| account.instance == instance)
    }

    /// The account that waits for the answer to a request.
    pub(crate) fn awaiting(&mut self, request: RequestId) -> Option<&mut Account> {
        self.iter_mut().find(|account| account.state.pending() == Some(request))
    }

    /// Whether nothing goes on with any server.
    pub(crate) fn all_idle(&self) -> bool {
        self.iter().all(|account| matches!(account.state, State::Idle))
    }

    /// Tells every server what it does not know yet.
    pub(crate) fn synchronise(&mut self, cx: &mut Context) {
        self.iter_mut().for_each(|account| account.synchronise(cx));
    }
}

impl Account {
    pub(crate) fn new(id: AccountId, planned: Planned, version: Version) -> Self {
        Self {
            id,
            config: planned.account,
            profile: planned.profile,
            instance: planned.settings,
            version,
            highest: version,
            peer: None,
            transport: Transport::Udp,
            attempts: Attempts::FIRST,
            overloads: 0,
            recorded: false,
            restored: None,
            state: State::Idle,
        }
    }

    /// The settings of the server in the Server object, which servers may change.
    pub(crate) const fn settings<'a>(&self, store: &'a Store) -> Settings<'a> {
        Settings::of(store, self.instance)
    }

    /// How far the registration has come.
    pub(crate) fn registration_state(&self, cx: &Context) -> RegistrationState {
        let timer = cx.timers.at(Timer::Account(self.id)).unwrap_or_default();
        match self.state {
            State::Idle => RegistrationState::Idle,
            State::Registering(_) => RegistrationState::Registering,
            State::Waiting => RegistrationState::Waiting(timer),
            State::Registered(_) => RegistrationState::Registered,
            State::Deregistering(_) => RegistrationState::Deregistering,
            State::Disabled => RegistrationState::Disabled(timer),
        }
    }

    /// Whether `server` is this one, however its settings have changed.
    fn is_same(&self, server: &ServerAccount) -> bool {
        let own = &self.config;
        self.server() == server.short_server_id
            && own.security == server.security
            && match server.address {
                // The name of the server is part of its security.
                Some(_) if own.security.mode != SecurityMode::NoSec => own.uri == server.uri,
                Some(address) => own.address == Some(address),
                None => own.uri == server.uri,
            }
    }

    /// Whether what comes from its peer can only come from the server that this side has chosen: by
    /// keys, or because this side has opened the connection.
    pub(crate) const fn has_session(&self) -> bool {
        self.profile.is_some() || matches!(self.transport, Transport::Tcp)
    }

    /// Whether the server may send requests. In a session its first ones may overtake the answer to
    /// Register; datagrams without security could be anybody's.
    pub(crate) const fn may_ask(&self) -> bool {
        match self.state {
            State::Registered(_) => true,
            State::Registering(_) => self.has_session(),
            _ => false,
        }
    }

    /// Whether the server listens there.
    pub(crate) fn is_at(&self, address: SocketAddr) -> bool {
        self.config.address.is_some_and(|own| same_address(own, address))
    }

    /// Whether a bootstrap has removed the account.
    pub(crate) const fn is_retired(&self) -> bool {
        self.server() == 0
    }

    /// The short server id.
    pub(crate) const fn server(&self) -> u16 {
        self.config.short_server_id
    }
}
