//! Register, Update and De-register with each server (OMA LwM2M Core 6.2).

use crate::account::{
    Account, Deregistering, Registered, Registering, RegistrationParams, SHORTEST_RETRY, State,
    lower, update_after,
};
use crate::client::{Client, Timer};
use crate::error::{ErrorResponse, RegistrationError};
use crate::event::Event;
use crate::objects::server::with_queue_mode;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use lwm2m_coap::{Code, FailReason, Request, RequestId, Response};
use lwm2m_codec::link;
use lwm2m_core::{ContentFormat, Version};
use lwm2m_time::Instant;

type Answer = Result<Response, FailReason>;

impl Client {
    /// Registers with a server as if nothing had been before.
    pub(crate) fn register_afresh(&mut self, now: Instant, account: usize) {
        if let Some(state) = self.accounts.get_mut(account) {
            state.forget();
        }
        self.register(now, account);
    }

    fn register(&mut self, now: Instant, account: usize) {
        self.abandon(account);
        self.choose_transport(now, account);
        let Some(offer) = self.offer(account) else { return };
        let Some(request) = self.register_request(account, &offer) else { return };
        let state = match self.request(now, account, request) {
            Some(request) => State::Registering(Registering { request, offer }),
            None => {
                let known =
                    self.accounts.get(account).is_some_and(|it| it.config.address.is_some());
                let reason = match known {
                    true => RegistrationError::NotSent,
                    false => RegistrationError::NoAddress,
                };
                return self.registration_failed(now, account, reason);
            }
        };
        self.set_state(account, state);
    }

    fn register_request(&self, account: usize, offer: &RegistrationParams) -> Option<Request> {
        let account = self.accounts.get(account)?;
        let request = Request::post()
            .path(["rd"])
            .content_format(ContentFormat::LINK.0)
            .query(&format!("ep={}", self.endpoint_name))
            .query(&format!("lt={}", offer.lifetime))
            .query(&format!("lwm2m={}", account.version))
            .query(&format!("b={}", offer.binding))
            .payload(offer.links.clone());
        // LwM2M 1.0 has queue mode in the binding.
        let queue = account.config.queue_mode && account.version != Version::V1_0;
        Some(if queue { request.query("Q") } else { request })
    }

    /// What a server should know of this client.
    fn offer(&mut self, account: usize) -> Option<RegistrationParams> {
        let known = self.accounts.get(account).filter(|account| !account.is_retired())?;
        let Account { version, config, .. } = known;
        let (version, queue_mode) = (*version, config.queue_mode);
        let links = link::write(&self.store.links(version));
        let settings = self.settings(account);
        let mut binding = settings.binding();
        if queue_mode && version == Version::V1_0 {
            binding = with_queue_mode(&binding);
        }
        Some(RegistrationParams { lifetime: settings.lifetime(), binding, links })
    }

    /// Ends requests and observations of a server, and its timer.
    pub(crate) fn abandon(&mut self, account: usize) {
        self.timers.cancel(Timer::Account(account));
        let pending = match self.accounts.get(account).map(|account| &account.state) {
            Some(State::Registering(state)) => Some(state.request),
            Some(State::Registered(state)) => state.update.as_ref().map(|(id, _)| *id),
            Some(State::Deregistering(state)) => Some(state.request),
            _ => None,
        };
        if let Some(request) = pending {
            self.link.coap().cancel(request);
        }
        self.end_observations_of(account);
    }

    fn set_state(&mut self, account: usize, state: State) {
        if let Some(account) = self.accounts.get_mut(account) {
            account.state = state;
        }
    }

    pub(crate) fn server(&self, account: usize) -> u16 {
        self.accounts.get(account).map_or(0, |account| account.server())
    }

    /// An answer to one of our requests, or none.
    pub(crate) fn handle_answer(&mut self, now: Instant, id: RequestId, answer: Answer) {
        if self.send_answered(id, &answer) || self.bootstrap_answered(now, id, &answer) {
            return;
        }
        let expects = |state: &State| match state {
            State::Registering(state) => state.request == id,
            State::Registered(state) => state.update.as_ref().is_some_and(|(own, _)| *own == id),
            State::Deregistering(state) => state.request == id,
            _ => false,
        };
        let Some(account) = self.accounts.iter().position(|a| expects(&a.state)) else { return };
        let state = self.accounts.get_mut(account);
        let Some(state) = state.map(|a| core::mem::replace(&mut a.state, State::Idle)) else {
            return;
        };
        match state {
            State::Registering(state) => self.register_answered(now, account, state, answer),
            State::Registered(state) => self.update_answered(now, account, state, answer),
            State::Deregistering(state) => self.deregistered(now, account, &state, answer),
            State::Idle | State::Waiting | State::Disabled => {}
        }
    }

