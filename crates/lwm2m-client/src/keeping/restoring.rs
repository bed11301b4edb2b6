//! A client that goes on from what was kept.

use super::instances::{Touched, decode as decode_values};
use super::observing::Resuming;
use crate::client::Client;
use crate::objects::{security_ids as security, server};
use crate::records::{self, KeptInstance, KeptObservation, KeptRegistration};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use lwm2m_coap::{Code, Token};
use lwm2m_core::{Attribute, Path};
use lwm2m_dtls::SessionFingerprint;
use lwm2m_link::Table;
use lwm2m_time::Instant;

/// What was read from a store.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Restored {
    /// The object instances that servers have made, written to or deleted, with those of accounts.
    pub instances: usize,
    /// The paths at which servers have set attributes.
    pub attributes: usize,
    /// The sessions of DTLS.
    pub sessions: usize,
    /// The registrations that may still hold.
    pub registrations: usize,
    /// What servers observe.
    pub observations: usize,
    /// Records that could not be used: this device does not know them, or their time is over.
    pub unusable: usize,
}

impl fmt::Display for Restored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { instances, attributes, sessions, registrations, observations, unusable } = self;
        write!(
            f,
            "{registrations} registrations, {sessions} sessions, {observations} observations, {instances} \
             object instances, attributes of {attributes} paths"
        )?;
        if *unusable > 0 {
            write!(f, "; {unusable} records cannot be used")?;
        }
        Ok(())
    }
}

#[derive(Default)]
struct Session {
    sealed: Vec<u8>,
    counters: Vec<u8>,
}

/// Reads the records of a store into a client, in any order.
pub struct Restore<'c> {
    client: &'c mut Client,
    instances: BTreeMap<(u16, u16), KeptInstance>,
    attributes: Vec<(u16, Path, Vec<String>)>,
    sessions: BTreeMap<(u16, [u8; 16]), Session>,
    registrations: Vec<(u16, KeptRegistration)>,
    observations: Vec<Resuming>,
    restored: Restored,
}

impl fmt::Debug for Restore<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Restore").field("restored", &self.restored).finish_non_exhaustive()
    }
}

impl Client {
    /// Begins to go on from what was kept; before [`start`](Client::start), which then sends an Update
    /// to each server that may still know the client.
    ///
    /// Instants of all clients that use the store have to count from the same origin: those of a clock
    /// that goes on while the device is off.
    pub fn restore(&mut self, now: Instant) -> Restore<'_> {
        self.cx.now = now;
        Restore {
            client: self,
            instances: BTreeMap::new(),
            attributes: Vec::new(),
            sessions: BTreeMap::new(),
            registrations: Vec::new(),
            observations: Vec::new(),
            restored: Restored::default(),
        }
    }
}

