//! Register, Update and De-register (OMA LwM2M Core 6.2), and what else ends registrations.

use super::Server;
use super::keeping::Keep;
use crate::device::Device;
use crate::devices::{DeviceKey, Timer};
use crate::error::OperationError;
use crate::event::{DeregistrationReason, Event, ObservationEnd};
use crate::rd::parse::{self, Register, UpdateParameters, UpdateRequest};
use crate::rd::{self, Command, Refusal};
use crate::records::Happened;
use crate::registration::{ObjectList, RegistrationId, Update};
use lwm2m_coap::{Code, PeerId, Request, Response};
use lwm2m_credentials::RefusedName;
use lwm2m_link::Identity;
use lwm2m_time::Instant;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

/// The seconds after which a device comes back that came with too many others.
const CROWD_WAITS: RangeInclusive<u32> = 60..=180;
/// One part in so many of places and memory is for devices with security.
const RESERVED: usize = 4;

impl Server {
    pub(super) fn handle_request(
        &mut self,
        now: Instant,
        peer: PeerId,
        request: &Request,
    ) -> Response {
        let done = rd::command(request, &self.config, self.devices.lists());
        let done = done.and_then(|command| match command {
            Command::Register(register) => self.register(now, peer, *register),
            Command::Update(id, update) => self.update(now, peer, id, *update),
            Command::Deregister(id) => self.deregister(now, peer, id),
            Command::Send => self.receive_values(now, peer, request),
        });
        self.refused += u64::from(matches!(done, Err(Refusal::Full | Refusal::Crowd(_))));
        done.unwrap_or_else(Refusal::response)
    }

    fn register(
        &mut self,
        now: Instant,
        peer: PeerId,
        register: Register,
    ) -> Result<Response, Refusal> {
        self.check_journal()?;
        let address = self.link.peer_address(peer).ok_or(Refusal::Full)?;
        let identity = self.link.identity(peer).cloned().ok_or(Refusal::Full)?;
        let claimed = register.endpoint.as_deref();
        let endpoint =
            self.config.security.resolve(identity.secured(), claimed).inspect_err(|&reason| {
                let refused = RefusedName::new(address, identity.secured(), claimed, reason);
                self.outputs.extend(refused.map(Event::NameRefused));
            })?;
        let endpoint = parse::legal_endpoint(endpoint, &self.config)?;
        let replaced = self.devices.key_of(&endpoint);
        if replaced.is_none() && self.devices.len() >= self.config.max_registrations {
            return Err(Refusal::Full);
        }
        let is_secured = identity.secured().is_some();
        if replaced.is_none() && !is_secured {
            self.check_plain_share(address)?;
        }
        let [plain, secured] = &mut self.admission;
        let admission = if is_secured { secured } else { plain };
        // Without security anybody can send the same Register again and again.
        if (replaced.is_none() || !is_secured) && !admission.admits(now, address.ip()) {
            return Err(Refusal::Crowd(self.devices.random(CROWD_WAITS)));
        }
        let id = self.devices.fresh_id();
        let mut registration = register.into_registration(id, endpoint, address, identity, now);
        registration.lifetime = self.granted(registration.lifetime, &registration.identity);
        let mut device = Device::new(registration, peer);
        let list = Some(&*device.registration.list);
        let host = (!is_secured).then_some(address);
        self.check_memory(replaced, device.memory, list, host)?;
        if let Some(key) = replaced {
            device.quirks = self.keep_quirks(key);
            self.forget_unlisted_by(key, &device);
            let old_peer = self.devices.get(key).and_then(|device| device.peer);
            self.remove(now, key, DeregistrationReason::Replaced);
            old_peer.into_iter().for_each(|old_peer| self.leave(now, old_peer, peer));
        }
        self.link.hold(peer);
        self.link.record_return(peer, &device.registration.endpoint);
        let key = self.devices.insert(device);
        self.keep_registration(key, Keep::Promised);
        self.hear_of(now, key);
        self.expect_wishes(key);
        if let Some(device) = self.devices.get(key) {
            let registration = Arc::clone(&device.registration);
            self.remember(now, &registration.endpoint, || {
                Happened::Registered(registration.address.to_string())
            });
            self.outputs.push_back(Event::Registered(registration));
        }
        let response = Response::new(Code::CREATED);
        Ok(response.location_segment("rd").location_segment(id.as_str()))
    }

