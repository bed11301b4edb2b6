//! Credentials of the clients of a server or bootstrap server, and the rules by which it believes an
//! endpoint name (OMA LwM2M Transport 5.2).
//!
//! | module | what |
//! |---|---|
//! | `credential` | what proves an endpoint name: a pre-shared key, a public key, a certificate |
//! | `own` | the server's own key, certificates and trusted authorities |
//! | `store` | all credentials, shared by the engines and the DTLS endpoint |
//! | `rules` | endpoint names against authenticated identities |
//! | `name` | which names endpoints may have |
//! | `change` | changes of credentials while a server runs |
//! | `refused` | the line of log about a client whose name was not believed |
//!
//! ```
//! use lwm2m_dtls::Identity;
//! use lwm2m_credentials::{Credential, Mismatch, SecurityStore};
//!
//! let store = SecurityStore::default();
//! store.put("urn:dev:1", Credential::psk(b"identity", b"a shared secret.")?)?;
//! let proven = Identity::Psk("identity".into());
//! assert_eq!(store.resolve(Some(&proven), None).as_deref(), Ok("urn:dev:1"));
//! assert_eq!(store.resolve(Some(&proven), Some("urn:dev:2")), Err(Mismatch::OtherEndpoint));
//! assert_eq!(store.resolve(None, Some("urn:dev:1")), Err(Mismatch::CredentialsNeeded));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod change;
mod credential;
mod name;
mod own;
mod refused;
mod rules;
mod store;

pub use change::Change;
pub use credential::{Credential, CredentialError};
pub use name::{MAX_ENDPOINT, is_endpoint_name};
pub use own::{OwnCredentials, Unlisted};
pub use refused::RefusedName;
pub use rules::Mismatch;
pub use store::{MAX_PAGE, SecurityStore, StoreError};
