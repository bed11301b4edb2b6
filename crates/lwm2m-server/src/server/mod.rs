//! The engine: registrations, operations and observations over one [`Link`].

mod management;
mod registering;
mod send;

use crate::config::Config;
use crate::devices::{Devices, RegistrationId};
use crate::downlink::{self, EncodedOperation};
use crate::error::SubmitError;
use crate::event::{Event, ObservationEnd};
use crate::observation::{Observation, Observations};
use crate::operation::{Operation, OperationId, Target};
use crate::pending::{Pending, PendingOperations};
use crate::registration::Registration;
use crate::validate;
use lwm2m_coap::PeerId;
use lwm2m_credentials::{Credential, SecurityStore, StoreError};
use lwm2m_link::{Engine, Link, SecurityEvent, StreamAction, Transmit};
use lwm2m_objects::Registry;
use lwm2m_time::Instant;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

/// A LwM2M server without sockets and clocks.
///
/// It is an [`Engine`]: a driver passes datagrams and the time in, and polls datagrams, the next
/// deadline and events out.
/// - getters: [`registrations`](Self::registrations), [`registration`](Self::registration),
///   [`registration_by_id`](Self::registration_by_id), [`observations`](Self::observations)
/// - mutators: [`submit`](Self::submit), [`cancel`](Self::cancel),
///   [`cancel_observations`](Self::cancel_observations); poll after each.
#[derive(Debug)]
pub struct Server {
    config: Config,
    link: Link,
    devices: Devices,
    pending: PendingOperations,
    observations: Observations,
    events: VecDeque<Event>,
}

