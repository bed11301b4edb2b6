//! Answers of devices, and their notifications.

use super::Server;
use crate::devices::RegistrationId;
use crate::downlink::{self, Expected};
use crate::error::{Invalid, OperationError, SubmitError};
use crate::event::{Event, ObservationEnd};
use crate::observation::Observation;
use crate::operation::{OperationId, Target};
use crate::pending::Pending;
use lwm2m_coap::{FailReason, RequestId, Response};
use lwm2m_core::Path;
use lwm2m_time::Instant;
use std::sync::Arc;

impl Server {
    pub(super) fn check_room(
        &self,
        key: RegistrationId,
        target: &Target,
        expected: Expected,
    ) -> Result<(), SubmitError> {
        let new = matches!(expected, Expected::Observation(_))
            && self.observations.get(key, target).is_none();
        if new && self.observations.of(key).count() >= self.config.max_observations {
            return Err(SubmitError::TooManyObservations);
        }
        Ok(())
    }

    pub(super) fn cancel_actively(
        &mut self,
        now: Instant,
        key: RegistrationId,
        target: &Target,
    ) -> Result<(RequestId, Expected), SubmitError> {
        let missing = || Invalid::NotObserved(target.clone());
        let observation = self.observations.get(key, target).ok_or_else(missing)?;
        let format = observation.format;
        let id = self.link.coap().cancel_observation(now, observation.id.0)?;
        self.observations.remove(key, target);
        self.tell_observation_ended(key, target, ObservationEnd::Cancelled);
        Ok((id, Expected::Node(format)))
    }

    pub(super) fn handle_response(&mut self, id: RequestId, response: &Response) {
        let Some(Pending { key, target, expected }) = self.pending.remove(id) else { return };
        let Some(entry) = self.devices.get(key) else { return };
        let registration = Arc::clone(&entry.registration);
        let registry = &self.config.registry;
        let result = downlink::response(expected, &target, &registration, registry, response);
        self.note_effect(id, key, target, expected, response);
        let endpoint = registration.endpoint.clone();
        self.events.push_back(Event::Completed { id: OperationId(id), endpoint, result });
    }

    /// What a successful answer changes in the server's own view of the device.
    fn note_effect(
        &mut self,
        id: RequestId,
        key: RegistrationId,
        target: Target,
        expected: Expected,
        response: &Response,
    ) {
        let path = target.path();
        match expected {
            Expected::Observation(format) => {
                let observation = Observation { target, format, id: OperationId(id) };
                self.note_observation(key, observation, response);
            }
            Expected::Created(instance) if response.code.is_success() => {
                self.note_created(key, &path, instance, response);
            }
            Expected::Deleted if response.code.is_success() && path.depth() == 2 => {
                if let Some(entry) = self.devices.get_mut(key) {
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
        key: RegistrationId,
        observation: Observation,
        response: &Response,
    ) {
        if !response.code.is_success() {
            return;
        }
        if response.options.observe().is_none() {
            self.end_observation(key, &observation.target, ObservationEnd::Ended(response.code));
        } else if let Some(replaced) = self.observations.insert(key, observation) {
            self.link.coap().cancel(replaced.id.0);
        }
    }

    fn note_created(
        &mut self,
        key: RegistrationId,
        object: &Path,
        instance: Option<u16>,
        response: &Response,
    ) {
        let Some(entry) = self.devices.get_mut(key) else { return };
        let told = downlink::location(object, &entry.registration, response);
        let chosen = instance.and_then(|id| object.child(id).ok());
        if let Some(path) = told.or(chosen) {
            Arc::make_mut(&mut entry.registration).add_instance(&path);
        }
    }

    pub(super) fn handle_notification(&mut self, id: RequestId, response: &Response) {
        let Some((key, observation)) = self.observations.of_request(id) else { return };
        let Some(entry) = self.devices.get(key) else { return };
        let registration = Arc::clone(&entry.registration);
        let (target, format) = (observation.target.clone(), observation.format);
        if response.code.is_success() {
            let registry = &self.config.registry;
            let result = downlink::node(format, &target, &registration, registry, response);
            let target = target.clone();
            self.events.push_back(Event::Notification { registration, target, result });
        }
        if !response.code.is_success() || response.options.observe().is_none() {
            self.end_observation(key, &target, ObservationEnd::Ended(response.code));
        }
    }

    pub(super) fn handle_failure(&mut self, id: RequestId, reason: FailReason) {
        let error = match reason {
            FailReason::Timeout => OperationError::Timeout,
            FailReason::Reset => OperationError::Reset,
            FailReason::Cancelled => OperationError::Cancelled,
            reason => OperationError::Protocol(reason),
        };
        if let Some((key, observation)) = self.observations.of_request(id) {
            let target = observation.target.clone();
            self.end_observation(key, &target, ObservationEnd::Disconnected);
        }
        self.fail(id, error);
    }

    pub(super) fn fail(&mut self, id: RequestId, error: OperationError) {
        let Some(pending) = self.pending.remove(id) else { return };
        let Some(entry) = self.devices.get(pending.key) else { return };
        let endpoint = entry.registration.endpoint.clone();
        let result = Err(error);
        self.events.push_back(Event::Completed { id: OperationId(id), endpoint, result });
    }

    pub(super) fn end_observation(
        &mut self,
        key: RegistrationId,
        target: &Target,
        reason: ObservationEnd,
    ) -> bool {
        let Some(observation) = self.observations.remove(key, target) else { return false };
        self.link.coap().cancel(observation.id.0);
        self.tell_observation_ended(key, target, reason);
        true
    }

    pub(super) fn end_observations(&mut self, key: RegistrationId, reason: ObservationEnd) {
        let held = self.observations.of(key).map(|observation| observation.target.clone());
        for target in held.collect::<Vec<_>>() {
            self.end_observation(key, &target, reason);
        }
    }

    fn tell_observation_ended(
        &mut self,
        key: RegistrationId,
        target: &Target,
        reason: ObservationEnd,
    ) {
        let Some(entry) = self.devices.get(key) else { return };
        let endpoint = entry.registration.endpoint.clone();
        self.events.push_back(Event::ObservationEnded { endpoint, target: target.clone(), reason });
    }
}
