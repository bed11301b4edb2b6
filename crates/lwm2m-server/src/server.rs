//! The engine: registrations, operations and observations over one [`Link`].

use crate::config::Config;
use crate::downlink::{self, Downlink, Expected};
use crate::error::{Invalid, OperationError, SendError};
use crate::event::{DeregistrationReason, Event, ObservationEnd};
use crate::observation::{Observation, Observations};
use crate::operation::{Operation, OperationId, Response};
use crate::pending::{Pending, PendingOperations};
use crate::rd::{self, Command, Refusal};
use crate::registration::parse::{Register, UpdateRequest};
use crate::registration::{Registration, Update};
use crate::table::{Entry, Key, Table};
use crate::validate;
use lwm2m_coap::{Code, FailReason, PeerId, Request, RequestId};
use lwm2m_core::Path;
use lwm2m_link::{Engine, Link, Transmit};
use lwm2m_registry::Registry;
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
/// - mutators: [`send`](Self::send), [`cancel`](Self::cancel),
///   [`cancel_observations`](Self::cancel_observations); poll after each.
#[derive(Debug)]
pub struct Server {
    config: Config,
    link: Link,
    table: Table,
    pending: PendingOperations,
    observations: Observations,
    events: VecDeque<Event>,
}

impl Server {
    /// A server without registrations. `seed` must be unpredictable outside of tests: the ids of
    /// registrations come from it.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        // Tokens go out in the clear and ids must not follow from them: two streams of one seed.
        let link_seed = seed.map(|byte| byte ^ 0x5c);
        Self {
            link: Link::new(config.coap, link_seed),
            config,
            table: Table::new(seed),
            pending: PendingOperations::default(),
            observations: Observations::default(),
            events: VecDeque::new(),
        }
    }

    /// All registrations, ordered by endpoint name.
    pub fn registrations(&self) -> impl Iterator<Item = &Arc<Registration>> {
        self.table.iter().map(|entry| &entry.registration)
    }

    /// The registration of a device by its endpoint name.
    #[must_use]
    pub fn registration(&self, endpoint: &str) -> Option<&Arc<Registration>> {
        let key = self.table.key_of(endpoint)?;
        self.table.get(key).map(|entry| &entry.registration)
    }

    /// The registration with the location `/rd/{id}`.
    #[must_use]
    pub fn registration_by_id(&self, id: &str) -> Option<&Arc<Registration>> {
        let key = Key::from_bytes(id.as_bytes())?;
        self.table.get(key).map(|entry| &entry.registration)
    }

    /// The object definitions by which the server decodes; see also [`Registration::model`].
    #[must_use]
    pub const fn registry(&self) -> &Arc<Registry> {
        &self.config.registry
    }

    /// The observations of a device, ordered by path; none, if it is not registered.
    pub fn observations(&self, endpoint: &str) -> impl Iterator<Item = &Observation> {
        self.table.key_of(endpoint).into_iter().flat_map(|key| self.observations.of(key))
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
    pub fn send(
        &mut self,
        now: Instant,
        endpoint: &str,
        operation: Operation,
    ) -> Result<OperationId, SendError> {
        let key = self.table.key_of(endpoint).ok_or(SendError::UnknownEndpoint)?;
        let entry = self.table.get(key).ok_or(SendError::UnknownEndpoint)?;
        let (peer, registration) = (entry.peer, Arc::clone(&entry.registration));
        validate::check(&operation, &registration, &self.config.registry)?;
        let path = *operation.path();
        let (id, expected) = match downlink::downlink(&registration, operation)? {
            Downlink::Request(request, expected) => {
                self.check_room(key, &path, expected)?;
                (self.link.coap().request(now, peer, request)?, expected)
            }
            Downlink::Cancel(path) => self.cancel_actively(now, key, &path)?,
        };
        self.pending.insert(id, Pending { key, path, expected });
        self.handle_coap_events(now);
        Ok(OperationId(id))
    }

    /// Gives an operation up: no event follows, and the answer, if it comes, is not heard. The
    /// device may have carried it out nevertheless.
    pub fn cancel(&mut self, id: OperationId) {
        if self.pending.remove(id.0).is_some() {
            self.link.coap().cancel(id.0);
        }
    }

    /// Forgets the observation of exactly `path` without telling the device, which learns it by
    /// the Reset to its next notification. Returns how many were forgotten: 0 or 1.
    pub fn cancel_observations(&mut self, now: Instant, endpoint: &str, path: &Path) -> usize {
        let Some(key) = self.table.key_of(endpoint) else { return 0 };
        let ended = self.end_observation(key, path, ObservationEnd::Cancelled);
        self.handle_coap_events(now);
        usize::from(ended)
    }

    fn check_room(&self, key: Key, path: &Path, expected: Expected) -> Result<(), SendError> {
        let new = matches!(expected, Expected::Observation(_))
            && self.observations.get(key, path).is_none();
        if new && self.observations.of(key).count() >= self.config.max_observations {
            return Err(SendError::TooManyObservations);
        }
        Ok(())
    }

    fn cancel_actively(
        &mut self,
        now: Instant,
        key: Key,
        path: &Path,
    ) -> Result<(RequestId, Expected), SendError> {
        let observation = *self.observations.get(key, path).ok_or(Invalid::NotObserved(*path))?;
        let id = self.link.coap().cancel_observation(now, observation.id.0)?;
        self.observations.remove(key, path);
        self.tell_observation_ended(key, path, ObservationEnd::Cancelled);
        Ok((id, Expected::Node(observation.format)))
    }

    // --- CoAP events ----------------------------------------------------------------------------

    fn handle_coap_events(&mut self, now: Instant) {
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

    fn handle_response(&mut self, id: RequestId, response: &lwm2m_coap::Response) {
        let Some(Pending { key, path, expected }) = self.pending.remove(id) else { return };
        let Some(entry) = self.table.get(key) else { return };
        let registration = Arc::clone(&entry.registration);
        let registry = &self.config.registry;
        let result = downlink::response(expected, &path, &registration, registry, response);
        self.note_effect(id, key, path, expected, response);
        let endpoint = registration.endpoint.clone();
        self.events.push_back(Event::Completed { id: OperationId(id), endpoint, result });
    }

    /// What a successful answer changes in the server's own view of the device.
    fn note_effect(
        &mut self,
        id: RequestId,
        key: Key,
        path: Path,
        expected: Expected,
        response: &lwm2m_coap::Response,
    ) {
        match expected {
            Expected::Observation(format) => {
                let observation = Observation { path, format, id: OperationId(id) };
                self.note_observation(key, observation, response);
            }
            Expected::Created(instance) if response.code.is_success() => {
                self.note_created(key, &path, instance, response);
            }
            Expected::Deleted if response.code.is_success() && path.depth() == 2 => {
                if let Some(entry) = self.table.get_mut(key) {
                    Arc::make_mut(&mut entry.registration).remove_instance(&path);
                }
            }
            _ => {}
        }
    }

    /// An answer with Observe begins the observation, in place of an earlier one of that path.
    /// One with a value but without Observe tells that there is none.
    fn note_observation(
        &mut self,
        key: Key,
        observation: Observation,
        response: &lwm2m_coap::Response,
    ) {
        if !response.code.is_success() {
            return;
        }
        if response.options.observe().is_none() {
            self.end_observation(key, &observation.path, ObservationEnd::Ended(response.code));
        } else if let Some(replaced) = self.observations.insert(key, observation) {
            self.link.coap().cancel(replaced.id.0);
        }
    }

    fn note_created(
        &mut self,
        key: Key,
        object: &Path,
        instance: Option<u16>,
        response: &lwm2m_coap::Response,
    ) {
        let Some(entry) = self.table.get_mut(key) else { return };
        let told = downlink::location(object, &entry.registration, response);
        let chosen = instance.and_then(|id| object.child(id).ok());
        if let Some(path) = told.or(chosen) {
            Arc::make_mut(&mut entry.registration).add_instance(&path);
        }
    }

    fn handle_notification(&mut self, id: RequestId, response: &lwm2m_coap::Response) {
        let Some((key, observation)) = self.observations.of_request(id) else { return };
        let Some(entry) = self.table.get(key) else { return };
        let registration = Arc::clone(&entry.registration);
        let path = observation.path;
        if response.code.is_success() {
            let registry = &self.config.registry;
            let result =
                downlink::node(observation.format, &path, &registration, registry, response);
            self.events.push_back(Event::Notification { registration, path, result });
        }
        if !response.code.is_success() || response.options.observe().is_none() {
            self.end_observation(key, &path, ObservationEnd::Ended(response.code));
        }
    }

    fn handle_failure(&mut self, id: RequestId, reason: FailReason) {
        let error = match reason {
            FailReason::Timeout => OperationError::Timeout,
            FailReason::Reset => OperationError::Reset,
            FailReason::Cancelled => OperationError::Cancelled,
            reason => OperationError::Protocol(reason),
        };
        self.fail(id, error);
    }

    fn fail(&mut self, id: RequestId, error: OperationError) {
        let Some(pending) = self.pending.remove(id) else { return };
        let Some(entry) = self.table.get(pending.key) else { return };
        let endpoint = entry.registration.endpoint.clone();
        let result: Result<Response, _> = Err(error);
        self.events.push_back(Event::Completed { id: OperationId(id), endpoint, result });
    }

    fn end_observation(&mut self, key: Key, path: &Path, reason: ObservationEnd) -> bool {
        let Some(observation) = self.observations.remove(key, path) else { return false };
        self.link.coap().cancel(observation.id.0);
        self.tell_observation_ended(key, path, reason);
        true
    }

    fn end_observations(&mut self, key: Key, reason: ObservationEnd) {
        let paths: Vec<_> = self.observations.of(key).map(|observation| observation.path).collect();
        for path in paths {
            self.end_observation(key, &path, reason);
        }
    }

    fn tell_observation_ended(&mut self, key: Key, path: &Path, reason: ObservationEnd) {
        let Some(entry) = self.table.get(key) else { return };
        let endpoint = entry.registration.endpoint.clone();
        self.events.push_back(Event::ObservationEnded { endpoint, path: *path, reason });
    }

    // --- the registration interface ---------------------------------------------------------------

    fn handle_request(
        &mut self,
        now: Instant,
        peer: PeerId,
        request: &Request,
    ) -> lwm2m_coap::Response {
        let done = rd::command(request, &self.config).and_then(|command| match command {
            Command::Register(register) => self.register(now, peer, *register),
            Command::Update(key, update) => self.update(now, peer, key, *update),
            Command::Deregister(key) => self.deregister(peer, key),
        });
        done.unwrap_or_else(Refusal::response)
    }

    fn register(
        &mut self,
        now: Instant,
        peer: PeerId,
        register: Register,
    ) -> Result<lwm2m_coap::Response, Refusal> {
        let address = self.link.peer_address(peer).ok_or(Refusal::Full)?;
        let identity = self.link.identity(peer).cloned().ok_or(Refusal::Full)?;
        match self.registration(&register.endpoint) {
            Some(known) if known.identity != identity => return Err(Refusal::Identity),
            None if self.table.len() >= self.config.max_registrations => return Err(Refusal::Full),
            _ => {}
        }
        if let Some(key) = self.table.key_of(&register.endpoint) {
            self.remove(key, DeregistrationReason::Replaced);
        }
        let key = self.table.fresh_key();
        let registration = Arc::new(register.into_registration(key, address, identity, now));
        self.link.hold(peer);
        self.table.insert(key, Entry { registration: Arc::clone(&registration), peer });
        let id = registration.id.clone();
        self.events.push_back(Event::Registered(registration));
        let response = lwm2m_coap::Response::new(Code::CREATED);
        Ok(response.location_segment("rd").location_segment(&id))
    }

    /// An Update may come from a new address, with the identity that registered. For plain CoAP
    /// that is anyone who knows the id: it cannot be guessed, and who can read it on the way can
    /// forge addresses as well. To refuse would cut off every device behind an address
    /// translator, which cannot know that its address has changed.
    fn update(
        &mut self,
        now: Instant,
        peer: PeerId,
        key: Key,
        request: UpdateRequest,
    ) -> Result<lwm2m_coap::Response, Refusal> {
        let entry = self.known_to(peer, key)?;
        let (old_peer, old_address) = (entry.peer, entry.registration.address);
        let parameters = request.parameters(entry.registration.version)?;
        let address = self.link.peer_address(peer).ok_or(Refusal::NotFound)?;
        let moved_from = (old_peer != peer).then_some(old_address);
        let Some(entry) = self.table.get_mut(key) else { return Err(Refusal::NotFound) };
        let registration = Arc::make_mut(&mut entry.registration);
        let update = registration.apply(parameters, request.list, moved_from);
        registration.address = address;
        registration.updated_at = now;
        self.table.restart_lifetime(key);
        if moved_from.is_some() {
            self.move_to(key, peer, old_peer);
        }
        self.tell_updated(key, update);
        Ok(lwm2m_coap::Response::new(Code::CHANGED))
    }

    fn tell_updated(&mut self, key: Key, update: Update) {
        if let Some(entry) = self.table.get(key) {
            let registration = Arc::clone(&entry.registration);
            self.events.push_back(Event::Updated { registration, update });
        }
    }

    /// Requests under way go on at the old address, which may still work; observations cannot,
    /// because CoAP recognises notifications by their source.
    fn move_to(&mut self, key: Key, peer: PeerId, old_peer: PeerId) {
        self.end_observations(key, ObservationEnd::Moved);
        if let Some(entry) = self.table.get_mut(key) {
            entry.peer = peer;
            self.link.hold(peer);
            self.link.release(old_peer);
        }
    }

    fn deregister(&mut self, peer: PeerId, key: Key) -> Result<lwm2m_coap::Response, Refusal> {
        self.known_to(peer, key)?;
        self.remove(key, DeregistrationReason::Removed);
        Ok(lwm2m_coap::Response::new(Code::DELETED))
    }

    /// The registration, if `peer` has proven the identity that it belongs to. Others are told
    /// that there is none.
    fn known_to(&self, peer: PeerId, key: Key) -> Result<&Entry, Refusal> {
        let entry = self.table.get(key).ok_or(Refusal::NotFound)?;
        let same = self.link.identity(peer) == Some(&entry.registration.identity);
        same.then_some(entry).ok_or(Refusal::NotFound)
    }

    /// Ends a registration, with all that depends on it.
    fn remove(&mut self, key: Key, reason: DeregistrationReason) {
        for id in self.pending.of(key) {
            self.link.coap().cancel(id);
            self.fail(id, OperationError::Deregistered);
        }
        self.end_observations(key, ObservationEnd::Deregistered);
        if let Some(Entry { registration, peer }) = self.table.remove(key) {
            self.link.release(peer);
            self.events.push_back(Event::Deregistered { registration, reason });
        }
    }

    fn expire(&mut self, now: Instant) {
        while let Some(key) = self.table.pop_expired(now) {
            self.remove(key, DeregistrationReason::Expired);
        }
    }
}

impl Engine for Server {
    type Event = Event;

    fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        // A registration that is over must not be found, even if the driver is late.
        self.expire(now);
        self.link.handle_datagram(now, from, datagram);
        self.handle_coap_events(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.expire(now);
        self.link.handle_timeout(now);
        self.handle_coap_events(now);
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        self.link.poll_transmit()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.link.poll_timeout().into_iter().chain(self.table.next_expiry()).min()
    }

    fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }
}