impl Server {
    /// A server without registrations. `seed` must be unpredictable outside of tests: the ids of
    /// registrations come from it.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        // Tokens go out in the clear and ids must not follow from them: streams of their own from one seed.
        let link_seed = seed.map(|byte| byte ^ 0x5c);
        let mut link = Link::new(config.coap, link_seed);
        link.set_connection_config(config.connections);
        if let Some(dtls) = &config.dtls {
            link.set_security(config.security.secure(dtls));
            link.limit_sessions(config.max_sessions_per_identity);
        }
        Self {
            link,
            config,
            devices: Devices::new(seed),
            pending: PendingOperations::default(),
            observations: Observations::default(),
            events: VecDeque::new(),
        }
    }

    /// All registrations, ordered by endpoint name.
    pub fn registrations(&self) -> impl Iterator<Item = &Arc<Registration>> {
        self.devices.iter().map(|entry| &entry.registration)
    }

    /// The registration of a device by its endpoint name.
    #[must_use]
    pub fn registration(&self, endpoint: &str) -> Option<&Arc<Registration>> {
        let key = self.devices.key_of(endpoint)?;
        self.devices.get(key).map(|entry| &entry.registration)
    }

    /// The registration with the location `/rd/{id}`.
    #[must_use]
    pub fn registration_by_id(&self, id: &str) -> Option<&Arc<Registration>> {
        let key = RegistrationId::from_bytes(id.as_bytes())?;
        self.devices.get(key).map(|entry| &entry.registration)
    }

    /// The object definitions by which the server decodes; see also [`Registration::model`].
    #[must_use]
    pub const fn registry(&self) -> &Arc<Registry> {
        &self.config.registry
    }

    /// The observations of a device, ordered by target; none, if it is not registered.
    pub fn observations(&self, endpoint: &str) -> impl Iterator<Item = &Observation> {
        self.devices.key_of(endpoint).into_iter().flat_map(|key| self.observations.of(key))
    }

    /// The number of remote addresses about which state is held: registered devices, and others
    /// for as long as CoAP remembers their messages.
    #[must_use]
    pub fn peer_count(&self) -> usize {
        self.link.peer_count()
    }

    /// The counters of CoAP.
    #[must_use]
    pub fn statistics(&mut self) -> &lwm2m_coap::Statistics {
        self.link.coap().statistics()
    }

    /// Sends an operation to a device. An [`Event::Completed`] follows.
    ///
    /// # Errors
    /// Nothing is sent if the device is not registered, if it would refuse the operation for
    /// sure, or if CoAP cannot take the request.
    pub fn submit(
        &mut self,
        now: Instant,
        endpoint: &str,
        operation: Operation,
    ) -> Result<OperationId, SubmitError> {
        let key = self.devices.key_of(endpoint).ok_or(SubmitError::UnknownEndpoint)?;
        let entry = self.devices.get(key).ok_or(SubmitError::UnknownEndpoint)?;
        let (peer, registration) = (entry.peer, Arc::clone(&entry.registration));
        if !self.link.is_reachable(peer) {
            return Err(SubmitError::NotConnected);
        }
        validate::check(&operation, &registration, &self.config.registry)?;
        let target = operation.target();
        let (id, expected) = match downlink::downlink(&registration, operation)? {
            EncodedOperation::Request(request, expected) => {
                self.check_room(key, &target, expected)?;
                (self.link.coap().request(now, peer, request)?, expected)
            }
            EncodedOperation::Cancel => self.cancel_actively(now, key, &target)?,
        };
        self.pending.insert(id, Pending { key, target, expected });
        self.handle_link_events(now);
        Ok(OperationId(id))
    }

    /// Gives an operation up: no event follows, and the answer, if it comes, is not heard. The
    /// device may have carried it out nevertheless.
    pub fn cancel(&mut self, id: OperationId) {
        if self.pending.remove(id.0).is_some() {
            self.link.coap().cancel(id.0);
        }
    }

    /// Forgets the observation of exactly `target` without telling the device, which learns it by
    /// the Reset to its next notification. Returns how many were forgotten: 0 or 1.
    pub fn cancel_observations(&mut self, now: Instant, endpoint: &str, target: &Target) -> usize {
        let Some(key) = self.devices.key_of(endpoint) else { return 0 };
        let ended = self.end_observation(key, target, ObservationEnd::Cancelled);
        self.handle_link_events(now);
        usize::from(ended)
    }

    /// The credentials of the clients, and our own.
    #[must_use]
    pub const fn security(&self) -> &Arc<SecurityStore> {
        &self.config.security
    }

    /// Sets the credential of an endpoint. If that changes anything, its registration ends, and so
    /// do the sessions in which the old credential was proven.
    ///
    /// # Errors
    /// See [`StoreError`]; then nothing has changed.
    pub fn put_credential(
        &mut self,
        now: Instant,
        endpoint: &str,
        credential: Credential,
    ) -> Result<(), StoreError> {
        if let Some(dtls) = &self.config.dtls {
            credential.check(dtls.backend)?;
        }
        let before = self.config.security.put(endpoint, credential.clone())?;
        if before.as_ref() != Some(&credential) {
            self.revoke(now, endpoint, before.as_ref());
        }
        Ok(())
    }

    /// Removes the credential of an endpoint, and ends its registration and sessions. `false` if
    /// it had none.
    pub fn remove_credential(&mut self, now: Instant, endpoint: &str) -> bool {
        let before = self.config.security.remove(endpoint);
        if before.is_some() {
            self.revoke(now, endpoint, before.as_ref());
        }
        before.is_some()
    }

    /// Takes what the layers below have for the engine.
    fn handle_link_events(&mut self, now: Instant) {
        while let Some(event) = self.link.poll_security_event() {
            match event {
                SecurityEvent::Failed(failure) => {
                    self.events.push_back(Event::HandshakeFailed(failure));
                }
                SecurityEvent::Moved { peer } => self.follow(peer),
                // Sessions that begin or end are known by their peers.
                _ => {}
            }
        }
        while let Some(event) = self.link.poll_event() {
            match event {
                lwm2m_coap::Event::Request { exchange, peer, request, .. } => {
                    let response = self.handle_request(now, peer, &request);
                    // The device may have asked again meanwhile; then nobody waits for this.
                    let _ = self.link.coap().respond(now, exchange, response);
                }
                lwm2m_coap::Event::Response { id, response, .. } => {
                    self.handle_response(id, &response);
                }
                lwm2m_coap::Event::Notification { id, response, .. } => {
                    self.handle_notification(id, &response);
                }
                lwm2m_coap::Event::Failed { id, reason, .. } => self.handle_failure(id, reason),
                // Nobody observes this server.
                _ => {}
            }
        }
    }
}

impl Engine for Server {
    type Event = Event;

    fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        // A registration that is over must not be found, even if the driver is late.
        self.expire(now);
        self.link.handle_datagram(now, from, datagram);
        self.handle_link_events(now);
    }

    fn handle_secured_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        self.expire(now);
        self.link.handle_secured_datagram(now, from, datagram);
        self.handle_link_events(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.expire(now);
        self.link.handle_timeout(now);
        self.handle_link_events(now);
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        self.link.poll_transmit()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.link.poll_timeout().into_iter().chain(self.devices.next_expiry()).min()
    }

    fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn handle_connected(
        &mut self,
        now: Instant,
        from: SocketAddr,
        secured: bool,
    ) -> Option<PeerId> {
        let peer = self.link.handle_connected(now, from, secured);
        self.handle_link_events(now);
        peer
    }

    fn handle_stream(&mut self, now: Instant, peer: PeerId, bytes: &[u8]) {
        self.expire(now);
        self.link.handle_stream(now, peer, bytes);
        self.handle_link_events(now);
    }

    fn handle_disconnected(&mut self, now: Instant, peer: PeerId) {
        self.link.handle_disconnected(now, peer);
        self.handle_link_events(now);
    }

    fn poll_stream(&mut self) -> Option<StreamAction> {
        self.link.poll_stream()
    }
}
