//! Who the client is: what it shows, held against the credentials of the server.

use super::message;
use super::schedule::psk_premaster;
use super::wire::{complete, vector8, vector16};
use super::{Agreed, Authenticated, Context};
use crate::certificate::{point_of, verify_client};
use crate::config::{Config, Credentials};
use crate::credential;
use crate::crypto::Provider;
use crate::error::Reason;
use crate::identity::Identity;
use crate::suite::KeyExchangeKind;
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;
use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

/// Identity and premaster secret of a ClientKeyExchange with a pre-shared key.
pub(super) fn psk_exchange(
    agreed: &Agreed,
    body: &[u8],
    shared: impl FnOnce(&[u8]) -> Result<Zeroizing<[u8; 32]>, Reason>,
    context: &Context<'_>,
) -> Result<(Authenticated, Zeroizing<Vec<u8>>), Reason> {
    let with_point = agreed.exchange == KeyExchangeKind::EcdhePsk;
    let (identity, point) = match with_point {
        true => complete((vector16, vector8), body).ok_or(Reason::Malformed)?,
        false => (complete(vector16, body).ok_or(Reason::Malformed)?, &[][..]),
    };
    let credentials = context.config.credentials.as_deref().ok_or(Reason::Internal)?;
    let identity = Bytes::copy_from_slice(identity);
    // An empty key is none: everybody has it.
    let Some(key) = credentials.psk(&identity).filter(|key| !key.is_empty()) else {
        return Err(Reason::UnknownIdentity { identity });
    };
    let shared = if with_point { Some(shared(point)?) } else { None };
    let peer = Authenticated {
        identity: Identity::Psk(identity),
        credential: credential::of_psk(&key),
        expires: u64::MAX,
    };
    Ok((peer, psk_premaster(shared.as_deref(), &key)))
}

/// Refuses a client whose credentials have changed since it showed its own: a handshake can be
/// drawn out.
pub(crate) fn check_still_known(peer: &Authenticated, config: &Config) -> Result<(), Reason> {
    let credentials = config.credentials.as_deref().ok_or(Reason::Internal)?;
    match credential::of_client(&peer.identity, credentials) {
        Some(credential) if credential == peer.credential => Ok(()),
        _ if matches!(peer.identity, Identity::Psk(_)) => Err(Reason::WrongKey),
        _ => Err(Reason::UnknownPeerKey),
    }
}

/// The key and identity of a client that shows a raw public key.
pub(super) fn raw_peer(
    body: &[u8],
    credentials: &dyn Credentials,
) -> Result<(Vec<u8>, Authenticated), Reason> {
    let spki = message::decode_raw_public_key(body).ok_or(Reason::Malformed)?;
    raw_client(spki, credentials)
}

/// The key and identity that a SubjectPublicKeyInfo stands for.
pub(crate) fn raw_client(
    spki: &[u8],
    credentials: &dyn Credentials,
) -> Result<(Vec<u8>, Authenticated), Reason> {
    if spki.is_empty() {
        return Err(Reason::NoCertificate);
    }
    let key = point_of(spki).ok_or(Reason::BadCertificate)?.to_vec();
    let identity = Identity::RawPublicKey(Bytes::copy_from_slice(spki));
    let credential = credential::of_client(&identity, credentials).ok_or(Reason::UnknownPeerKey)?;
    Ok((key, Authenticated { identity, credential, expires: u64::MAX }))
}

/// The key and identity of a client that shows a chain of certificates.
pub(super) fn certified_peer(
    body: &[u8],
    credentials: &dyn Credentials,
    context: &Context<'_>,
) -> Result<(Vec<u8>, Authenticated), Reason> {
    let chain = message::decode_certificate_chain(body).ok_or(Reason::Malformed)?;
    let chain: Vec<_> = chain.into_iter().map(CertificateDer::from).collect();
    trusted_client(&chain, credentials, context.provider(), context.unix_time)
}

/// The key and identity that a chain of certificates proves.
pub(crate) fn trusted_client(
    chain: &[CertificateDer<'_>],
    credentials: &dyn Credentials,
    provider: &dyn Provider,
    unix_time: Duration,
) -> Result<(Vec<u8>, Authenticated), Reason> {
    let peer = verify_client(chain, credentials.client_authorities(), provider, unix_time)?;
    let identity = Identity::Certificate(peer.identity);
    let credential =
        credential::of_client(&identity, credentials).ok_or(Reason::UnknownAuthority)?;
    Ok((peer.key.to_vec(), Authenticated { identity, credential, expires: peer.expires }))
}
