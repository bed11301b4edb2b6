//! Bootstrap (OMA LwM2M Core 6.1): how a client gets its servers from a bootstrap server.

mod accounts;
mod commands;
mod enrolment;
mod plan;

pub(crate) use commands::is_finish;

use crate::account::Attempts;
use crate::client::{Client, Timer};
use crate::config::BootstrapAccount;
use crate::error::{AccountsError, BootstrapError, ErrorResponse};
use crate::event::Event;
use crate::objects::security;
use crate::operations::{bootstrap, format};
use crate::security::ClientProfile;
use crate::session::connect;
use crate::transport::Transport;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::sync::Arc;
use core::time::Duration;
use enrolment::Enrolling;
use lwm2m_coap::{Code, FailReason, PeerId, Request, RequestId, Response};
use lwm2m_codec::link::Link;
use lwm2m_core::{ContentFormat, Node, Object, ObjectInstance, Path, Resource, Value, Version};
use lwm2m_time::Instant;
use plan::{Access, Plan};

/// The bootstrap server of a client, and how far a bootstrap has come.
pub(crate) struct Bootstrap {
    pub(crate) account: BootstrapAccount,
    /// How its sessions are made; none without security.
    pub(crate) profile: Option<Arc<ClientProfile>>,
    /// The instance of the Security object.
    pub(crate) instance: u16,
    pub(crate) peer: Option<PeerId>,
    pub(crate) attempts: Attempts,
    pub(crate) phase: Phase,
    /// Whether no server has accepted the client since the last bootstrap.
    pub(crate) fruitless: bool,
}

/// What goes on with the bootstrap server.
pub(crate) enum Phase {
    /// Nothing.
    Idle,
    /// The request waits for the timer.
    Waiting,
    /// A certificate is asked for.
    Enrolling(Enrolling),
    /// A Bootstrap-Pack-Request is under way.
    Packing(RequestId),
    /// The server has been asked, and may send commands until Finish or the timer.
    Open(Open),
}

/// A bootstrap that the server carries out.
pub(crate) struct Open {
    /// The Bootstrap-Request, until it is answered.
    request: Option<RequestId>,
    /// The account of the bootstrap server as it was.
    before: Option<ObjectInstance>,
}

impl Bootstrap {
    pub(crate) const fn new(
        account: BootstrapAccount,
        profile: Option<Arc<ClientProfile>>,
        instance: u16,
    ) -> Self {
        let attempts = Attempts::FIRST;
        let (peer, phase) = (None, Phase::Idle);
        Self { account, profile, instance, peer, attempts, phase, fruitless: false }
    }

    /// The account of the bootstrap server, which it cannot delete.
    const fn path(&self) -> Path {
        Path::instance(security::ID, self.instance)
    }

    /// As that of an account.
    pub(crate) fn has_session(&self) -> bool {
        self.profile.is_some() || Transport::of(&self.account.uri) == Transport::Tcp
    }

    /// Whether the server may send commands now: when it was asked, or to a LwM2M 1.0 client that
    /// is configured so.
    pub(crate) fn is_open(&self, version: Version) -> bool {
        match self.phase {
            Phase::Open(_) => true,
            Phase::Idle | Phase::Waiting => self.account.unasked && version == Version::V1_0,
            Phase::Enrolling(_) | Phase::Packing(_) => false,
        }
    }
}

impl Client {
    /// Begins a bootstrap, unless there is no bootstrap server or it is asked already.
    pub(crate) fn begin_bootstrap(&mut self, now: Instant) {
        let Some(state) = &mut self.bootstrap else { return };
        if self.stopping || !matches!(state.phase, Phase::Idle | Phase::Waiting) {
            return;
        }
        state.attempts = Attempts::FIRST;
        state.phase = Phase::Waiting;
        let hold_off = Duration::from_secs(state.account.hold_off.into());
        match hold_off.is_zero() {
            true => self.request_bootstrap(now),
            false => self.timers.set(Timer::Bootstrap, now + hold_off),
        }
    }

    /// Bootstraps because no server accepts the client. Where the last bootstrap led to that, it
    /// counts as failed: its server is asked again after a while.
    pub(crate) fn bootstrap_for_want(&mut self, now: Instant) {
        let Some(state) = self.bootstrap.as_ref().filter(|_| !self.stopping) else { return };
        match (state.fruitless, &state.phase) {
            (true, Phase::Idle) => self.bootstrap_failed(now, BootstrapError::Fruitless),
            (true, _) => {}
            (false, _) => self.begin_bootstrap(now),
        }
    }

