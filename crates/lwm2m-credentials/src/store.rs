//! The store: credentials by endpoint, and endpoints by what a handshake proves.

use crate::credential::Credential;
use crate::name::is_endpoint_name;
use crate::own::{OwnCredentials, Unlisted};
use bytes::Bytes;
use lwm2m_dtls::crypto::SigningKey;
use lwm2m_dtls::{CertifiedKey, Credentials, Identity, Unsupported};
use rustls_pki_types::CertificateDer;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use zeroize::Zeroizing;

/// Credentials that [`SecurityStore::page`] copies under one lock, at most.
pub const MAX_PAGE: usize = 64;

/// The credentials of a server and of its clients, for any number of engines and DTLS endpoints.
///
/// An endpoint has one credential; no two endpoints have the same identity or public key. Change
/// the credentials of a running server by its own methods, which also end the sessions and
/// registrations that used the old ones.
pub struct SecurityStore {
    own: OwnCredentials,
    clients: RwLock<Clients>,
    max_clients: usize,
}

#[derive(Default)]
struct Clients {
    by_endpoint: BTreeMap<Arc<str>, Credential>,
    by_identity: HashMap<Bytes, Arc<str>>,
    by_public_key: HashMap<Bytes, Arc<str>>,
    /// The generation of the credentials that are set next: greater after each removal.
    next_generation: u64,
    /// The generations that are not 0.
    generations: HashMap<Arc<str>, u64>,
}

impl Default for SecurityStore {
    fn default() -> Self {
        Self::new(OwnCredentials::default())
    }
}

impl fmt::Debug for SecurityStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecurityStore").field("clients", &self.len()).finish_non_exhaustive()
    }
}

impl SecurityStore {
    /// A store without clients. Limit: 1,000,000 clients.
    #[must_use]
    pub fn new(own: OwnCredentials) -> Self {
        Self { own, clients: RwLock::default(), max_clients: 1_000_000 }
    }

    /// Sets the largest number of clients. Default: 1,000,000.
    #[must_use]
    pub fn with_max_clients(self, max_clients: usize) -> Self {
        Self { max_clients, ..self }
    }

    /// Returns DTLS settings that use the credentials of this store.
    #[must_use]
    pub fn secure(self: &Arc<Self>, settings: &lwm2m_dtls::Config) -> lwm2m_dtls::Config {
        let mut settings = settings.clone();
        settings.credentials = Some(Arc::clone(self) as Arc<dyn Credentials>);
        settings
    }

    /// The server's own credentials.
    #[must_use]
    pub const fn own(&self) -> &OwnCredentials {
        &self.own
    }

    /// Sets the credential of an endpoint and returns the previous one.
    ///
    /// # Errors
    /// See [`StoreError`]; the store is then unchanged.
    pub fn put(
        &self,
        endpoint: &str,
        credential: Credential,
    ) -> Result<Option<Credential>, StoreError> {
        self.set(endpoint, credential, None)
    }

    /// Sets the credential of an endpoint as an earlier run of the server had it, with its
    /// [generation](Self::generation_of): sessions of that run go on, and those of credentials that
    /// were removed do not.
    ///
    /// # Errors
    /// See [`StoreError`]; the store is then unchanged.
    pub fn restore(
        &self,
        endpoint: &str,
        credential: Credential,
        generation: u64,
    ) -> Result<(), StoreError> {
        self.set(endpoint, credential, Some(generation)).map(|_| ())
    }

    /// Numbers the generations of credentials that are set from now on, so that none is one of an
    /// earlier run: `first` is the [`next_generation`](Self::next_generation) of that run, or greater.
    /// Comes after the credentials of files are set: their generation is 0 in each run.
    pub fn number_generations_from(&self, first: u64) {
        let mut clients = self.clients.write().unwrap_or_else(PoisonError::into_inner);
        clients.next_generation = clients.next_generation.max(first);
    }

    /// The generation of the credential that is set next, to be kept after each change.
    #[must_use]
    pub fn next_generation(&self) -> u64 {
        self.read().next_generation
    }