impl Restore<'_> {
    /// Takes a record.
    pub fn take(&mut self, table: Table, key: &[u8], value: &[u8]) {
        let used = match table {
            records::INSTANCES => self.take_instance(key, value),
            records::ATTRIBUTES => self.take_attributes(key, value),
            records::SESSIONS => self.take_session(key, value, true),
            records::COUNTERS => self.take_session(key, value, false),
            records::REGISTRATIONS => self.take_registration(key, value),
            records::OBSERVATIONS => self.take_observation(key, value),
            records::SEQUENCES => self.take_sequence(key, value),
            _ => None,
        };
        self.restored.unusable += usize::from(used.is_none());
    }

    fn take_instance(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        self.instances.insert(records::instance_of(key)?, records::decode(value)?);
        Some(())
    }

    fn take_attributes(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        let (server, path) = records::id_and_rest(key)?;
        let path = core::str::from_utf8(path).ok()?.parse().ok()?;
        self.attributes.push((server, path, records::decode(value)?));
        Some(())
    }

    fn take_session(&mut self, key: &[u8], value: &[u8], is_sealed: bool) -> Option<()> {
        let (server, fingerprint) = records::id_and_rest(key)?;
        let session = self.sessions.entry((server, fingerprint.try_into().ok()?)).or_default();
        let part = if is_sealed { &mut session.sealed } else { &mut session.counters };
        *part = value.to_vec();
        Some(())
    }

    fn take_registration(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        let (server, _) = records::id_and_rest(key)?;
        self.registrations.push((server, records::decode(value)?));
        Some(())
    }

    fn take_observation(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        let (server, token) = records::id_and_rest(key)?;
        let (kept, token): (KeptObservation, _) = (records::decode(value)?, Token::new(token)?);
        let request = kept.request();
        // Nothing else may be carried out by a record.
        let is_observe = matches!(request.code, Code::GET | Code::FETCH);
        let observes = is_observe && request.options.observe() == Some(0);
        self.observations.push(observes.then_some(Resuming { server, token, request })?);
        Some(())
    }

    fn take_sequence(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        let (server, token) = records::id_and_rest(key)?;
        let token = Token::new(token)?;
        self.client.keeping.sequences.insert((server, token), records::decode(value)?);
        Some(())
    }

    /// Ends reading: accounts and objects are as servers left them.
    #[must_use]
    pub fn finish(mut self) -> Restored {
        self.restore_instances();
        self.restore_attributes();
        self.restore_registrations();
        self.restore_sessions();
        self.restore_observations();
        self.client.drain();
        self.restored
    }

    fn count(&mut self, used: bool, of: fn(&mut Restored) -> &mut usize) {
        match used {
            true => *of(&mut self.restored) += 1,
            false => self.restored.unusable += 1,
        }
    }

    fn restore_instances(&mut self) {
        let instances = core::mem::take(&mut self.instances);
        // A bootstrap has made all accounts, so those of the configuration are gone.
        let bootstrapped = instances.keys().any(|(object, _)| *object == security::ID)
            && self.client.cx.store.has_object(security::ID);
        if bootstrapped {
            for object in [security::ID, server::ID] {
                self.client.remove_others(object, &instances);
            }
        }
        for (id, kept) in instances {
            let used = self.client.restore_instance(id, kept).is_some();
            self.count(used, |restored| &mut restored.instances);
        }
        if bootstrapped {
            self.client.restore_accounts();
        }
    }

    fn restore_attributes(&mut self) {
        for (server, path, texts) in core::mem::take(&mut self.attributes) {
            let parsed = texts.iter().map(|text| Attribute::parse(text).ok());
            let account = self.client.accounts.account_id(server);
            let used = account.zip(parsed.collect::<Option<Vec<_>>>());
            if let Some((account, attributes)) = &used {
                self.client.reporting.attributes.apply(*account, path, attributes);
            }
            self.client.keeping.attributes.insert((server, path));
            self.count(used.is_some(), |restored| &mut restored.attributes);
        }
    }

    fn restore_sessions(&mut self) {
        for ((server, fingerprint), session) in core::mem::take(&mut self.sessions) {
            let fingerprint = SessionFingerprint(fingerprint);
            self.client.keeping.sessions.insert(fingerprint, server);
            let used = self.client.restore_session(server, &session).is_some();
            if !used {
                self.client.forget_session(&fingerprint);
            }
            self.count(used, |restored| &mut restored.sessions);
        }
    }

    fn restore_registrations(&mut self) {
        for (server, kept) in core::mem::take(&mut self.registrations) {
            let Client { accounts, cx, .. } = &mut *self.client;
            let account = accounts.of_server(server);
            let used = account.and_then(|account| account.restore(cx, kept)).is_some();
            self.count(used, |restored| &mut restored.registrations);
        }
    }

    fn restore_observations(&mut self) {
        for resuming in core::mem::take(&mut self.observations) {
            let account = self.client.accounts.account_id(resuming.server);
            if let Some(account) = account {
                self.client.keeping.resuming.entry(account).or_default().push(resuming);
            }
            self.count(account.is_some(), |restored| &mut restored.observations);
        }
    }
}

impl Client {
    /// Removes the instances of an object that are not kept.
    fn remove_others(&mut self, object: u16, kept: &BTreeMap<(u16, u16), KeptInstance>) {
        for instance in self.cx.store.instance_ids(object) {
            if let (false, Some(object)) =
                (kept.contains_key(&(object, instance)), self.cx.store.object_mut(object))
            {
                // The object is the client's own, which lets everything be deleted.
                let _ = object.bootstrap_delete(instance);
            }
        }
    }

    fn restore_instance(&mut self, id: (u16, u16), kept: KeptInstance) -> Option<()> {
        let (object, instance) = id;
        let KeptInstance { deleted, made, values, absent } = kept;
        let mut values = decode_values(&self.cx.store, &Path::instance(object, instance), &values)?;
        let resources = values.resources.keys().copied().chain(absent.iter().copied()).collect();
        let target = self.cx.store.object_mut(object)?;
        let is_there = target.has_instance(instance);
        if is_there && (deleted || made) {
            target.bootstrap_delete(instance).ok()?;
        }
        if made {
            for (id, resource) in target.template().resources {
                values.resources.entry(id).or_insert(resource);
            }
        }
        if !deleted {
            // Without the instance there is nothing that the values could be written to.
            let exists = (is_there || made).then_some(());
            exists.and_then(|()| target.bootstrap_write(instance, values, &absent).ok())?;
        }
        self.keeping.instances.insert(id, Touched { deleted, made, resources });
        Some(())
    }

    /// Makes the accounts those of the objects Security and Server.
    fn restore_accounts(&mut self) {
        if let Ok(servers) = self.bootstrap.restore(&mut self.cx) {
            self.accounts.replace(&mut self.cx, servers);
        }
    }

    fn restore_session(&mut self, server: u16, session: &Session) -> Option<()> {
        // Without its registration, nothing tells whether it is a session with this server.
        let account = self.accounts.of_server(server).filter(|it| it.is_restored())?;
        let profile = account.profile.clone()?;
        if account.peer.is_some() {
            return None;
        }
        let (link, now) = (&mut self.cx.link, self.cx.now);
        let Session { sealed, counters } = session;
        let peer = link.import_begun_session(now, sealed, counters, profile).ok()?;
        match link.peer_address(peer).is_some_and(|address| account.is_at(address)) {
            true => {
                link.hold(peer);
                account.peer = Some(peer);
                Some(())
            }
            false => {
                link.end_session(peer);
                None
            }
        }
    }
}
