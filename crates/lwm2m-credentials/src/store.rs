//! The store: credentials by endpoint, and endpoints by what a handshake proves.

use crate::credential::Credential;
use crate::own::{OwnCredentials, Unlisted};
use bytes::Bytes;
use lwm2m_dtls::crypto::SigningKey;
use lwm2m_dtls::{CertifiedKey, Credentials, Identity, Unsupported};
use rustls_pki_types::CertificateDer;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use zeroize::Zeroizing;

/// The longest endpoint name in bytes: `ep=` and the name have to fit a CoAP option.
const MAX_ENDPOINT: usize = 252;

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
    /// A store without clients, for up to a million of them.
    #[must_use]
    pub fn new(own: OwnCredentials) -> Self {
        Self { own, clients: RwLock::default(), max_clients: 1_000_000 }
    }

    /// The same store with another bound on the number of clients.
    #[must_use]
    pub fn with_max_clients(self, max_clients: usize) -> Self {
        Self { max_clients, ..self }
    }

    /// Settings of DTLS with the credentials of this store.
    #[must_use]
    pub fn secure(self: &Arc<Self>, settings: &lwm2m_dtls::Config) -> lwm2m_dtls::Config {
        let mut settings = settings.clone();
        settings.credentials = Some(Arc::clone(self) as Arc<dyn Credentials>);
        settings
    }

    /// What the server is itself.
    #[must_use]
    pub const fn own(&self) -> &OwnCredentials {
        &self.own
    }

    /// Sets the credential of an endpoint and returns the one before.
    ///
    /// # Errors
    /// See [`StoreError`]; then nothing has changed.
    pub fn put(
        &self,
        endpoint: &str,
        credential: Credential,
    ) -> Result<Option<Credential>, StoreError> {
        if !(1..=MAX_ENDPOINT).contains(&endpoint.len()) || endpoint.chars().any(char::is_control) {
            return Err(StoreError::Endpoint);
        }
        let mut clients = self.clients.write().unwrap_or_else(PoisonError::into_inner);
        clients.check_unique(endpoint, &credential)?;
        let known = clients.by_endpoint.contains_key(endpoint);
        if !known && clients.by_endpoint.len() >= self.max_clients {
            return Err(StoreError::Full(self.max_clients));
        }
        let before = clients.remove(endpoint);
        clients.insert(endpoint.into(), credential);
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

    /// All endpoints in the order of their names, with their credentials.
    #[must_use]
    pub fn list(&self) -> Vec<(Arc<str>, Credential)> {
        let clients = self.read();
        clients.by_endpoint.iter().map(|(name, it)| (Arc::clone(name), it.clone())).collect()
    }

    /// How many endpoints have credentials.
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

    /// The endpoint that an authenticated identity belongs to.
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
    /// Refuses what another endpoint is known by.
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

    fn insert(&mut self, endpoint: Arc<str>, credential: Credential) {
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
        match &credential {
            Credential::Psk { identity, .. } => drop(self.by_identity.remove(identity)),
            Credential::RawPublicKey(spki) => drop(self.by_public_key.remove(spki)),
            Credential::X509 => {}
        }
        Some(credential)
    }
}

/// What the DTLS endpoint asks during handshakes.
impl Credentials for SecurityStore {
    fn psk(&self, identity: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let clients = self.read();
        let endpoint = clients.by_identity.get(identity)?;
        match clients.by_endpoint.get(endpoint) {
            Some(Credential::Psk { key, .. }) => Some(key.clone()),
            _ => None,
        }
    }

    /// Always: a client may get its key any time.
    fn uses_psk(&self) -> bool {
        true
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

/// Why a credential was not stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Not a name for an endpoint.
    #[error("an endpoint name has 1 to 252 bytes and no control characters")]
    Endpoint,
    /// Another endpoint has this identity or public key.
    #[error("the endpoint `{0}` has this identity or public key; each needs one of its own")]
    Taken(Arc<str>),
    /// There are too many clients.
    #[error("the store holds {0} clients, its limit; remove some first")]
    Full(usize),
    /// The server's DTLS backend cannot ask for it.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
}

#[cfg(test)]
mod tests {
    use super::*;
    use lwm2m_dtls::certificate::subject_public_key_info;

    fn psk(identity: &[u8]) -> Credential {
        Credential::psk(identity, b"key").unwrap()
    }

    #[test]
    fn identities_and_keys_are_unique() {
        let store = SecurityStore::default();
        store.put("a", psk(b"one")).unwrap();
        assert_eq!(store.put("b", psk(b"one")), Err(StoreError::Taken("a".into())));
        assert_eq!(store.put("a", psk(b"one")), Ok(Some(psk(b"one"))));
        let spki = Credential::raw_public_key(&subject_public_key_info(&[4; 65])).unwrap();
        store.put("b", spki.clone()).unwrap();
        assert_eq!(store.put("a", spki.clone()), Err(StoreError::Taken("b".into())));
        assert!(Credentials::psk(&store, b"one").is_some(), "nothing has changed");
        assert_eq!(store.remove("b"), Some(spki.clone()));
        store.put("a", spki).unwrap();
        assert_eq!((store.len(), Credentials::psk(&store, b"one")), (1, None));
        store.put("b", psk(b"one")).unwrap();
    }

    #[test]
    fn identities_are_compared_byte_by_byte() {
        let store = SecurityStore::default();
        let odd = [0x00, 0xff].repeat(64);
        store.put("a", psk(&odd)).unwrap();
        store.put("b", psk(b"Name")).unwrap();
        assert_eq!(store.endpoint_of(&Identity::Psk(odd.into())).as_deref(), Some("a"));
        assert_eq!(store.endpoint_of(&Identity::Psk("name".into())), None);
        assert!(Credentials::psk(&store, b"name").is_none());
    }

    #[test]
    fn the_number_of_clients_is_bounded() {
        let store = SecurityStore::default().with_max_clients(1);
        store.put("a", psk(b"1")).unwrap();
        assert_eq!(store.put("b", psk(b"2")), Err(StoreError::Full(1)));
        assert!(store.put("a", psk(b"2")).is_ok());
        assert_eq!(store.put("", Credential::X509), Err(StoreError::Endpoint));
        assert_eq!(store.put("a\n", Credential::X509), Err(StoreError::Endpoint));
        assert_eq!(store.put(&"a".repeat(253), Credential::X509), Err(StoreError::Endpoint));
    }
}
