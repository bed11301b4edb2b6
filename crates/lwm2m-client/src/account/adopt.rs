//! Accounts of the configuration, and those of a bootstrap (OMA LwM2M Core 6.1).

use super::state::State;
use super::{Account, Accounts};
use crate::config::ServerAccount;
use crate::context::Context;
use crate::effect::Effect;
use crate::error::RegistrationError;
use crate::event::Event;
use crate::ids::AccountId;
use crate::security::ClientProfile;
use alloc::sync::Arc;
use alloc::vec::Vec;
use lwm2m_core::Version;

/// What an account is made of.
pub(crate) struct Planned {
    /// The instance of the Server object (1).
    pub(crate) settings: u16,
    pub(crate) account: ServerAccount,
    /// How its sessions are made; `None` without security.
    pub(crate) profile: Option<Arc<ClientProfile>>,
}

impl Accounts {
    /// The accounts of the configuration.
    pub(crate) fn new(planned: Vec<Planned>, version: Version) -> Self {
        let account = |(id, planned)| Account::new(AccountId(id), planned, version);
        Self(planned.into_iter().enumerate().map(account).collect())
    }

    /// Takes over the accounts of a finished bootstrap. Registrations with servers that are still
    /// the same go on.
    pub(crate) fn adopt(&mut self, cx: &mut Context, servers: Vec<Planned>) {
        self.replace(cx, servers);
        for account in self.iter_mut() {
            if matches!(account.state, State::Idle | State::Waiting) {
                account.register_afresh(cx);
            }
        }
        self.synchronise(cx);
    }

    /// Makes these the accounts.
    pub(crate) fn replace(&mut self, cx: &mut Context, servers: Vec<Planned>) {
        for account in self.iter_mut() {
            if !servers.iter().any(|planned| account.is_same(&planned.account)) {
                account.retire(cx);
            }
        }
        servers.into_iter().for_each(|planned| self.adopt_one(cx.version, planned));
    }

    fn adopt_one(&mut self, version: Version, planned: Planned) {
        if let Some(known) = self.iter_mut().find(|known| known.is_same(&planned.account)) {
            known.instance = planned.settings;
        } else if let Some(free) = self.iter_mut().find(|account| account.is_retired()) {
            *free = Account::new(free.id, planned, version);
        } else {
            self.0.push(Account::new(AccountId(self.0.len()), planned, version));
        }
    }
}

impl Account {
    /// Forgets a server whose account is gone, without telling it. The account becomes a
    /// tombstone, so that the ids of the others stay valid.
    fn retire(&mut self, cx: &mut Context) {
        self.abandon(cx);
        let server = self.server();
        let registered = matches!(self.state, State::Registered(_));
        let peer = self.peer.take();
        let nobody =
            Planned { settings: u16::MAX, account: ServerAccount::named(0, ""), profile: None };
        *self = Self::new(self.id, nobody, self.highest);
        cx.effect(Effect::ForgetAccount(self.id, server));
        peer.into_iter().for_each(|peer| cx.leave(peer));
        if registered {
            let confirmed = Err(RegistrationError::AccountRemoved);
            cx.event(Event::Deregistered { server, confirmed });
        }
    }
}
