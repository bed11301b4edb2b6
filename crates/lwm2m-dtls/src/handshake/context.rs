//! What an endpoint lends to a handshake: configuration, randomness, session cache and time.

use super::framing::Framing;
use crate::config::Config;
use crate::crypto::provider::{KeyExchange, Provider};
use crate::error::Reason;
#[cfg(feature = "mbedtls")]
use crate::mbedtls::library::Library;
use crate::resumption::SessionCache;
use crate::rng::Rng;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;
use lwm2m_time::Instant;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use zeroize::Zeroizing;

/// The part of an endpoint that all its handshakes use.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) rng: Rng,
    pub(crate) cache: SessionCache,
    #[cfg(feature = "mbedtls")]
    pub(crate) library: Library,
}

impl Shared {
    pub(crate) fn new(config: Config, seed: [u8; 32]) -> Self {
        Self {
            cache: SessionCache::new(config.session_cache),
            #[cfg(feature = "mbedtls")]
            library: Library::new(seed),
            config,
            rng: Rng::from_seed(seed),
        }
    }

    /// Borrows the context of one step.
    pub(crate) fn context(&mut self, now: Instant, framing: Framing) -> Context<'_> {
        Context {
            config: &self.config,
            rng: &mut self.rng,
            cache: &mut self.cache,
            #[cfg(feature = "mbedtls")]
            library: &self.library,
            now,
            framing,
        }
    }

    /// Returns fresh random bytes.
    pub(crate) fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }
}

/// The context of one step of a handshake.
pub(crate) struct Context<'a> {
    pub(crate) config: &'a Config,
    pub(crate) rng: &'a mut Rng,
    pub(crate) cache: &'a mut SessionCache,
    #[cfg(feature = "mbedtls")]
    pub(crate) library: &'a Library,
    pub(crate) now: Instant,
    pub(crate) framing: Framing,
}

impl Context<'_> {
    /// Returns fresh random bytes.
    pub(crate) fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    /// Generates an ephemeral key pair.
    pub(super) fn key_exchange(&mut self) -> Result<Box<dyn KeyExchange>, Reason> {
        // About one seed in 2^32 is not a valid key. Three in a row mean that the provider is broken.
        (0..3)
            .find_map(|_| {
                let seed = Zeroizing::new(self.random());
                self.config.provider.key_exchange(&seed).ok()
            })
            .ok_or(Reason::Internal)
    }

    /// The configured application protocol, as a list for ALPN; empty on datagrams.
    pub(crate) fn own_protocol(&self) -> Vec<Vec<u8>> {
        let configured = self.config.application_protocol.iter();
        let offered = configured.filter(|_| self.framing == Framing::Stream);
        offered.map(|protocol| protocol.to_vec()).collect()
    }

    pub(super) fn provider(&self) -> &dyn Provider {
        &*self.config.provider
    }

    /// The Unix time that certificates and cached sessions are checked against.
    pub(crate) fn unix_time(&self) -> Duration {
        let since_origin = self.now.saturating_since(Instant::ZERO);
        self.config.unix_time_of_origin.saturating_add(since_origin)
    }

    /// When a session that is established now can no longer be resumed, in Unix seconds.
    pub(super) fn expiry(&self) -> u64 {
        self.unix_time().saturating_add(self.config.resumption_lifetime).as_secs()
    }
}
