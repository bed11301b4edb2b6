//! The registration interface: what a device may change in the table of registrations.

use super::Server;
use crate::devices::{Device, RegistrationId};
use crate::error::OperationError;
use crate::event::{DeregistrationReason, Event, ObservationEnd};
use crate::rd::{self, Command, Refusal};
use crate::registration::Update;
use crate::registration::parse::{self, Register, UpdateParameters, UpdateRequest};
use lwm2m_coap::{Code, PeerId, Request, Response};
use lwm2m_credentials::{Credential, RefusedName};
use lwm2m_time::Instant;
use std::sync::Arc;

impl Server {
    pub(super) fn handle_request(
        &mut self,
        now: Instant,
        peer: PeerId,
        request: &Request,
    ) -> Response {
        let done = rd::command(request, &self.config).and_then(|command| match command {
            Command::Register(register) => self.register(now, peer, *register),
            Command::Update(key, update) => self.update(now, peer, key, *update),
            Command::Deregister(key) => self.deregister(peer, key),
            Command::Send => self.receive_values(peer, request),
        });
        done.unwrap_or_else(Refusal::response)
    }

    fn register(
        &mut self,
        now: Instant,
        peer: PeerId,
        register: Register,
    ) -> Result<Response, Refusal> {
        let address = self.link.peer_address(peer).ok_or(Refusal::Full)?;
        let identity = self.link.identity(peer).cloned().ok_or(Refusal::Full)?;
        let claimed = register.endpoint.as_deref();
        let endpoint = self.config.security.resolve(&identity, claimed).inspect_err(|&reason| {
            let refused = RefusedName::new(address, &identity, claimed, reason);
            self.events.extend(refused.map(Event::NameRefused));
        })?;
        let endpoint = parse::legal_endpoint(endpoint, &self.config)?;
        let replaced = self.devices.key_of(&endpoint);
        if replaced.is_none() && self.devices.len() >= self.config.max_registrations {
            return Err(Refusal::Full);
        }
        let key = self.devices.fresh_key();
        let registration =
            Arc::new(register.into_registration(endpoint, key, address, identity, now));
        let memory = registration.memory_estimate();
        self.check_memory(replaced, memory)?;
        if let Some(key) = replaced {
            let old_peer = self.devices.get(key).map(|entry| entry.peer);
            self.remove(key, DeregistrationReason::Replaced);
            old_peer.into_iter().for_each(|old_peer| self.leave(now, old_peer, peer));
        }
        self.link.hold(peer);
        self.devices.insert(key, Device { registration: Arc::clone(&registration), peer, memory });
        let id = registration.id.clone();
        self.events.push_back(Event::Registered(registration));
        let response = Response::new(Code::CREATED);
        Ok(response.location_segment("rd").location_segment(&id))
    }

    /// Whether a registration may take `memory` bytes from now on; always, if it takes no more
    /// than before.
    fn check_memory(&self, key: Option<RegistrationId>, memory: usize) -> Result<(), Refusal> {
        let before = key.and_then(|key| self.devices.get(key)).map_or(0, |entry| entry.memory);
        let fits = self.devices.memory_with(key, memory) <= self.config.max_registration_bytes;
        if fits || memory <= before { Ok(()) } else { Err(Refusal::Full) }
    }

    /// The bytes that a registration takes after an Update, if there is room.
    fn estimate_update(
        &self,
        key: RegistrationId,
        entry: &Device,
        parameters: &UpdateParameters,
        request: &UpdateRequest,
    ) -> Result<usize, Refusal> {
        if parameters.sms.is_none() && request.list.is_none() {
            return Ok(entry.memory);
        }
        let list = request.list.as_ref();
        let memory = entry.registration.memory_estimate_after(parameters.sms.as_ref(), list);
        self.check_memory(Some(key), memory)?;
        Ok(memory)
    }

