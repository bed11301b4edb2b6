//! Endpoint names against authenticated identities: OMA LwM2M Transport 5.2, Core 6.2.

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
        match (self.own_name(identity)?, claimed) {
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

/// Why an endpoint name is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// Nobody says who the client is.
    #[error("the endpoint name is missing, and nothing proves one")]
    NoName,
    /// The identity belongs to another endpoint.
    #[error("the endpoint name is not the one of the authenticated identity")]
    OtherEndpoint,
    /// The identity belongs to no endpoint, or not any more.
    #[error("the authenticated identity belongs to no endpoint")]
    UnknownIdentity,
    /// The endpoint has to prove who it is.
    #[error("this endpoint has to connect by coaps with its credentials")]
    CredentialsNeeded,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Credential, OwnCredentials};
    use lwm2m_dtls::CertificateIdentity;

    fn store(unlisted: Unlisted) -> SecurityStore {
        SecurityStore::new(OwnCredentials { unlisted, ..OwnCredentials::default() })
    }

    fn certified(name: Option<&str>) -> Identity {
        Identity::Certificate(Arc::new(CertificateIdentity {
            common_name: name.map(str::to_owned),
            dns_names: Vec::new(),
            sha256: [0; 32],
        }))
    }

    #[test]
    fn a_certificate_is_for_its_common_name_if_the_store_says_so() {
        for unlisted in [Unlisted::NoSec, Unlisted::Certified] {
            let store = store(unlisted);
            store.put("listed", Credential::X509).unwrap();
            store.put("keyed", Credential::psk(b"i", b"k").unwrap()).unwrap();
            let name = |name| store.resolve(Some(&certified(name)), None);
            assert_eq!(name(Some("listed")).as_deref(), Ok("listed"));
            assert_eq!(name(Some("other")).is_ok(), unlisted == Unlisted::Certified);
            assert_eq!(name(Some("keyed")), Err(Mismatch::UnknownIdentity));
            assert_eq!(name(None), Err(Mismatch::UnknownIdentity));
        }
    }

    #[test]
    fn plain_coap_can_be_turned_off() {
        for unlisted in [Unlisted::NoSec, Unlisted::Certified, Unlisted::Refused] {
            let store = store(unlisted);
            let allowed = unlisted == Unlisted::NoSec;
            assert_eq!(store.speaks_for(None, "a"), allowed);
            let nameless = if allowed { Mismatch::NoName } else { Mismatch::CredentialsNeeded };
            assert_eq!(store.resolve(None, None), Err(nameless));
        }
    }
}