    /// Forgets what a device told of object instances that it does not have any more when it registers
    /// anew.
    fn forget_unlisted_by(&mut self, key: DeviceKey, device: &Device) {
        let Device { registration, .. } = device;
        if let Some(old) = self.devices.get(key) {
            let before = Arc::clone(&old.registration.list);
            self.forget_unlisted(&registration.endpoint, &before, &registration.list);
        }
    }

    /// Checks whether a device may take `memory` bytes and have `list` from now on: if all devices
    /// stay within the bound, which is lower for those without security, or take no more than before. One
    /// without security comes from an address whose host has a share.
    pub(super) fn check_memory(
        &self,
        key: Option<DeviceKey>,
        memory: usize,
        list: Option<&ObjectList>,
        plain: Option<SocketAddr>,
    ) -> Result<(), Refusal> {
        let (before, after) = (self.devices.memory(), self.devices.memory_after(key, memory, list));
        let grows = after.saturating_sub(before);
        let all = self.config.max_registration_bytes;
        let fits = match plain {
            _ if grows == 0 => true,
            None => after <= all,
            Some(address) => {
                let most = all - self.reserve(all);
                let free = most.saturating_sub(before);
                after <= most && self.devices.plain().has_memory(address, grows, free)
            }
        };
        fits.then_some(()).ok_or(Refusal::Full)
    }

    /// How much of a resource is for devices with security alone.
    const fn reserve(&self, whole: usize) -> usize {
        if self.config.dtls.is_some() { whole / RESERVED } else { 0 }
    }

    /// Checks whether one more device without security may register from an address.
    fn check_plain_share(&self, address: SocketAddr) -> Result<(), Refusal> {
        let all = self.config.max_registrations;
        let reserved = self.reserve(all).max(self.config.security.len());
        let reserved = reserved.saturating_sub(self.devices.secured());
        let free = all.saturating_sub(reserved).saturating_sub(self.devices.len());
        let fits = self.devices.plain().has_room(address, free);
        fits.then_some(()).ok_or(Refusal::Full)
    }

    /// The lifetime that a device gets which asks for so much.
    fn granted(&self, lifetime: Duration, identity: &Identity) -> Duration {
        let most = self.config.max_plain_lifetime;
        match identity {
            Identity::NoSec if most.is_zero() => lifetime,
            Identity::NoSec if lifetime.is_zero() || lifetime > most => most,
            _ => lifetime,
        }
    }

    /// Handles an Update. It may come from a new address or in a new session, if that speaks for
    /// the endpoint.
    ///
    /// For plain CoAP the id is the proof. It cannot be guessed, and an attacker that can read it
    /// on the way can forge addresses as well. To refuse would cut off every device behind a NAT,
    /// which does not notice that its address changes.
    fn update(
        &mut self,
        now: Instant,
        peer: PeerId,
        id: RegistrationId,
        request: UpdateRequest,
    ) -> Result<Response, Refusal> {
        let key = self.known_to(peer, id)?;
        let device = self.devices.get(key).ok_or(Refusal::NotFound)?;
        let mut parameters = request.parameters(device.registration.version)?;
        let identity = self.link.identity(peer).ok_or(Refusal::NotFound)?;
        let address = self.link.peer_address(peer).ok_or(Refusal::NotFound)?;
        let plain = identity.secured().is_none().then_some(address);
        parameters.lifetime = parameters.lifetime.map(|it| self.granted(it, identity));
        let list = request.list.map(|list| inherit_formats(list, device));
        let memory = memory_with(device, &parameters);
        self.check_memory(Some(key), memory, list.as_deref(), plain)?;
        let changes = device.peer != Some(peer) || list.is_some() || parameters.are_some();
        if changes {
            self.check_journal()?;
        }
        let moved_from = self.arrive(now, key, peer)?;
        let listed = list.is_some();
        list.into_iter().for_each(|list| self.replace_list(key, list));
        self.devices.update(key, memory, |registration| {
            registration.apply(&parameters);
            registration.updated_at = now;
        });
        self.hear_of(now, key);
        match changes {
            true => {
                self.keep_registration(key, Keep::Promised);
                self.remember_update(now, key);
            }
            false => self.keep_update(key),
        }
        let UpdateParameters { lifetime, binding, queue_mode, sms } = parameters;
        self.outputs.extend(self.devices.get(key).map(|device| {
            let registration = Arc::clone(&device.registration);
            let list = listed.then(|| Arc::clone(&registration.list));
            let update = Update { lifetime, binding, queue_mode, sms, list, moved_from };
            Event::Updated { registration, update }
        }));
        Ok(Response::new(Code::CHANGED))
    }