    /// The generation of the credential of an endpoint, to be kept with it: another number after
    /// each removal or replacement. 0 without a credential.
    #[must_use]
    pub fn generation_of(&self, endpoint: &str) -> u64 {
        self.read().generations.get(endpoint).copied().unwrap_or_default()
    }

    fn set(
        &self,
        endpoint: &str,
        credential: Credential,
        generation: Option<u64>,
    ) -> Result<Option<Credential>, StoreError> {
        if !is_endpoint_name(endpoint) {
            return Err(StoreError::Endpoint);
        }
        let mut clients = self.clients.write().unwrap_or_else(PoisonError::into_inner);
        clients.check_unique(endpoint, &credential)?;
        let known = clients.by_endpoint.contains_key(endpoint);
        if !known && clients.by_endpoint.len() >= self.max_clients {
            return Err(StoreError::Full(self.max_clients));
        }
        if generation.is_none() && clients.by_endpoint.get(endpoint) == Some(&credential) {
            return Ok(Some(credential));
        }
        let before = clients.remove(endpoint);
        let generation = generation.unwrap_or(clients.next_generation);
        clients.insert(endpoint.into(), credential, generation);
        Ok(before)
    }

    /// Removes the credential of an endpoint and returns it.
    pub fn remove(&self, endpoint: &str) -> Option<Credential> {
        self.clients.write().unwrap_or_else(PoisonError::into_inner).remove(endpoint)
    }

    /// The credential of an endpoint.
    #[must_use]
    pub fn get(&self, endpoint: &str) -> Option<Credential> {
        self.read().by_endpoint.get(endpoint).cloned()
    }

    /// All endpoints with their credentials, ordered by name. Copies them page by page, so handshakes
    /// and changes go on meanwhile; see [`page`](Self::page).
    #[must_use]
    pub fn list(&self) -> Vec<(Arc<str>, Credential)> {
        let mut all = self.page(None);
        let mut copied = all.len();
        while copied == MAX_PAGE {
            let next = self.page(all.last().map(|(name, _)| &**name));
            copied = next.len();
            all.extend(next);
        }
        all
    }

