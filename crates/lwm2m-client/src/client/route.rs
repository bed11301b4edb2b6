//! What goes where: events of the link to the part that they concern, and the effects of a part to
//! the others.

use super::Client;
use crate::device_management::{Management, Request, parse_path};
use crate::effect::Effect;
use crate::error::Refusal;
use crate::event::Event;
use crate::ids::Timer;
use crate::keeping::Answer;
use crate::objects::server;
use alloc::string::ToString;
use lwm2m_coap::{self as coap, ExchangeId, FailReason, Observer, PeerId, RequestId, Response};
use lwm2m_core::{Arguments, Path};
use lwm2m_dtls::{Cause, Reason};
use lwm2m_link::{HandshakeFailure, LinkEvent, SecurityEvent};

impl Client {
    /// Handles what the link has to tell, passes on what it has to send, and carries out the effects
    /// of what came before.
    pub(crate) fn drain(&mut self) {
        self.run_effects();
        while let Some(event) = self.cx.outputs.take_from(&mut self.cx.link) {
            match event {
                LinkEvent::Security(event) => self.handle_security_event(event),
                LinkEvent::Coap(event) => self.handle_coap_event(event),
                LinkEvent::Unanswered { peer } => self.handle_unanswered(peer),
            }
            self.run_effects();
        }
        self.listen();
    }

    fn handle_coap_event(&mut self, event: coap::Event) {
        match event {
            coap::Event::Request { exchange, peer, request, token } => {
                self.handle_request(exchange, Observer { peer, token }, &request);
            }
            coap::Event::Response { id, response, .. } => self.handle_answer(id, Ok(response)),
            coap::Event::Failed { id, reason, .. } => self.handle_answer(id, Err(reason)),
            coap::Event::ObserverGone { observer, .. } => {
                self.reporting.end(&mut self.cx, observer);
            }
            coap::Event::Closed { peer, .. } => self.handle_closed(peer),
            _ => {}
        }
    }

    fn handle_request(
        &mut self,
        exchange: ExchangeId,
        observer: Observer,
        message: &coap::Request,
    ) {
        if self.bootstrap.handle_command(&mut self.cx, exchange, observer.peer, message) {
            return;
        }
        let Some(account) = self.accounts.of_peer(observer.peer) else { return };
        if !account.may_ask() {
            return self.cx.refuse(exchange, Refusal::Unavailable);
        }
        let (server, version, account) = (account.server(), account.version, account.id);
        let query = message.options.uri_query().filter(|it| !it.is_empty()).collect();
        let since = self.cx.journal.promised();
        let outcome = self.check_journal(message).and_then(|()| parse_path(message));
        let outcome = outcome.and_then(|path| {
            let request = Request { account, server, version, path, query, message };
            let (cx, attributes) = (&mut self.cx, &mut self.reporting.attributes);
            let declined_formats = &self.declined_formats;
            Management { cx, attributes, declined_formats }.handle(&request)
        });
        let (response, observation) = match outcome {
            Ok(done) => (done.response, done.observation),
            Err(refusal) => (Response::new(refusal.code()).payload(refusal.to_string()), None),
        };
        self.keep_effects();
        let mut observation = observation.map(|observation| (observer, observation));
        if let Some((observer, observation)) = &mut observation {
            self.keep_observation(*observer, observation, message);
        }
        if self.cx.journal.promised() > since {
            self.cx.link.coap().promise(exchange, &response);
            self.keep_session(account);
        }
        self.answer_when_kept(since, Answer { exchange, response, observation });
    }

    fn handle_answer(&mut self, id: RequestId, answer: Result<Response, FailReason>) {
        let cx = &mut self.cx;
        if self.reporting.send_answered(cx, id, &answer) || self.bootstrap.answered(cx, id, &answer)
        {
            return;
        }
        if let Some(account) = self.accounts.awaiting(id) {
            account.answered(cx, answer);
        }
    }

    fn handle_unanswered(&mut self, peer: PeerId) {
        let Some(address) = self.cx.link.peer_address(peer) else { return };
        // The bootstrap server is 0.
        let server = self.accounts.of_peer(peer).map_or(0, |account| account.server());
        self.cx.event(Event::Unanswered { server, address });
    }

    fn handle_security_event(&mut self, event: SecurityEvent) {
        match event {
            SecurityEvent::Established { peer, resumed } => {
                // The bootstrap server is 0.
                let server = self.accounts.of_peer(peer).map_or(0, |account| account.server());
                self.cx.event(Event::SessionBegun { server, resumed });
                self.keep_new_session(peer);
            }
            SecurityEvent::CountersDue { peer } => self.keep_session_of(peer),
            SecurityEvent::Forget { session } => self.forget_session(&session),
            SecurityEvent::Failed(HandshakeFailure { peer: Some(peer), reason, .. }) => {
                self.handle_handshake_failed(peer, reason);
            }
            SecurityEvent::Ended { peer, cause } => self.handle_session_ended(peer, cause),
            _ => {}
        }
    }

