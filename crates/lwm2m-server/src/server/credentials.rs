//! Changes of credentials, and what ends with the old ones.

use super::Server;
use crate::event::DeregistrationReason;
use lwm2m_credentials::{Credential, SecurityStore, StoreError};
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
        if let Some(dtls) = &self.config.dtls {
            credential.check(dtls.backend)?;
        }
        let before = self.config.security.put(endpoint, credential.clone())?;
        if before.as_ref() != Some(&credential) {
            self.revoke(now, endpoint, before.as_ref());
        }
        Ok(())
    }

    /// Removes the credential of an endpoint, and ends its registration and sessions. Returns
    /// `false` if the endpoint had no credential.
    pub fn remove_credential(&mut self, now: Instant, endpoint: &str) -> bool {
        let before = self.config.security.remove(endpoint);
        if before.is_some() {
            self.revoke(now, endpoint, before.as_ref());
        }
        before.is_some()
    }

    fn revoke(&mut self, now: Instant, endpoint: &str, before: Option<&Credential>) {
        if let Some(key) = self.devices.key_of(endpoint) {
            self.remove(key, DeregistrationReason::CredentialsChanged);
        }
        if let Some(before) = before {
            self.link.end_sessions_of(|identity| before.is_proven_by(identity, endpoint));
        }
        self.handle_link_events(now);
    }
}