    fn replace_list(&mut self, key: DeviceKey, list: Arc<ObjectList>) {
        if let Some(device) = self.devices.get(key) {
            let registration = Arc::clone(&device.registration);
            self.forget_unlisted(&registration.endpoint, &registration.list, &list);
        }
        self.devices.set_list(key, list);
    }

    fn remember_update(&mut self, now: Instant, key: DeviceKey) {
        if let Some(device) = self.devices.get(key) {
            let registration = Arc::clone(&device.registration);
            self.remember(now, &registration.endpoint, || {
                Happened::Updated(registration.address.to_string())
            });
        }
    }

    /// Notes that a device is at `peer`. Returns its old address if that is another peer.
    fn arrive(
        &mut self,
        now: Instant,
        key: DeviceKey,
        peer: PeerId,
    ) -> Result<Option<SocketAddr>, Refusal> {
        let device = self.devices.get(key).ok_or(Refusal::NotFound)?;
        if device.peer == Some(peer) {
            return Ok(None);
        }
        let moved_from = device.registration.address;
        let address = self.link.peer_address(peer).ok_or(Refusal::NotFound)?;
        let identity = self.link.identity(peer).cloned().ok_or(Refusal::NotFound)?;
        self.move_to(now, key, peer);
        self.arrived = Some(key);
        self.devices.set_source(key, address, Some(identity));
        Ok(Some(moved_from))
    }

    /// Notes the new address of a device whose session has moved there.
    pub(super) fn follow(&mut self, peer: PeerId) {
        let found = self.devices.key_at(peer).zip(self.link.peer_address(peer));
        let has_moved = |key, address| {
            self.devices.get(key).is_some_and(|it| it.registration.address != address)
        };
        if let Some((key, address)) = found.filter(|(key, address)| has_moved(*key, *address)) {
            self.devices.set_source(key, address, None);
            self.keep_registration(key, Keep::Noted);
            let device = self.devices.get(key);
            self.outputs.extend(device.map(|it| Event::Moved(Arc::clone(&it.registration))));
        }
    }

    /// Reaches a device by another peer.
    ///
    /// Where the peer has the same identity, the old one goes on over its path
    /// ([`Link::rebind`](lwm2m_link::Link::rebind)), and operations and observations with it.
    /// Otherwise they end: another identity inherits nothing, and a peer that several devices share
    /// stays with the others. Operations are not sent again then, because the device may have
    /// carried them out.
    fn move_to(&mut self, now: Instant, key: DeviceKey, peer: PeerId) {
        let old_peer = self.devices.get(key).and_then(|device| device.peer);
        if let Some(old_peer) = old_peer {
            let shared = self.devices.get(key).is_none_or(|device| device.shares_peer);
            let free = !shared && self.devices.key_at(peer).is_none();
            if free && self.link.rebind(now, old_peer, peer).is_ok() {
                return;
            }
            self.fail_all(now, key, &OperationError::Moved);
            self.end_observations(key, ObservationEnd::Moved);
        }
        self.link.hold(peer);
        self.devices.move_to(key, peer);
        if let Some(old_peer) = old_peer {
            // First the session, then the peer: a forgotten peer has no session to end.
            self.leave(now, old_peer, peer);
            self.link.release(old_peer);
        }
    }

