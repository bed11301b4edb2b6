//! What the library asks during a handshake, answered by the credentials and rules that the backend
//! of our own has.

use crate::Rng;
use crate::certificate::verify_server;
use crate::config::{CertifiedKey, ClientProfile, ClientSecurity, Config, Mode};
use crate::credential;
use crate::error::{Error, Reason};
use crate::handshake::Authenticated;
use crate::handshake::server_peer::trusted_client;
use crate::identity::Identity;
use crate::unsupported::Unsupported;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;
use lwm2m_mbedtls::OwnCertificate;
use rand_chacha::rand_core::RngCore;
use rustls_pki_types::CertificateDer;
use std::sync::{Mutex, MutexGuard, PoisonError};
use zeroize::Zeroizing;

/// Whom one connection asks.
pub(super) struct Owner {
    config: Config,
    /// What a client connects with; a server has none.
    profile: Option<Arc<ClientProfile>>,
    rng: Arc<Mutex<Rng>>,
    certificates: Arc<Certificates>,
    found: Mutex<Found>,
}

/// What has come out of the questions.
struct Found {
    unix_time: Duration,
    mode: Option<Mode>,
    peer: Option<Authenticated>,
    refused: Option<Reason>,
}

impl Owner {
    pub(super) fn new(
        config: Config,
        profile: Option<Arc<ClientProfile>>,
        rng: Arc<Mutex<Rng>>,
        certificates: Arc<Certificates>,
        unix_time: Duration,
    ) -> Self {
        let mode = profile.as_ref().map(|profile| profile.security.mode());
        let found = Mutex::new(Found { unix_time, mode, peer: None, refused: None });
        Self { config, profile, rng, certificates, found }
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Certificates are held against this time from now on.
    pub(super) fn set_unix_time(&self, unix_time: Duration) {
        self.found().unix_time = unix_time;
    }

    pub(super) fn mode(&self) -> Option<Mode> {
        self.found().mode
    }

    /// Why an answer was a refusal.
    pub(super) fn refused(&self) -> Option<Reason> {
        self.found().refused.clone()
    }

    /// Who the peer of a finished handshake is.
    pub(super) fn peer(&self) -> Option<Authenticated> {
        match self.profile.as_ref().map(|profile| &profile.security) {
            Some(ClientSecurity::Psk { identity, key }) => Some(Authenticated {
                identity: Identity::Psk(identity.clone()),
                credential: credential::of_psk(key),
                expires: u64::MAX,
            }),
            _ => self.found().peer.clone(),
        }
    }

    fn key_of(&self, identity: &[u8]) -> Result<Zeroizing<Vec<u8>>, Reason> {
        let credentials = self.config.credentials.as_deref();
        // An empty key is none: everybody has it.
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
                found.peer = Some(Authenticated {
                    identity: Identity::Psk(Bytes::copy_from_slice(identity)),
                    credential: credential::of_psk(&key),
                    expires: u64::MAX,
                });
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

/// The own certificate that was used last, as the library has read it.
#[derive(Default)]
pub(super) struct Certificates(Mutex<Option<(Arc<CertifiedKey>, Arc<OwnCertificate>)>>);

impl Certificates {
    pub(super) fn get(&self, own: &Arc<CertifiedKey>) -> Result<Arc<OwnCertificate>, Error> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, read)) = last.as_ref().filter(|(known, _)| Arc::ptr_eq(known, own)) {
            return Ok(Arc::clone(read));
        }
        let key = own.key.private_key().ok_or(Unsupported::HiddenKey)?;
        let chain: Vec<&[u8]> = own.chain.iter().map(AsRef::as_ref).collect();
        let read = OwnCertificate::new(&chain, &key).map_err(|_| Error::UnusableProfile)?;
        let read = Arc::new(read);
        *last = Some((Arc::clone(own), Arc::clone(&read)));
        Ok(read)
    }
}
