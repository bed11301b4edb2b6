//! What a peer was authenticated with, as a digest: a session is resumed only while it is the same.

use crate::config::{ClientProfile, ClientSecurity, Credentials};
use crate::identity::Identity;
use sha2::{Digest, Sha256};

/// The digest of what a session rests on.
pub(crate) type CredentialDigest = [u8; 32];

/// What the server has for the client; nothing if the client is not known, or known no longer.
pub(crate) fn of_client(
    identity: &Identity,
    credentials: &dyn Credentials,
) -> Option<CredentialDigest> {
    match identity {
        Identity::Psk(identity) => credentials.psk(identity).map(|key| of_psk(&key)),
        Identity::RawPublicKey(spki) => {
            credentials.trusts_raw_key(spki).then(|| digest(b"raw public key", [&**spki]))
        }
        Identity::Certificate(_) => {
            let authorities = credentials.client_authorities();
            let digest = digest(b"authorities", authorities.iter().map(AsRef::as_ref));
            (!authorities.is_empty()).then_some(digest)
        }
    }
}

/// Of a pre-shared key.
pub(crate) fn of_psk(key: &[u8]) -> CredentialDigest {
    digest(b"pre-shared key", [key])
}

/// What the client has for itself and for the server.
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