    fn register_answered(
        &mut self,
        now: Instant,
        account: usize,
        state: Registering,
        answer: Answer,
    ) {
        let response = match answer {
            Ok(response) => response,
            Err(reason) => {
                self.end_session(now, account);
                let reason = RegistrationError::NoAnswer(reason);
                return self.registration_failed(now, account, reason);
            }
        };
        match response.code {
            Code::CREATED if response.options.location_path().next().is_none() => {
                self.registration_failed(now, account, RegistrationError::NoLocation);
            }
            Code::CREATED => self.registered(now, account, state.offer, &response),
            Code::PRECONDITION_FAILED if !self.stopping && self.step_down(account) => {
                self.register(now, account);
            }
            Code::SERVICE_UNAVAILABLE if !self.stopping => {
                self.server_overloaded(now, account, &response);
            }
            _ => {
                let reason = RegistrationError::Refused(ErrorResponse::of(&response));
                self.registration_failed(now, account, reason);
            }
        }
    }

    /// Waits for a server that has no room for a Register now.
    fn server_overloaded(&mut self, now: Instant, account: usize, response: &Response) {
        let Some(state) = self.accounts.get_mut(account) else { return };
        let at = now + state.overloaded(response.options.max_age());
        state.state = State::Waiting;
        self.timers.set(Timer::Account(account), at);
        let (server, retry_at) = (self.server(account), Some(at));
        let reason = RegistrationError::Refused(ErrorResponse::of(response));
        self.events.push_back(Event::RegistrationFailed { server, reason, retry_at });
    }

    /// Takes the next lower version; `false` if there is none.
    fn step_down(&mut self, account: usize) -> bool {
        let Some(account) = self.accounts.get_mut(account) else { return false };
        let Some(version) = lower(account.version, account.transport) else { return false };
        account.version = version;
        true
    }

    fn registered(
        &mut self,
        now: Instant,
        account: usize,
        known: RegistrationParams,
        response: &Response,
    ) {
        let text = |segment: &[u8]| String::from_utf8_lossy(segment).into_owned();
        let location: Vec<String> = response.options.location_path().map(text).collect();
        let server = self.server(account);
        self.events
            .push_back(Event::Registered { server, location: format!("/{}", location.join("/")) });
        if let Some(bootstrap) = &mut self.bootstrap {
            bootstrap.fruitless = false;
        }
        let state = Registered {
            location,
            known,
            update: None,
            moving_to: None,
            again: false,
            renewed_at: now,
        };
        self.set_state(account, State::Registered(state));
        if self.stopping {
            return self.deregister(now, account, None);
        }
        if let Some(account) = self.accounts.get_mut(account) {
            account.accepted();
        }
        self.schedule_update(now, account);
        // Something may have changed while the request was under way.
        self.synchronise_one(now, account);
    }

    fn schedule_update(&mut self, now: Instant, account: usize) {
        let Some(State::Registered(state)) = self.accounts.get(account).map(|a| &a.state) else {
            return;
        };
        let timer = Timer::Account(account);
        match update_after(state.known.lifetime, self.request_span) {
            Some(wait) => self.timers.set(timer, now + wait),
            None => drop(self.timers.cancel(timer)),
        }
    }

    pub(crate) fn registration_failed(
        &mut self,
        now: Instant,
        account: usize,
        reason: RegistrationError,
    ) {
        let retry = self.settings(account).retry();
        let Some(state) = self.accounts.get_mut(account) else { return };
        let hopeless = self.stopping || reason.is_final();
        let next = if hopeless { None } else { state.attempts.failed(&retry) };
        let retry_at = next.map(|wait| now + wait);
        state.state = if retry_at.is_some() { State::Waiting } else { State::Idle };
        if let Some(at) = retry_at {
            self.timers.set(Timer::Account(account), at);
        }
        let server = self.server(account);
        let elsewhere = reason.may_be_elsewhere();
        self.events.push_back(Event::RegistrationFailed { server, reason, retry_at });
        if elsewhere {
            self.want_address(account);
        }
        if self.accounts.iter().all(|account| matches!(account.state, State::Idle)) {
            self.bootstrap_for_want(now);
        }
        self.stop_if_done();
    }

    /// Registers anew in a moment: a server that has just ended a session may be about to restart.
    pub(crate) fn register_soon(&mut self, now: Instant, account: usize) {
        if self.stopping {
            self.set_state(account, State::Idle);
            return self.stop_if_done();
        }
        self.set_state(account, State::Waiting);
        let retry_at = now + SHORTEST_RETRY;
        self.timers.set(Timer::Account(account), retry_at);
        let server = self.server(account);
        self.events.push_back(Event::SessionEnded { server, retry_at });
    }

    pub(crate) fn handle_account_timer(&mut self, now: Instant, account: usize) {
        match self.accounts.get(account).map(|account| &account.state) {
            Some(State::Registered(_)) => {
                self.change_transport(now, account);
                self.send_update(now, account);
            }
            Some(State::Waiting) => self.register(now, account),
            Some(State::Disabled | State::Deregistering(_)) => self.register_afresh(now, account),
            _ => {}
        }
    }

    /// Tells every server what it does not know yet.
    pub(crate) fn synchronise(&mut self, now: Instant) {
        for account in 0..self.accounts.len() {
            self.synchronise_one(now, account);
        }
    }

