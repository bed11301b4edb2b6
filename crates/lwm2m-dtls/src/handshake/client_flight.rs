//! The client's answer to the server's flight: certificate, keys, signature, Finished.

use super::agreed::{Agreed, signed_parameters};
use super::context::Context;
use super::extension::{ECDSA_SECP256R1_SHA256, RAW_PUBLIC_KEY};
use super::framing::MessageType;
use super::message;
use super::output::Output;
use super::schedule::{Master, psk_premaster};
use super::transcript::Transcript;
use crate::certificate::CertificateFlaw;
use crate::certificate::spki::{point_of, subject_public_key_info};
use crate::certificate::verify::verify_server;
use crate::config::{ClientProfile, ClientSecurity};
use crate::credential::{self, Authenticated};
use crate::crypto::provider::SigningKey;
use crate::error::Reason;
use crate::identity::Identity;
use crate::mode::{Mode, Role};
use crate::suite::KeyExchangeKind;
use crate::wire::{put_vector8, put_vector16, vector16};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

/// A premaster secret, and the ClientKeyExchange by which the server derives it.
type Exchange = (Zeroizing<Vec<u8>>, Vec<u8>);

/// The state between the ServerHello and the ServerHelloDone.
pub(super) struct AwaitServerHelloDone {
    pub(super) agreed: Agreed,
    pub(super) expects_ticket: bool,
    pub(super) certificate: Option<Vec<u8>>,
    pub(super) key_exchange: Option<Vec<u8>>,
    pub(super) certificate_requested: bool,
    pub(super) last: MessageType,
}

pub(super) struct AwaitFinished {
    pub(super) agreed: Agreed,
    pub(super) master: Master,
    pub(super) peer: Authenticated,
    pub(super) expects_ticket: bool,
    pub(super) ticket: Option<Vec<u8>>,
    pub(super) resumed: bool,
}

/// Checks the server's flight and makes ours.
pub(super) fn answer(
    profile: &ClientProfile,
    transcript: &mut Transcript,
    flight: AwaitServerHelloDone,
    context: &mut Context<'_>,
    out: &mut Output,
) -> Result<AwaitFinished, Reason> {
    let psk = matches!(flight.agreed.exchange, KeyExchangeKind::Psk | KeyExchangeKind::EcdhePsk);
    let ((identity, expires), (premaster, key_exchange)) = if psk {
        if flight.certificate.is_some() || flight.certificate_requested {
            return Err(Reason::UnexpectedMessage);
        }
        let (identity, exchange) = by_psk(profile, &flight, context)?;
        ((identity, u64::MAX), exchange)
    } else {
        by_signature(profile, &flight, context)?
    };
    if flight.certificate_requested {
        let certificate = own_certificate(profile, &flight.agreed)?;
        out.message(transcript, MessageType::CERTIFICATE, &certificate);
    }
    out.message(transcript, MessageType::CLIENT_KEY_EXCHANGE, &key_exchange);
    let agreed = flight.agreed;
    let master = agreed.master(&premaster, transcript, context.config);
    if flight.certificate_requested {
        let signature = own_key(profile)?.sign(transcript.messages());
        let signature = signature.map_err(|_| Reason::Internal)?;
        let verify = message::signature(ECDSA_SECP256R1_SHA256, &signature);
        out.message(transcript, MessageType::CERTIFICATE_VERIFY, &verify);
    }
    transcript.forget_messages();
    out.keys = Some(agreed.keys(Role::Client, &master)?);
    out.finished(transcript, &master, Role::Client);
    let expects_ticket = flight.expects_ticket;
    let peer = Authenticated { identity, credential: credential::of_profile(profile), expires };
    Ok(AwaitFinished { agreed, master, peer, expects_ticket, ticket: None, resumed: false })
}

fn by_psk(
    profile: &ClientProfile,
    flight: &AwaitServerHelloDone,
    context: &mut Context<'_>,
) -> Result<(Identity, Exchange), Reason> {
    let ClientSecurity::Psk { identity, key } = &profile.security else {
        return Err(Reason::IllegalParameter);
    };
    let mut body = Vec::new();
    put_vector16(&mut body, identity);
    let premaster = if flight.agreed.exchange == KeyExchangeKind::Psk {
        psk_premaster(None, key)
    } else {
        let received = flight.key_exchange.as_deref().ok_or(Reason::UnexpectedMessage)?;
        // The hint is ignored, because the identity is configured.
        let (parameters, _hint) = vector16(received).map_err(|_| Reason::Malformed)?;
        let (rest, parameters) =
            message::decode_ecdh_parameters(parameters).map_err(|_| Reason::Malformed)?;
        if !rest.is_empty() {
            return Err(Reason::Malformed);
        }
        let (shared, point) = agree(&parameters, context)?;
        put_vector8(&mut body, &point);
        psk_premaster(Some(&shared), key)
    };
    Ok((Identity::Psk(identity.clone()), (premaster, body)))
}