    /// Whether the bootstrap server has been asked and has not finished.
    pub(crate) fn is_bootstrapping(&self) -> bool {
        let phase = self.bootstrap.as_ref().map(|state| &state.phase);
        matches!(phase, Some(Phase::Enrolling(_) | Phase::Packing(_) | Phase::Open(_)))
    }

    /// Gives a bootstrap up without telling.
    pub(crate) fn abandon_bootstrap(&mut self) {
        self.timers.cancel(Timer::Bootstrap);
        self.restore_bootstrap_account();
    }

    fn request_bootstrap(&mut self, now: Instant) {
        match self.enrols() {
            true => self.enrol(now),
            false => self.ask_for_accounts(now),
        }
    }

    fn ask_for_accounts(&mut self, now: Instant) {
        let packs = self.bootstrap.as_ref().is_some_and(|state| state.account.pack);
        if packs && self.version >= Version::V1_2 {
            self.request_pack(now);
        } else {
            self.request_commands(now);
        }
    }

    /// Bootstrap-Pack-Request: all at once, in the answer.
    fn request_pack(&mut self, now: Instant) {
        let Some(state) = &self.bootstrap else { return };
        let format = state.account.format.unwrap_or(ContentFormat::SENML_CBOR);
        let request = Request::get()
            .path(["bspack"])
            .query(&format!("ep={}", self.endpoint_name))
            .query(&format!("acc={}", Link::to_path(&state.path())))
            .accept(format.0);
        match self.ask_bootstrap_server(now, request) {
            Some(id) => self.set_phase(Phase::Packing(id)),
            None => self.bootstrap_failed(now, BootstrapError::NotSent),
        }
    }

    /// Bootstrap-Request: the server is to send commands.
    fn request_commands(&mut self, now: Instant) {
        let Some(state) = &self.bootstrap else { return };
        let instance = state.instance;
        let mut request = Request::post().path(["bs"]).query(&format!("ep={}", self.endpoint_name));
        if let Some(format) = state.account.format.filter(|_| self.version >= Version::V1_1) {
            request = request.query(&format!("pct={}", format.0));
        }
        let before = bootstrap::instance(&self.store, security::ID, instance);
        match self.ask_bootstrap_server(now, request) {
            Some(id) => self.set_phase(Phase::Open(Open { request: Some(id), before })),
            None => self.bootstrap_failed(now, BootstrapError::NotSent),
        }
    }

    fn ask_bootstrap_server(&mut self, now: Instant, request: Request) -> Option<RequestId> {
        let state = self.bootstrap.as_mut()?;
        if state.peer.is_none() {
            let (address, profile) = (state.account.address, state.profile.as_ref());
            let transport = Transport::of(&state.account.uri);
            state.peer = connect(&mut self.link, now, address, profile, transport);
        }
        self.link.coap().request(now, state.peer?, request).ok()
    }

    fn set_phase(&mut self, phase: Phase) {
        if let Some(state) = &mut self.bootstrap {
            state.phase = phase;
        }
    }

    /// Takes the answer of the bootstrap server; `false` if the request was another one.
    pub(crate) fn bootstrap_answered(
        &mut self,
        now: Instant,
        id: RequestId,
        answer: &Result<Response, FailReason>,
    ) -> bool {
        match self.bootstrap.as_mut().map(|state| &mut state.phase) {
            Some(Phase::Enrolling(enrolling)) if enrolling.request == id => {
                let key = enrolling.take_key();
                self.enrolment_answered(now, key, answer);
                true
            }
            Some(Phase::Packing(request)) if *request == id => {
                self.pack_answered(now, answer);
                true
            }
            Some(Phase::Open(open)) if open.request == Some(id) => {
                open.request = None;
                match answer {
                    Ok(response) if response.code == Code::CHANGED => self.await_commands(now),
                    Ok(response) => {
                        self.bootstrap_failed(
                            now,
                            BootstrapError::Refused(ErrorResponse::of(response)),
                        );
                    }
                    Err(reason) => {
                        self.end_bootstrap_session(now);
                        self.bootstrap_failed(now, BootstrapError::NoAnswer(*reason));
                    }
                }
                true
            }
            _ => false,
        }
    }

    /// Gives the server time for its next command.
    fn await_commands(&mut self, now: Instant) {
        self.timers.set(Timer::Bootstrap, now + self.exchange_lifetime);
    }

    /// Applies a pack; without a sound one, the server is asked for commands.
    fn pack_answered(&mut self, now: Instant, answer: &Result<Response, FailReason>) {
        let applied = match answer {
            Ok(response) if response.code == Code::CONTENT => self.apply_pack(response),
            _ => None,
        };
        match applied {
            Some(plan) => self.bootstrapped(now, plan),
            None => self.request_commands(now),
        }
    }

