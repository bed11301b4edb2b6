//! The server's choices from a ClientHello: suite, certificate types, extensions, resumption.

use super::agreed::{Agreed, max_plaintext};
use super::context::Context;
#[cfg(feature = "tls13")]
use super::extension::TLS_1_3;
use super::extension::{ECDSA_SECP256R1_SHA256, Extensions, RAW_PUBLIC_KEY, SECP256R1, X509};
use super::framing::Framing;
use super::message::ClientHello;
use super::schedule::Randoms;
use crate::config::{CertifiedKey, Credentials};
use crate::credential;
use crate::crypto::provider::SigningKey;
use crate::error::Reason;
#[cfg(feature = "tls13")]
use crate::mode::Mode;
use crate::resumption::{CacheKey, SessionState, open_ticket};
use crate::suite::{Cipher, CipherSuite, KeyExchangeKind, Offered};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The key by which the server authenticates itself.
pub(crate) enum OwnKey {
    /// The pre-shared key.
    Shared,
    Raw(Arc<dyn SigningKey>),
    Certified(Arc<CertifiedKey>),
}

impl OwnKey {
    fn certificate_type(&self) -> u8 {
        if matches!(self, Self::Raw(_)) { RAW_PUBLIC_KEY } else { X509 }
    }
}

/// Agrees on the parameters of a full handshake.
pub(super) fn agree(
    hello: &ClientHello,
    cid: Option<Vec<u8>>,
    context: &mut Context<'_>,
) -> Result<(Agreed, OwnKey), Reason> {
    if !hello.null_compression {
        return Err(Reason::IllegalParameter);
    }
    let credentials = context.config.credentials.clone().ok_or(Reason::Internal)?;
    let mut type_problem = false;
    let chosen = context.config.suites.iter().find_map(|&suite| {
        let (exchange, _) = suite.parts().filter(|_| hello.suites.contains(&suite))?;
        match own_key(exchange, hello, &*credentials) {
            Ok(key) => key.map(|(key, client_type)| (suite, exchange, key, client_type)),
            Err(_) => {
                type_problem = true;
                None
            }
        }
    });
    let Some((suite, exchange, key, client_type)) = chosen else {
        return Err(match type_problem {
            true => Reason::NoCommonCertificateType,
            false => Reason::NoCommonSuite(Offered::new(&hello.suites)),
        });
    };
    let certificate_types = (client_type, key.certificate_type());
    let session_id = match context.cache.is_enabled() {
        true => context.random::<32>().to_vec(),
        false => Vec::new(),
    };
    let agreed = settle(hello, (suite, exchange), session_id, certificate_types, cid, context)?;
    Ok((agreed, key))
}

/// Agrees on the extensions of a full or abbreviated handshake.
pub(super) fn settle(
    hello: &ClientHello,
    (suite, exchange): (CipherSuite, KeyExchangeKind),
    session_id: Vec<u8>,
    certificate_types: (u8, u8),
    cid: Option<Vec<u8>>,
    context: &mut Context<'_>,
) -> Result<Agreed, Reason> {
    let offered = &hello.extensions;
    let bad_length = !matches!(offered.max_fragment_length, None | Some(1..=4));
    if bad_length || offered.record_size_limit.is_some_and(|limit| limit < 64) {
        return Err(Reason::IllegalParameter);
    }
    let application_protocols = context.own_protocol();
    let spoken = |protocol: &Vec<u8>| offered.application_protocols.contains(protocol);
    if !offered.application_protocols.is_empty() && !application_protocols.iter().all(spoken) {
        return Err(Reason::NoApplicationProtocol);
    }
    let has_newer = has_newer(exchange, context);
    if has_newer && hello.suites.contains(&CipherSuite::FALLBACK_SCSV) {
        return Err(Reason::InappropriateFallback);
    }
    let cbc = suite.parts().is_some_and(|(_, cipher)| cipher == Cipher::CbcSha256);
    let uses_cid = offered.connection_id.is_some() && cid.is_some();
    Ok(Agreed {
        suite,
        exchange,
        randoms: Randoms { client: hello.random, server: server_random(has_newer, context) },
        extended_master_secret: offered.extended_master_secret,
        encrypt_then_mac: cbc && offered.encrypt_then_mac,
        read_cid: cid.filter(|_| uses_cid).unwrap_or_default(),
        write_cid: offered.connection_id.clone().filter(|_| uses_cid).unwrap_or_default(),
        return_routability_check: uses_cid && offered.return_routability_check,
        max_plaintext: max_plaintext(offered.max_fragment_length, offered.record_size_limit),
        session_id,
        application_protocols: application_protocols.into_iter().filter(spoken).collect(),
        certificate_types,
    })
}

