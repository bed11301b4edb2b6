//! The session or connection with a server: how it comes about, and what its end means (OMA LwM2M
//! Transport 5.2.9).

use super::Account;
use super::state::{SHORTEST_RETRY, State};
use crate::context::Context;
use crate::effect::Effect;
use crate::error::RegistrationError;
use crate::event::Event;
use crate::ids::Timer;
use crate::objects::{MemoryObject, server};
use crate::transport::Transport;
use alloc::vec;
use core::net::SocketAddr;
use lwm2m_coap::uri::{Host, Uri};
use lwm2m_coap::{Request, RequestId};
use lwm2m_core::{Model, Path};
use lwm2m_dtls::{Alert, Cause, Reason};

impl Account {
    /// Sends a request to the server; starts a session first if necessary.
    pub(crate) fn request(&mut self, cx: &mut Context, request: Request) -> Option<RequestId> {
        if self.peer.is_none() {
            self.peer = cx.connect(self.config.address?, self.profile.as_ref(), self.transport);
        }
        cx.request(self.peer?, &self.config.uri, request)
    }

    /// Ends the session or connection, so that the next request makes a new one: the server has
    /// lost it perhaps, or it is not needed any more.
    pub(super) fn end_session(&mut self, cx: &mut Context) {
        let has_session = self.has_session();
        if let Some(peer) = self.peer.take_if(|_| has_session) {
            cx.end(peer);
        }
    }

    fn forget_peer(&mut self, cx: &mut Context) {
        self.peer.take().into_iter().for_each(|peer| cx.link.release(peer));
    }

    /// The connection has ended. Another one follows in a moment with an Update, by which the server reaches
    /// the client on it. Observations ended with the connection (RFC 8323 section 7.4). If the Update of that
    /// connection fails as well, the next ones wait as long as failed attempts to register do.
    pub(crate) fn connection_ended(&mut self, cx: &mut Context) {
        self.forget_peer(cx);
        let retry = self.settings(&cx.store).retry();
        let wait = match &self.state {
            State::Registered(state) if state.resumes => self.attempts.failed(&retry),
            _ => Some(SHORTEST_RETRY),
        };
        let retry_at = wait.map(|wait| cx.now + wait);
        match (&mut self.state, retry_at) {
            (State::Registered(state), Some(retry_at))
                if !cx.stopping && state.lasts_beyond(retry_at) =>
            {
                // A request that was under way fails, which tells nothing of the registration.
                let update = state.update.take();
                state.resumes = true;
                update.into_iter().for_each(|(id, _)| cx.link.coap().cancel(id));
                cx.effect(Effect::EndObservations(self.id));
                cx.timers.set(Timer::Account(self.id), retry_at);
                cx.event(Event::SessionEnded { server: self.server(), retry_at });
            }
            _ => self.lose_registration(cx),
        }
    }

    /// A handshake has failed.
    pub(crate) fn handshake_failed(&mut self, cx: &mut Context, reason: Reason) {
        self.forget_peer(cx);
        if let Reason::PeerAlert(alert) = reason {
            self.note_alert(cx, alert);
        }
        // Of a De-register, CoAP is about to tell that it has failed.
        if matches!(self.state, State::Registering(_) | State::Registered(_)) {
            self.abandon(cx);
            self.registration_failed(cx, RegistrationError::Handshake(reason));
        }
    }

    /// The server has ended the session: it starts anew, or is about to. The client registers
    /// again.
    pub(crate) fn session_ended(&mut self, cx: &mut Context, cause: Cause) {
        self.forget_peer(cx);
        if let Cause::Alert(alert) = cause {
            self.note_alert(cx, alert);
        }
        match (cause, &self.state) {
            (Cause::Alert(alert), State::Registered(_)) => {
                self.abandon(cx);
                self.registration_failed(cx, RegistrationError::Alert(alert));
            }
            _ if self.transport == Transport::Tcp => self.connection_ended(cx),
            _ => self.lose_registration(cx),
        }
    }

    /// What the registration was made by has ended: the client registers again. Of a request that
    /// is under way CoAP is about to tell that it has failed.
    fn lose_registration(&mut self, cx: &mut Context) {
        if matches!(self.state, State::Registered(_)) {
            self.abandon(cx);
            self.register_soon(cx);
        }
    }

    /// Notes an alert of the server in its instance of the Server object (/1/x/11).
    fn note_alert(&self, cx: &mut Context, alert: Alert) {
        let resource = server::ALERT_CODE;
        let known = cx.store.definitions().resource(server::ID, resource).is_some();
        let object = cx.store.object_as_mut::<MemoryObject>(server::ID).filter(|_| known);
        let Some(object) = object else { return };
        if object.set(self.instance, resource, u64::from(alert.0)).is_ok() {
            let path = Path::resource(server::ID, self.instance, resource);
            cx.effect(Effect::Changed(vec![path]));
        }
    }

    /// Asks for the address of a server that has a name, because it is not known yet, or the server
    /// does not answer there.
    pub(super) fn want_address(&self, cx: &mut Context) {
        let uri = &self.config.uri;
        if Uri::parse(uri).is_ok_and(|uri| !matches!(uri.host, Host::Address(_))) {
            cx.event(Event::AddressWanted { server: self.server(), uri: uri.clone() });
        }
    }

    /// Takes a new address of the server. What is under way with the server begins anew.
    pub(crate) fn set_address(&mut self, cx: &mut Context, address: SocketAddr) {
        let first = self.config.address.replace(address).is_none();
        let peer = self.peer.take();
        let begun = matches!(self.state, State::Registering(_) | State::Registered(_));
        if begun || first && matches!(self.state, State::Waiting) {
            self.register_afresh(cx);
        }
        peer.into_iter().for_each(|peer| cx.leave(peer));
    }
}
