//! Operations of the application: checked, encoded and handed to CoAP.

use super::Server;
use crate::device::{OperationState, PendingOperation, Retry};
use crate::device_management::encode::{self, EncodedOperation};
use crate::device_management::format::{Formats, FormatsSent, RefusedFormats};
use crate::device_management::{Expected, validate};
use crate::devices::DeviceKey;
use crate::error::{Invalid, OperationError, SubmitError};
use crate::event::{Event, ObservationEnd};
use crate::operation::{Operation, OperationId, Target};
use lwm2m_coap::{Code, RequestId};
use lwm2m_time::Instant;
use std::sync::Arc;

impl Server {
    /// Submits an operation on a device. An [`Event::Completed`] follows.
    ///
    /// # Errors
    /// The device is not registered, sleeps or cannot be reached, the operation has no form on the wire, or
    /// CoAP cannot take the request. Then nothing is sent. Whether a resource can be read, written or
    /// executed, and takes a value, is for the device to judge.
    pub fn submit(
        &mut self,
        now: Instant,
        endpoint: &str,
        operation: Operation,
    ) -> Result<OperationId, SubmitError> {
        let key = self.devices.key_of(endpoint).ok_or(SubmitError::UnknownEndpoint)?;
        let device = self.devices.get(key).ok_or(SubmitError::UnknownEndpoint)?;
        if device.is_asleep {
            return Err(SubmitError::Asleep { since: device.heard_at });
        }
        let id = self.submit_now(now, endpoint, operation)?;
        self.handle_link_events(now);
        Ok(id)
    }

    pub(super) fn submit_now(
        &mut self,
        now: Instant,
        endpoint: &str,
        operation: Operation,
    ) -> Result<OperationId, SubmitError> {
        let key = self.devices.key_of(endpoint).ok_or(SubmitError::UnknownEndpoint)?;
        let device = self.devices.get(key).ok_or(SubmitError::UnknownEndpoint)?;
        let peer = device.peer.filter(|peer| self.link.is_reachable(*peer));
        let peer = peer.ok_or(SubmitError::NotConnected)?;
        validate::check(&operation)?;
        let target = operation.target();
        let mut retry = None;
        let (request, expected) = match self.encode(key, &operation)? {
            EncodedOperation::Request(request, expected) => {
                self.check_room(key, &target, expected)?;
                let sent = FormatsSent::of(&request.options);
                let open = operation.leaves_format_open();
                retry = open.then(|| Box::new(Retry { operation, sent }));
                (self.link.coap().request(now, peer, request)?, expected)
            }
            EncodedOperation::Cancel => self.cancel_actively(now, key, &target)?,
        };
        let id = self.next_operation_id();
        let state = OperationState::Sent(request, expected);
        self.devices.begin(key, id, PendingOperation { target, state, retry });
        Ok(id)
    }

    /// Encodes an operation on a device in the formats that it can be expected to have.
    pub(super) fn encode(
        &self,
        key: DeviceKey,
        operation: &Operation,
    ) -> Result<EncodedOperation, SubmitError> {
        let device = self.devices.get(key).ok_or(SubmitError::UnknownEndpoint)?;
        let model = device.registration.model_at(&self.config.registry, operation.path());
        let none = RefusedFormats::default();
        let refused = device.refused.as_deref().unwrap_or(&none);
        let formats = Formats { registration: &device.registration, refused, model: &model };
        encode::encode(&formats, operation)
    }

    /// Sends an operation again in the next format, if the device has refused the format that the
    /// server chose. Returns the new state.
    pub(super) fn try_next_format(
        &mut self,
        now: Instant,
        key: DeviceKey,
        retry: Retry,
        code: Code,
    ) -> Option<OperationState> {
        if !matches!(code, Code::NOT_ACCEPTABLE | Code::UNSUPPORTED_CONTENT_FORMAT) {
            return None;
        }
        let device = self.devices.get_mut(key)?;
        device.refused.get_or_insert_default().note(code, retry.sent);
        let peer = device.peer.filter(|peer| self.link.is_reachable(*peer))?;
        let encoded = self.encode(key, &retry.operation).ok()?;
        let EncodedOperation::Request(request, expected) = encoded else { return None };
        if FormatsSent::of(&request.options) == retry.sent {
            return None;
        }
        let request = self.link.coap().request(now, peer, request).ok()?;
        Some(OperationState::Sent(request, expected))
    }

