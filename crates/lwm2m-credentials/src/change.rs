//! Changes of credentials while a server runs: what both kinds of server do alike.

use crate::credential::Credential;
use crate::store::{SecurityStore, StoreError};
use lwm2m_dtls::{Backend, Identity, Mode};

/// A changed or removed credential: what it opened has to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    endpoint: String,
    before: Option<Credential>,
}

impl Change {
    /// Whether the identity was proven by the credential that the endpoint had before.
    #[must_use]
    pub fn revokes(&self, identity: &Identity) -> bool {
        self.before.as_ref().is_some_and(|before| before.is_proven_by(identity, &self.endpoint))
    }
}

impl SecurityStore {
    /// Sets the credential of an endpoint of a running server, which must be able to ask for it: see
    /// [`check`](Self::check). Returns what changed, if anything did.
    ///
    /// # Errors
    /// See [`StoreError`]; the store is then unchanged.
    pub fn change(
        &self,
        endpoint: &str,
        credential: Credential,
        backend: Option<Backend>,
    ) -> Result<Option<Change>, StoreError> {
        self.check(&credential, backend)?;
        let before = self.put(endpoint, credential.clone())?;
        let is_new = before.as_ref() != Some(&credential);
        Ok(is_new.then(|| Change { endpoint: endpoint.to_owned(), before }))
    }

    /// Checks that the server can ask for a credential: it has the keys of its mode, and its DTLS
    /// backend, if it has one, the mode itself.
    ///
    /// # Errors
    /// [`StoreError::NoOwnKey`], [`StoreError::NoOwnCertificate`] or [`StoreError::Unsupported`].
    pub fn check(
        &self,
        credential: &Credential,
        backend: Option<Backend>,
    ) -> Result<(), StoreError> {
        if let Some(backend) = backend {
            credential.check(backend)?;
        }
        let own = self.own();
        match credential.mode() {
            Mode::RawPublicKey if own.raw_key.is_none() => Err(StoreError::NoOwnKey),
            Mode::Certificate if own.certificate.is_none() || own.authorities.is_empty() => {
                Err(StoreError::NoOwnCertificate)
            }
            _ => Ok(()),
        }
    }

    /// How many clients have credentials that the server cannot ask for: an earlier run had the keys.
    #[must_use]
    pub fn count_unusable(&self, backend: Option<Backend>) -> usize {
        let mut count = 0;
        self.for_each(|credential| count += usize::from(self.check(credential, backend).is_err()));
        count
    }

    /// Removes the credential of an endpoint of a running server. Returns what changed; `None` if it
    /// had none.
    pub fn revoke(&self, endpoint: &str) -> Option<Change> {
        let before = Some(self.remove(endpoint)?);
        Some(Change { endpoint: endpoint.to_owned(), before })
    }
}
