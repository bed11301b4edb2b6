//! How observations end, and how those of an adopted device begin anew.

use super::Server;
use super::wishing::Step;
use crate::device_management::format::{FormatsSent, RefusedFormats};
use crate::device_management::{Expected, decode};
use crate::devices::DeviceKey;
use crate::event::{Event, ObservationEnd};
use crate::observation::{Observation, Observed, Relation};
use crate::operation::Target;
use lwm2m_coap::{Code, PeerId, RequestId, Response};
use lwm2m_link::Identity;
use lwm2m_time::Instant;
use std::sync::Arc;

impl Server {
    /// The observations of a device, ordered by target; none if it is not registered.
    pub fn observations(&self, endpoint: &str) -> impl Iterator<Item = Observation> {
        let device = self.devices.key_of(endpoint).and_then(|key| self.devices.get(key));
        device.into_iter().flat_map(crate::device::Device::observations)
    }

    /// Forgets the observation of exactly `target` without telling the device, which learns it by
    /// the Reset to its next notification. Returns how many were forgotten: 0 or 1.
    pub fn cancel_observations(&mut self, now: Instant, endpoint: &str, target: &Target) -> usize {
        let Some(key) = self.devices.key_of(endpoint) else { return 0 };
        let ended = self.end_observation(key, target, ObservationEnd::Cancelled);
        self.handle_link_events(now);
        usize::from(ended)
    }

    /// Ends an observation here; `false` if there was none.
    pub(super) fn end_observation(
        &mut self,
        key: DeviceKey,
        target: &Target,
        reason: ObservationEnd,
    ) -> bool {
        let Some(observed) = self.forget_observation(key, target, reason) else { return false };
        observed.request().into_iter().for_each(|request| self.link.coap().cancel(request));
        true
    }

    pub(super) fn end_observations(&mut self, key: DeviceKey, reason: ObservationEnd) {
        let Some(device) = self.devices.get(key) else { return };
        let endpoint = Arc::clone(&device.registration.endpoint);
        for target in device.observed.keys().cloned().collect::<Vec<_>>() {
            match self.is_wished(&endpoint, &target, reason) {
                true => self.lose_observation(key, &target),
                false => _ = self.end_observation(key, &target, reason),
            }
        }
    }

    /// Notes that the device no longer knows of an observation, or not by this request.
    pub(super) fn lose_observation(&mut self, key: DeviceKey, target: &Target) {
        let observed = self.devices.get(key).and_then(|device| device.observed.get(target));
        let request = observed.and_then(Observed::request);
        self.devices.set_relation(key, target, Relation::Lost);
        request.into_iter().for_each(|request| self.link.coap().cancel(request));
    }

    /// Removes an observation that CoAP no longer has, or is about to forget.
    pub(super) fn forget_observation(
        &mut self,
        key: DeviceKey,
        target: &Target,
        reason: ObservationEnd,
    ) -> Option<Observed> {
        let observed = self.devices.remove_observed(key, target)?;
        if let Some(device) = self.devices.get(key) {
            let endpoint = Arc::clone(&device.registration.endpoint);
            match reason {
                ObservationEnd::Cancelled => _ = self.forget_wish(&endpoint, target),
                ObservationEnd::Ended(code) => self.note_refusal(&endpoint, target, code),
                _ => {}
            }
            let target = target.clone();
            self.outputs.push_back(Event::ObservationEnded { endpoint, target, reason });
        }
        Some(observed)
    }

    /// Lets a device that has moved without a session know what is observed. It has ended an
    /// observation if it notified before its Update came: the notification from an unknown address
    /// was rejected.
    pub(super) fn refresh_observations(&mut self, now: Instant, key: DeviceKey) {
        let peer = self.devices.get(key).and_then(|device| device.peer);
        if let Some(peer) = peer.filter(|it| self.link.identity(*it) == Some(&Identity::NoSec)) {
            self.link.coap().refresh_observations(now, peer);
        }
    }

    /// Begins the lost observations of the device at a peer anew.
    pub(super) fn resume_observations_at(&mut self, now: Instant, peer: PeerId) {
        if let Some(key) = self.devices.key_at(peer) {
            self.resume_observations(now, key);
        }
    }

