//! A server that goes on from what was kept.

use super::Server;
use super::keeping::Keep;
use super::sessions::Sessions;
use crate::device::Device;
use crate::records::{self, KeptDeparted, KeptEvent, KeptRegistration, KeptWish};
use crate::registration::Registration;
use lwm2m_link::{Identity, Table};
use lwm2m_time::Instant;
use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

/// How long a registration lasts at least after a restart: as long as a device may send a request again
/// that the server missed (MAX_TRANSMIT_WAIT, RFC 7252 section 4.8.2).
const GRACE: Duration = Duration::from_secs(93);

/// What was read from a store.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Restored {
    /// The credentials of clients that were set while the server ran.
    pub credentials: usize,
    /// The sessions of DTLS.
    pub sessions: usize,
    /// The registrations.
    pub registrations: usize,
    /// What is to be observed.
    pub wishes: usize,
    /// Commands, with those that have ended.
    pub commands: usize,
    /// Records that could not be used, because this server does not know them or has no room.
    pub unusable: usize,
}

impl fmt::Display for Restored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { credentials, sessions, registrations, wishes, commands, unusable } = self;
        write!(
            f,
            "{registrations} registrations, {sessions} sessions, {wishes} observations, {commands} commands, \
             {credentials} credentials"
        )?;
        if *unusable > 0 {
            write!(f, "; {unusable} records cannot be used")?;
        }
        Ok(())
    }
}

/// Reads the records of a store into a server, in the order of their tables and keys; at least those of
/// [`RESTORED`](records::RESTORED).
#[derive(Debug)]
pub struct Restore<'s> {
    server: &'s mut Server,
    now: Instant,
    updates: HashMap<String, Instant>,
    /// Sealed sessions whose counters have not been read yet.
    sealed: HashMap<Vec<u8>, Vec<u8>>,
    sessions: Sessions,
    restored: Restored,
}

impl Server {
    /// Begins to go on from what was kept; before any input. Devices are reachable at their last
    /// addresses, observations begin anew when their devices are heard of.
    ///
    /// Instants of all servers that use the store have to count from the same origin.
    pub fn restore(&mut self, now: Instant) -> Restore<'_> {
        Restore {
            server: self,
            now,
            updates: HashMap::new(),
            sealed: HashMap::new(),
            sessions: Sessions::default(),
            restored: Restored::default(),
        }
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
            records::CREDENTIALS => self.take_credential(key, value),
            records::SESSIONS => self.take_session(key, value),
            records::COUNTERS => self.take_counters(key, value),
            records::GENERATION => self.server.restore_generation(value),
            records::VALUES | records::HISTORY => Some(()),
            records::EVENTS => self.take_event(key, value),
            records::DEPARTED => self.take_departed(key, value),
            _ => None,
        };
        self.restored.unusable += usize::from(used.is_none());
    }

    /// Ends reading.
    #[must_use]
    pub fn finish(mut self) -> Restored {
        // Counters of which there is no session, and sessions that nobody is registered in.
        for key in std::mem::take(&mut self.sealed).into_keys() {
            self.drop_session(&key);
        }
        for (peer, has_devices) in std::mem::take(&mut self.sessions).into_peers() {
            // First the session: a peer that is forgotten has none to end.
            if !has_devices {
                self.server.link.end_session(peer);
            }
            self.server.link.release(peer);
        }
        self.server.trim_events();
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
            // It connects again by itself.
            _ if kept.was_connected() => None,
            None => self.server.plain_peer(registration.address),
            Some(identity) => self.sessions.of(identity, registration.address),
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

    fn take_credential(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        self.server.restore_credential(key, value)?;
        self.restored.credentials += 1;
        Some(())
    }

    fn take_session(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        self.sealed.insert(key.to_vec(), value.to_vec());
        Some(())
    }

    fn take_counters(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        let sealed = self.sealed.remove(key);
        let link = &mut self.server.link;
        let peer = sealed.and_then(|sealed| link.import_session(self.now, &sealed, value).ok());
        let Some(peer) = peer else {
            self.drop_session(key);
            return None;
        };
        link.hold(peer);
        let found = link.peer_address(peer).zip(link.identity(peer).cloned());
        if let Some((address, Identity::Secured(identity))) = found {
            self.sessions.add(peer, identity, address);
            self.restored.sessions += 1;
        }
        Some(())
    }

    /// Removes a session from the store that cannot go on.
    fn drop_session(&mut self, key: &[u8]) {
        for table in [records::SESSIONS, records::COUNTERS] {
            let name = key.to_vec().into();
            self.server.keep(Keep::Noted, records::remove(table, name));
        }
    }

    fn take_departed(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        let KeptDeparted { endpoint, is_certified } = KeptDeparted::read(value)?;
        self.server.departed.restore(KeptEvent::read_key(key)?, endpoint, is_certified)
    }

    fn take_event(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        // What a later version has written is there and counts.
        let is_secured = KeptEvent::read(key, value).is_some_and(|event| event.is_secured);
        self.server.history.restore(KeptEvent::read_key(key)?, is_secured)
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