/// Whether we support TLS 1.3 for the mode. A client that offers it directly is handed over before.
fn has_newer(exchange: KeyExchangeKind, context: &Context<'_>) -> bool {
    let by_version = context.config.tls13 && context.framing == Framing::Stream;
    by_version && exchange == KeyExchangeKind::EcdheEcdsa
}

/// A fresh random value. With TLS 1.3 for the mode it ends with a mark that tells a client which
/// offered 1.3 that somebody on the way removed the offer (RFC 8446 section 4.1.3).
fn server_random(has_newer: bool, context: &mut Context<'_>) -> [u8; 32] {
    let mut random = context.random();
    if has_newer {
        let mark = b"DOWNGRD\x01";
        random.iter_mut().rev().zip(mark.iter().rev()).for_each(|(byte, mark)| *byte = *mark);
    }
    random
}

/// Our key for the exchange, and the certificate type that the client must use. An error if only
/// the certificate types do not match.
fn own_key(
    exchange: KeyExchangeKind,
    hello: &ClientHello,
    credentials: &dyn Credentials,
) -> Result<Option<(OwnKey, u8)>, Reason> {
    let offered = &hello.extensions;
    let curve = offered.groups.as_ref().is_none_or(|groups| groups.contains(&SECP256R1));
    match exchange {
        KeyExchangeKind::Psk | KeyExchangeKind::EcdhePsk => {
            let usable = exchange == KeyExchangeKind::Psk || curve;
            Ok((usable && credentials.uses_psk()).then_some((OwnKey::Shared, X509)))
        }
        KeyExchangeKind::EcdheEcdsa => {
            let algorithms = offered.signature_algorithms.as_ref();
            let signs = algorithms.is_none_or(|list| list.contains(&ECDSA_SECP256R1_SHA256));
            if !curve || !signs {
                return Ok(None);
            }
            certificate_types(offered, credentials)
        }
    }
}

/// Our key for TLS 1.3 and the certificate type that the client must use, if the client offers that
/// version and no pre-shared key is preferred.
#[cfg(feature = "tls13")]
pub(crate) fn own_key_for_tls13(
    hello: &ClientHello,
    suites: &[CipherSuite],
    credentials: &dyn Credentials,
) -> Option<(OwnKey, u8)> {
    let mut common = suites.iter().filter(|suite| hello.suites.contains(suite));
    let by_psk = credentials.uses_psk() && common.next().is_some_and(|it| it.suits(Mode::Psk));
    let offered = hello.extensions.versions.contains(&TLS_1_3) && !by_psk;
    offered.then(|| certificate_types(&hello.extensions, credentials).ok().flatten()).flatten()
}

