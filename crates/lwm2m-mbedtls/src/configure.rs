//! The library's configuration of one connection.
#![allow(unsafe_code)]

use crate::callbacks::{self, CheckedBefore, OwnCertificate, Owner};
use crate::failure::Unusable;
use crate::settings::{Role, Settings, Transport};
use mbedtls::ssl::config::{
    AuthMode, Config, Endpoint, NullTerminatedStrList, Preset, Transport as Carrier,
    UseSessionTickets, Version,
};
use mbedtls_sys as sys;
use mbedtls_sys::types::raw_types::{c_int, c_void};
use std::sync::Arc;
use std::time::Duration;

/// The hash of signatures, SHA-256: RFC 7925 section 4.4.
static HASHES: [c_int; 2] = [sys::MD_SHA256 as c_int, sys::MD_NONE as c_int];

/// Our credentials, and how a server authenticates its clients.
#[derive(Default)]
pub(crate) struct Proof<'a> {
    pub(crate) psk: Option<(&'a [u8], &'a [u8])>,
    pub(crate) own: Option<&'a OwnCertificate>,
    pub(crate) authorities: &'a [&'a [u8]],
    pub(crate) asks_for_keys: bool,
}

/// Creates the configuration. The caller must keep the box around `owner` for longer.
pub(crate) fn configure(
    settings: &Settings,
    proof: &Proof<'_>,
    owner: &Arc<dyn Owner>,
) -> Result<Config, Unusable> {
    let side = match settings.role {
        Role::Client => Endpoint::Client,
        Role::Server => Endpoint::Server,
    };
    let carrier = match settings.transport {
        Transport::Datagram => Carrier::Datagram,
        Transport::Stream => Carrier::Stream,
    };
    let mut config = Config::new(side, carrier, Preset::Default);
    config.set_rng(Arc::new(callbacks::random(Arc::clone(owner))));
    config.set_min_version(Version::Tls1_2)?;
    config.set_session_tickets(UseSessionTickets::Disabled);
    let suites = settings.suites.iter().map(|&suite| c_int::from(suite)).chain([0]);
    config.set_ciphersuites(Arc::new(suites.collect()));
    config.set_curves(Arc::new(vec![sys::ECP_DP_SECP256R1, sys::ECP_DP_NONE]));
    if settings.transport == Transport::Datagram {
        config.set_dtls_cookies(Arc::new(CheckedBefore));
    }
    if let Some(protocol) = &settings.application_protocol {
        config.set_alpn_protocols(Arc::new(NullTerminatedStrList::new(&[protocol])?))?;
    }
    configure_raw(settings, &mut config)?;
    match settings.role {
        Role::Client => prove(proof, &mut config)?,
        Role::Server => demand(proof, &mut config, owner)?,
    }
    config.set_verify_callback(callbacks::verify(Arc::clone(owner)));
    Ok(config)
}

fn configure_raw(settings: &Settings, config: &mut Config) -> Result<(), Unusable> {
    let milliseconds = |time: Duration| u32::try_from(time.as_millis()).unwrap_or(u32::MAX).max(1);
    let first = milliseconds(settings.retransmit_after);
    // SAFETY: sets numbers and a pointer to a static.
    unsafe {
        sys::ssl_conf_handshake_timeout(config.into(), first, u32::MAX);
        sys::ssl_conf_sig_hashes(config.into(), HASHES.as_ptr());
    }
    match settings.max_fragment_length {
        // SAFETY: sets a number.
        Some(code) => Unusable::check(unsafe { sys::ssl_conf_max_frag_len(config.into(), code) }),
        None => Ok(()),
    }
}

/// Sets a client's credentials.
fn prove(proof: &Proof<'_>, config: &mut Config) -> Result<(), Unusable> {
    if let Some((identity, key)) = proof.psk {
        // SAFETY: the library copies both slices; pointers and lengths match.
        let code = unsafe {
            let (name, length) = (identity.as_ptr(), identity.len());
            sys::ssl_conf_psk(config.into(), key.as_ptr(), key.len(), name, length)
        };
        return Unusable::check(code);
    }
    if let Some(own) = proof.own {
        config.push_cert(Arc::clone(&own.chain), Arc::clone(&own.key))?;
        // The library requires an authority, but the owner verifies the chain.
        config.set_ca_list(Arc::clone(&own.chain), None);
    }
    config.set_authmode(AuthMode::Required);
    Ok(())
}

/// Sets a server's credentials and what it asks of clients.
fn demand(proof: &Proof<'_>, config: &mut Config, owner: &Arc<dyn Owner>) -> Result<(), Unusable> {
    if proof.asks_for_keys {
        let owner: *const Arc<dyn Owner> = owner;
        let owner = owner.cast_mut().cast::<c_void>();
        // SAFETY: the connection keeps the box of the owner for longer than the configuration.
        unsafe { sys::ssl_conf_psk_cb(config.into(), Some(callbacks::psk), owner) };
    }
    if let Some(own) = proof.own {
        config.push_cert(Arc::clone(&own.chain), Arc::clone(&own.key))?;
        config.set_ca_list(callbacks::authorities(proof.authorities, own), None);
        config.set_authmode(AuthMode::Required);
    }
    config.set_sni_callback(callbacks::certificate(Arc::clone(owner)));
    Ok(())
}