    /// Gives an operation up: no event follows, and an answer is ignored. The device may carry the
    /// operation out nevertheless.
    pub fn cancel(&mut self, id: OperationId) {
        if let Some(operation) = self.devices.finish(id) {
            self.link.coap().cancel(operation.state.request());
            self.handle_link_events(self.link.now());
        }
    }

    /// What an operation waits for that was not sent: the target of an operation on the device, or of
    /// an observation, whose message is not acknowledged. `None` if it was sent, or has ended.
    ///
    /// Devices get one confirmable request at a time (NSTART, RFC 7252 section 4.7).
    #[must_use]
    pub fn waits_for(&mut self, id: OperationId) -> Option<Target> {
        let device = self.devices.get(self.devices.key_of_operation(id)?)?;
        let coap = self.link.coap();
        if !coap.is_queued(device.operations.get(&id)?.state.request()) {
            return None;
        }
        let operations = device.operations.values().map(|it| (&it.target, it.state.request()));
        let observed =
            device.observed.iter().filter_map(|(target, it)| Some((target, it.request()?)));
        let mut all = operations.chain(observed);
        all.find(|(_, request)| coap.is_in_flight(*request)).map(|(target, _)| target.clone())
    }

    pub(super) fn next_operation_id(&mut self) -> OperationId {
        self.operations += 1;
        OperationId(self.operations)
    }

    fn check_room(
        &self,
        key: DeviceKey,
        target: &Target,
        expected: Expected,
    ) -> Result<(), SubmitError> {
        let Some(device) = self.devices.get(key) else { return Ok(()) };
        let new =
            matches!(expected, Expected::Observation(_)) && !device.observed.contains_key(target);
        if new && device.observed.len() >= self.config.max_observations {
            return Err(SubmitError::TooManyObservations);
        }
        Ok(())
    }

    /// Sends the request that ends an observation at the device; here it ends at once.
    fn cancel_actively(
        &mut self,
        now: Instant,
        key: DeviceKey,
        target: &Target,
    ) -> Result<(RequestId, Expected), SubmitError> {
        let device = self.devices.get(key);
        let observed = device.and_then(|device| device.observed.get(target));
        let found = observed.and_then(|it| Some((it.request()?, it.format)));
        let (request, format) = found.ok_or_else(|| Invalid::NotObserved(target.clone()))?;
        let cancelling = self.link.coap().cancel_observation(now, request)?;
        self.forget_observation(key, target, ObservationEnd::Cancelled);
        Ok((cancelling, Expected::Node(format)))
    }

    /// Fails the operations of a device, which have no outcome yet.
    pub(super) fn fail_all(&mut self, now: Instant, key: DeviceKey, error: &OperationError) {
        let Some(device) = self.devices.get(key) else { return };
        for id in device.operations.keys().copied().collect::<Vec<_>>() {
            if let Some(operation) = self.devices.finish(id) {
                self.link.coap().cancel(operation.state.request());
                self.complete(now, key, id, operation.target, Err(error.clone()));
            }
        }
    }

    /// Tells the application the outcome of an operation.
    pub(super) fn complete(
        &mut self,
        now: Instant,
        key: DeviceKey,
        id: OperationId,
        target: Target,
        result: Result<crate::operation::Response, OperationError>,
    ) {
        let Some(device) = self.devices.get(key) else { return };
        let endpoint = Arc::clone(&device.registration.endpoint);
        match self.command_of(id) {
            Some(command) => self.handle_outcome(now, command, result),
            None => self.tell(endpoint, id, target, result),
        }
    }

    /// Tells the application the outcome of an operation that is no command's.
    pub(super) fn tell(
        &mut self,
        endpoint: Arc<str>,
        id: OperationId,
        target: Target,
        result: Result<crate::operation::Response, OperationError>,
    ) {
        self.outputs.push_back(Event::Completed { id, endpoint, target, result });
    }
}
