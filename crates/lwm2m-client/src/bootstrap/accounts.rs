//! What a finished bootstrap changes: which servers the client registers with.

use super::plan::{Access, Plan, Planned, Target};
use super::{Bootstrap, Phase};
use crate::account::{Account, State};
use crate::client::{Client, Timer};
use crate::error::RegistrationError;
use crate::event::Event;
use crate::objects::security;
use crate::operations::bootstrap;
use crate::transport::Transport;
use core::time::Duration;
use lwm2m_core::Path;
use lwm2m_time::Instant;

impl Client {
    /// Takes over the accounts of a finished bootstrap. Registrations with servers that are still
    /// the same go on.
    pub(super) fn bootstrapped(&mut self, now: Instant, plan: Plan) {
        self.timers.cancel(Timer::Bootstrap);
        self.events.push_back(Event::Bootstrapped);
        self.adopt_bootstrap_server(now, plan.bootstrap);
        for place in 0..self.accounts.len() {
            let same = |planned: &Planned| {
                self.accounts.get(place).is_some_and(|known| known.is_same(&planned.account))
            };
            if !plan.servers.iter().any(same) {
                self.retire(now, place);
            }
        }
        plan.servers.into_iter().for_each(|planned| self.adopt_server(planned));
        for place in 0..self.accounts.len() {
            let unknown = |account: &Account| matches!(account.state, State::Idle | State::Waiting);
            if self.accounts.get(place).is_some_and(unknown) {
                self.register_afresh(now, place);
            }
        }
        self.synchronise(now);
        self.report(now, &[Path::ROOT]);
    }

    fn adopt_server(&mut self, planned: Planned) {
        let Planned { settings, account, profile } = planned;
        if let Some(known) = self.accounts.iter_mut().find(|known| known.is_same(&account)) {
            known.instance = settings;
            return;
        }
        let account = Account::new(account, profile, settings, self.version);
        match self.accounts.iter_mut().find(|account| account.is_retired()) {
            Some(place) => *place = account,
            None => self.accounts.push(account),
        }
    }

    /// Forgets a server whose account is gone: it is not told.
    fn retire(&mut self, now: Instant, place: usize) {
        self.abandon(place);
        let Some(account) = self.accounts.get_mut(place) else { return };
        let server = account.server();
        let registered = matches!(account.state, State::Registered(_));
        let peer = account.peer.take();
        account.retire();
        self.attributes.remove_account(place);
        peer.into_iter().for_each(|peer| self.leave(now, peer));
        if registered {
            let confirmed = Err(RegistrationError::AccountRemoved);
            self.events.push_back(Event::Deregistered { server, confirmed });
        }
    }

    fn adopt_bootstrap_server(&mut self, now: Instant, access: Option<Access>) {
        let Some(state) = &mut self.bootstrap else { return };
        state.phase = Phase::Idle;
        state.fruitless = true;
        let Some(access) = access else { return self.forget_bootstrap_server(now) };
        state.instance = access.instance;
        state.account.hold_off = access.hold_off;
        state.account.account_timeout = access.account_timeout;
        let Target { address, uri, security, profile } = access.target;
        let address = address.unwrap_or(state.account.address);
        let is_there = state.account.address == address && state.account.security == security;
        // A connection is not kept for a bootstrap that may never come.
        let is_kept = is_there && Transport::of(&state.account.uri) == Transport::Udp;
        let old = state.peer.take_if(|_| !is_kept);
        (state.account.address, state.account.uri) = (address, uri);
        (state.account.security, state.profile) = (security, profile);
        old.into_iter().for_each(|peer| self.leave(now, peer));
        let timeout = Duration::from_secs(access.account_timeout.into());
        match timeout.is_zero() {
            true => drop(self.timers.cancel(Timer::BootstrapAccount)),
            false => self.timers.set(Timer::BootstrapAccount, now + timeout),
        }
    }

    /// Purges the account of the bootstrap server (/0/x/12).
    pub(crate) fn purge_bootstrap_account(&mut self, now: Instant) {
        self.abandon_bootstrap();
        if let Some(Bootstrap { instance, .. }) = self.bootstrap {
            bootstrap::restore(&mut self.store, security::ID, instance, None);
        }
        self.forget_bootstrap_server(now);
    }

    fn forget_bootstrap_server(&mut self, now: Instant) {
        self.timers.cancel(Timer::BootstrapAccount);
        let peer = self.bootstrap.take().and_then(|state| state.peer);
        peer.into_iter().for_each(|peer| self.leave(now, peer));
    }
}
