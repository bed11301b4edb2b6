//! Answers of devices, their notifications, and requests that failed.

use super::Server;
use super::keeping::Keep;
use crate::device::{OperationState, PendingOperation, RequestOwner};
use crate::device_management::{Expected, decode};
use crate::devices::DeviceKey;
use crate::error::OperationError;
use crate::event::{Event, ObservationEnd};
use crate::observation::{Observed, Relation};
use crate::operation::{Content, OperationId, Target};
use lwm2m_coap::{FailReason, PeerId, RequestId, Response};
use lwm2m_core::Path;
use lwm2m_time::Instant;
use std::sync::Arc;

impl Server {
    pub(super) fn handle_response(
        &mut self,
        now: Instant,
        request: RequestId,
        response: &Response,
    ) {
        let Some((key, owner)) = self.owner_of(request) else { return };
        self.hear_of(now, key);
        match owner {
            RequestOwner::Operation(id) => self.handle_answer(now, key, id, response),
            RequestOwner::Observation(target) => {
                self.handle_resumption(now, key, target, request, response);
            }
        }
    }

    fn owner_of(&self, request: RequestId) -> Option<(DeviceKey, RequestOwner)> {
        let key = self.devices.key_of_request(request)?;
        Some((key, self.devices.get(key)?.owner_of(request)?))
    }

    /// Handles the answer to an operation.
    fn handle_answer(
        &mut self,
        now: Instant,
        key: DeviceKey,
        id: OperationId,
        response: &Response,
    ) {
        let Some(PendingOperation { target, state, retry }) = self.devices.finish(id) else {
            return;
        };
        let again = retry.and_then(|retry| self.try_next_format(now, key, *retry, response.code));
        if let Some(state) = again {
            self.devices.begin(key, id, PendingOperation { target, state, retry: None });
            return;
        }
        let Some(device) = self.devices.get(key) else { return };
        let OperationState::Sent(request, expected) = state;
        let registration = Arc::clone(&device.registration);
        let registration = &registration;
        let mut forgiven = Vec::new();
        let result = decode::response(
            expected,
            &target,
            registration,
            &self.config,
            response,
            &mut forgiven,
        );
        self.note_quirks(key, &forgiven);
        if let Ok(crate::operation::Response { content: Content::Node(node), .. }) = &result {
            self.keep_node(now, &registration.endpoint, &target.path(), node);
        }
        let (succeeded, about) = (response.code == expected.success(), target.clone());
        match expected {
            Expected::Observation(_) if !succeeded => self.link.coap().cancel(request),
            Expected::Observation(format) => {
                let relation = Relation::Established(request, now);
                let observed = Observed { format, operation: id, relation };
                self.note_observation(key, target, observed, response);
            }
            Expected::Created(instance) if succeeded => {
                self.note_created(key, &target.path(), instance, response);
            }
            Expected::Deleted if succeeded && target.path().depth() == 2 => {
                self.change_list(key, |list| list.remove_instance(&target.path()));
                self.forget_values_at(&registration.endpoint, &target.path());
            }
            Expected::Deleted if succeeded => {
                self.forget_values_at(&registration.endpoint, &target.path());
            }
            _ => {}
        }
        self.complete(now, key, id, about, result);
    }

    /// Handles the answer to a request that begins an observation. Without Observe the device has
    /// begun none, and has ended an earlier one of the same target.
    pub(super) fn note_observation(
        &mut self,
        key: DeviceKey,
        target: Target,
        observed: Observed,
        response: &Response,
    ) {
        if response.options.observe().is_none() {
            self.end_observation(key, &target, ObservationEnd::Ended(response.code));
            return;
        }
        let request = observed.request();
        let replaced = self.devices.observe(key, target, observed);
        let old = replaced.and_then(|it| it.request()).filter(|old| Some(*old) != request);
        old.into_iter().for_each(|old| self.link.coap().cancel(old));
    }

    fn note_created(
        &mut self,
        key: DeviceKey,
        object: &Path,
        instance: Option<u16>,
        response: &Response,
    ) {
        let Some(device) = self.devices.get(key) else { return };
        let located = decode::location(object, &device.registration, response);
        let chosen = instance.and_then(|id| object.child(id).ok());
        if let Some(path) = located.or(chosen) {
            self.change_list(key, |list| list.add_instance(&path));
        }
    }