    fn handle_handshake_failed(&mut self, peer: PeerId, reason: Reason) {
        match self.accounts.of_peer(peer) {
            Some(account) => account.handshake_failed(&mut self.cx, reason),
            None => self.bootstrap.handshake_failed(&mut self.cx, peer, reason),
        }
    }

    fn handle_session_ended(&mut self, peer: PeerId, cause: Cause) {
        match self.accounts.of_peer(peer) {
            Some(account) => account.session_ended(&mut self.cx, cause),
            None => _ = self.bootstrap.forget_peer(&mut self.cx, peer),
        }
    }

    fn handle_closed(&mut self, peer: PeerId) {
        self.cx.leaving.retain(|leaving| *leaving != peer);
        match self.accounts.of_peer(peer) {
            Some(account) => account.connection_ended(&mut self.cx),
            None => _ = self.bootstrap.forget_peer(&mut self.cx, peer),
        }
        self.cx.effect(Effect::Ended);
    }

    pub(super) fn handle_timers(&mut self) {
        while let Some(timer) = self.cx.timers.pop_expired(self.cx.now) {
            let cx = &mut self.cx;
            match timer {
                Timer::Account(id) => {
                    if let Some(account) = self.accounts.get_mut(id) {
                        account.handle_timer(cx);
                    }
                }
                Timer::Bootstrap => self.bootstrap.handle_timer(cx),
                Timer::Sleep => self.fall_asleep(),
                Timer::BootstrapAccount => {
                    self.bootstrap.purge(cx);
                    self.keep_accounts();
                }
                Timer::Pmin(_) | Timer::Epmax(_) | Timer::Pmax(_) => {
                    self.reporting.handle_timer(cx, &self.accounts, timer);
                }
            }
            self.run_effects();
        }
    }

    /// Carries effects out, and the effects of these.
    fn run_effects(&mut self) {
        while let Some(effect) = self.cx.effects.pop_front() {
            self.run(effect);
        }
    }

    fn run(&mut self, effect: Effect) {
        let (cx, accounts) = (&mut self.cx, &mut self.accounts);
        match effect {
            Effect::EndObservations(account) => {
                self.reporting.end_all_of(cx, account);
                self.forget_resuming(account);
            }
            Effect::ForgetAccount(account, server) => {
                self.reporting.attributes.remove_account(account);
                self.forget_account(server);
            }
            Effect::Changed(paths) => self.reporting.report(cx, accounts, &paths),
            Effect::Written(paths) => self.written(&paths),
            Effect::Instances(path) => {
                accounts.synchronise(cx);
                self.reporting.report(cx, accounts, &[path]);
            }
            Effect::Attributes(account, path) => {
                self.reporting.attributes_changed(cx, accounts, account, &path);
            }
            Effect::Deleted(path) => self.reporting.attributes.remove_below(&path),
            Effect::Executed(path, arguments) => self.executed(&path, &arguments),
            Effect::Accepted(account) => {
                self.bootstrap.bore_fruit();
                self.keep_session(account);
            }
            Effect::Resumed(account) => self.resume_observations(account),
            Effect::GivenUp => {
                if accounts.all_idle() {
                    self.bootstrap.begin_for_want(cx);
                }
                self.stop_if_done();
            }
            Effect::Ended => self.stop_if_done(),
            Effect::Bootstrapped => {
                accounts.adopt(cx, self.bootstrap.take_accounts());
                self.reporting.report(cx, accounts, &[Path::ROOT]);
                self.keep_accounts();
            }
        }
    }

    fn written(&mut self, paths: &[Path]) {
        let (cx, accounts) = (&mut self.cx, &mut self.accounts);
        for path in paths {
            let [server::ID, instance, ..] = *path.ids() else { continue };
            accounts.synchronise(cx);
            if let Some(account) = accounts.at_instance(instance).map(|account| account.id) {
                // The default periods may be others now.
                self.reporting.attributes_changed(cx, accounts, account, &Path::ROOT);
            }
        }
        self.reporting.report(cx, accounts, paths);
    }

    /// The executable resources of the Server object are the client's own.
    fn executed(&mut self, path: &Path, arguments: &Arguments) {
        let [server::ID, instance, resource] = *path.ids() else { return };
        let cx = &mut self.cx;
        match (self.accounts.at_instance(instance), resource) {
            (Some(account), server::UPDATE_TRIGGER) => account.update_triggered(cx, arguments),
            (Some(account), server::DISABLE) => account.disable(cx),
            (_, server::BOOTSTRAP_TRIGGER) => self.bootstrap.begin(cx),
            _ => {}
        }
    }

    pub(super) fn stop_if_done(&mut self) {
        if self.cx.stopping && self.accounts.all_idle() && self.cx.leaving.is_empty() {
            self.cx.stopping = false;
            self.cx.event(Event::Stopped);
        }
    }
}
