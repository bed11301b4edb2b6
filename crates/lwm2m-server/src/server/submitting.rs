//! Operations of the application: checked, encoded and handed to CoAP.

use super::Server;
use crate::device::{OperationState, PendingOperation};
use crate::device_management::encode::{self, EncodedOperation};
use crate::device_management::{Expected, validate};
use crate::devices::DeviceKey;
use crate::error::{Invalid, OperationError, SubmitError};
use crate::event::{Event, ObservationEnd};
use crate::operation::{Operation, OperationId, Target};
use lwm2m_coap::RequestId;
use lwm2m_time::Instant;
use std::sync::Arc;

impl Server {
    /// Submits an operation on a device. An [`Event::Completed`] follows.
    ///
    /// # Errors
    /// The device is not registered or cannot be reached, it would refuse the operation for sure,
    /// or CoAP cannot take the request. Then nothing is sent.
    pub fn submit(
        &mut self,
        now: Instant,
        endpoint: &str,
        operation: Operation,
    ) -> Result<OperationId, SubmitError> {
        let key = self.devices.key_of(endpoint).ok_or(SubmitError::UnknownEndpoint)?;
        let device = self.devices.get(key).ok_or(SubmitError::UnknownEndpoint)?;
        let registration = Arc::clone(&device.registration);
        let peer = device.peer.filter(|peer| self.link.is_reachable(*peer));
        let peer = peer.ok_or(SubmitError::NotConnected)?;
        validate::check(&operation, &registration, &self.config.registry)?;
        let target = operation.target();
        let (request, expected) = match encode::encode(&registration, operation)? {
            EncodedOperation::Request(request, expected) => {
                self.check_room(key, &target, expected)?;
                (self.link.coap().request(now, peer, request)?, expected)
            }
            EncodedOperation::Cancel => self.cancel_actively(now, key, &target)?,
        };
        let id = self.next_operation_id();
        let state = OperationState::Sent(request, expected);
        self.devices.begin(key, id, PendingOperation { target, state });
        self.handle_link_events(now);
        Ok(id)
    }

    /// Gives an operation up: no event follows, and an answer is ignored. The device may carry the
    /// operation out nevertheless.
    pub fn cancel(&mut self, id: OperationId) {
        if let Some(operation) = self.devices.finish(id) {
            self.link.coap().cancel(operation.state.request());
            self.handle_link_events(self.link.now());
        }
    }

    fn next_operation_id(&mut self) -> OperationId {
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
    pub(super) fn fail_all(&mut self, key: DeviceKey, error: &OperationError) {
        let Some(device) = self.devices.get(key) else { return };
        for id in device.operations.keys().copied().collect::<Vec<_>>() {
            if let Some(operation) = self.devices.finish(id) {
                self.link.coap().cancel(operation.state.request());
                self.complete(key, id, Err(error.clone()));
            }
        }
    }

    /// Tells the application the outcome of an operation.
    pub(super) fn complete(
        &mut self,
        key: DeviceKey,
        id: OperationId,
        result: Result<crate::operation::Response, OperationError>,
    ) {
        let Some(device) = self.devices.get(key) else { return };
        let endpoint = Arc::clone(&device.registration.endpoint);
        self.outputs.push_back(Event::Completed { id, endpoint, result });
    }
}
