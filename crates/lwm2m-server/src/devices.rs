//! All registrations, by id and by endpoint name, with the timers of their lifetimes.
//!
//! Every step is logarithmic or better in the number of registrations.

use crate::registration::Registration;
use lwm2m_link::PeerId;
use lwm2m_time::{Instant, TimerTable};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The id of a registration: 16 characters of 5 random bits each.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct RegistrationId([u8; 16]);

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

impl RegistrationId {
    /// The id as it stands in a Uri-Path; anything of the right length can be looked up.
    pub(crate) fn from_bytes(id: &[u8]) -> Option<Self> {
        id.try_into().ok().map(Self)
    }

    fn random(rng: &mut ChaCha12Rng) -> Self {
        let mut key = [0; 16];
        rng.fill_bytes(&mut key);
        Self(key.map(|byte| ALPHABET.get(usize::from(byte & 31)).copied().unwrap_or(b'a')))
    }
}

impl std::fmt::Display for RegistrationId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| std::fmt::Write::write_char(f, char::from(*byte)))
    }
}

/// A registration and the peer that it is reached at.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) registration: Arc<Registration>,
    pub(crate) peer: PeerId,
    /// The bytes that the registration takes, by estimate.
    pub(crate) memory: usize,
}

/// The table of registrations.
#[derive(Debug)]
pub(crate) struct Devices {
    entries: HashMap<RegistrationId, Device>,
    by_endpoint: BTreeMap<String, RegistrationId>,
    /// The registration that came last from each peer.
    by_peer: HashMap<PeerId, RegistrationId>,
    lifetimes: TimerTable<RegistrationId>,
    rng: ChaCha12Rng,
    memory: usize,
}

impl Devices {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self {
            entries: HashMap::new(),
            by_endpoint: BTreeMap::new(),
            by_peer: HashMap::new(),
            lifetimes: TimerTable::new(),
            rng: ChaCha12Rng::from_seed(seed),
            memory: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The bytes that all registrations would take, if that of `key`, or a new one, took `memory`.
    pub(crate) fn memory_with(&self, key: Option<RegistrationId>, memory: usize) -> usize {
        let before = key.and_then(|key| self.get(key)).map_or(0, |entry| entry.memory);
        (self.memory - before).saturating_add(memory)
    }

    /// Notes that a registration has become larger or smaller.
    pub(crate) fn set_memory(&mut self, key: RegistrationId, memory: usize) {
        let total = self.memory_with(Some(key), memory);
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.memory = memory;
            self.memory = total;
        }
    }

    /// A key that is not in use. With 80 random bits it has not been in use either.
    pub(crate) fn fresh_key(&mut self) -> RegistrationId {
        loop {
            let key = RegistrationId::random(&mut self.rng);
            if !self.entries.contains_key(&key) {
                return key;
            }
        }
    }

    /// Adds a registration; no other one has its endpoint name.
    pub(crate) fn insert(&mut self, key: RegistrationId, entry: Device) {
        self.by_endpoint.insert(entry.registration.endpoint.clone(), key);
        self.by_peer.insert(entry.peer, key);
        self.memory += entry.memory;
        self.entries.insert(key, entry);
        self.restart_lifetime(key);
    }

    pub(crate) fn remove(&mut self, key: RegistrationId) -> Option<Device> {
        let entry = self.entries.remove(&key)?;
        self.memory -= entry.memory;
        self.by_endpoint.remove(&entry.registration.endpoint);
        self.leave(key, entry.peer);
        self.lifetimes.cancel(key);
        Some(entry)
    }

    /// Notes that a device is reached at another peer.
    pub(crate) fn move_to(&mut self, key: RegistrationId, peer: PeerId) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        let old = core::mem::replace(&mut entry.peer, peer);
        self.leave(key, old);
        self.by_peer.insert(peer, key);
    }

    fn leave(&mut self, key: RegistrationId, peer: PeerId) {
        if self.by_peer.get(&peer) == Some(&key) {
            self.by_peer.remove(&peer);
        }
    }

    /// The registration of a peer; of several that one address made, the last.
    pub(crate) fn key_at(&self, peer: PeerId) -> Option<RegistrationId> {
        self.by_peer.get(&peer).copied()
    }

    pub(crate) fn get(&self, key: RegistrationId) -> Option<&Device> {
        self.entries.get(&key)
    }

    pub(crate) fn get_mut(&mut self, key: RegistrationId) -> Option<&mut Device> {
        self.entries.get_mut(&key)
    }

    pub(crate) fn key_of(&self, endpoint: &str) -> Option<RegistrationId> {
        self.by_endpoint.get(endpoint).copied()
    }

    /// All registrations by endpoint name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Device> {
        self.by_endpoint.values().filter_map(|key| self.entries.get(key))
    }

    /// Counts the lifetime from the latest Register or Update. A lifetime of 0 never ends.
    pub(crate) fn restart_lifetime(&mut self, key: RegistrationId) {
        let Some(entry) = self.entries.get(&key) else { return };
        let registration = &entry.registration;
        if registration.lifetime.is_zero() {
            self.lifetimes.cancel(key);
        } else {
            self.lifetimes.set(key, registration.updated_at + registration.lifetime);
        }
    }

    /// When the next lifetime ends.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        self.lifetimes.next()
    }

    /// A registration whose lifetime is over; its timer is gone, the registration still there.
    pub(crate) fn pop_expired(&mut self, now: Instant) -> Option<RegistrationId> {
        self.lifetimes.pop_expired(now)
    }
}
