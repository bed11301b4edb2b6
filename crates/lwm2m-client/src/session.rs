//! Peers of servers, with their sessions and connections: how they come about, and what their end
//! means (OMA LwM2M Transport 5.2.9).

use crate::account::State;
use crate::client::{Client, same};
use crate::error::{BootstrapError, ConfigError, RegistrationError};
use crate::event::Event;
use crate::objects::{MemoryObject, server};
use crate::security::ClientProfile;
use crate::transport::Transport;
use alloc::sync::Arc;
use core::net::SocketAddr;
use lwm2m_coap::uri::{Host, Uri};
use lwm2m_coap::{PeerId, Request, RequestId};
use lwm2m_core::{Model, Path};
use lwm2m_dtls::{Alert, Cause, Reason};
use lwm2m_link::{HandshakeFailure, Link, SecurityEvent};
use lwm2m_time::Instant;

/// Whether no further attempt with the same credentials can succeed after this alert.
pub(crate) const fn is_final(alert: Alert) -> bool {
    matches!(alert.0, 42..=46 | 48 | 49 | 112..=115)
}

/// A peer that is held: by a new session or connection, or without security.
pub(crate) fn connect(
    link: &mut Link,
    now: Instant,
    address: SocketAddr,
    profile: Option<&Arc<ClientProfile>>,
    transport: Transport,
) -> Option<PeerId> {
    let peer = match (transport, profile.map(Arc::clone)) {
        (Transport::Udp, Some(profile)) => link.connect_secured(now, address, profile),
        (Transport::Udp, None) => link.connect(address),
        (Transport::Tcp, Some(profile)) => link.open_secured_connection(now, address, profile),
        (Transport::Tcp, None) => link.open_connection(now, address),
    }?;
    link.hold(peer);
    Some(peer)
}

impl Client {
    /// Sends a request to a server, by a new session if there is none.
    pub(crate) fn request(
        &mut self,
        now: Instant,
        account: usize,
        request: Request,
    ) -> Option<RequestId> {
        let account = self.accounts.get_mut(account)?;
        if account.peer.is_none() {
            let (address, profile) = (account.config.address?, account.profile.as_ref());
            account.peer = connect(&mut self.link, now, address, profile, account.transport);
        }
        self.link.coap().request(now, account.peer?, request).ok()
    }

    /// Ends the session or connection with a server, so that the next request makes a new one: the
    /// server has lost it perhaps, or it is not needed any more. With neither nothing happens.
    pub(crate) fn end_session(&mut self, now: Instant, account: usize) {
        let account = self.accounts.get_mut(account).filter(|account| account.has_session());
        if let Some(peer) = account.and_then(|account| account.peer.take()) {
            self.end(now, peer);
        }
    }

    /// As [`Client::end_session`], with the bootstrap server.
    pub(crate) fn end_bootstrap_session(&mut self, now: Instant) {
        let state = self.bootstrap.as_mut().filter(|state| state.has_session());
        if let Some(peer) = state.and_then(|state| state.peer.take()) {
            self.end(now, peer);
        }
    }

    /// Ends the session of a peer that is held, at once; its connection in an orderly way.
    fn end(&mut self, now: Instant, peer: PeerId) {
        if !self.link.is_connected(peer) {
            self.link.end_session(peer);
        }
        self.leave(now, peer);
    }

    /// Lets a peer go that is held. What is to be sent to it still goes out.
    pub(crate) fn leave(&mut self, now: Instant, peer: PeerId) {
        if self.link.is_connected(peer) {
            self.link.release_connection(now, peer);
            self.leaving.push(peer);
        }
        self.link.release(peer);
    }

    /// A connection has ended: if it was needed, another one follows, and a Register on it, as the
    /// server knows the client by the connection.
    pub(crate) fn connection_ended(&mut self, now: Instant, peer: PeerId) {
        self.leaving.retain(|leaving| *leaving != peer);
        match self.account_of(peer) {
            Some(account) => {
                self.forget_peer(account);
                self.lose_registration(now, account);
            }
            None => _ = self.forget_bootstrap_peer(peer),
        }
        self.stop_if_done();
    }

    /// Handles what has become of a session.
    pub(crate) fn handle_security_event(&mut self, now: Instant, event: SecurityEvent) {
        match event {
            SecurityEvent::Established { peer, resumed } => self.session_begun(peer, resumed),
            SecurityEvent::Failed(HandshakeFailure { peer: Some(peer), reason, .. }) => {
                self.handshake_failed(now, peer, reason);
            }
            SecurityEvent::Ended { peer, cause } => self.session_ended(now, peer, cause),
            _ => {}
        }
    }

    fn session_begun(&mut self, peer: PeerId, resumed: bool) {
        let account = self.account_of(peer);
        // The bootstrap server is 0.
        let server = account.map_or(0, |account| self.server(account));
        self.events.push_back(Event::SessionBegun { server, resumed });
    }