    /// The next endpoints with their credentials: those after `after`, or the first ones without it.
    /// Returns up to [`MAX_PAGE`]; fewer only at the end.
    ///
    /// An endpoint that has credentials while all pages are read is seen exactly once. One that comes
    /// or goes meanwhile may be missing.
    #[must_use]
    pub fn page(&self, after: Option<&str>) -> Vec<(Arc<str>, Credential)> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let clients = self.read();
        let page = clients.by_endpoint.range::<str, _>((start, Bound::Unbounded)).take(MAX_PAGE);
        page.map(|(name, it)| (Arc::clone(name), it.clone())).collect()
    }

    /// Looks at all credentials.
    pub(crate) fn for_each(&self, look: impl FnMut(&Credential)) {
        self.read().by_endpoint.values().for_each(look);
    }

    /// Number of endpoints with credentials.
    #[must_use]
    pub fn len(&self) -> usize {
        self.read().by_endpoint.len()
    }

    /// Whether no endpoint has credentials.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether an endpoint has credentials.
    #[must_use]
    pub fn contains(&self, endpoint: &str) -> bool {
        self.read().by_endpoint.contains_key(endpoint)
    }

    /// The endpoint of an authenticated identity.
    #[must_use]
    pub fn endpoint_of(&self, identity: &Identity) -> Option<Arc<str>> {
        let clients = self.read();
        match identity {
            Identity::Psk(identity) => clients.by_identity.get(identity).cloned(),
            Identity::RawPublicKey(spki) => clients.by_public_key.get(spki).cloned(),
            Identity::Certificate(certificate) => {
                let name = certificate.common_name.as_deref()?;
                match clients.by_endpoint.get_key_value(name) {
                    Some((name, Credential::X509)) => Some(Arc::clone(name)),
                    None if self.own.unlisted == Unlisted::Certified => Some(name.into()),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Clients> {
        self.clients.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clients {
    /// Refuses an identity or public key of another endpoint.
    fn check_unique(&self, endpoint: &str, credential: &Credential) -> Result<(), StoreError> {
        let holder = match credential {
            Credential::Psk { identity, .. } => self.by_identity.get(identity),
            Credential::RawPublicKey(spki) => self.by_public_key.get(spki),
            Credential::X509 => None,
        };
        match holder {
            Some(holder) if **holder != *endpoint => Err(StoreError::Taken(Arc::clone(holder))),
            _ => Ok(()),
        }
    }

    fn insert(&mut self, endpoint: Arc<str>, credential: Credential, generation: u64) {
        if generation > 0 {
            self.generations.insert(Arc::clone(&endpoint), generation);
            self.next_generation = self.next_generation.max(generation);
        }
        match &credential {
            Credential::Psk { identity, .. } => {
                self.by_identity.insert(identity.clone(), Arc::clone(&endpoint));
            }
            Credential::RawPublicKey(spki) => {
                self.by_public_key.insert(spki.clone(), Arc::clone(&endpoint));
            }
            Credential::X509 => {}
        }
        self.by_endpoint.insert(endpoint, credential);
    }

    fn remove(&mut self, endpoint: &str) -> Option<Credential> {
        let credential = self.by_endpoint.remove(endpoint)?;
        self.next_generation += 1;
        self.generations.remove(endpoint);
        match &credential {
            Credential::Psk { identity, .. } => drop(self.by_identity.remove(identity)),
            Credential::RawPublicKey(spki) => drop(self.by_public_key.remove(spki)),
            Credential::X509 => {}
        }
        Some(credential)
    }
}

/// Answers the DTLS endpoint during handshakes.
impl Credentials for SecurityStore {
    fn psk(&self, identity: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let clients = self.read();
        let endpoint = clients.by_identity.get(identity)?;
        match clients.by_endpoint.get(endpoint) {
            Some(Credential::Psk { key, .. }) => Some(key.clone()),
            _ => None,
        }
    }

    /// Always true: a client may get a key while the server runs.
    fn uses_psk(&self) -> bool {
        true
    }

    fn generation(&self, identity: &Identity) -> u64 {
        self.endpoint_of(identity).map_or(0, |endpoint| self.generation_of(&endpoint))
    }

    fn raw_key(&self) -> Option<Arc<dyn SigningKey>> {
        self.own.raw_key.clone()
    }

    fn trusts_raw_key(&self, spki: &[u8]) -> bool {
        self.read().by_public_key.contains_key(spki)
    }

    fn certificate(&self, server_name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let OwnCredentials { certificate, hosts, .. } = &self.own;
        let asked = server_name.filter(|_| !hosts.is_empty());
        let of_host = asked.and_then(|name| {
            certificate.iter().chain(hosts).find(|certified| certified.is_for(name))
        });
        of_host.or(certificate.as_ref()).cloned()
    }

    fn client_authorities(&self) -> &[CertificateDer<'static>] {
        &self.own.authorities
    }
}

/// The reason why a credential was not stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Not a valid endpoint name.
    #[error(
        "an endpoint name has 1 to 252 bytes, no control or invisible characters, and no blanks at \
         its ends"
    )]
    Endpoint,
    /// Another endpoint has this identity or public key.
    #[error("the endpoint `{0}` has this identity or public key; each needs one of its own")]
    Taken(Arc<str>),
    /// The store is full.
    #[error("the store holds {0} clients, its limit; remove some first")]
    Full(usize),
    /// The server has no key for the mode of raw public keys.
    #[error(
        "the server has no key of its own, so no client could use a raw public key; give it one \
         (--key) and start it again"
    )]
    NoOwnKey,
    /// The server has no certificate, or trusts no authority.
    #[error(
        "the server has no certificate or trusts no authority, so no client could use a certificate; \
         give it both (--cert and --trust) and start it again"
    )]
    NoOwnCertificate,
    /// The server's DTLS backend lacks the mode.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
}
