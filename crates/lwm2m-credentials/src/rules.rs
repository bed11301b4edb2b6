//! Endpoint names against authenticated identities: OMA LwM2M Transport 5.2, Core 6.2.

use crate::name::is_endpoint_name;
use crate::own::Unlisted;
use crate::store::SecurityStore;
use lwm2m_dtls::Identity;
use std::sync::Arc;

impl SecurityStore {
    /// The endpoint name of a client: the claimed name if `identity` may speak for it; without a
    /// claim, the name that the identity proves. `identity` is `None` by plain CoAP.
    ///
    /// # Errors
    /// See [`Mismatch`].
    pub fn resolve(
        &self,
        identity: Option<&Identity>,
        claimed: Option<&str>,
    ) -> Result<String, Mismatch> {
        let own = self.own_name(identity)?;
        if [own.as_deref(), claimed].into_iter().flatten().any(|name| !is_endpoint_name(name)) {
            return Err(Mismatch::IllegalName);
        }
        match (own, claimed) {
            (Some(own), Some(claimed)) if *own != *claimed => Err(Mismatch::OtherEndpoint),
            (Some(own), _) => Ok(own.to_string()),
            (None, None) => Err(Mismatch::NoName),
            (None, Some(claimed)) if self.contains(claimed) => Err(Mismatch::CredentialsNeeded),
            (None, Some(claimed)) => Ok(claimed.to_owned()),
        }
    }

    /// Whether `identity` may speak for an endpoint.
    #[must_use]
    pub fn speaks_for(&self, identity: Option<&Identity>, endpoint: &str) -> bool {
        self.resolve(identity, Some(endpoint)).is_ok()
    }

    /// The name that an identity proves; `None` by plain CoAP.
    fn own_name(&self, identity: Option<&Identity>) -> Result<Option<Arc<str>>, Mismatch> {
        match identity {
            None if self.own().unlisted == Unlisted::NoSec => Ok(None),
            None => Err(Mismatch::CredentialsNeeded),
            Some(proven) => self.endpoint_of(proven).map(Some).ok_or(Mismatch::UnknownIdentity),
        }
    }
}

/// The reason why an endpoint name is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// The request names no endpoint, and no session proves one.
    #[error("the request has no endpoint name, and no session proves one")]
    NoName,
    /// The claimed or proven name looks like another one: see
    /// [`is_endpoint_name`](crate::is_endpoint_name).
    #[error("an endpoint name has no control or invisible characters, and no blanks at its ends")]
    IllegalName,
    /// The identity belongs to another endpoint.
    #[error("the authenticated identity belongs to another endpoint name")]
    OtherEndpoint,
    /// The store has no endpoint for the identity, or no longer.
    #[error("the authenticated identity belongs to no endpoint")]
    UnknownIdentity,
    /// The endpoint has credentials and must use them.
    #[error("this endpoint must connect by coaps with its credentials")]
    CredentialsNeeded,
}
