//! Who may use the API: tokens, users, and what each may do.
//!
//! A *grant* is the right to use the API: an API token of a program, a session of the page (the cookie
//! of a user who has logged in), or a link that is exchanged for a session once. Its secret is 32 random
//! bytes, of which the server keeps the SHA-256 only. A *user* has a password, kept by Argon2id.
//!
//! Each grant has a [`Scope`] and may be confined to endpoint names with a prefix: then the other devices
//! do not exist for it. Grants and users are records of the server's store, in tables of the application.

mod attempts;
mod audit;
mod grant;
pub(crate) mod guard;
mod password;
mod rules;

pub use grant::{Grant, GrantKind, Parent, Scope, Secret};
pub use password::{MIN_PASSWORD, User};

pub(crate) use attempts::{Attempts, Source};
pub(crate) use audit::{Audit, Entry, Kind};
pub(crate) use grant::Hash;
pub(crate) use guard::Principal;
pub(crate) use password::MAX_PASSWORD;

use bytes::Bytes;
use lwm2m_link::{Record, Table};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Tokens, sessions and links, by the hashes of their secrets.
pub const GRANTS: Table = Table(128);
/// Users, by their names.
pub const USERS: Table = Table(129);
/// What was changed, and by whom, in order.
pub const AUDIT: Table = Table(130);

/// The tables of the API in the server's store, with names for people.
pub const TABLES: [(Table, &str); 3] =
    [(GRANTS, "tokens and sessions"), (USERS, "users"), (AUDIT, "audit log")];

/// The most grants, and the most users.
pub(crate) const MAX_ENTRIES: usize = 10_000;
/// The most sessions of one user; the oldest gives way.
const MAX_SESSIONS: usize = 32;
/// How many log-ins may wait for their passwords to be checked.
const MAX_WAITING: usize = 16;
/// How long a session of the page lasts.
pub(crate) const SESSION: Duration = Duration::from_secs(12 * 3_600);
/// How long a link can be used.
pub(crate) const LINK: Duration = Duration::from_secs(3_600);

/// How requests prove who sends them. See [`ApiConfig::access`](crate::ApiConfig::access).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct AccessConfig {
    /// Whether requests from loopback addresses need no proof and may do everything. Default: false.
    pub trust_loopback: bool,
    /// Whether all requests come from a proxy, so that their addresses tell nothing. Default: false.
    pub behind_proxy: bool,
    /// Whether browsers reach the API by HTTPS alone, so that its cookie may never go out in the clear.
    /// Default: false.
    pub https: bool,
    /// Whether keys of devices are in answers without `?reveal`, as in the dialect. Default: false.
    pub reveal_keys: bool,
}

impl AccessConfig {
    /// Sets [`Self::trust_loopback`].
    #[must_use]
    pub const fn with_trust_loopback(self, trust_loopback: bool) -> Self {
        Self { trust_loopback, ..self }
    }

    /// Sets [`Self::behind_proxy`].
    #[must_use]
    pub const fn with_behind_proxy(self, behind_proxy: bool) -> Self {
        Self { behind_proxy, ..self }
    }

    /// Sets [`Self::https`].
    #[must_use]
    pub const fn with_https(self, https: bool) -> Self {
        Self { https, ..self }
    }

    /// Sets [`Self::reveal_keys`].
    #[must_use]
    pub const fn with_reveal_keys(self, reveal_keys: bool) -> Self {
        Self { reveal_keys, ..self }
    }
}