    /// Ends the session or connection by which a device was reached before, unless another device
    /// uses it. Otherwise each restart of a device would leave a session behind.
    fn leave(&mut self, now: Instant, old_peer: PeerId, peer: PeerId) {
        if old_peer == peer || self.devices.key_at(old_peer).is_some() {
            return;
        }
        match self.link.is_connected(old_peer) {
            true => self.link.release_connection(now, old_peer),
            false => self.link.end_session(old_peer),
        }
    }

    fn deregister(
        &mut self,
        now: Instant,
        peer: PeerId,
        id: RegistrationId,
    ) -> Result<Response, Refusal> {
        let key = self.known_to(peer, id)?;
        self.check_journal()?;
        self.remove(now, key, DeregistrationReason::Removed);
        Ok(Response::new(Code::DELETED))
    }

    /// Finds a registration, if `peer` may speak for its endpoint. Other peers cannot tell it from
    /// one that does not exist.
    fn known_to(&self, peer: PeerId, id: RegistrationId) -> Result<DeviceKey, Refusal> {
        let key = self.devices.key_of_id(&id).ok_or(Refusal::NotFound)?;
        let device = self.devices.get(key).ok_or(Refusal::NotFound)?;
        let identity = self.link.identity(peer).ok_or(Refusal::NotFound)?;
        let speaks =
            self.config.security.speaks_for(identity.secured(), &device.registration.endpoint);
        speaks.then_some(key).ok_or(Refusal::NotFound)
    }

    /// Ends a registration with its operations and observations.
    pub(super) fn remove(&mut self, now: Instant, key: DeviceKey, reason: DeregistrationReason) {
        self.fail_all(now, key, &OperationError::Deregistered);
        self.end_observations(key, ObservationEnd::Deregistered);
        self.record_leaving(key);
        if let Some(Device { registration, peer, is_asleep, .. }) = self.devices.remove(key) {
            let is_certified = registration.identity.secured().is_some();
            let is_secured = is_certified || self.config.security.contains(&registration.endpoint);
            peer.into_iter().for_each(|peer| self.link.release(peer));
            match reason {
                // The new registration takes the place of the old one.
                DeregistrationReason::Replaced => {}
                // What is over is over after a restart, too.
                DeregistrationReason::Expired => {
                    self.forget_registration(&registration.endpoint, Keep::Noted);
                }
                _ => self.forget_registration(&registration.endpoint, Keep::Promised),
            }
            let endpoint = &registration.endpoint;
            self.remember_of(is_secured, now, endpoint, || Happened::Deregistered(reason));
            if reason != DeregistrationReason::Replaced {
                self.depart(endpoint, is_certified);
            }
            let was_asleep = is_asleep;
            self.outputs.push_back(Event::Deregistered { registration, reason, was_asleep });
        }
    }

    /// Ends the registrations whose lifetimes are over, notes which devices sleep, and ends commands
    /// that have waited too long.
    pub(super) fn expire(&mut self, now: Instant) {
        while let Some(timer) = self.devices.pop_due(now) {
            match timer {
                Timer::Lifetime(key) => self.remove(now, key, DeregistrationReason::Expired),
                Timer::Sleep(key) => self.check_sleep(now, key),
            }
        }
        self.expire_commands(now);
    }
}

/// The list of an Update: Leshan's client names its content formats in Register only.
fn inherit_formats(list: Arc<ObjectList>, device: &Device) -> Arc<ObjectList> {
    let formats = &device.registration.list.content_formats;
    match list.content_formats.is_empty() && !formats.is_empty() {
        true => Arc::new(list.with_formats(formats)),
        false => list,
    }
}

/// The bytes that a device takes after an Update, without its object list.
fn memory_with(device: &Device, parameters: &UpdateParameters) -> usize {
    let length = |sms: &Option<String>| sms.as_ref().map_or(0, String::len);
    match &parameters.sms {
        Some(_) => device.memory - length(&device.registration.sms) + length(&parameters.sms),
        None => device.memory,
    }
}
