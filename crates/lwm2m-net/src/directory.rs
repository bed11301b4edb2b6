//! The fleet as users of the server read it: beside the engine, not through its queue.
//!
//! The thread that drives the engine writes each change before the datagram that acknowledges it
//! leaves, so a device that got its 2.01 is found from then on. Readers hold the lock for one
//! look-up or one short page, which bounds what a writer can wait for.
//!
//! One ordered map behind one lock serves both look-ups and ordered lists. With 100,000 devices a
//! change takes 1.2 µs in it, and 0.7 µs in a hash map, which would need a second index for lists
//! and stops the engine for milliseconds when it grows.

use lwm2m_server::Registration;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Registrations that [`Directory::page`] copies under one lock, at most.
pub const MAX_PAGE: usize = 64;

/// Registrations that [`Directory::scan`] looks at under one lock, at most.
pub const MAX_SCAN: usize = 1_024;

/// A registered device.
#[derive(Clone, PartialEq, Debug)]
pub struct Listed {
    /// What it registered.
    pub registration: Arc<Registration>,
    /// Whether it is in queue mode and sleeps.
    pub is_asleep: bool,
}

type Devices = BTreeMap<Arc<str>, Listed>;

/// All registered devices by endpoint name; see [`ServerHandle::directory`].
///
/// [`ServerHandle::directory`]: crate::ServerHandle::directory
#[derive(Debug, Default)]
pub struct Directory {
    devices: RwLock<Devices>,
}

impl Directory {
    /// A device.
    #[must_use]
    pub fn get(&self, endpoint: &str) -> Option<Listed> {
        self.read().get(endpoint).cloned()
    }

    /// The number of registered devices.
    #[must_use]
    pub fn len(&self) -> usize {
        self.read().len()
    }

    /// Whether no device is registered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The next devices by endpoint name: those after `after`, or the first ones without it.
    /// Returns up to [`MAX_PAGE`]; fewer only at the end.
    ///
    /// A device that stays registered while all pages are read is seen exactly once. One that
    /// comes or goes meanwhile may be missing.
    #[must_use]
    pub fn page(&self, after: Option<&str>) -> Vec<Listed> {
        self.page_within("", after)
    }

    /// As [`Self::page`], of the endpoint names that begin with `prefix`.
    #[must_use]
    pub fn page_within(&self, prefix: &str, after: Option<&str>) -> Vec<Listed> {
        let start = after.map_or(Bound::Included(prefix), Bound::Excluded);
        let devices = self.read();
        let page = devices.range::<str, _>((start, Bound::Unbounded));
        let page = page.take_while(|(name, _)| name.starts_with(prefix)).take(MAX_PAGE);
        page.map(|(_, device)| device.clone()).collect()
    }

    /// The devices among the next [`MAX_SCAN`] by endpoint name that `wants` selects, of the names that
    /// begin with `prefix` and come after `after`; and the name after which the next scan goes on, if
    /// there is more.
    #[must_use]
    pub fn scan(
        &self,
        prefix: &str,
        after: Option<&str>,
        wants: impl Fn(&Listed) -> bool,
    ) -> (Vec<Listed>, Option<Arc<str>>) {
        let start = after.filter(|after| *after >= prefix);
        let start = start.map_or(Bound::Included(prefix), Bound::Excluded);
        let devices = self.read();
        let mut rest = devices.range::<str, _>((start, Bound::Unbounded));
        let mut last = None;
        let mut found = Vec::new();
        for (name, device) in rest.by_ref().take(MAX_SCAN) {
            if !name.starts_with(prefix) {
                return (found, None);
            }
            last = Some(name);
            if wants(device) {
                found.push(device.clone());
            }
        }
        let last = last.map(Arc::clone);
        (found, last.filter(|_| rest.next().is_some()))
    }

    /// Adds a registration, or replaces the one of the same endpoint. A new device is awake.
    pub(crate) fn put(&self, registration: &Arc<Registration>) {
        let mut devices = self.write();
        let replaced = match devices.get_mut(&registration.endpoint) {
            Some(known) => {
                Some(std::mem::replace(&mut known.registration, Arc::clone(registration)))
            }
            None => {
                let device = Listed { registration: Arc::clone(registration), is_asleep: false };
                devices.insert(Arc::clone(&registration.endpoint), device);
                None
            }
        };
        drop(devices);
        // Perhaps the last reference: it is freed without the lock.
        drop(replaced);
    }

