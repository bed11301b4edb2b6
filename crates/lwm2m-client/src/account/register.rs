//! Register and De-register (OMA LwM2M Core 6.2.1 and 6.2.3).

use super::Account;
use super::state::{
    Attempts, Deregistering, LONGEST_RETRY, MAX_DOUBLINGS, Registered, Registering,
    RegistrationParams, SHORTEST_RETRY, State, lower,
};
use crate::context::Context;
use crate::effect::Effect;
use crate::error::{ErrorResponse, RegistrationError};
use crate::event::Event;
use crate::ids::Timer;
use crate::objects::server::with_queue_mode;
use crate::objects::store::Store;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use lwm2m_coap::{Code, FailReason, Request, Response};
use lwm2m_codec::link;
use lwm2m_core::{ContentFormat, Version};
use lwm2m_time::Instant;

/// The answer to a request, or the reason of its failure.
pub(super) type Answer = Result<Response, FailReason>;

impl Account {
    /// Registers as if nothing had been before.
    pub(crate) fn register_afresh(&mut self, cx: &mut Context) {
        self.version = self.highest;
        self.accepted();
        self.register(cx);
    }

    pub(super) fn register(&mut self, cx: &mut Context) {
        self.abandon(cx);
        if self.is_retired() {
            return;
        }
        self.choose_transport(cx);
        let params = self.params(&cx.store);
        let request = self.register_request(&cx.endpoint_name, &params);
        match self.request(cx, request) {
            Some(request) => self.state = State::Registering(Registering { request, params }),
            None if self.config.address.is_none() => {
                self.registration_failed(cx, RegistrationError::NoAddress);
            }
            None => self.registration_failed(cx, RegistrationError::NotSent),
        }
    }

    fn register_request(&self, endpoint_name: &str, params: &RegistrationParams) -> Request {
        let request = Request::post()
            .path(["rd"])
            .content_format(ContentFormat::LINK.0)
            .query(&format!("ep={endpoint_name}"))
            .query(&format!("lt={}", params.lifetime))
            .query(&format!("lwm2m={}", self.version))
            .query(&format!("b={}", params.binding))
            .payload(params.links.clone());
        // LwM2M 1.0 has queue mode in the binding.
        let queue = self.config.queue_mode && self.version != Version::V1_0;
        if queue { request.query("Q") } else { request }
    }

    /// What the server should know of this client.
    pub(super) fn params(&self, store: &Store) -> RegistrationParams {
        let links = link::write(&store.links(self.version));
        let settings = self.settings(store);
        let mut binding = settings.binding();
        if self.config.queue_mode && self.version == Version::V1_0 {
            binding = with_queue_mode(&binding);
        }
        RegistrationParams { lifetime: settings.lifetime(), binding, links }
    }

    /// Ends what is pending: the request, the timer and the observations of the server.
    pub(super) fn abandon(&mut self, cx: &mut Context) {
        cx.timers.cancel(Timer::Account(self.id));
        if let Some(request) = self.state.pending() {
            cx.link.coap().cancel(request);
        }
        self.forget(cx);
        cx.effect(Effect::EndObservations(self.id));
    }

    /// Takes the answer to the request that is pending.
    pub(crate) fn answered(&mut self, cx: &mut Context, answer: Answer) {
        match core::mem::replace(&mut self.state, State::Idle) {
            State::Registering(state) => self.register_answered(cx, state, answer),
            State::Registered(state) => self.update_answered(cx, state, answer),
            State::Deregistering(state) => self.deregistered(cx, &state, answer),
            other @ (State::Idle | State::Waiting | State::Disabled) => self.state = other,
        }
    }

    fn register_answered(&mut self, cx: &mut Context, state: Registering, answer: Answer) {
        let response = match answer {
            Ok(response) => response,
            Err(reason) => {
                self.end_session(cx);
                return self.registration_failed(cx, RegistrationError::NoAnswer(reason));
            }
        };
        match response.code {
            Code::CREATED if response.options.location_path().next().is_none() => {
                self.registration_failed(cx, RegistrationError::NoLocation);
            }
            Code::CREATED => self.registered(cx, state.params, &response),
            Code::PRECONDITION_FAILED if !cx.stopping && self.step_down() => self.register(cx),
            Code::SERVICE_UNAVAILABLE if !cx.stopping => self.server_overloaded(cx, &response),
            _ => {
                let reason = RegistrationError::Refused(ErrorResponse::of(&response));
                self.registration_failed(cx, reason);
            }
        }
    }

    /// Waits for a server that has no room for a Register now.
    fn server_overloaded(&mut self, cx: &mut Context, response: &Response) {
        let at = cx.now + self.overloaded(response.options.max_age());
        self.state = State::Waiting;
        cx.timers.set(Timer::Account(self.id), at);
        let reason = RegistrationError::Refused(ErrorResponse::of(response));
        self.tell_failure(cx, reason, Some(at));
    }

    /// Changes to the next lower version. Returns `false` at the lowest.
    const fn step_down(&mut self) -> bool {
        match lower(self.version, self.transport) {
            Some(version) => self.version = version,
            None => return false,
        }
        true
    }

    fn registered(&mut self, cx: &mut Context, known: RegistrationParams, response: &Response) {
        let text = |segment: &[u8]| String::from_utf8_lossy(segment).into_owned();
        let location: Vec<String> = response.options.location_path().map(text).collect();
        let server = self.server();
        cx.event(Event::Registered { server, location: format!("/{}", location.join("/")) });
        cx.effect(Effect::Accepted(self.id));
        self.state = State::Registered(Registered {
            location,
            known,
            update: None,
            moving_to: None,
            again: false,
            renewed_at: cx.now,
            resumes: false,
        });
        self.keep(cx);
        if cx.stopping {
            return self.deregister(cx, None);
        }
        self.accepted();
        self.schedule_update(cx);
        // Something may have changed while the request was under way.
        self.synchronise(cx);
    }

