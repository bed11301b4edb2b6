//! Changes of credentials, and what ends with the old ones.

use super::Server;
use super::keeping::Keep;
use crate::event::DeregistrationReason;
use crate::records::{CREDENTIALS, GENERATION, KeptCredential, decode, put, remove};
use bytes::Bytes;
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
        if let Some(change) = self.config.security.change(endpoint, credential.clone(), backend)? {
            let generation = self.config.security.generation_of(endpoint);
            let kept = KeptCredential::of(&credential, generation);
            let record = kept.map(|kept| put(CREDENTIALS, name(endpoint), &kept));
            record.into_iter().for_each(|record| self.keep(Keep::Promised, record));
            self.keep_generation();
            self.apply(now, endpoint, &change);
        }
        Ok(())
    }

    /// Keeps which generation the next credential has: one that is removed and set again with the same
    /// key is another one after a restart, too, and opens nothing that the removed one had opened.
    fn keep_generation(&mut self) {
        let next = self.config.security.next_generation();
        self.keep(Keep::Promised, put(GENERATION, Bytes::new(), &next));
    }

    /// Removes the credential of an endpoint, ends its registration and sessions, and forgets the values
    /// that it told. Returns
    /// `false` if the endpoint had no credential.
    pub fn remove_credential(&mut self, now: Instant, endpoint: &str) -> bool {
        let change = self.config.security.revoke(endpoint);
        if let Some(change) = &change {
            self.keep(Keep::Promised, remove(CREDENTIALS, name(endpoint)));
            self.keep_generation();
            self.apply(now, endpoint, change);
            self.forget_values_of(endpoint, Keep::Promised);
        }
        change.is_some()
    }

    /// Puts a credential back that was kept, unless the endpoint has one by configuration.
    pub(super) fn restore_credential(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        let security = &self.config.security;
        let endpoint = std::str::from_utf8(key).ok()?;
        let kept: KeptCredential = decode(value)?;
        if !security.contains(endpoint) {
            let generation = kept.generation();
            security.restore(endpoint, kept.credential()?, generation).ok()?;
        }
        Some(())
    }

    pub(super) fn restore_generation(&self, value: &[u8]) -> Option<()> {
        self.config.security.number_generations_from(decode(value)?);
        Some(())
    }

    fn apply(&mut self, now: Instant, endpoint: &str, change: &Change) {
        if let Some(key) = self.devices.key_of(endpoint) {
            self.remove(now, key, DeregistrationReason::CredentialsChanged);
        }
        self.link.end_sessions_of(|identity| change.revokes(identity));
        self.handle_link_events(now);
    }
}

fn name(endpoint: &str) -> Bytes {
    Bytes::copy_from_slice(endpoint.as_bytes())
}