    /// An Update may come from a new address or in a new session, of an identity of the same
    /// endpoint. For plain CoAP that is anyone who knows the id: it cannot be guessed, and who can read it on the way can
    /// forge addresses as well. To refuse would cut off every device behind an address
    /// translator, which cannot know that its address has changed.
    fn update(
        &mut self,
        now: Instant,
        peer: PeerId,
        key: RegistrationId,
        request: UpdateRequest,
    ) -> Result<Response, Refusal> {
        let entry = self.known_to(peer, key)?;
        let (old_peer, old_address) = (entry.peer, entry.registration.address);
        let parameters = request.parameters(entry.registration.version)?;
        let memory = self.estimate_update(key, entry, &parameters, &request)?;
        let address = self.link.peer_address(peer).ok_or(Refusal::NotFound)?;
        let identity = self.link.identity(peer).cloned().ok_or(Refusal::NotFound)?;
        let moved_from = (old_peer != peer).then_some(old_address);
        let Some(entry) = self.devices.get_mut(key) else { return Err(Refusal::NotFound) };
        let registration = Arc::make_mut(&mut entry.registration);
        let update = registration.apply(parameters, request.list, moved_from);
        registration.address = address;
        registration.identity = identity;
        registration.updated_at = now;
        self.devices.set_memory(key, memory);
        self.devices.restart_lifetime(key);
        if moved_from.is_some() {
            self.move_to(now, key, peer, old_peer);
        }
        self.tell_updated(key, update);
        Ok(Response::new(Code::CHANGED))
    }

    /// Notes the new address of a device whose session has moved there.
    pub(super) fn follow(&mut self, peer: PeerId) {
        let entry = self.devices.key_at(peer).and_then(|key| self.devices.get_mut(key));
        if let (Some(entry), Some(address)) = (entry, self.link.peer_address(peer)) {
            Arc::make_mut(&mut entry.registration).address = address;
        }
    }

    fn tell_updated(&mut self, key: RegistrationId, update: Update) {
        if let Some(entry) = self.devices.get(key) {
            let registration = Arc::clone(&entry.registration);
            self.events.push_back(Event::Updated { registration, update });
        }
    }

    /// CoAP recognises answers and notifications by their source, so what is under way at the old
    /// address ends. It is not sent again: the device may have carried it out.
    fn move_to(&mut self, now: Instant, key: RegistrationId, peer: PeerId, old_peer: PeerId) {
        self.fail_all(key, &OperationError::Moved);
        self.end_observations(key, ObservationEnd::Moved);
        self.devices.move_to(key, peer);
        self.link.hold(peer);
        self.link.release(old_peer);
        self.leave(now, old_peer, peer);
    }

    /// Ends the session or connection by which a device was reached before, unless it serves
    /// another one: it has come by a new one, and else each of its restarts would leave an old one
    /// here for ever.
    fn leave(&mut self, now: Instant, old_peer: PeerId, peer: PeerId) {
        if old_peer == peer || self.devices.key_at(old_peer).is_some() {
            return;
        }
        match self.link.is_connected(old_peer) {
            true => self.link.release_connection(now, old_peer),
            false => self.link.end_session(old_peer),
        }
    }

    fn deregister(&mut self, peer: PeerId, key: RegistrationId) -> Result<Response, Refusal> {
        self.known_to(peer, key)?;
        self.remove(key, DeregistrationReason::Removed);
        Ok(Response::new(Code::DELETED))
    }

    /// The registration, if `peer` may speak for its endpoint. Others are told that there is none.
    fn known_to(&self, peer: PeerId, key: RegistrationId) -> Result<&Device, Refusal> {
        let entry = self.devices.get(key).ok_or(Refusal::NotFound)?;
        let identity = self.link.identity(peer).ok_or(Refusal::NotFound)?;
        let same = self.config.security.speaks_for(identity, &entry.registration.endpoint);
        same.then_some(entry).ok_or(Refusal::NotFound)
    }

    /// Ends the registration of an endpoint whose credentials have changed, and the sessions in
    /// which the old ones were proven.
    pub(super) fn revoke(&mut self, now: Instant, endpoint: &str, before: Option<&Credential>) {
        if let Some(key) = self.devices.key_of(endpoint) {
            self.remove(key, DeregistrationReason::CredentialsChanged);
        }
        if let Some(before) = before {
            self.link.end_sessions_of(|identity| before.is_proven_by(identity, endpoint));
        }
        self.handle_link_events(now);
    }

    /// Ends a registration, with all that depends on it.
    fn remove(&mut self, key: RegistrationId, reason: DeregistrationReason) {
        self.fail_all(key, &OperationError::Deregistered);
        self.end_observations(key, ObservationEnd::Deregistered);
        if let Some(Device { registration, peer, .. }) = self.devices.remove(key) {
            self.link.release(peer);
            self.events.push_back(Event::Deregistered { registration, reason });
        }
    }

    fn fail_all(&mut self, key: RegistrationId, error: &OperationError) {
        for id in self.pending.of(key) {
            self.link.coap().cancel(id);
            self.fail(id, error.clone());
        }
    }

    pub(super) fn expire(&mut self, now: Instant) {
        while let Some(key) = self.devices.pop_expired(now) {
            self.remove(key, DeregistrationReason::Expired);
        }
    }
}