    pub(super) fn registration_failed(&mut self, cx: &mut Context, reason: RegistrationError) {
        let retry = self.settings(&cx.store).retry();
        let hopeless = cx.stopping || reason.is_final();
        let next = if hopeless { None } else { self.attempts.failed(&retry) };
        let retry_at = next.map(|wait| cx.now + wait);
        match retry_at {
            Some(at) => {
                self.state = State::Waiting;
                cx.timers.set(Timer::Account(self.id), at);
            }
            None => self.state = State::Idle,
        }
        let elsewhere = reason.may_be_elsewhere();
        self.tell_failure(cx, reason, retry_at);
        if elsewhere {
            self.want_address(cx);
        }
        if retry_at.is_none() {
            cx.effect(Effect::GivenUp);
        }
    }

    pub(super) fn tell_failure(
        &self,
        cx: &mut Context,
        reason: RegistrationError,
        retry_at: Option<Instant>,
    ) {
        let (server, address) = (self.server(), self.config.address);
        cx.event(Event::RegistrationFailed { server, address, reason, retry_at });
    }

    /// Registers anew in a moment: a server that has just ended a session may be about to restart.
    pub(super) fn register_soon(&mut self, cx: &mut Context) {
        if cx.stopping {
            self.state = State::Idle;
            return cx.effect(Effect::Ended);
        }
        self.state = State::Waiting;
        let retry_at = cx.now + SHORTEST_RETRY;
        cx.timers.set(Timer::Account(self.id), retry_at);
        cx.event(Event::SessionEnded { server: self.server(), retry_at });
    }

    /// The timer of the account has fired.
    pub(crate) fn handle_timer(&mut self, cx: &mut Context) {
        match self.state {
            State::Registered(_) => {
                self.change_transport(cx);
                self.send_update(cx);
            }
            State::Waiting => self.register(cx),
            State::Disabled | State::Deregistering(_) => self.register_afresh(cx),
            State::Idle | State::Registering(_) => {}
        }
    }

    /// Registers anew, because the device has another address.
    pub(crate) fn rebind(&mut self, cx: &mut Context) {
        match self.state {
            State::Idle | State::Disabled | State::Deregistering(_) => {}
            State::Registering(_) | State::Waiting | State::Registered(_) => {
                self.end_session(cx);
                self.register_afresh(cx);
            }
        }
    }

    /// De-registers for a shutdown.
    pub(crate) fn shutdown(&mut self, cx: &mut Context) {
        match &mut self.state {
            // A server that is about to answer a Register knows this client: the answer tells
            // where to de-register.
            State::Registering(_) => {}
            State::Deregistering(state) => {
                state.disabled = false;
                cx.timers.cancel(Timer::Account(self.id));
            }
            _ => self.deregister(cx, None),
        }
    }

    /// De-registers because the server asked to be left alone (/1/x/4).
    pub(crate) fn disable(&mut self, cx: &mut Context) {
        let timeout = self.settings(&cx.store).disable_timeout();
        self.deregister(cx, Some(timeout));
    }

    /// Sends De-register, if the server knows this client; `disabled_for` brings a new registration
    /// after that time.
    fn deregister(&mut self, cx: &mut Context, disabled_for: Option<Duration>) {
        let location = match &self.state {
            State::Registered(state) => Some(state.location.clone()),
            _ => None,
        };
        self.abandon(cx);
        let request =
            location.and_then(|location| self.request(cx, Request::delete().path(location)));
        if let Some(wait) = disabled_for {
            cx.set_timer(Timer::Account(self.id), wait);
        }
        let disabled = disabled_for.is_some();
        self.state = match (request, disabled) {
            (Some(request), _) => State::Deregistering(Deregistering { request, disabled }),
            (None, true) => State::Disabled,
            (None, false) => State::Idle,
        };
    }

    /// Whatever the server answered: for this client the registration is over.
    fn deregistered(&mut self, cx: &mut Context, state: &Deregistering, answer: Answer) {
        self.state = if state.disabled { State::Disabled } else { State::Idle };
        self.end_session(cx);
        let confirmed = match answer {
            Ok(response) if response.code == Code::DELETED => Ok(()),
            Ok(response) => Err(RegistrationError::Refused(ErrorResponse::of(&response))),
            Err(reason) => Err(RegistrationError::NoAnswer(reason)),
        };
        cx.event(Event::Deregistered { server: self.server(), confirmed });
        cx.effect(Effect::Ended);
    }

    /// Notes that the server accepted something.
    pub(super) const fn accepted(&mut self) {
        self.attempts = Attempts::FIRST;
        self.overloads = 0;
    }

    /// How long to leave an overloaded server (5.03) alone: as long as it says (60 s if it does
    /// not), but each time twice as long as before, and from 5 s to a day in any case. It does not
    /// count as a failed attempt.
    pub(super) fn overloaded(&mut self, max_age: Option<u32>) -> Duration {
        let doubled = SHORTEST_RETRY.saturating_mul(1_u32.checked_shl(self.overloads).unwrap_or(0));
        self.overloads = (self.overloads + 1).min(MAX_DOUBLINGS);
        doubled.max(Duration::from_secs(max_age.unwrap_or(60).into())).min(LONGEST_RETRY)
    }
}