    /// Puts the objects of a pack in place of those that are there, if the accounts in it are
    /// consistent.
    fn apply_pack(&mut self, response: &Response) -> Option<Plan> {
        let spared = self.bootstrap.as_ref()?.path();
        let format = format::of_payload(self.version, response.options.content_format()).ok()?;
        let definitions = self.store.definitions();
        let node = lwm2m_codec::decode(format, &Path::ROOT, &response.payload, &definitions);
        let node = node.ok()?;
        let Node::Root(objects) = &node else { return None };
        let accounts = self.with_bootstrap_account(objects, &spared)?;
        let settings = objects.get(&crate::objects::server::ID)?;
        let plan = self.plan(&accounts, settings).ok()?;
        bootstrap::replace(&mut self.store, node, &spared).ok()?;
        Some(plan)
    }

    /// The accounts that the objects describe, if they are consistent; the event tells if not.
    fn plan(&mut self, accounts: &Object, settings: &Object) -> Result<Plan, AccountsError> {
        let known = self.bootstrap.as_ref().map(|state| &state.account);
        let plan = plan::plan(accounts, settings, &self.trust).and_then(|mut plan| {
            if let Some(Access { instance, target, .. }) = &mut plan.bootstrap
                && target.address.is_none()
            {
                // A name is looked up by who knows the account from the beginning.
                let known = known.filter(|known| known.uri == target.uri);
                let known = known.ok_or(AccountsError::BootstrapName(*instance))?;
                target.address = Some(known.address);
            }
            Ok(plan)
        });
        plan.inspect_err(|&reason| self.events.push_back(Event::AccountsRefused { reason }))
    }

    /// The Security object of a pack, and in it the account of the bootstrap server as it is. A
    /// pack cannot make it the account of another server.
    fn with_bootstrap_account(
        &mut self,
        objects: &BTreeMap<u16, Object>,
        spared: &Path,
    ) -> Option<Object> {
        let instance = spared.instance_id()?;
        let mut security = objects.get(&security::ID)?.clone();
        let own = bootstrap::instance(&self.store, security::ID, instance)?;
        let replaced = security.instances.insert(instance, own);
        let same = |values: &ObjectInstance| {
            let flag = values.resources.get(&security::BOOTSTRAP);
            flag == Some(&Resource::Single(Value::Boolean(true)))
        };
        replaced.as_ref().is_none_or(same).then_some(security)
    }

    pub(crate) fn handle_bootstrap_timer(&mut self, now: Instant) {
        match self.bootstrap.as_ref().map(|state| &state.phase) {
            Some(Phase::Waiting) => self.request_bootstrap(now),
            Some(Phase::Open(_)) => self.bootstrap_failed(now, BootstrapError::Unfinished),
            _ => {}
        }
    }

    pub(crate) fn bootstrap_failed(&mut self, now: Instant, reason: BootstrapError) {
        self.abandon_bootstrap();
        let Some(state) = &mut self.bootstrap else { return };
        let retry = state.account.retry;
        let next = if reason.is_final() { None } else { state.attempts.failed(&retry) };
        let retry_at = next.map(|wait| now + wait);
        if let Some(at) = retry_at {
            state.phase = Phase::Waiting;
            self.timers.set(Timer::Bootstrap, at);
        }
        self.events.push_back(Event::BootstrapFailed { reason, retry_at });
    }

    /// Ends the bootstrap that is under way; the account of its server is as before.
    fn restore_bootstrap_account(&mut self) {
        let Some(state) = &mut self.bootstrap else { return };
        let own = state.instance;
        let phase = core::mem::replace(&mut state.phase, Phase::Idle);
        let pending = match &phase {
            Phase::Enrolling(enrolling) => Some(enrolling.request),
            Phase::Packing(request) => Some(*request),
            Phase::Open(open) => open.request,
            Phase::Idle | Phase::Waiting => None,
        };
        if let Some(request) = pending {
            self.link.coap().cancel(request);
        }
        let Phase::Open(Open { before: Some(before), .. }) = phase else { return };
        bootstrap::restore(&mut self.store, security::ID, own, Some(before));
        let accounts = bootstrap::object(&self.store, security::ID);
        for (id, values) in &accounts.instances {
            if *id != own && plan::boolean(values, security::BOOTSTRAP) == Some(true) {
                bootstrap::restore(&mut self.store, security::ID, *id, None);
            }
        }
    }
}
