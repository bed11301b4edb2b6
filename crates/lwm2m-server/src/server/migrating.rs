//! Devices that go from one server to another.

use super::Server;
use super::keeping::Keep;
use crate::device::Device;
use crate::devices::DeviceKey;
use crate::error::{AdoptError, OperationError};
use crate::event::Event;
use crate::observation::Relation;
use lwm2m_coap::PeerId;
use lwm2m_link::Identity;
use lwm2m_time::Instant;
use std::net::SocketAddr;
use std::sync::Arc;

impl Server {
    /// Takes a device out of this server, for another one to [adopt](Self::adopt); `None` if it is
    /// not registered. An [`Event::Released`] follows; the registration does not end.
    ///
    /// - Operations without an outcome fail with [`OperationError::Released`]: their answers would
    ///   come to this server, and to send them again could carry them out twice.
    /// - Observations go along. Here their notifications are rejected from now on.
    /// - The session stays open, and answers requests to the location with 4.04.
    pub fn release(&mut self, now: Instant, endpoint: &str) -> Option<Device> {
        let key = self.devices.key_of(endpoint)?;
        self.fail_all(now, key, &OperationError::Released);
        let mut device = self.devices.remove(key)?;
        for observed in device.observed.values_mut() {
            let request = observed.request();
            request.into_iter().for_each(|request| self.link.coap().cancel(request));
            observed.relation = Relation::Lost;
        }
        (device.timer, device.sleep_timer) = (None, None);
        self.forget_registration(endpoint, Keep::Promised);
        device.peer.take().into_iter().for_each(|peer| self.link.release(peer));
        self.outputs.push_back(Event::Released(Arc::clone(&device.registration)));
        self.handle_link_events(now);
        Some(device)
    }

    /// Puts a device that another server [released](Self::release) into this one, with its
    /// location `/rd/{id}`. An [`Event::Adopted`] follows.
    ///
    /// Requests go to `peer`; without one the device cannot be reached until its next Update.
    /// Then this server begins the observations anew. The values of the answers are reported as
    /// [`Event::Notification`], and [`Event::ObservationEnded`] follows if the device refuses.
    ///
    /// Both servers must count time from the same origin.
    ///
    /// # Errors
    /// See [`AdoptError`], which gives the device back. Then nothing has changed.
    pub fn adopt(
        &mut self,
        now: Instant,
        device: Device,
        peer: Option<PeerId>,
    ) -> Result<(), AdoptError> {
        let key = self.admit(device, peer)?;
        self.keep_registration(key, Keep::Promised);
        self.outputs.extend(
            self.devices.get(key).map(|device| Event::Adopted(Arc::clone(&device.registration))),
        );
        self.check_sleep(now, key);
        self.resume_observations(now, key);
        self.handle_link_events(now);
        Ok(())
    }

    /// Puts a device into this server, without an event.
    pub(super) fn admit(
        &mut self,
        mut device: Device,
        peer: Option<PeerId>,
    ) -> Result<DeviceKey, AdoptError> {
        if let Err(error) = self.check_adoption(&device, peer) {
            return Err(error(Box::new(device)));
        }
        device.peer = peer;
        if let Some(peer) = peer {
            self.link.hold(peer);
        }
        let key = self.devices.insert(device);
        if let Some((peer, address)) = peer.and_then(|it| Some((it, self.link.peer_address(it)?))) {
            let identity = self.link.identity(peer).cloned();
            self.devices.set_source(key, address, identity);
        }
        Ok(key)
    }

    /// The peer of plain CoAP at an address, known or new; `None` while there are too many.
    pub fn plain_peer(&mut self, address: SocketAddr) -> Option<PeerId> {
        self.link.connect(address)
    }

    fn check_adoption(
        &self,
        device: &Device,
        peer: Option<PeerId>,
    ) -> Result<(), fn(Box<Device>) -> AdoptError> {
        let registration = &device.registration;
        let speaks = |identity: &Identity| {
            self.config.security.speaks_for(identity.secured(), &registration.endpoint)
        };
        let known = self.devices.key_of(&registration.endpoint).is_some()
            || self.devices.key_of_id(&registration.id).is_some();
        if known {
            return Err(AdoptError::Registered);
        }
        let proven = peer.map(|peer| self.link.identity(peer));
        if !speaks(&registration.identity) || !proven.is_none_or(|it| it.is_some_and(speaks)) {
            return Err(AdoptError::Identity);
        }
        let room = self.devices.len() < self.config.max_registrations;
        match self.check_memory(None, device.memory, Some(&registration.list), None) {
            Ok(()) if room => Ok(()),
            _ => Err(AdoptError::Full),
        }
    }
}
