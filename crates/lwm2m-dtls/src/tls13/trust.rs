//! The library's verifiers, by the trust rules of version 1.2.

use super::reason::refusal;
use crate::certificate::CertificateFlaw;
use crate::certificate::chain::in_order;
use crate::certificate::spki::point_of;
use crate::certificate::verify::verify_server;
use crate::config::{ClientProfile, ClientSecurity, Credentials};
use crate::credential::{self, Authenticated};
use crate::crypto::provider::Provider;
use crate::error::Reason;
use crate::handshake::context::Context;
use crate::handshake::extension::RAW_PUBLIC_KEY;
use crate::handshake::server_peer::{raw_client, trusted_client};
use crate::identity::Identity;
use crate::mode::Mode;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;
use core::time::Duration;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, PeerMisbehaved, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::sync::OnceLock;

/// The verified key and identity of the peer, or the reason why they are refused.
#[derive(Default)]
pub(super) struct Found(OnceLock<Result<(Vec<u8>, Authenticated), Reason>>);

impl Found {
    pub(super) fn peer(&self) -> Option<Authenticated> {
        self.0.get()?.as_ref().ok().map(|(_, peer)| peer.clone())
    }

    pub(super) fn refusal(&self) -> Option<Reason> {
        self.0.get()?.as_ref().err().cloned()
    }

    fn keep(&self, found: Result<(Vec<u8>, Authenticated), Reason>) -> Result<(), Error> {
        self.0.get_or_init(|| found).as_ref().map(drop).map_err(refusal)
    }

    fn check_signature(
        &self,
        provider: &dyn Provider,
        message: &[u8],
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let Some(Ok((key, _))) = self.0.get() else { return Err(refusal(&Reason::BadSignature)) };
        if signed.scheme != SignatureScheme::ECDSA_NISTP256_SHA256 {
            return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
        }
        provider
            .verify(key, message, signed.signature())
            .map(|()| HandshakeSignatureValid::assertion())
            .map_err(|_| refusal(&Reason::BadSignature))
    }
}

/// The methods that both verifier traits share.
macro_rules! signatures {
    () => {
        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Err(refusal(&Reason::BadSignature))
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            _: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            self.found.check_signature(&*self.provider, message, signed)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            [SignatureScheme::ECDSA_NISTP256_SHA256].to_vec()
        }
    };
}

/// A server's verifier of clients.
pub(super) struct Clients {
    is_raw: bool,
    credentials: Arc<dyn Credentials>,
    provider: Arc<dyn Provider>,
    unix_time: Duration,
    found: Arc<Found>,
}

impl Clients {
    pub(super) fn new(
        certificate_type: u8,
        credentials: Arc<dyn Credentials>,
        context: &Context<'_>,
        found: Arc<Found>,
    ) -> Self {
        let provider = Arc::clone(&context.config.provider);
        let is_raw = certificate_type == RAW_PUBLIC_KEY;
        Self { is_raw, credentials, provider, unix_time: context.unix_time(), found }
    }

    pub(super) fn mode(&self) -> Mode {
        if self.is_raw { Mode::RawPublicKey } else { Mode::Certificate }
    }
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clients(..)")
    }
}

impl ClientCertVerifier for Clients {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.found.keep(if self.is_raw {
            raw_client(end_entity, &*self.credentials)
        } else {
            let chain = in_order(end_entity, intermediates);
            trusted_client(&chain, &*self.credentials, &*self.provider, self.unix_time)
        })?;
        Ok(ClientCertVerified::assertion())
    }

    signatures!();

    fn requires_raw_public_keys(&self) -> bool {
        self.is_raw
    }
}

/// A client's verifier of servers.
pub(super) struct Servers {
    profile: Arc<ClientProfile>,
    provider: Arc<dyn Provider>,
    unix_time: Duration,
    found: Arc<Found>,
}

impl Servers {
    pub(super) fn new(
        profile: Arc<ClientProfile>,
        context: &Context<'_>,
        found: Arc<Found>,
    ) -> Self {
        let provider = Arc::clone(&context.config.provider);
        Self { profile, provider, unix_time: context.unix_time(), found }
    }

    fn judge(&self, chain: &[CertificateDer<'_>]) -> Result<(Vec<u8>, Authenticated), Reason> {
        let (key, identity, expires) = match &self.profile.security {
            ClientSecurity::RawPublicKey { server, .. } => {
                let spki = chain.first().ok_or(Reason::NoCertificate)?;
                if spki.as_ref() != server {
                    return Err(Reason::UnknownPeerKey);
                }
                let key =
                    point_of(spki).ok_or(Reason::BadCertificate(CertificateFlaw::Key))?.to_vec();
                (key, Identity::RawPublicKey(Bytes::copy_from_slice(spki)), u64::MAX)
            }
            ClientSecurity::Certificate { verification, .. } => {
                let name = self.profile.server_name.as_deref();
                let provider = &*self.provider;
                let peer = verify_server(chain, verification, name, provider, self.unix_time)?;
                (peer.key.to_vec(), Identity::Certificate(peer.identity), peer.expires)
            }
            ClientSecurity::Psk { .. } => return Err(Reason::Internal),
        };
        let credential = credential::of_profile(&self.profile);
        Ok((key, Authenticated { identity, credential, expires }))
    }
}

impl fmt::Debug for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Servers(..)")
    }
}

impl ServerCertVerifier for Servers {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.found.keep(self.judge(&in_order(end_entity, intermediates)))?;
        Ok(ServerCertVerified::assertion())
    }

    signatures!();

    fn requires_raw_public_keys(&self) -> bool {
        matches!(self.profile.security, ClientSecurity::RawPublicKey { .. })
    }
}
