//! The client's identity, checked against the credentials of the server.

use super::agreed::Agreed;
use super::context::Context;
use super::message;
use super::schedule::psk_premaster;
use crate::certificate::CertificateFlaw;
use crate::certificate::spki::point_of;
use crate::certificate::verify::verify_client;
use crate::config::Credentials;
use crate::credential::{self, Authenticated};
use crate::crypto::provider::Provider;
use crate::error::Reason;
use crate::identity::Identity;
use crate::suite::KeyExchangeKind;
use crate::wire::{complete, vector8, vector16};
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;
use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

/// The identity and premaster secret of a ClientKeyExchange with a pre-shared key.
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
    // An empty key counts as unknown: everybody has it.
    let Some(key) = credentials.psk(&identity).filter(|key| !key.is_empty()) else {
        return Err(Reason::UnknownIdentity { identity });
    };
    let shared = if with_point { Some(shared(point)?) } else { None };
    let peer = Authenticated::by_psk(identity, &key, credentials);
    Ok((peer, psk_premaster(shared.as_deref(), &key)))
}

/// The key and identity of a client with a raw public key.
pub(super) fn raw_peer(
    body: &[u8],
    credentials: &dyn Credentials,
) -> Result<(Vec<u8>, Authenticated), Reason> {
    let spki = message::decode_raw_public_key(body).ok_or(Reason::Malformed)?;
    raw_client(spki, credentials)
}

/// The key and identity of a trusted SubjectPublicKeyInfo.
pub(crate) fn raw_client(
    spki: &[u8],
    credentials: &dyn Credentials,
) -> Result<(Vec<u8>, Authenticated), Reason> {
    if spki.is_empty() {
        return Err(Reason::NoCertificate);
    }
    let key = point_of(spki).ok_or(Reason::BadCertificate(CertificateFlaw::Key))?.to_vec();
    let identity = Identity::RawPublicKey(Bytes::copy_from_slice(spki));
    let credential = credential::of_client(&identity, credentials).ok_or(Reason::UnknownPeerKey)?;
    Ok((key, Authenticated { identity, credential, expires: u64::MAX }))
}

/// The key and identity of a client with a certificate chain.
pub(super) fn certified_peer(
    body: &[u8],
    credentials: &dyn Credentials,
    context: &Context<'_>,
) -> Result<(Vec<u8>, Authenticated), Reason> {
    let chain = message::decode_certificate_chain(body).ok_or(Reason::Malformed)?;
    let chain: Vec<_> = chain.into_iter().map(CertificateDer::from).collect();
    trusted_client(&chain, credentials, context.provider(), context.unix_time())
}

/// The key and identity of a trusted certificate chain.
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