/// Everybody who may use an API, and what they changed; cheap to clone.
#[derive(Clone, Debug)]
pub struct Access(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: AccessConfig,
    entries: RwLock<Entries>,
    audit: Mutex<Audit>,
    attempts: Mutex<Attempts>,
    /// The permit to hash a password, which takes a processor for some time.
    hashing: Arc<Semaphore>,
    /// Permits to wait for it.
    waiting: Arc<Semaphore>,
    /// Held from the look at what is changed until it is on its way to the store, so that memory and
    /// store see changes in one order.
    changing: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Entries {
    grants: HashMap<Hash, Grant>,
    users: BTreeMap<String, User>,
}

impl Access {
    /// Nobody, until records of a store are [taken](Self::take) or the first token is made.
    #[must_use]
    pub fn new(config: AccessConfig) -> Self {
        Self(Arc::new(Shared {
            config,
            entries: RwLock::default(),
            audit: Mutex::default(),
            attempts: Mutex::default(),
            hashing: Arc::new(Semaphore::new(1)),
            waiting: Arc::new(Semaphore::new(MAX_WAITING)),
            changing: tokio::sync::Mutex::default(),
        }))
    }

    /// Takes a record of the store. Those of other tables, and what cannot be read, are left alone;
    /// returns whether it was taken.
    pub fn take(&self, table: Table, key: &[u8], value: &[u8]) -> bool {
        let taken = match table {
            GRANTS => key.try_into().ok().zip(Grant::decode(value)).map(|(hash, grant)| {
                self.write().grants.insert(hash, grant);
            }),
            USERS => std::str::from_utf8(key).ok().zip(User::decode(value)).map(|(name, user)| {
                self.write().users.insert(name.to_owned(), user);
            }),
            AUDIT => self.audit().take(key, value),
            _ => None,
        };
        taken.is_some()
    }

    /// How requests prove who sends them.
    #[must_use]
    pub fn config(&self) -> AccessConfig {
        self.0.config
    }

    /// Whether there is neither a token nor a user, so that nobody could use the API.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let entries = self.read();
        entries.users.is_empty() && !entries.grants.values().any(|it| it.kind == GrantKind::Token)
    }

    /// The grant that a secret stands for, if it is valid at `now`, in seconds since 1970.
    pub(crate) fn grant(&self, secret: &Secret, now: u64) -> Option<(Hash, Grant)> {
        let hash = secret.hash();
        let grant = self.read().grants.get(&hash)?.clone();
        grant.is_valid(now).then_some((hash, grant))
    }

    /// Tokens and sessions, the eldest first.
    pub(crate) fn grants(&self) -> Vec<(Hash, Grant)> {
        let mut all: Vec<_> =
            self.read().grants.iter().map(|(hash, grant)| (*hash, grant.clone())).collect();
        all.sort_by_key(|(hash, grant)| (grant.created_at, *hash));
        all
    }

    pub(crate) fn user(&self, name: &str) -> Option<User> {
        self.read().users.get(name).cloned()
    }

    pub(crate) fn users(&self) -> Vec<(String, User)> {
        self.read().users.iter().map(|(name, user)| (name.clone(), user.clone())).collect()
    }

    /// Whether a grant is there and has not ended by `now`.
    pub(crate) fn is_valid(&self, hash: &Hash, now: u64) -> bool {
        self.read().grants.get(hash).is_some_and(|grant| grant.is_valid(now))
    }

    /// The grants to remove for a new one: those that have ended by `now`, and the oldest sessions of the
    /// same user or token beyond their limit. `None` if the limit of all grants is reached all the same.
    pub(crate) fn outdated(&self, new: &Grant, now: u64) -> Option<Vec<Hash>> {
        let entries = self.read();
        let ended = entries.grants.iter().filter(|(_, it)| !it.is_valid(now));
        let mut gone: Vec<_> = ended.map(|(hash, _)| *hash).collect();
        let is_sibling = |it: &Grant| it.parent.is_some() && it.parent == new.parent;
        let siblings = entries.grants.iter().filter(|(_, it)| it.is_valid(now) && is_sibling(it));
        let mut siblings: Vec<_> = siblings.map(|(hash, it)| (it.created_at, *hash)).collect();
        siblings.sort_unstable();
        let excess = (siblings.len() + 1).saturating_sub(MAX_SESSIONS);
        gone.extend(siblings.into_iter().take(excess).map(|(_, hash)| hash));
        (entries.grants.len() - gone.len() < MAX_ENTRIES).then_some(gone)
    }

    /// Adds a grant that is kept.
    pub(crate) fn add_grant(&self, hash: Hash, grant: Grant) {
        self.write().grants.insert(hash, grant);
    }

    /// Ends the grants that `ends` selects, and returns what to keep.
    pub(crate) fn end_grants(&self, ends: impl Fn(&Hash, &Grant) -> bool) -> Vec<Record> {
        let mut entries = self.write();
        let ended = entries.grants.extract_if(|hash, grant| ends(hash, grant));
        ended.map(|(hash, _)| record(GRANTS, &hash, None)).collect()
    }

    /// Whether there is no room for a user of this name.
    pub(crate) fn is_full_for(&self, name: &str) -> bool {
        let entries = self.read();
        entries.users.len() >= MAX_ENTRIES && !entries.users.contains_key(name)
    }

    /// Sets a user that is kept.
    pub(crate) fn put_user(&self, name: &str, user: User) {
        self.write().users.insert(name.to_owned(), user);
    }

    /// Removes a user, and returns what to keep; `None` if there is none of the name.
    pub(crate) fn remove_user(&self, name: &str) -> Option<Record> {
        self.write().users.remove(name)?;
        Some(record(USERS, name.as_bytes(), None))
    }

    pub(crate) fn audit(&self) -> MutexGuard<'_, Audit> {
        self.0.audit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn attempts(&self) -> MutexGuard<'_, Attempts> {
        self.0.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The turn to hash a password; `None` if too many wait for it.
    pub(crate) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        let place = Arc::clone(&self.0.waiting).try_acquire_owned().ok()?;
        let turn = Arc::clone(&self.0.hashing).acquire_owned().await.ok()?;
        drop(place);
        Some(turn)
    }

    /// The turn to change something.
    pub(crate) async fn begin_change(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.0.changing.lock().await
    }

    fn read(&self) -> RwLockReadGuard<'_, Entries> {
        self.0.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Entries> {
        self.0.entries.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The time in seconds since 1970. The machine's own clock counts, because it may be set after the start.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// A new token of an admin, and the record to keep of it. `now` is in seconds since 1970.
///
/// # Errors
/// The operating system has no randomness.
pub fn admin_token(now: u64) -> Result<(Secret, Record), getrandom::Error> {
    let secret = Secret::random()?;
    let grant = Grant {
        name: "admin by command line".to_owned(),
        kind: GrantKind::Token,
        scope: Scope::Admin,
        prefix: None,
        parent: None,
        created_at: now,
        expires_at: None,
    };
    let record = record(GRANTS, &secret.hash(), Some(grant.encode()));
    Ok((secret, record))
}

/// The record of a grant, or of its end.
pub(crate) fn grant_record(hash: &Hash, grant: Option<&Grant>) -> Record {
    record(GRANTS, hash, grant.map(Grant::encode))
}

/// The record of a user.
pub(crate) fn user_record(name: &str, user: &User) -> Record {
    record(USERS, name.as_bytes(), Some(user.encode()))
}

/// A record of the API.
fn record(table: Table, key: &[u8], value: Option<Vec<u8>>) -> Record {
    Record { table, key: Bytes::copy_from_slice(key), value: value.map(Bytes::from) }
}
