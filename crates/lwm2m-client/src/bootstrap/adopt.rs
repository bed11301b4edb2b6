//! What a finished bootstrap changes: the accounts of servers, and that of the bootstrap server.

use super::plan::{Access, Plan, Target};
use super::{Bootstrap, Phase, operations};
use crate::account::Planned;
use crate::context::Context;
use crate::effect::Effect;
use crate::error::AccountsError;
use crate::event::Event;
use crate::ids::Timer;
use crate::objects::{security_ids as security, server};
use crate::transport::Transport;
use alloc::vec::Vec;
use core::time::Duration;

impl Bootstrap {
    /// A bootstrap has finished.
    pub(super) fn finished(&mut self, cx: &mut Context, plan: Plan) {
        cx.timers.cancel(Timer::Bootstrap);
        cx.event(Event::Bootstrapped);
        self.adopt(cx, plan.bootstrap);
        self.finished = plan.servers;
        cx.effect(Effect::Bootstrapped);
    }

    /// Goes on with the accounts in the objects Security and Server, which a bootstrap has made before
    /// a restart.
    pub(crate) fn restore(&mut self, cx: &mut Context) -> Result<Vec<Planned>, AccountsError> {
        let accounts = operations::object(&cx.store, security::ID);
        let settings = operations::object(&cx.store, server::ID);
        let plan = self.plan(cx, &accounts, &settings)?;
        self.adopt(cx, plan.bootstrap);
        Ok(plan.servers)
    }

    fn adopt(&mut self, cx: &mut Context, access: Option<Access>) {
        let Some(state) = &mut self.server else { return };
        state.phase = Phase::Idle;
        state.fruitless = true;
        let Some(access) = access else { return self.forget_server(cx) };
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
        old.into_iter().for_each(|peer| cx.leave(peer));
        let timeout = Duration::from_secs(access.account_timeout.into());
        match timeout.is_zero() {
            true => drop(cx.timers.cancel(Timer::BootstrapAccount)),
            false => cx.set_timer(Timer::BootstrapAccount, timeout),
        }
    }

    /// Purges the account of the bootstrap server (/0/x/12).
    pub(crate) fn purge(&mut self, cx: &mut Context) {
        self.abandon(cx);
        if let Some(state) = &self.server {
            operations::restore(&mut cx.store, security::ID, state.instance, None);
        }
        self.forget_server(cx);
    }

    fn forget_server(&mut self, cx: &mut Context) {
        cx.timers.cancel(Timer::BootstrapAccount);
        let peer = self.server.take().and_then(|state| state.peer);
        peer.into_iter().for_each(|peer| cx.leave(peer));
    }
}
