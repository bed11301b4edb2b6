//! Clients that asked in the name of another endpoint, and what the operator can do about it.

use crate::rules::Mismatch;
use lwm2m_dtls::Identity;
use std::fmt;
use std::net::SocketAddr;

/// A request that was refused because the client may not speak for the endpoint. Its `Display` is one
/// line for a log.
#[derive(Clone, PartialEq, Debug)]
pub struct RefusedName {
    /// The address that the request came from.
    pub address: SocketAddr,
    /// The identity that the handshake has shown; `None` by plain CoAP.
    pub identity: Option<Identity>,
    /// The endpoint name that it claimed.
    pub claimed: Option<String>,
    /// Why it was refused.
    pub reason: Mismatch,
}

impl RefusedName {
    /// A refusal to tell the operator. `None` for a client that neither claimed nor proved a name.
    #[must_use]
    pub fn new(
        address: SocketAddr,
        identity: Option<&Identity>,
        claimed: Option<&str>,
        reason: Mismatch,
    ) -> Option<Self> {
        let (identity, claimed) = (identity.cloned(), claimed.map(str::to_owned));
        (reason != Mismatch::NoName).then_some(Self { address, identity, claimed, reason })
    }
}

impl fmt::Display for RefusedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, identity, claimed, reason } = self;
        write!(f, "the client {address} (")?;
        match identity {
            Some(Identity::Psk(identity)) => {
                write!(f, "pre-shared key of \"{}\"", identity.escape_ascii())?;
            }
            Some(Identity::RawPublicKey(_)) => f.write_str("raw public key")?,
            Some(Identity::Certificate(certificate)) => {
                let name = certificate.common_name.as_deref().unwrap_or_default();
                write!(f, "certificate of {name:?}")?;
            }
            _ => f.write_str("no security")?,
        }
        match claimed {
            Some(claimed) => write!(f, ") was refused as endpoint {claimed:?}: ")?,
            None => f.write_str(") was refused: ")?,
        }
        write!(f, "{reason}; {}", reason.remedy())
    }
}

impl Mismatch {
    /// What the operator can do.
    const fn remedy(self) -> &'static str {
        match self {
            Self::NoName => "give the device an endpoint name",
            Self::IllegalName => "give the device an endpoint name, or a certificate, without them",
            Self::OtherEndpoint => {
                "give the device its own credentials, or the endpoint name that they belong to"
            }
            Self::UnknownIdentity => "store credentials of this mode for its endpoint",
            Self::CredentialsNeeded => {
                "give the device the credentials that the server has for this endpoint, or remove \
                 them there, or allow endpoints without credentials"
            }
        }
    }
}
