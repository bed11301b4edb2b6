//! Changes of credentials while a server runs: what both kinds of server do alike.

use crate::credential::Credential;
use crate::store::{SecurityStore, StoreError};
use lwm2m_dtls::{Backend, Identity};

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
    /// Sets the credential of an endpoint of a running server, whose DTLS backend must have its mode.
    /// Returns what changed, if anything did.
    ///
    /// # Errors
    /// See [`StoreError`]; the store is then unchanged.
    pub fn change(
        &self,
        endpoint: &str,
        credential: Credential,
        backend: Option<Backend>,
    ) -> Result<Option<Change>, StoreError> {
        if let Some(backend) = backend {
            credential.check(backend)?;
        }
        let before = self.put(endpoint, credential.clone())?;
        let is_new = before.as_ref() != Some(&credential);
        Ok(is_new.then(|| Change { endpoint: endpoint.to_owned(), before }))
    }

    /// Removes the credential of an endpoint of a running server. Returns what changed; `None` if it
    /// had none.
    pub fn revoke(&self, endpoint: &str) -> Option<Change> {
        let before = Some(self.remove(endpoint)?);
        Some(Change { endpoint: endpoint.to_owned(), before })
    }
}
