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
pub(crate) struct Key([u8; 16]);

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

impl Key {
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

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| std::fmt::Write::write_char(f, char::from(*byte)))
    }
}

/// A registration and the peer that it is reached at.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) registration: Arc<Registration>,
    pub(crate) peer: PeerId,
    /// The bytes that the registration takes, by estimate.
    pub(crate) weight: usize,
}

/// The table of registrations.
#[derive(Debug)]
pub(crate) struct Table {
    entries: HashMap<Key, Entry>,
    by_endpoint: BTreeMap<String, Key>,
    /// The registration that came last from each peer.
    by_peer: HashMap<PeerId, Key>,
    lifetimes: TimerTable<Key>,
    rng: ChaCha12Rng,
    weight: usize,
}

impl Table {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self {
            entries: HashMap::new(),
            by_endpoint: BTreeMap::new(),
            by_peer: HashMap::new(),
            lifetimes: TimerTable::new(),
            rng: ChaCha12Rng::from_seed(seed),
            weight: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The bytes that all registrations would take, if that of `key`, or a new one, took `weight`.
    pub(crate) fn weight_with(&self, key: Option<Key>, weight: usize) -> usize {
        let before = key.and_then(|key| self.get(key)).map_or(0, |entry| entry.weight);
        (self.weight - before).saturating_add(weight)
    }

    /// Notes that a registration has become larger or smaller.
    pub(crate) fn set_weight(&mut self, key: Key, weight: usize) {
        let total = self.weight_with(Some(key), weight);
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.weight = weight;
            self.weight = total;
        }
    }

    /// A key that is not in use. With 80 random bits it has not been in use either.
    pub(crate) fn fresh_key(&mut self) -> Key {
        loop {
            let key = Key::random(&mut self.rng);
            if !self.entries.contains_key(&key) {
                return key;
            }
        }
    }

    /// Adds a registration; no other one has its endpoint name.
    pub(crate) fn insert(&mut self, key: Key, entry: Entry) {
        self.by_endpoint.insert(entry.registration.endpoint.clone(), key);
        self.by_peer.insert(entry.peer, key);
        self.weight += entry.weight;
        self.entries.insert(key, entry);
        self.restart_lifetime(key);
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<Entry> {
        let entry = self.entries.remove(&key)?;
        self.weight -= entry.weight;
        self.by_endpoint.remove(&entry.registration.endpoint);
        self.leave(key, entry.peer);
        self.lifetimes.cancel(key);
        Some(entry)
    }

    /// Notes that a device is reached at another peer.
    pub(crate) fn move_to(&mut self, key: Key, peer: PeerId) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        let old = core::mem::replace(&mut entry.peer, peer);
        self.leave(key, old);
        self.by_peer.insert(peer, key);
    }

    fn leave(&mut self, key: Key, peer: PeerId) {
        if self.by_peer.get(&peer) == Some(&key) {
            self.by_peer.remove(&peer);
        }
    }

    /// The registration of a peer; of several that one address made, the last.
    pub(crate) fn key_at(&self, peer: PeerId) -> Option<Key> {
        self.by_peer.get(&peer).copied()
    }

    pub(crate) fn get(&self, key: Key) -> Option<&Entry> {
        self.entries.get(&key)
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut Entry> {
        self.entries.get_mut(&key)
    }

    pub(crate) fn key_of(&self, endpoint: &str) -> Option<Key> {
        self.by_endpoint.get(endpoint).copied()
    }

    /// All registrations by endpoint name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.by_endpoint.values().filter_map(|key| self.entries.get(key))
    }

    /// Counts the lifetime from the latest Register or Update. A lifetime of 0 never ends.
    pub(crate) fn restart_lifetime(&mut self, key: Key) {
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
    pub(crate) fn pop_expired(&mut self, now: Instant) -> Option<Key> {
        self.lifetimes.pop_expired(now)
    }
}
