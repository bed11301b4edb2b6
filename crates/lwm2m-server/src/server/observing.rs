//! How observations end, and how those of an adopted device begin anew.

use super::Server;
use crate::device_management::encode::EncodedOperation;
use crate::devices::DeviceKey;
use crate::event::{Event, ObservationEnd};
use crate::observation::{Observation, Observed, Relation};
use crate::operation::{Operation, Target};
use lwm2m_coap::{Code, PeerId, RequestId, Response};
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
        for target in device.observed.keys().cloned().collect::<Vec<_>>() {
            self.end_observation(key, &target, reason);
        }
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
            let target = target.clone();
            self.outputs.push_back(Event::ObservationEnded { endpoint, target, reason });
        }
        Some(observed)
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
        let device = self.devices.get(key)?;
        let observed = device.observed.get(&target)?;
        let (format, operation) = (observed.format, observed.operation);
        let peer = device.peer.filter(|peer| self.link.is_reachable(*peer))?;
        let observe = match target.clone() {
            Target::Path(path) => Operation::Observe { path, format: Some(format) },
            Target::Composite(paths) => {
                Operation::ObserveComposite { paths, path_format: None, format: Some(format) }
            }
        };
        let encoded = self.encode(key, &observe).ok()?;
        let EncodedOperation::Request(request, _) = encoded else { return None };
        let request = self.link.coap().request(now, peer, request).ok()?;
        let relation = Relation::Asked(request);
        self.devices.observe(key, target, Observed { format, operation, relation });
        Some(())
    }

    /// Handles the answer to a request that begins an observation anew. Its values are reported as
    /// those of a notification.
    pub(super) fn handle_resumption(
        &mut self,
        now: Instant,
        key: DeviceKey,
        target: Target,
        request: RequestId,
        response: &Response,
    ) {
        let observed = self.devices.get(key).and_then(|device| device.observed.get(&target));
        let Some((format, operation)) = observed.map(|it| (it.format, it.operation)) else {
            return;
        };
        if response.code == Code::CONTENT {
            self.report(key, &target, response);
            let relation = Relation::Established(request);
            let observed = Observed { format, operation, relation };
            self.note_observation(key, target, observed, response);
        } else {
            self.end_observation(key, &target, ObservationEnd::Ended(response.code));
        }
        self.resume_observations(now, key);
    }
}
