//! Checks of a configuration and of client profiles against what the backend supports.

use crate::backend::Backend;
use crate::config::{ClientProfile, ClientSecurity, Config};
use crate::error::Error;
use crate::unsupported::Unsupported;

impl Config {
    /// Checks that the backend supports what is configured. An endpoint with another configuration
    /// refuses every session for the same reason.
    ///
    /// # Errors
    /// The first unsupported setting.
    pub fn check(&self) -> Result<(), Unsupported> {
        if self.backend == Backend::Native {
            return Ok(());
        }
        let credentials = self.credentials.as_deref();
        let own = credentials.and_then(|known| known.certificate(None));
        // A server may use one key for both modes; only without a certificate is the mode missing.
        let raw_only = own.is_none() && credentials.is_some_and(|it| it.raw_key().is_some());
        let lacking = [
            (self.connection_ids.is_some(), Unsupported::ConnectionIds),
            (self.key_log.is_some(), Unsupported::KeyLog),
            (self.ticket_key.is_some(), Unsupported::Tickets),
            (self.durable_sessions.is_some(), Unsupported::Export),
            (raw_only, Unsupported::RawPublicKeys),
            (own.is_some_and(|own| own.key.private_key().is_none()), Unsupported::HiddenKey),
        ];
        lacking.into_iter().find(|(lacks, _)| *lacks).map_or(Ok(()), |(_, what)| Err(what))
    }

    /// Checks that the backend supports a client profile, as [`Endpoint::connect`] and
    /// [`Endpoint::connect_stream`] do.
    ///
    /// [`Endpoint::connect`]: crate::Endpoint::connect
    /// [`Endpoint::connect_stream`]: crate::Endpoint::connect_stream
    ///
    /// # Errors
    /// The first unsupported setting.
    pub fn check_profile(&self, profile: &ClientProfile) -> Result<(), Unsupported> {
        let is_native = self.backend == Backend::Native;
        let is_psk = matches!(profile.security, ClientSecurity::Psk { .. });
        if profile.tls13 && (!cfg!(feature = "tls13") || !is_native || is_psk) {
            return Err(Unsupported::Tls13);
        }
        self.check_datagram_profile(profile)
    }

    /// Like [`check_profile`](Self::check_profile) on datagrams, where TLS 1.3 does not matter.
    pub(crate) fn check_datagram_profile(
        &self,
        profile: &ClientProfile,
    ) -> Result<(), Unsupported> {
        if self.backend == Backend::Native {
            return Ok(());
        }
        match &profile.security {
            ClientSecurity::Psk { key, .. } => self.backend.check_psk(key)?,
            ClientSecurity::RawPublicKey { .. } => self.backend.check_raw_public_keys()?,
            ClientSecurity::Certificate { .. } => {}
        }
        match profile.require_extended_master_secret {
            _ if profile.record_size_limit.is_some() => Err(Unsupported::RecordSizeLimit),
            true => Err(Unsupported::RequiredExtendedMasterSecret),
            false => Ok(()),
        }
    }
}

impl ClientProfile {
    /// Checks that the profile can lead to a handshake with any backend.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let key_fits = match &self.security {
            ClientSecurity::Psk { identity, key } => {
                identity.len() <= 128 && (1..=64).contains(&key.len())
            }
            ClientSecurity::Certificate { certified, .. } => !certified.chain.is_empty(),
            ClientSecurity::RawPublicKey { .. } => true,
        };
        let name_fits = self.server_name.as_ref().is_none_or(|name| name.len() <= 255);
        let has_suite = self.offered().iter().any(|suite| suite.parts().is_some());
        (key_fits && name_fits && has_suite).then_some(()).ok_or(Error::UnusableProfile)
    }
}
