//! Changes of credentials, and what ends with the old ones.

use super::Server;
use crate::event::DeregistrationReason;
use lwm2m_credentials::{Change, Credential, SecurityStore, StoreError};
use lwm2m_time::Instant;
use std::sync::Arc;

impl Server {
    /// The credentials of the clients, and the server's own.
    #[must_use]
    pub const fn security(&self) -> &Arc<SecurityStore> {
        &self.config.security
    }

    /// Sets the credential of an endpoint. If it is a new one, the registration ends, and so do
    /// the sessions that the old credential opened.
    ///
    /// # Errors
    /// See [`StoreError`]. Then nothing has changed.
    pub fn put_credential(
        &mut self,
        now: Instant,
        endpoint: &str,
        credential: Credential,
    ) -> Result<(), StoreError> {
        let backend = self.config.dtls.as_ref().map(|dtls| dtls.backend);
        if let Some(change) = self.config.security.change(endpoint, credential, backend)? {
            self.apply(now, endpoint, &change);
        }
        Ok(())
    }

    /// Removes the credential of an endpoint, and ends its registration and sessions. Returns
    /// `false` if the endpoint had no credential.
    pub fn remove_credential(&mut self, now: Instant, endpoint: &str) -> bool {
        let change = self.config.security.revoke(endpoint);
        if let Some(change) = &change {
            self.apply(now, endpoint, change);
        }
        change.is_some()
    }

    fn apply(&mut self, now: Instant, endpoint: &str, change: &Change) {
        if let Some(key) = self.devices.key_of(endpoint) {
            self.remove(now, key, DeregistrationReason::CredentialsChanged);
        }
        self.link.end_sessions_of(|identity| change.revokes(identity));
        self.handle_link_events(now);
    }
}
