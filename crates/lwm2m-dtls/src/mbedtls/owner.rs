//! The library's questions during a handshake, answered from the same credentials and by the same
//! rules as in a native handshake.

use super::library::Certificates;
use crate::certificate::verify::verify_server;
use crate::config::{ClientProfile, ClientSecurity, Config};
use crate::credential::{self, Authenticated};
use crate::error::Reason;
use crate::handshake::context::Context;
use crate::handshake::server_peer::trusted_client;
use crate::identity::Identity;
use crate::mode::Mode;
use crate::rng::Rng;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;
use lwm2m_mbedtls::OwnCertificate;
use rand_chacha::rand_core::RngCore;
use rustls_pki_types::CertificateDer;
use std::sync::{Mutex, MutexGuard, PoisonError};
use zeroize::Zeroizing;

/// The answers for one connection.
pub(super) struct Owner {
    config: Config,
    /// The profile of a client; `None` for a server.
    profile: Option<Arc<ClientProfile>>,
    rng: Arc<Mutex<Rng>>,
    certificates: Arc<Certificates>,
    found: Mutex<Found>,
}

/// What the answers so far amount to.
struct Found {
    unix_time: Duration,
    mode: Option<Mode>,
    peer: Option<Authenticated>,
    refused: Option<Reason>,
}

impl Owner {
    pub(super) fn new(profile: Option<Arc<ClientProfile>>, context: &Context<'_>) -> Self {
        let mode = profile.as_ref().map(|profile| profile.security.mode());
        let unix_time = context.unix_time();
        Self {
            config: context.config.clone(),
            profile,
            rng: Arc::clone(&context.library.rng),
            certificates: Arc::clone(&context.library.certificates),
            found: Mutex::new(Found { unix_time, mode, peer: None, refused: None }),
        }
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the time that certificates are checked against.
    pub(super) fn set_unix_time(&self, unix_time: Duration) {
        self.found().unix_time = unix_time;
    }

    /// The mode, if it is known yet.
    pub(super) fn mode(&self) -> Option<Mode> {
        self.found().mode
    }

    /// The reason of the latest refusal.
    pub(super) fn refused(&self) -> Option<Reason> {
        self.found().refused.clone()
    }

    /// The peer of a finished handshake.
    pub(super) fn peer(&self) -> Option<Authenticated> {
        match self.profile.as_ref().map(|profile| &profile.security) {
            Some(ClientSecurity::Psk { identity, .. }) => {
                let credential = credential::of_profile(self.profile.as_ref()?);
                let identity = Identity::Psk(identity.clone());
                Some(Authenticated { identity, credential, expires: u64::MAX })
            }
            _ => self.found().peer.clone(),
        }
    }

    fn key_of(&self, identity: &[u8]) -> Result<Zeroizing<Vec<u8>>, Reason> {
        let credentials = self.config.credentials.as_deref();
        // An empty key counts as unknown: everybody has it.
        let key = credentials.and_then(|known| known.psk(identity)).filter(|key| !key.is_empty());
        let unknown = || Reason::UnknownIdentity { identity: Bytes::copy_from_slice(identity) };
        let key = key.ok_or_else(unknown)?;
        self.config.backend.check_psk(&key).map_err(Reason::Unsupported)?;
        Ok(key)
    }

    fn judge(
        &self,
        chain: &[CertificateDer<'_>],
        unix_time: Duration,
    ) -> Result<Authenticated, Reason> {
        let provider = &*self.config.provider;
        let Some(profile) = &self.profile else {
            let credentials = self.config.credentials.as_deref().ok_or(Reason::Internal)?;
            return trusted_client(chain, credentials, provider, unix_time).map(|(_, peer)| peer);
        };
        let ClientSecurity::Certificate { verification, .. } = &profile.security else {
            return Err(Reason::UnexpectedMessage);
        };
        let name = profile.server_name.as_deref();
        let peer = verify_server(chain, verification, name, provider, unix_time)?;
        let identity = Identity::Certificate(peer.identity);
        let credential = credential::of_profile(profile);
        Ok(Authenticated { identity, credential, expires: peer.expires })
    }
}

impl lwm2m_mbedtls::Owner for Owner {
    fn random(&self, bytes: &mut [u8]) {
        self.rng.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(bytes);
    }

    fn psk(&self, identity: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let answer = self.key_of(identity);
        let mut found = self.found();
        found.mode = Some(Mode::Psk);
        match answer {
            Ok(key) => {
                let identity = Bytes::copy_from_slice(identity);
                let credentials = self.config.credentials.as_deref();
                found.peer = credentials.map(|it| Authenticated::by_psk(identity, &key, it));
                Some(key)
            }
            Err(reason) => {
                found.refused = Some(reason);
                None
            }
        }
    }

    fn certificate(&self, server_name: &str) -> Option<Arc<OwnCertificate>> {
        let credentials = self.config.credentials.as_deref()?;
        self.certificates.get(&credentials.certificate(Some(server_name))?).ok()
    }

    fn verify(&self, chain: Vec<Vec<u8>>) -> Result<(), u8> {
        let chain: Vec<_> = chain.into_iter().map(CertificateDer::from).collect();
        let unix_time = self.found().unix_time;
        let answer = self.judge(&chain, unix_time);
        let mut found = self.found();
        found.mode = Some(Mode::Certificate);
        match answer {
            Ok(peer) => {
                found.peer = Some(peer);
                Ok(())
            }
            Err(reason) => {
                let alert = reason.alert().map_or(0, |alert| alert.0);
                found.refused = Some(reason);
                Err(alert)
            }
        }
    }
}
