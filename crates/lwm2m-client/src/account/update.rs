//! Update (OMA LwM2M Core 6.2.2).

use super::Account;
use super::register::Answer;
use super::state::{Registered, State, update_after};
use crate::context::Context;
use crate::effect::Effect;
use crate::error::{ErrorResponse, RegistrationError};
use crate::event::Event;
use crate::ids::Timer;
use lwm2m_coap::{Code, Response};

impl Account {
    pub(super) fn schedule_update(&self, cx: &mut Context) {
        let State::Registered(state) = &self.state else { return };
        let timer = Timer::Account(self.id);
        match update_after(state.known.lifetime, cx.request_span) {
            Some(wait) => cx.set_timer(timer, wait),
            None => drop(cx.timers.cancel(timer)),
        }
    }

    /// Tells the server what it does not know yet.
    pub(super) fn synchronise(&mut self, cx: &mut Context) {
        let State::Registered(state) = &self.state else { return };
        let told = state.update.as_ref().map_or(&state.known, |(_, params)| params);
        if self.params(&cx.store) != *told {
            self.send_update(cx);
        }
    }

    /// Sends an Update as the application asks, or registers with a server that was given up.
    pub(crate) fn update(&mut self, cx: &mut Context) {
        match self.state {
            State::Idle if !cx.stopping => self.register_afresh(cx),
            _ => self.send_update(cx),
        }
    }

    /// Sends an Update with what has changed, or one after that which is under way.
    pub(super) fn send_update(&mut self, cx: &mut Context) {
        let params = self.params(&cx.store);
        let State::Registered(state) = &mut self.state else { return };
        if state.update.is_some() {
            state.again = true;
            return;
        }
        let request = state.update_request(&params);
        match (self.request(cx, request), &mut self.state) {
            (Some(id), State::Registered(state)) => state.update = Some((id, params)),
            _ => self.registration_failed(cx, RegistrationError::NotSent),
        }
    }

    pub(super) fn update_answered(
        &mut self,
        cx: &mut Context,
        mut state: Registered,
        answer: Answer,
    ) {
        let reason = match answer {
            Ok(response) if response.code == Code::CHANGED => return self.updated(cx, state),
            Ok(response) if response.code == Code::SERVICE_UNAVAILABLE => {
                state.update = None;
                return self.update_postponed(cx, state, &response);
            }
            Ok(response) => RegistrationError::Refused(ErrorResponse::of(&response)),
            Err(reason) => {
                self.end_session(cx);
                RegistrationError::NoAnswer(reason)
            }
        };
        // The server does not know this client any more, or cannot be reached at this address.
        let elsewhere = reason.may_be_elsewhere();
        let retry_at = Some(cx.now);
        self.tell_failure(cx, reason, retry_at);
        if elsewhere {
            self.want_address(cx);
        }
        self.register_afresh(cx);
    }

    fn updated(&mut self, cx: &mut Context, mut state: Registered) {
        if let Some((_, params)) = state.update.take() {
            state.known = params;
        }
        let again = core::mem::take(&mut state.again);
        state.renewed_at = cx.now;
        let resumes = core::mem::take(&mut state.resumes);
        self.state = State::Registered(state);
        self.accepted();
        self.keep(cx);
        if resumes {
            cx.effect(Effect::Resumed(self.id));
        }
        cx.event(Event::Updated { server: self.server() });
        self.schedule_update(cx);
        if again {
            self.send_update(cx);
        }
    }

    /// Tries an Update again when an overloaded server wants it, or before the lifetime ends.
    fn update_postponed(&mut self, cx: &mut Context, state: Registered, response: &Response) {
        let wait = self.overloaded(response.options.max_age());
        let Some(wait) = state.retry_within(cx.now, wait, cx.request_span) else {
            return self.register(cx);
        };
        self.state = State::Registered(state);
        cx.set_timer(Timer::Account(self.id), wait);
    }
}
