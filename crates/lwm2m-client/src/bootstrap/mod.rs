//! Bootstrap (OMA LwM2M Core 6.1): how a client gets its servers from a bootstrap server.

mod adopt;
mod commands;
mod enrolment;
mod operations;
mod pack;
mod plan;
mod session;

pub(crate) use operations::instance as values_of;

use crate::account::{Attempts, Planned};
use crate::config::BootstrapAccount;
use crate::context::Context;
use crate::error::{BootstrapError, ErrorResponse};
use crate::event::Event;
use crate::ids::Timer;
use crate::objects::security_ids as security;
use crate::security::{ClientProfile, Trust};
use crate::transport::Transport;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use enrolment::Enrolling;
use lwm2m_coap::{Code, FailReason, PeerId, Request, RequestId, Response};
use lwm2m_core::{ObjectInstance, Path, Version};
use rand_chacha::ChaCha20Rng;

/// The bootstrap of a client: its bootstrap server, if it has one, and what accounts are made with.
pub(crate) struct Bootstrap {
    pub(crate) server: Option<BootstrapServer>,
    /// What makes profiles of accounts.
    trust: Trust,
    /// What keys are made of.
    rng: ChaCha20Rng,
    /// The accounts of a bootstrap that has finished, until they are taken.
    finished: Vec<Planned>,
}

/// A bootstrap server, and how far a bootstrap has come.
pub(crate) struct BootstrapServer {
    pub(crate) account: BootstrapAccount,
    /// How its sessions are made; `None` without security.
    profile: Option<Arc<ClientProfile>>,
    /// The instance of the Security object.
    instance: u16,
    peer: Option<PeerId>,
    attempts: Attempts,
    phase: Phase,
    /// Whether no server has accepted the client since the last bootstrap.
    fruitless: bool,
}

/// What goes on with the bootstrap server.
enum Phase {
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
struct Open {
    /// The Bootstrap-Request, until it is answered.
    request: Option<RequestId>,
    /// The account of the bootstrap server as it was.
    before: Option<ObjectInstance>,
}

impl BootstrapServer {
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

    /// Whether what comes from its peer can only come from this server: by keys, or because this
    /// side has opened the connection.
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

impl Bootstrap {
    pub(crate) const fn new(
        server: Option<BootstrapServer>,
        trust: Trust,
        rng: ChaCha20Rng,
    ) -> Self {
        Self { server, trust, rng, finished: Vec::new() }
    }

    /// The accounts of a bootstrap that has just finished.
    pub(crate) fn take_accounts(&mut self) -> Vec<Planned> {
        core::mem::take(&mut self.finished)
    }

    /// Begins a bootstrap, unless there is no bootstrap server or it is asked already.
    pub(crate) fn begin(&mut self, cx: &mut Context) {
        let Some(state) = &mut self.server else { return };
        if cx.stopping || !matches!(state.phase, Phase::Idle | Phase::Waiting) {
            return;
        }
        state.attempts = Attempts::FIRST;
        state.phase = Phase::Waiting;
        let hold_off = Duration::from_secs(state.account.hold_off.into());
        match hold_off.is_zero() {
            true => self.request_bootstrap(cx),
            false => cx.set_timer(Timer::Bootstrap, hold_off),
        }
    }

    /// Bootstraps because no server accepts the client. Where the last bootstrap led to that, it
    /// counts as failed: its server is asked again after a while.
    pub(crate) fn begin_for_want(&mut self, cx: &mut Context) {
        let Some(state) = self.server.as_ref().filter(|_| !cx.stopping) else { return };
        match (state.fruitless, &state.phase) {
            (true, Phase::Idle) => self.failed(cx, BootstrapError::Fruitless),
            (true, _) => {}
            (false, _) => self.begin(cx),
        }
    }

    /// Notes that a server has accepted the client.
    pub(crate) const fn bore_fruit(&mut self) {
        if let Some(state) = &mut self.server {
            state.fruitless = false;
        }
    }

    /// Whether the bootstrap server has been asked and has not finished.
    pub(crate) fn is_under_way(&self) -> bool {
        let phase = self.server.as_ref().map(|state| &state.phase);
        matches!(phase, Some(Phase::Enrolling(_) | Phase::Packing(_) | Phase::Open(_)))
    }

    fn request_bootstrap(&mut self, cx: &mut Context) {
        match self.enrols() {
            true => self.enrol(cx),
            false => self.ask_for_accounts(cx),
        }
    }

    fn ask_for_accounts(&mut self, cx: &mut Context) {
        let packs = self.server.as_ref().is_some_and(|state| state.account.pack);
        match packs && cx.version >= Version::V1_2 {
            true => self.request_pack(cx),
            false => self.request_commands(cx),
        }
    }