    /// Notes whether a device sleeps.
    pub(crate) fn set_asleep(&self, registration: &Registration, is_asleep: bool) {
        if let Some(known) = self.write().get_mut(&registration.endpoint) {
            known.is_asleep = is_asleep;
        }
    }

    /// Removes a registration, unless a newer one of the same endpoint has replaced it.
    pub(crate) fn remove(&self, registration: &Registration) {
        let mut devices = self.write();
        let known = devices.get(&registration.endpoint);
        if known.is_some_and(|known| known.registration.id == registration.id) {
            devices.remove(&registration.endpoint);
        }
    }

    // A panic elsewhere leaves the map whole: no step of a change runs foreign code.
    fn read(&self) -> RwLockReadGuard<'_, Devices> {
        self.devices.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Devices> {
        self.devices.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lwm2m_link::{Engine as _, Input, Outbox};
    use lwm2m_server::{Config, Server};
    use lwm2m_time::Instant;
    use std::net::{Ipv4Addr, SocketAddr};

    /// The registrations of devices with these endpoint names.
    fn registrations(names: impl IntoIterator<Item = String>) -> Vec<Arc<Registration>> {
        let mut server = Server::new(Config::default(), [7; 32]);
        let from = SocketAddr::from((Ipv4Addr::LOCALHOST, 5683));
        for (id, name) in (0_u16..).zip(names) {
            let mut register = b"\x40\x02\0\0\xb2rd\x11\x28\x34lt=9\x09lwm2m=1.1".to_vec();
            register[2..4].copy_from_slice(&id.to_be_bytes());
            register.push(u8::try_from(name.len() + 3).unwrap());
            register.extend(b"ep=".iter().chain(name.as_bytes()));
            register.extend(b"\xff</3/0>");
            server.handle(Instant::ZERO, Input::datagram(from, &register));
            let payload = Outbox::default().transmit(&mut server).unwrap().payload;
            assert_eq!(payload[1], 0x41, "not 2.01: {}", payload.escape_ascii());
        }
        let mut all: Vec<_> = server.registrations().cloned().collect();
        all.sort_unstable_by(|a: &Arc<Registration>, b| a.endpoint.cmp(&b.endpoint));
        all
    }

    #[test]
    fn pages_hold_every_device_once_in_order() {
        let all = registrations((0..150).map(|number| format!("{number:03}")));
        let directory = Directory::default();
        all.iter().for_each(|it| directory.put(it));
        assert_eq!(directory.len(), 150);
        let (mut seen, mut after) = (Vec::new(), None::<Listed>);
        loop {
            let page = directory.page(after.as_ref().map(|it| &*it.registration.endpoint));
            seen.extend(page.iter().map(|it| Arc::clone(&it.registration)));
            if page.len() < MAX_PAGE {
                break;
            }
            after = page.last().cloned();
        }
        assert_eq!(seen, all);
    }

    #[test]
    fn who_sleeps_does_so_whatever_the_registration_becomes() {
        let device = registrations(["a".to_owned()]).remove(0);
        let directory = Directory::default();
        let is_asleep = || directory.get("a").map(|it| it.is_asleep);
        directory.set_asleep(&device, true);
        assert_eq!(is_asleep(), None, "a late event adds no device");
        directory.put(&device);
        assert_eq!(is_asleep(), Some(false));
        directory.set_asleep(&device, true);
        directory.put(&device);
        assert_eq!(is_asleep(), Some(true));
        directory.remove(&device);
        directory.put(&device);
        assert_eq!(is_asleep(), Some(false), "a new registration is of a device that is awake");
    }

    #[test]
    fn a_late_removal_spares_the_newer_registration() {
        let old = registrations(["a".to_owned()]).remove(0);
        let id = registrations(["a".to_owned(), "b".to_owned()]).remove(1).id;
        let new = Arc::new(Registration { id, ..(*old).clone() });
        let directory = Directory::default();
        directory.put(&old);
        directory.put(&new);
        directory.remove(&old);
        assert_eq!(directory.get("a").map(|it| it.registration), Some(Arc::clone(&new)));
        directory.remove(&new);
        assert!(directory.is_empty());
    }
}