    /// Begins the lost observations of a device anew, as many as CoAP takes; the answers begin the
    /// others. To be called after its request is answered.
    pub(super) fn resume_observations(&mut self, now: Instant, key: DeviceKey) {
        let Some(device) = self.devices.get(key) else { return };
        let lost = device.observed.iter().filter(|(_, it)| it.relation == Relation::Lost);
        for target in lost.map(|(target, _)| target.clone()).collect::<Vec<_>>() {
            if self.resume_observation(now, key, target).is_none() {
                break;
            }
        }
    }

    fn resume_observation(&mut self, now: Instant, key: DeviceKey, target: Target) -> Option<()> {
        self.begin_observation(now, key, target, Step::Attributes)
    }

    fn begin_observation(
        &mut self,
        now: Instant,
        key: DeviceKey,
        target: Target,
        step: Step,
    ) -> Option<()> {
        let device = self.devices.get(key)?;
        let operation = device.observed.get(&target)?.operation;
        let peer = device.peer.filter(|_| self.listens(device))?;
        let (request, format, step) = self.observing(key, &target, step)?;
        let request = self.link.coap().request(now, peer, request).ok()?;
        let relation = match step {
            Step::Attributes => Relation::Prepared(request),
            Step::Observe => Relation::Asked(request),
        };
        self.devices.observe(key, target, Observed { format, operation, relation });
        Some(())
    }

    /// Handles the answer to a request that begins an observation anew, or prepares it. Its values are
    /// reported as those of a notification.
    pub(super) fn handle_resumption(
        &mut self,
        now: Instant,
        key: DeviceKey,
        target: Target,
        request: RequestId,
        response: &Response,
    ) {
        let Some(device) = self.devices.get(key) else { return };
        let Some(observed) = device.observed.get(&target) else { return };
        let (format, operation) = (observed.format, observed.operation);
        let is_prepared = observed.relation == Relation::Prepared(request);
        if is_prepared && response.code == Code::CHANGED {
            self.begin_observation(now, key, target, Step::Observe);
        } else if is_prepared || response.code != Code::CONTENT {
            self.handle_refused(now, key, &target, response);
        } else {
            self.tell_first(now, key, &target, response);
            let relation = Relation::Established(request, now);
            let observed = Observed { format, operation, relation };
            self.note_observation(key, target, observed, response);
        }
        self.resume_observations(now, key);
    }

    /// Tells the application the values that an observation begins with.
    fn tell_first(&mut self, now: Instant, key: DeviceKey, target: &Target, response: &Response) {
        let Some(device) = self.devices.get(key) else { return };
        let registration = Arc::clone(&device.registration);
        let wish = self.wishes.get(&registration.endpoint, target);
        if wish.is_none_or(|wish| wish.operation.is_none()) {
            self.report(now, key, target, response);
        }
        let Some(format) = device_format(self.devices.get(key), target) else { return };
        let expected = Expected::Observation(format);
        // They are counted where the values are reported.
        let forgiven = &mut Vec::new();
        let result =
            decode::response(expected, target, &registration, &self.config, response, forgiven);
        self.note_wish(&registration.endpoint, target, None, result);
    }

    /// Ends an observation that a device refused, unless another format is left to try.
    fn handle_refused(
        &mut self,
        now: Instant,
        key: DeviceKey,
        target: &Target,
        response: &Response,
    ) {
        if self.try_next_format_of(now, key, target, response.code) {
            return;
        }
        self.end_observation(key, target, ObservationEnd::Ended(response.code));
    }

    /// Begins an observation in the next format, if the server chose the one that the device refused.
    fn try_next_format_of(
        &mut self,
        now: Instant,
        key: DeviceKey,
        target: &Target,
        code: Code,
    ) -> bool {
        if !matches!(code, Code::NOT_ACCEPTABLE | Code::UNSUPPORTED_CONTENT_FORMAT) {
            return false;
        }
        let sent = |server: &Self| {
            let (request, ..) = server.observing(key, target, Step::Observe)?;
            Some(FormatsSent::of(&request.options))
        };
        let Some(before) = sent(self) else { return false };
        let Some(device) = self.devices.get_mut(key) else { return false };
        let refused: &mut RefusedFormats = device.refused.get_or_insert_default();
        refused.note(code, before);
        if sent(self) == Some(before) {
            return false;
        }
        self.begin_observation(now, key, target.clone(), Step::Observe).is_some()
    }
}

/// The format of the answers about a target.
fn device_format(
    device: Option<&crate::Device>,
    target: &Target,
) -> Option<lwm2m_core::ContentFormat> {
    Some(device?.observed.get(target)?.format)
}
