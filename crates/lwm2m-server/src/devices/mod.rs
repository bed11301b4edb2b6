//! All devices, found by registration id, endpoint name, peer, operation and request, with their
//! timers and the memory that they take.

mod crowds;
mod index;
mod object_lists;
mod slab;
#[cfg(test)]
mod tests;

pub(crate) use self::object_lists::ObjectLists;

use self::crowds::Crowds;
use self::index::Index;
use self::slab::{Slab, SlabKey};
use crate::device::{Device, PendingOperation};
use crate::observation::{Observed, Relation};
use crate::operation::{OperationId, Target};
use crate::registration::{ObjectList, Registration, RegistrationId};
use lwm2m_coap::{PeerId, RequestId};
use lwm2m_link::Identity;
use lwm2m_time::{Instant, TimerQueue};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Names a device while it is registered; afterwards it finds nothing.
pub(crate) type DeviceKey = SlabKey;

/// What a device is to be woken for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Timer {
    /// The lifetime of the registration may be over.
    Lifetime(DeviceKey),
    /// The time may be over for which the device listens.
    Sleep(DeviceKey),
}

/// All devices.
#[derive(Debug)]
pub(crate) struct Devices {
    devices: Slab<Device>,
    by_id: Index,
    by_endpoint: Index,
    /// The latest device at each peer.
    by_peer: Index,
    hasher: RandomState,
    /// The devices of operations without an outcome.
    operations: HashMap<OperationId, DeviceKey>,
    /// The devices of requests that are under way or have begun an observation.
    requests: HashMap<RequestId, DeviceKey>,
    lists: ObjectLists,
    /// Each device knows when its timer fires.
    timers: TimerQueue<Timer>,
    rng: ChaCha12Rng,
    /// The bytes that all devices take without their object lists, by estimate.
    memory: usize,
    /// The devices without security, by where they are.
    plain: Crowds,
    /// The number of devices with security.
    secured: usize,
}