fn by_signature(
    profile: &ClientProfile,
    flight: &AwaitServerHelloDone,
    context: &mut Context<'_>,
) -> Result<((Identity, u64), Exchange), Reason> {
    let certificate = flight.certificate.as_deref().ok_or(Reason::UnexpectedMessage)?;
    let received = flight.key_exchange.as_deref().ok_or(Reason::UnexpectedMessage)?;
    let (key, identity, expires) = server_key(profile, &flight.agreed, certificate, context)?;
    let (rest, parameters) =
        message::decode_ecdh_parameters(received).map_err(|_| Reason::Malformed)?;
    let signed = received.get(..received.len() - rest.len()).unwrap_or_default();
    let (algorithm, signature) = message::decode_signature(rest).ok_or(Reason::Malformed)?;
    if algorithm != ECDSA_SECP256R1_SHA256 {
        return Err(Reason::IllegalParameter);
    }
    let signed = signed_parameters(&flight.agreed.randoms, signed);
    context.provider().verify(&key, &signed, signature).map_err(|_| Reason::BadSignature)?;
    let (shared, point) = agree(&parameters, context)?;
    let mut body = Vec::new();
    put_vector8(&mut body, &point);
    Ok(((identity, expires), (Zeroizing::new(shared.to_vec()), body)))
}

/// Agrees on a shared secret with the server's point; returns it and our point.
fn agree(
    parameters: &message::EcdhParameters<'_>,
    context: &mut Context<'_>,
) -> Result<(Zeroizing<[u8; 32]>, crate::crypto::Point), Reason> {
    if !parameters.is_secp256r1() {
        return Err(Reason::IllegalParameter);
    }
    let ours = context.key_exchange()?;
    let point = ours.public_key();
    let shared = ours.agree(parameters.point).map_err(|_| Reason::IllegalParameter)?;
    Ok((shared, point))
}

/// Returns the key and identity of a trusted server, and when they expire in Unix seconds.
fn server_key(
    profile: &ClientProfile,
    agreed: &Agreed,
    certificate: &[u8],
    context: &Context<'_>,
) -> Result<(Vec<u8>, Identity, u64), Reason> {
    match (&profile.security, agreed.mode(agreed.certificate_types.1)) {
        (ClientSecurity::RawPublicKey { server, .. }, Mode::RawPublicKey) => {
            let spki = message::decode_raw_public_key(certificate).ok_or(Reason::Malformed)?;
            if spki != server {
                return Err(Reason::UnknownPeerKey);
            }
            let key = point_of(spki).ok_or(Reason::BadCertificate(CertificateFlaw::Key))?.to_vec();
            Ok((key, Identity::RawPublicKey(Bytes::copy_from_slice(spki)), u64::MAX))
        }
        (ClientSecurity::Certificate { verification, .. }, Mode::Certificate) => {
            let chain = message::decode_certificate_chain(certificate).ok_or(Reason::Malformed)?;
            let chain: Vec<_> = chain.into_iter().map(CertificateDer::from).collect();
            let name = profile.server_name.as_deref();
            let peer =
                verify_server(&chain, verification, name, context.provider(), context.unix_time())?;
            Ok((peer.key.to_vec(), Identity::Certificate(peer.identity), peer.expires))
        }
        _ => Err(Reason::NoCommonCertificateType),
    }
}

fn own_key(profile: &ClientProfile) -> Result<&Arc<dyn SigningKey>, Reason> {
    match &profile.security {
        ClientSecurity::RawPublicKey { key, .. } => Ok(key),
        ClientSecurity::Certificate { certified, .. } => Ok(&certified.key),
        ClientSecurity::Psk { .. } => Err(Reason::UnexpectedMessage),
    }
}

fn own_certificate(profile: &ClientProfile, agreed: &Agreed) -> Result<Vec<u8>, Reason> {
    match (&profile.security, agreed.certificate_types.0 == RAW_PUBLIC_KEY) {
        (ClientSecurity::RawPublicKey { key, .. }, true) => {
            Ok(message::raw_public_key(&subject_public_key_info(&key.public_key())))
        }
        (ClientSecurity::Certificate { certified, .. }, false) => {
            Ok(message::certificate_chain(&certified.chain))
        }
        _ => Err(Reason::NoCommonCertificateType),
    }
}