    fn handshake_failed(&mut self, now: Instant, peer: PeerId, reason: Reason) {
        let Some(account) = self.account_of(peer) else {
            return self.bootstrap_handshake_failed(now, peer, reason);
        };
        self.forget_peer(account);
        if let Reason::PeerAlert(alert) = reason {
            self.note_alert(now, account, alert);
        }
        let reason = RegistrationError::Handshake(reason);
        let state = self.accounts.get(account).map(|account| &account.state);
        // Of a De-register, CoAP is about to tell that it has failed.
        if matches!(state, Some(State::Registering(_) | State::Registered(_))) {
            self.abandon(account);
            self.registration_failed(now, account, reason);
        }
    }

    fn bootstrap_handshake_failed(&mut self, now: Instant, peer: PeerId, reason: Reason) {
        if self.forget_bootstrap_peer(peer) && self.is_bootstrapping() {
            self.bootstrap_failed(now, BootstrapError::Handshake(reason));
        }
    }

    /// A server that ends a session starts anew, or is about to: the client registers again.
    fn session_ended(&mut self, now: Instant, peer: PeerId, cause: Cause) {
        let Some(account) = self.account_of(peer) else {
            self.forget_bootstrap_peer(peer);
            return;
        };
        self.forget_peer(account);
        if let Cause::Alert(alert) = cause {
            self.note_alert(now, account, alert);
        }
        match cause {
            Cause::Alert(alert) if self.is_registered(account) => {
                self.abandon(account);
                self.registration_failed(now, account, RegistrationError::Alert(alert));
            }
            _ => self.lose_registration(now, account),
        }
    }

    fn is_registered(&self, account: usize) -> bool {
        self.accounts.get(account).is_some_and(|it| matches!(it.state, State::Registered(_)))
    }

    /// What a registration was made by has ended: the client registers again. Of a request that is
    /// under way CoAP is about to tell that it has failed.
    fn lose_registration(&mut self, now: Instant, account: usize) {
        if self.is_registered(account) {
            self.abandon(account);
            self.register_soon(now, account);
        }
    }

    fn forget_peer(&mut self, account: usize) {
        let peer = self.accounts.get_mut(account).and_then(|account| account.peer.take());
        peer.into_iter().for_each(|peer| self.link.release(peer));
    }

    /// Forgets a peer that was the bootstrap server; `false` if it was not.
    fn forget_bootstrap_peer(&mut self, peer: PeerId) -> bool {
        let state = self.bootstrap.as_mut().filter(|state| state.peer == Some(peer));
        let Some(state) = state else { return false };
        state.peer = None;
        self.link.release(peer);
        true
    }

    /// Notes an alert of a server in its instance of the Server object (/1/x/11).
    fn note_alert(&mut self, now: Instant, account: usize, alert: Alert) {
        let instance = self.accounts.get(account).map(|account| account.instance);
        let known = self.store.definitions().resource(server::ID, server::ALERT_CODE).is_some();
        let Some(instance) = instance.filter(|_| known) else { return };
        let Some(object) = self.store.object_as_mut::<MemoryObject>(server::ID) else { return };
        if object.set(instance, server::ALERT_CODE, u64::from(alert.0)).is_err() {
            return;
        }
        self.report(now, &[Path::resource(server::ID, instance, server::ALERT_CODE)]);
    }

    /// Asks for the address of a server that has a name, because there is none yet, or the server
    /// does not answer there.
    pub(crate) fn want_address(&mut self, account: usize) {
        let Some(account) = self.accounts.get(account) else { return };
        let uri = &account.config.uri;
        if Uri::parse(uri).is_ok_and(|uri| matches!(uri.host, Host::Name(_))) {
            let (server, uri) = (account.server(), uri.clone());
            self.events.push_back(Event::AddressWanted { server, uri });
        }
    }

    /// Says where a server listens: the answer to [`Event::AddressWanted`]. If that is somewhere
    /// else than before, whatever is under way with the server begins anew.
    ///
    /// # Errors
    /// Another server has that address.
    pub fn set_address(
        &mut self,
        now: Instant,
        short_server_id: u16,
        address: SocketAddr,
    ) -> Result<(), ConfigError> {
        let Some(place) = self.place_of(short_server_id) else { return Ok(()) };
        match self.accounts.iter().position(|account| account.is_at(address)) {
            Some(same) if same == place => return Ok(()),
            Some(other) => {
                return Err(ConfigError::SameAddress(short_server_id, self.server(other)));
            }
            None => {}
        }
        if self.bootstrap.as_ref().is_some_and(|state| same(state.account.address, address)) {
            return Err(ConfigError::SameAddress(short_server_id, 0));
        }
        let Some(account) = self.accounts.get_mut(place) else { return Ok(()) };
        let first = account.config.address.replace(address).is_none();
        let peer = account.peer.take();
        let begun = matches!(account.state, State::Registering(_) | State::Registered(_));
        if begun || first && matches!(account.state, State::Waiting) {
            self.register_afresh(now, place);
        }
        peer.into_iter().for_each(|peer| self.leave(now, peer));
        self.drain(now);
        Ok(())
    }
}
