//! A server that goes on from what was kept.

use super::Server;
use crate::device::Device;
use crate::records::{self, KeptRegistration, KeptWish};
use crate::registration::Registration;
use lwm2m_link::Table;
use lwm2m_time::Instant;
use std::collections::HashMap;
use std::time::Duration;

/// How long a registration lasts at least after a restart: as long as a device may send a request again
/// that the server missed (MAX_TRANSMIT_WAIT, RFC 7252 section 4.8.2).
const GRACE: Duration = Duration::from_secs(93);

/// What was read from a store.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Restored {
    /// The registrations.
    pub registrations: usize,
    /// What is to be observed.
    pub wishes: usize,
    /// Commands, with those that have ended.
    pub commands: usize,
    /// Records that could not be used, because this server does not know them or has no room.
    pub unusable: usize,
}

/// Reads the records of a store into a server, in the order of their tables and keys.
#[derive(Debug)]
pub struct Restore<'s> {
    server: &'s mut Server,
    now: Instant,
    updates: HashMap<String, Instant>,
    restored: Restored,
}

impl Server {
    /// Begins to go on from what was kept; before any input. Devices are reachable at their last
    /// addresses, observations begin anew when their devices are heard of.
    ///
    /// Instants of all servers that use the store have to count from the same origin.
    pub fn restore(&mut self, now: Instant) -> Restore<'_> {
        Restore { server: self, now, updates: HashMap::new(), restored: Restored::default() }
    }
}

impl Restore<'_> {
    /// Takes a record.
    pub fn take(&mut self, table: Table, key: &[u8], value: &[u8]) {
        let used = match table {
            records::UPDATES => self.take_update(key, value),
            records::REGISTRATIONS => self.take_registration(key, value),
            records::OBSERVATIONS => self.take_wish(key, value),
            records::COMMANDS => self.take_command(key, value),
            records::VALUES | records::SESSIONS | records::COUNTERS => Some(()),
            _ => None,
        };
        self.restored.unusable += usize::from(used.is_none());
    }

    /// Ends reading.
    #[must_use]
    pub fn finish(self) -> Restored {
        self.server.handle_link_events(self.now);
        self.restored
    }

    fn take_update(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        let endpoint = std::str::from_utf8(key).ok()?;
        let at = Instant::from_micros(records::decode(value)?);
        self.updates.insert(endpoint.to_owned(), at);
        Some(())
    }

    fn take_registration(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        let endpoint = std::str::from_utf8(key).ok()?;
        let kept: KeptRegistration<'_> = records::decode(value)?;
        let mut registration = kept.registration(endpoint)?;
        let update = self.updates.remove(endpoint);
        let heard = update.map_or(registration.updated_at, |at| at.max(registration.updated_at));
        registration.updated_at = self.lasting(heard, &registration);
        registration.registered_at = registration.registered_at.min(self.now);
        let peer = match registration.identity.secured() {
            None => self.server.plain_peer(registration.address),
            Some(_) => None,
        };
        let device = Device::restored(registration);
        let device = self.server.admit(device, peer).ok()?;
        self.server.check_sleep(self.now, device);
        self.server.expect_wishes(device);
        self.restored.registrations += 1;
        Some(())
    }

    /// When a device was heard of, moved to where its registration has some time left: it could not
    /// send an Update while there was no server. A clock that was set back makes no registration
    /// longer.
    fn lasting(&self, heard: Instant, registration: &Registration) -> Instant {
        let heard = heard.min(self.now);
        let left = registration.lifetime.min(GRACE);
        let latest = self.now + left;
        match heard + registration.lifetime >= latest {
            true => heard,
            false => Instant::from_micros(
                latest.as_micros().saturating_sub(as_micros(registration.lifetime)),
            ),
        }
    }

    fn take_command(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        self.server.restore_command(self.now, key, value)?;
        self.restored.commands += 1;
        Some(())
    }

    fn take_wish(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        let (endpoint, target) = KeptWish::read_key(key)?;
        let kept: KeptWish = records::decode(value)?;
        self.server.wishes.insert(endpoint.into(), target, kept.wish()?);
        self.restored.wishes += 1;
        Some(())
    }
}

fn as_micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