    fn synchronise_one(&mut self, now: Instant, account: usize) {
        let offer = self.offer(account);
        let Some(State::Registered(state)) = self.accounts.get(account).map(|a| &a.state) else {
            return;
        };
        let told = state.update.as_ref().map_or(&state.known, |(_, offer)| offer);
        if offer.is_some_and(|offer| offer != *told) {
            self.send_update(now, account);
        }
    }

    /// Sends an Update with what has changed, or one after that which is under way.
    pub(crate) fn send_update(&mut self, now: Instant, account: usize) {
        let Some(offer) = self.offer(account) else { return };
        let Some(State::Registered(state)) = self.accounts.get_mut(account).map(|a| &mut a.state)
        else {
            return;
        };
        if state.update.is_some() {
            state.again = true;
            return;
        }
        let request = state.update_request(&offer);
        match self.request(now, account, request) {
            Some(id) => {
                if let Some(State::Registered(state)) =
                    self.accounts.get_mut(account).map(|account| &mut account.state)
                {
                    state.update = Some((id, offer));
                }
            }
            None => self.registration_failed(now, account, RegistrationError::NotSent),
        }
    }

    fn update_answered(
        &mut self,
        now: Instant,
        account: usize,
        mut state: Registered,
        answer: Answer,
    ) {
        let server = self.server(account);
        let reason = match answer {
            Ok(response) if response.code == Code::CHANGED => {
                if let Some((_, offer)) = state.update.take() {
                    state.known = offer;
                }
                let again = core::mem::take(&mut state.again);
                state.renewed_at = now;
                self.set_state(account, State::Registered(state));
                if let Some(account) = self.accounts.get_mut(account) {
                    account.accepted();
                }
                self.events.push_back(Event::Updated { server });
                self.schedule_update(now, account);
                return if again {
                    self.send_update(now, account)
                };
            }
            Ok(response) if response.code == Code::SERVICE_UNAVAILABLE => {
                return self.update_postponed(now, account, state, &response);
            }
            Ok(response) => RegistrationError::Refused(ErrorResponse::of(&response)),
            Err(reason) => {
                self.end_session(now, account);
                RegistrationError::NoAnswer(reason)
            }
        };
        // The server does not know this client any more, or cannot be reached at this address.
        let elsewhere = reason.may_be_elsewhere();
        self.events.push_back(Event::RegistrationFailed { server, reason, retry_at: Some(now) });
        if elsewhere {
            self.want_address(account);
        }
        self.register_afresh(now, account);
    }

    /// Tries an Update again when an overloaded server wants it, or before the lifetime ends.
    fn update_postponed(
        &mut self,
        now: Instant,
        account: usize,
        mut state: Registered,
        response: &Response,
    ) {
        let Some(known) = self.accounts.get_mut(account) else { return };
        let wait = known.overloaded(response.options.max_age());
        let Some(wait) = state.retry_within(now, wait, self.request_span) else {
            return self.register(now, account);
        };
        state.update = None;
        known.state = State::Registered(state);
        self.timers.set(Timer::Account(account), now + wait);
    }

    /// Sends De-register; `disabled_for` brings a new registration after that time.
    pub(crate) fn deregister(
        &mut self,
        now: Instant,
        account: usize,
        disabled_for: Option<Duration>,
    ) {
        let location = match self.accounts.get(account).map(|account| &account.state) {
            Some(State::Registered(state)) => Some(state.location.clone()),
            _ => None,
        };
        self.abandon(account);
        let request = location
            .and_then(|location| self.request(now, account, Request::delete().path(location)));
        if let Some(wait) = disabled_for {
            self.timers.set(Timer::Account(account), now + wait);
        }
        let disabled = disabled_for.is_some();
        self.set_state(
            account,
            match (request, disabled) {
                (Some(request), _) => State::Deregistering(Deregistering { request, disabled }),
                (None, true) => State::Disabled,
                (None, false) => State::Idle,
            },
        );
    }

    /// Whatever the server answered: for this client the registration is over.
    fn deregistered(
        &mut self,
        now: Instant,
        account: usize,
        state: &Deregistering,
        answer: Answer,
    ) {
        let next = if state.disabled { State::Disabled } else { State::Idle };
        self.set_state(account, next);
        self.end_session(now, account);
        let server = self.server(account);
        let confirmed = match answer {
            Ok(response) if response.code == Code::DELETED => Ok(()),
            Ok(response) => Err(RegistrationError::Refused(ErrorResponse::of(&response))),
            Err(reason) => Err(RegistrationError::NoAnswer(reason)),
        };
        self.events.push_back(Event::Deregistered { server, confirmed });
        self.stop_if_done();
    }

    pub(crate) fn stop_if_done(&mut self) {
        let done = self.accounts.iter().all(|a| matches!(a.state, State::Idle));
        if self.stopping && done && self.leaving.is_empty() {
            self.stopping = false;
            self.events.push_back(Event::Stopped);
        }
    }

    /// The server asked to be left alone (/1/x/4).
    pub(crate) fn disable(&mut self, now: Instant, account: usize) {
        let timeout = self.settings(account).disable_timeout();
        self.deregister(now, account, Some(timeout));
    }
}