fn certificate_types(
    offered: &Extensions,
    credentials: &dyn Credentials,
) -> Result<Option<(OwnKey, u8)>, Reason> {
    let name = offered.server_name.as_deref();
    let raw = credentials.raw_key();
    let certified = credentials.certificate(name);
    if raw.is_none() && certified.is_none() {
        return Ok(None);
    }
    let key = or_x509(&offered.server_certificate_types).iter().find_map(|&kind| match kind {
        RAW_PUBLIC_KEY => raw.clone().map(OwnKey::Raw),
        X509 => certified.clone().map(OwnKey::Certified),
        _ => None,
    });
    let has_authorities = !credentials.client_authorities().is_empty();
    let usable = |kind: &&u8| match **kind {
        RAW_PUBLIC_KEY => raw.is_some(),
        X509 => has_authorities,
        _ => false,
    };
    let client_type = or_x509(&offered.client_certificate_types).iter().find(usable);
    match (key, client_type) {
        (Some(key), Some(&client_type)) => Ok(Some((key, client_type))),
        _ => Err(Reason::NoCommonCertificateType),
    }
}

/// Without the extension of RFC 7250, certificates are X.509.
fn or_x509(types: &[u8]) -> &[u8] {
    if types.is_empty() { &[X509] } else { types }
}

/// The extensions of the ServerHello.
pub(super) fn extensions(
    hello: &ClientHello,
    agreed: &Agreed,
    resumed: bool,
    ticket: bool,
    cid_agreed: bool,
) -> Extensions {
    let offered = &hello.extensions;
    let secure =
        offered.renegotiation_info || hello.suites.contains(&CipherSuite::RENEGOTIATION_SCSV);
    let signed = agreed.exchange == KeyExchangeKind::EcdheEcdsa && !resumed;
    let chosen = |types: &[u8], kind: u8| match signed && !types.is_empty() {
        true => alloc::vec![kind],
        false => Vec::new(),
    };
    Extensions {
        server_name: (offered.server_name.is_some() && !resumed && signed).then(Default::default),
        max_fragment_length: offered.max_fragment_length,
        groups: None,
        uncompressed_points: agreed.exchange != KeyExchangeKind::Psk
            && offered.uncompressed_points
            && !resumed,
        signature_algorithms: None,
        application_protocols: agreed.application_protocols.clone(),
        client_certificate_types: chosen(
            &offered.client_certificate_types,
            agreed.certificate_types.0,
        ),
        server_certificate_types: chosen(
            &offered.server_certificate_types,
            agreed.certificate_types.1,
        ),
        versions: Vec::new(),
        encrypt_then_mac: agreed.encrypt_then_mac,
        extended_master_secret: agreed.extended_master_secret,
        record_size_limit: None,
        session_ticket: ticket.then(Vec::new),
        return_routability_check: agreed.return_routability_check,
        connection_id: cid_agreed.then(|| agreed.read_cid.clone()),
        renegotiation_info: secure,
        unknown: false,
    }
}

/// The session that the client wants to resume, and its cache entry. `None` if we do not know it,
/// the rules forbid it, or the client's credential has changed.
pub(super) fn resumable(
    hello: &ClientHello,
    context: &Context<'_>,
) -> Result<Option<(Option<CacheKey>, SessionState)>, Reason> {
    let ticket = hello.extensions.session_ticket.as_deref().filter(|ticket| !ticket.is_empty());
    let found = match (ticket, &context.config.ticket_key) {
        (Some(ticket), Some(key)) => open_ticket(key, ticket).map(|state| (None, state)),
        _ => context
            .cache
            .get(&hello.session_id)
            .map(|(cached, state)| (Some(cached), state.clone())),
    };
    let Some((cached, state)) = found else { return Ok(None) };
    let credentials = context.config.credentials.as_deref();
    let credential = credentials.and_then(|it| credential::of_client(&state.identity, it));
    let fits = state.framing == context.framing
        && hello.suites.contains(&state.suite)
        && context.config.suites.contains(&state.suite)
        && state.expires > context.unix_time().as_secs()
        && credential == Some(state.credential)
        && state.server_name == hello.extensions.server_name;
    if !fits {
        return Ok(None);
    }
    // RFC 7627 section 5.3.
    match (state.extended_master_secret, hello.extensions.extended_master_secret) {
        (true, false) => Err(Reason::ResumptionRefused),
        (false, true) => Ok(None),
        _ => Ok(Some((cached, state))),
    }
}
