//! Digests of credentials. A session is resumed only while its credential has the same digest.

use crate::config::{ClientProfile, ClientSecurity, Config, Credentials};
use crate::error::Reason;
use crate::identity::Identity;
use bytes::Bytes;
use sha2::{Digest, Sha256};

/// The digest of the credential of a session.
pub(crate) type CredentialDigest = [u8; 32];

/// A peer that has proven its identity.
#[derive(Clone)]
pub(crate) struct Authenticated {
    pub(crate) identity: Identity,
    /// The credential that it was checked against.
    pub(crate) credential: CredentialDigest,
    /// When the proof expires, in Unix seconds.
    pub(crate) expires: u64,
}

impl Authenticated {
    /// A peer that has proven that it knows the pre-shared key.
    pub(crate) fn by_psk(identity: Bytes, key: &[u8], credentials: &dyn Credentials) -> Self {
        let identity = Identity::Psk(identity);
        let credential = of_psk(key, credentials.generation(&identity));
        Self { identity, credential, expires: u64::MAX }
    }
}

/// Digests the server's credential for a client; `None` if the client is unknown.
pub(crate) fn of_client(
    identity: &Identity,
    credentials: &dyn Credentials,
) -> Option<CredentialDigest> {
    let generation = credentials.generation(identity);
    match identity {
        Identity::Psk(identity) => credentials.psk(identity).map(|key| of_psk(&key, generation)),
        Identity::RawPublicKey(spki) => {
            let parts = [&**spki, &generation.to_be_bytes()];
            credentials.trusts_raw_key(spki).then(|| digest(b"raw public key", parts))
        }
        Identity::Certificate(_) => {
            let authorities = credentials.client_authorities();
            let generation = generation.to_be_bytes();
            let parts = core::iter::once(&generation[..]);
            let parts = parts.chain(authorities.iter().map(AsRef::as_ref));
            (!authorities.is_empty()).then(|| digest(b"authorities", parts))
        }
    }
}

/// Refuses a client whose credential was changed or removed during the handshake.
pub(crate) fn check_still_known(peer: &Authenticated, config: &Config) -> Result<(), Reason> {
    let credentials = config.credentials.as_deref().ok_or(Reason::Internal)?;
    match of_client(&peer.identity, credentials) {
        Some(credential) if credential == peer.credential => Ok(()),
        _ if matches!(peer.identity, Identity::Psk(_)) => Err(Reason::WrongKey),
        _ => Err(Reason::UnknownPeerKey),
    }
}

/// Digests a pre-shared key and its generation.
fn of_psk(key: &[u8], generation: u64) -> CredentialDigest {
    digest(b"pre-shared key", [key, &generation.to_be_bytes()])
}

/// Digests a client's credentials: its own and those for the server.
pub(crate) fn of_profile(profile: &ClientProfile) -> CredentialDigest {
    match &profile.security {
        ClientSecurity::Psk { identity, key } => digest(b"identity and key", [&**identity, &**key]),
        ClientSecurity::RawPublicKey { key, server } => {
            digest(b"raw public keys", [&key.public_key()[..], &**server])
        }
        ClientSecurity::Certificate { certified, verification } => {
            let association = &verification.association;
            let how = [verification.usage as u8, association.matching as u8];
            let own = certified.chain.iter().map(AsRef::as_ref);
            let roots = verification.roots.iter().map(AsRef::as_ref);
            let of_server = [&how[..], &association.data].into_iter();
            digest(b"certificates", of_server.chain(own).chain(roots))
        }
    }
}

fn digest<'a>(kind: &'a [u8], parts: impl IntoIterator<Item = &'a [u8]>) -> CredentialDigest {
    let mut hash = Sha256::new();
    for part in core::iter::once(kind).chain(parts) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}