impl Devices {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self {
            devices: Slab::new(),
            by_id: Index::default(),
            by_endpoint: Index::default(),
            by_peer: Index::default(),
            hasher: RandomState::new(),
            operations: HashMap::new(),
            requests: HashMap::new(),
            lists: ObjectLists::default(),
            timers: TimerQueue::default(),
            rng: ChaCha12Rng::from_seed(seed),
            memory: 0,
            plain: Crowds::default(),
            secured: 0,
        }
    }

    /// The object lists of all devices.
    pub(crate) const fn lists(&self) -> &ObjectLists {
        &self.lists
    }

    pub(crate) const fn len(&self) -> usize {
        self.devices.len()
    }

    /// The number of devices with security.
    pub(crate) const fn secured(&self) -> usize {
        self.secured
    }

    /// Where the devices without security are.
    pub(crate) const fn plain(&self) -> &Crowds {
        &self.plain
    }

    fn count_in(&mut self, address: SocketAddr, identity: &Identity, memory: usize) {
        match identity {
            Identity::NoSec => self.plain.add(address, memory),
            _ => self.secured += 1,
        }
    }

    fn count_out(&mut self, address: SocketAddr, identity: &Identity, memory: usize) {
        match identity {
            Identity::NoSec => self.plain.remove(address, memory),
            _ => self.secured -= 1,
        }
    }

    /// Shares an object list. One that is new is counted for the host of its payer.
    fn acquire_list(&mut self, list: &mut Arc<ObjectList>, payer: Option<SocketAddr>) {
        let added = self.lists.acquire(list, payer);
        if let Some((payer, bytes)) = payer.zip(added) {
            self.plain.charge(payer, bytes);
        }
    }

    fn release_list(&mut self, list: &ObjectList) {
        if let Some((payer, bytes)) = self.lists.release(list) {
            self.plain.refund(payer, bytes);
        }
    }

    /// The bytes that all devices and their object lists take, by estimate.
    pub(crate) const fn memory(&self) -> usize {
        self.memory + self.lists.memory()
    }

    /// The same, if the device `key`, or a new one, took `memory` bytes and had the object list
    /// `list`, or still had its own.
    pub(crate) fn memory_after(
        &self,
        key: Option<DeviceKey>,
        memory: usize,
        list: Option<&ObjectList>,
    ) -> usize {
        let device = key.and_then(|key| self.get(key));
        let old = device.map(|device| &*device.registration.list);
        let lists =
            list.map_or_else(|| self.lists.memory(), |list| self.lists.memory_after(old, list));
        (self.memory - device.map_or(0, |it| it.memory)).saturating_add(memory) + lists
    }

    /// An id that is not in use. With 80 random bits it has not been in use either.
    pub(crate) fn fresh_id(&mut self) -> RegistrationId {
        loop {
            let id = RegistrationId::random(&mut self.rng);
            if self.key_of_id(&id).is_none() {
                return id;
            }
        }
    }

    /// A random number of a range.
    pub(crate) fn random(&mut self, range: RangeInclusive<u32>) -> u32 {
        let (first, last) = range.into_inner();
        first + self.rng.next_u32() % last.saturating_sub(first).saturating_add(1)
    }

    /// Adds a device; no other one has its id or endpoint name.
    pub(crate) fn insert(&mut self, mut device: Device) -> DeviceKey {
        let payer = payer(&device.registration);
        self.acquire_list(&mut Arc::make_mut(&mut device.registration).list, payer);
        let Registration { id, endpoint, .. } = &*device.registration;
        let (id, endpoint) = (self.hash(id), self.hash(&**endpoint));
        let peer = device.peer;
        self.memory += device.memory;
        let Registration { address, identity, .. } = &*device.registration;
        self.count_in(*address, identity, device.memory);
        let key = self.devices.insert(device);
        self.by_id.insert(id, key.slot);
        self.by_endpoint.insert(endpoint, key.slot);
        peer.into_iter().for_each(|peer| self.enter(key, peer));
        self.restart_lifetime(key);
        key
    }

    /// Removes a device, and forgets its operations, observations and timers.
    pub(crate) fn remove(&mut self, key: DeviceKey) -> Option<Device> {
        let device = self.devices.remove(key)?;
        let Registration { id, endpoint, list, address, identity, .. } = &*device.registration;
        self.by_id.remove(self.hash(id), key.slot);
        self.by_endpoint.remove(self.hash(&**endpoint), key.slot);
        device.peer.into_iter().for_each(|peer| self.leave(key, peer));
        self.release_list(list);
        self.memory -= device.memory;
        self.count_out(*address, identity, device.memory);
        if let Some(fires) = device.timer {
            self.timers.remove(fires, Timer::Lifetime(key));
        }
        if let Some(fires) = device.sleep_timer {
            self.timers.remove(fires, Timer::Sleep(key));
        }
        for id in device.operations.keys() {
            self.operations.remove(id);
        }
        for request in device.requests() {
            self.requests.remove(&request);
        }
        if self.devices.len() == 0 {
            // What was left by those who had many requests.
            self.operations.shrink_to_fit();
            self.requests.shrink_to_fit();
        }
        Some(device)
    }

    pub(crate) fn get(&self, key: DeviceKey) -> Option<&Device> {
        self.devices.get(key)
    }

    /// The device of an operation without an outcome.
    pub(crate) fn key_of_operation(&self, id: OperationId) -> Option<DeviceKey> {
        self.operations.get(&id).copied()
    }

    /// For the parts of a device that no index depends on.
    pub(crate) fn get_mut(&mut self, key: DeviceKey) -> Option<&mut Device> {
        self.devices.get_mut(key)
    }

    /// All devices, in no particular order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Device> {
        self.devices.iter()
    }

    pub(crate) fn key_of(&self, endpoint: &str) -> Option<DeviceKey> {
        let is = |device: &Device| *device.registration.endpoint == *endpoint;
        self.find(&self.by_endpoint, self.hash(endpoint), is)
    }

    pub(crate) fn key_of_id(&self, id: &RegistrationId) -> Option<DeviceKey> {
        self.find(&self.by_id, self.hash(id), |device| device.registration.id == *id)
    }

    /// The device at a peer; of several that one address registered, the last.
    pub(crate) fn key_at(&self, peer: PeerId) -> Option<DeviceKey> {
        self.find(&self.by_peer, self.hash(&peer), |device| device.peer == Some(peer))
    }

    /// The device of a request that is under way or has begun an observation.
    pub(crate) fn key_of_request(&self, request: RequestId) -> Option<DeviceKey> {
        self.requests.get(&request).copied()
    }

    fn find(&self, index: &Index, hash: u64, is: impl Fn(&Device) -> bool) -> Option<DeviceKey> {
        let is = |slot| self.devices.at(slot).is_some_and(|(_, device)| is(device));
        let slot = index.find(hash, is)?;
        self.devices.at(slot).map(|(key, _)| key)
    }

    fn hash<T: Hash + ?Sized>(&self, value: &T) -> u64 {
        self.hasher.hash_one(value)
    }
}