    /// Bootstrap-Request: the server is to send commands.
    fn request_commands(&mut self, cx: &mut Context) {
        let Some(state) = &self.server else { return };
        let mut request = Request::post().path(["bs"]).query(&format!("ep={}", cx.endpoint_name));
        if let Some(format) = state.account.format.filter(|_| cx.version >= Version::V1_1) {
            request = request.query(&format!("pct={}", format.0));
        }
        let before = operations::instance(&cx.store, security::ID, state.instance);
        match self.ask(cx, request) {
            Some(id) => self.set_phase(Phase::Open(Open { request: Some(id), before })),
            None => self.failed(cx, BootstrapError::NotSent),
        }
    }

    /// Sends a request to the bootstrap server; starts a session first if necessary.
    fn ask(&mut self, cx: &mut Context, request: Request) -> Option<RequestId> {
        let state = self.server.as_mut()?;
        if state.peer.is_none() {
            let transport = Transport::of(&state.account.uri);
            state.peer = cx.connect(state.account.address, state.profile.as_ref(), transport);
        }
        cx.request(state.peer?, &state.account.uri, request)
    }

    fn set_phase(&mut self, phase: Phase) {
        if let Some(state) = &mut self.server {
            state.phase = phase;
        }
    }

    /// Takes the answer of the bootstrap server; `false` if the request was another one.
    pub(crate) fn answered(
        &mut self,
        cx: &mut Context,
        id: RequestId,
        answer: &Result<Response, FailReason>,
    ) -> bool {
        match self.server.as_mut().map(|state| &mut state.phase) {
            Some(Phase::Enrolling(enrolling)) if enrolling.request == id => {
                let key = enrolling.take_key();
                self.enrolment_answered(cx, key, answer);
            }
            Some(Phase::Packing(request)) if *request == id => self.pack_answered(cx, answer),
            Some(Phase::Open(open)) if open.request == Some(id) => {
                open.request = None;
                self.commands_answered(cx, answer);
            }
            _ => return false,
        }
        true
    }

    fn commands_answered(&mut self, cx: &mut Context, answer: &Result<Response, FailReason>) {
        match answer {
            Ok(response) if response.code == Code::CHANGED => await_commands(cx),
            Ok(response) => {
                self.failed(cx, BootstrapError::Refused(ErrorResponse::of(response)));
            }
            Err(reason) => {
                self.end_session(cx);
                self.failed(cx, BootstrapError::NoAnswer(*reason));
            }
        }
    }

    /// The timer of the bootstrap has fired.
    pub(crate) fn handle_timer(&mut self, cx: &mut Context) {
        match self.server.as_ref().map(|state| &state.phase) {
            Some(Phase::Waiting) => self.request_bootstrap(cx),
            Some(Phase::Open(_)) => self.failed(cx, BootstrapError::Unfinished),
            _ => {}
        }
    }

    fn failed(&mut self, cx: &mut Context, reason: BootstrapError) {
        self.abandon(cx);
        let Some(state) = &mut self.server else { return };
        let BootstrapAccount { retry, address, .. } = state.account;
        let next = if reason.is_final() { None } else { state.attempts.failed(&retry) };
        let retry_at = next.map(|wait| cx.now + wait);
        if let Some(at) = retry_at {
            state.phase = Phase::Waiting;
            cx.timers.set(Timer::Bootstrap, at);
        }
        cx.event(Event::BootstrapFailed { address, reason, retry_at });
    }

    /// Gives the bootstrap that is under way up without telling; the account of its server is as
    /// before.
    pub(crate) fn abandon(&mut self, cx: &mut Context) {
        cx.timers.cancel(Timer::Bootstrap);
        let Some(state) = &mut self.server else { return };
        let own = state.instance;
        let phase = core::mem::replace(&mut state.phase, Phase::Idle);
        let pending = match &phase {
            Phase::Enrolling(enrolling) => Some(enrolling.request),
            Phase::Packing(request) => Some(*request),
            Phase::Open(open) => open.request,
            Phase::Idle | Phase::Waiting => None,
        };
        if let Some(request) = pending {
            cx.link.coap().cancel(request);
        }
        let Phase::Open(Open { before: Some(before), .. }) = phase else { return };
        operations::restore(&mut cx.store, security::ID, own, Some(before));
        let accounts = operations::object(&cx.store, security::ID);
        for (id, values) in &accounts.instances {
            if *id != own && plan::boolean(values, security::BOOTSTRAP) == Some(true) {
                operations::restore(&mut cx.store, security::ID, *id, None);
            }
        }
    }
}

/// Gives the server time for its next command.
fn await_commands(cx: &mut Context) {
    cx.set_timer(Timer::Bootstrap, cx.exchange_lifetime);
}
