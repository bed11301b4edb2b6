//! Peers and DTLS sessions of servers: how they come about, and what their end means (OMA LwM2M
//! Transport 5.2.9).

use crate::account::State;
use crate::client::{Client, same};
use crate::error::ConfigError;
use crate::event::Event;
use crate::security::ClientProfile;
use alloc::sync::Arc;
use core::net::SocketAddr;
use lwm2m_coap::uri::{Host, Uri};
use lwm2m_coap::{PeerId, Request, RequestId};
use lwm2m_dtls::{Alert, Reason};
use lwm2m_link::Link;
use lwm2m_time::Instant;

/// Whether the server gave a reason for which no further attempt with the same credentials can
/// succeed: alerts 42 to 46, 48, 49, and 112 to 115.
pub(crate) const fn is_final(reason: &Reason) -> bool {
    matches!(reason, Reason::PeerAlert(Alert(42..=46 | 48 | 49 | 112..=115)))
}

/// A peer that is held: by a new session, or without security.
pub(crate) fn connect(
    link: &mut Link,
    _now: Instant,
    address: SocketAddr,
    profile: Option<&Arc<ClientProfile>>,
) -> Option<PeerId> {
    let peer = match profile {
        None => link.connect(address)?,
        Some(_) => return None,
    };
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
            account.peer = connect(&mut self.link, now, address, profile);
        }
        self.link.coap().request(now, account.peer?, request).ok()
    }

    /// Leaves the session with a server that does not answer in it, so that the next request makes
    /// a new one: the server may have lost it. Without security the peer stays.
    pub(crate) fn leave_session(&mut self, account: usize) {
        let Some(account) = self.accounts.get_mut(account) else { return };
        if account.profile.is_some() {
            account.peer.take().into_iter().for_each(|peer| self.link.release(peer));
        }
    }

    /// As [`Client::leave_session`].
    pub(crate) fn leave_bootstrap_session(&mut self) {
        let Some(state) = self.bootstrap.as_mut().filter(|it| it.profile.is_some()) else { return };
        state.peer.take().into_iter().for_each(|peer| self.link.release(peer));
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
        peer.into_iter().for_each(|peer| self.link.release(peer));
        self.drain(now);
        Ok(())
    }
}