/// The address of a device without security, whose host has a share of the memory.
fn payer(registration: &Registration) -> Option<SocketAddr> {
    registration.identity.secured().is_none().then_some(registration.address)
}

/// Changes of one device.
impl Devices {
    /// Changes a registration, and begins its lifetime anew.
    pub(crate) fn update(
        &mut self,
        key: DeviceKey,
        memory: usize,
        change: impl FnOnce(&mut Registration),
    ) {
        let Some(device) = self.devices.get_mut(key) else { return };
        change(Arc::make_mut(&mut device.registration));
        let before = std::mem::replace(&mut device.memory, memory);
        self.memory = self.memory - before + memory;
        if let Some(address) = payer(&device.registration).filter(|_| before != memory) {
            self.plain.charge(address, memory);
            self.plain.refund(address, before);
        }
        self.restart_lifetime(key);
    }

    /// Replaces the object list of a device.
    pub(crate) fn set_list(&mut self, key: DeviceKey, mut list: Arc<ObjectList>) {
        let Some(device) = self.devices.get(key) else { return };
        let (old, payer) = (Arc::clone(&device.registration.list), payer(&device.registration));
        self.release_list(&old);
        self.acquire_list(&mut list, payer);
        if let Some(device) = self.devices.get_mut(key) {
            Arc::make_mut(&mut device.registration).list = list;
        }
    }

    /// Notes the address of a device, and what is proven about it if that may have changed.
    pub(crate) fn set_source(
        &mut self,
        key: DeviceKey,
        address: SocketAddr,
        identity: Option<Identity>,
    ) {
        let Some(device) = self.devices.get_mut(key) else { return };
        let registration = Arc::make_mut(&mut device.registration);
        let old_address = core::mem::replace(&mut registration.address, address);
        let identity = identity.unwrap_or_else(|| registration.identity.clone());
        let old_identity = core::mem::replace(&mut registration.identity, identity.clone());
        let memory = device.memory;
        self.count_out(old_address, &old_identity, memory);
        self.count_in(address, &identity, memory);
    }

    /// Notes that a device is reached by another peer.
    pub(crate) fn move_to(&mut self, key: DeviceKey, peer: PeerId) {
        let Some(device) = self.devices.get_mut(key) else { return };
        device.shares_peer = false;
        if let Some(old) = device.peer.replace(peer) {
            self.leave(key, old);
        }
        self.enter(key, peer);
    }

    /// Makes a device the latest one at its peer, and marks both if another one is there.
    fn enter(&mut self, key: DeviceKey, peer: PeerId) {
        if let Some(other) = self.key_at(peer).filter(|other| *other != key) {
            self.leave(other, peer);
            for sharing in [other, key] {
                if let Some(device) = self.devices.get_mut(sharing) {
                    device.shares_peer = true;
                }
            }
        }
        self.by_peer.insert(self.hash(&peer), key.slot);
    }

    fn leave(&mut self, key: DeviceKey, peer: PeerId) {
        self.by_peer.remove(self.hash(&peer), key.slot);
    }