    /// Changes the object list of a device before its next Update does.
    fn change_list(
        &mut self,
        key: DeviceKey,
        change: impl FnOnce(&mut crate::registration::ObjectList),
    ) {
        let Some(device) = self.devices.get(key) else { return };
        let mut list = (*device.registration.list).clone();
        change(&mut list);
        self.devices.set_list(key, Arc::new(list));
        self.keep_registration(key, Keep::Noted);
    }

    pub(super) fn handle_notification(
        &mut self,
        now: Instant,
        request: RequestId,
        response: &Response,
    ) {
        let Some((key, RequestOwner::Observation(target))) = self.owner_of(request) else { return };
        self.hear_of(now, key);
        if response.code.is_success() {
            self.report(now, key, &target, response);
        }
        if !response.code.is_success() || response.options.observe().is_none() {
            self.end_observation(key, &target, ObservationEnd::Ended(response.code));
        }
    }

    /// Handles a notification that this server did not ask for. After a restart that is often the first
    /// sign of a device, which the former server observed: it is there, and what is wished begins anew.
    pub(super) fn handle_unexpected(&mut self, now: Instant, peer: PeerId) {
        if let Some(key) = self.devices.key_at(peer) {
            self.hear_of(now, key);
            self.go_on(now, peer);
        }
    }

    /// Tells the application observed values.
    pub(super) fn report(
        &mut self,
        now: Instant,
        key: DeviceKey,
        target: &Target,
        response: &Response,
    ) {
        let Some(device) = self.devices.get(key) else { return };
        let Some(observed) = device.observed.get(target) else { return };
        let registration = Arc::clone(&device.registration);
        let (format, mut forgiven) = (observed.format, Vec::new());
        let decoded =
            decode::node(format, target, &registration, &self.config, response, &mut forgiven);
        self.note_quirks(key, &forgiven);
        let (result, left_out) = match decoded {
            Ok(values) => (Ok(values.node), values.left_out),
            Err(error) => (Err(error), Vec::new()),
        };
        if let Ok(node) = &result {
            self.keep_node(now, &registration.endpoint, &target.path(), node);
        }
        let target = target.clone();
        self.outputs.push_back(Event::Notification { registration, target, result, left_out });
    }

    pub(super) fn handle_failure(&mut self, now: Instant, request: RequestId, reason: FailReason) {
        match self.owner_of(request) {
            Some((key, RequestOwner::Operation(id))) => {
                let Some(PendingOperation { target, .. }) = self.devices.finish(id) else { return };
                if matches!(reason, FailReason::Timeout | FailReason::Unacknowledged { .. }) {
                    self.fall_asleep(key);
                }
                self.complete(now, key, id, target, Err(reason.into()));
            }
            Some((key, RequestOwner::Observation(target))) if reason == FailReason::Closed => {
                // With its connection or session. The registration lasts, and may have a new one.
                self.devices.set_relation(key, &target, Relation::Lost);
                self.resume_observations(now, key);
            }
            Some((key, RequestOwner::Observation(target))) => {
                if matches!(reason, FailReason::Timeout | FailReason::Unacknowledged { .. }) {
                    self.fall_asleep(key);
                }
                self.handle_silence(key, &target, reason);
            }
            None => {}
        }
    }

    /// Handles that a device did not answer when an observation was to begin: what is wished waits
    /// until it is heard of again.
    fn handle_silence(&mut self, key: DeviceKey, target: &Target, reason: FailReason) {
        let Some(device) = self.devices.get(key) else { return };
        let endpoint = Arc::clone(&device.registration.endpoint);
        if !self.is_wished(&endpoint, target, ObservationEnd::Disconnected) {
            self.end_observation(key, target, ObservationEnd::Disconnected);
            return;
        }
        self.lose_observation(key, target);
        let refused = self.wishes.get(&endpoint, target).and_then(|wish| wish.refused);
        self.note_wish(&endpoint, target, refused, Err(reason.into()));
    }
}

impl From<FailReason> for OperationError {
    fn from(reason: FailReason) -> Self {
        match reason {
            FailReason::Timeout | FailReason::Unacknowledged { .. } => Self::Timeout,
            FailReason::Reset => Self::Reset,
            FailReason::Cancelled => Self::Cancelled,
            reason => Self::Protocol(reason),
        }
    }
}