    /// Adds an operation.
    pub(crate) fn begin(&mut self, key: DeviceKey, id: OperationId, operation: PendingOperation) {
        let Some(device) = self.devices.get_mut(key) else { return };
        self.operations.insert(id, key);
        self.requests.insert(operation.state.request(), key);
        device.operations.insert(id, operation);
    }

    /// Removes an operation that has come to its end.
    pub(crate) fn finish(&mut self, id: OperationId) -> Option<PendingOperation> {
        let device = self.devices.get_mut(self.operations.remove(&id)?)?;
        let operation = device.operations.remove(&id)?;
        self.requests.remove(&operation.state.request());
        Some(operation)
    }

    /// Adds an observation, or changes its state, and returns the one that it replaces.
    pub(crate) fn observe(
        &mut self,
        key: DeviceKey,
        target: Target,
        observed: Observed,
    ) -> Option<Observed> {
        let device = self.devices.get_mut(key)?;
        let request = observed.request();
        let replaced = device.observed.insert(target, observed);
        if let Some(old) = replaced.as_ref().and_then(Observed::request) {
            self.requests.remove(&old);
        }
        if let Some(request) = request {
            self.requests.insert(request, key);
        }
        replaced
    }

    /// Changes how far an observation is known at its device.
    pub(crate) fn set_relation(&mut self, key: DeviceKey, target: &Target, relation: Relation) {
        let device = self.devices.get_mut(key);
        let Some(observed) = device.and_then(|it| it.observed.get_mut(target)) else { return };
        let before = observed.request();
        observed.relation = relation;
        let after = observed.request();
        before.into_iter().for_each(|request| _ = self.requests.remove(&request));
        after.into_iter().for_each(|request| _ = self.requests.insert(request, key));
    }

    pub(crate) fn remove_observed(&mut self, key: DeviceKey, target: &Target) -> Option<Observed> {
        let observed = self.devices.get_mut(key)?.observed.remove(target)?;
        if let Some(request) = observed.request() {
            self.requests.remove(&request);
        }
        Some(observed)
    }
}

/// Timers. A lifetime is counted from the latest Register or Update; nearly all Updates move its
/// end away, and leave the timer alone: when it fires it is set anew.
impl Devices {
    fn restart_lifetime(&mut self, key: DeviceKey) {
        let Some(device) = self.devices.get_mut(key) else { return };
        let Some(end) = device.registration.expires_at() else { return };
        match device.timer {
            Some(fires) if fires <= end => return,
            Some(fires) => _ = self.timers.remove(fires, Timer::Lifetime(key)),
            None => {}
        }
        device.timer = Some(end);
        self.timers.insert(end, Timer::Lifetime(key));
    }

    /// When the next timer fires.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Notes when a device is to be looked at whether it still listens. A timer that fires earlier is
    /// left alone.
    pub(crate) fn sleep_at(&mut self, key: DeviceKey, at: Instant) {
        let Some(device) = self.devices.get_mut(key) else { return };
        match device.sleep_timer {
            Some(fires) if fires <= at => return,
            Some(fires) => _ = self.timers.remove(fires, Timer::Sleep(key)),
            None => {}
        }
        device.sleep_timer = Some(at);
        self.timers.insert(at, Timer::Sleep(key));
    }

    /// What a device is to be woken for by now: its lifetime is over, or it may sleep. It has no such
    /// timer any more.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        while let Some(timer) = self.timers.pop_expired(now) {
            let (Timer::Lifetime(key) | Timer::Sleep(key)) = timer;
            let Some(device) = self.devices.get_mut(key) else { continue };
            match timer {
                Timer::Sleep(_) => {
                    device.sleep_timer = None;
                    return Some(timer);
                }
                Timer::Lifetime(_) => {
                    device.timer = None;
                    if device.registration.expires_at().is_some_and(|end| end <= now) {
                        return Some(timer);
                    }
                    self.restart_lifetime(key);
                }
            }
        }
        None
    }
}
