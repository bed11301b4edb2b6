//! Who speaks DTLS and TLS for an endpoint, and what each can do.

mod endpoint;

pub use endpoint::Endpoint;

use crate::config::{ClientProfile, ClientSecurity, Config};
use crate::suite::CipherSuite;
use crate::unsupported::Unsupported;
use core::fmt;
use core::str::FromStr;

/// Who speaks DTLS and TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// What is written here: every mode and option.
    #[default]
    Native,
    /// Mbed TLS 2.28, the stack of many devices: pre-shared keys and certificates.
    #[cfg(feature = "mbedtls")]
    MbedTls,
}

/// The name of no backend that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnknownBackend {
    /// It exists, but not in this program.
    #[error(
        "this program is built without Mbed TLS: build it with `--features mbedtls`, which needs \
         cmake and libclang, or use the native backend"
    )]
    NotBuilt,
    /// There is none of that name.
    #[error("there is no such backend: use native or mbedtls")]
    NoSuchName,
}

impl FromStr for Backend {
    type Err = UnknownBackend;

    fn from_str(name: &str) -> Result<Self, UnknownBackend> {
        match name {
            "native" => Ok(Self::Native),
            #[cfg(feature = "mbedtls")]
            "mbedtls" => Ok(Self::MbedTls),
            #[cfg(not(feature = "mbedtls"))]
            "mbedtls" => Err(UnknownBackend::NotBuilt),
            _ => Err(UnknownBackend::NoSuchName),
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            #[cfg(feature = "mbedtls")]
            Self::MbedTls => "mbedtls",
        })
    }
}

impl Backend {
    /// Whether it has Connection IDs (RFC 9146).
    #[must_use]
    pub const fn has_connection_ids(self) -> bool {
        matches!(self, Self::Native)
    }

    /// Whether it tells the secrets of sessions to a key log.
    #[must_use]
    pub const fn has_key_log(self) -> bool {
        matches!(self, Self::Native)
    }

    /// Whether it can authenticate a peer by a raw public key.
    #[must_use]
    pub const fn has_raw_public_keys(self) -> bool {
        matches!(self, Self::Native)
    }

    /// Whether it has a cipher suite.
    #[must_use]
    pub fn has_suite(self, suite: CipherSuite) -> bool {
        let by_library = match self {
            Self::Native => true,
            #[cfg(feature = "mbedtls")]
            Self::MbedTls => lwm2m_mbedtls::has_suite(suite.0),
        };
        by_library && suite.parts().is_some()
    }

    /// Whether it can do the mode of raw public keys.
    ///
    /// # Errors
    /// [`Unsupported::RawPublicKeys`].
    pub fn check_raw_public_keys(self) -> Result<(), Unsupported> {
        self.has_raw_public_keys().then_some(()).ok_or(Unsupported::RawPublicKeys)
    }

    /// Whether it takes a pre-shared key of this length.
    ///
    /// # Errors
    /// [`Unsupported::LongKey`].
    pub fn check_psk(self, key: &[u8]) -> Result<(), Unsupported> {
        let longest = match self {
            Self::Native => 64,
            #[cfg(feature = "mbedtls")]
            Self::MbedTls => lwm2m_mbedtls::MAX_PSK,
        };
        (key.len() <= longest).then_some(()).ok_or(Unsupported::LongKey)
    }
}

impl Config {
    /// Whether the backend can do what is configured. An endpoint made nevertheless refuses every
    /// session for the same reason.
    ///
    /// # Errors
    /// The first thing that the backend lacks.
    pub fn check(&self) -> Result<(), Unsupported> {
        match self.backend {
            Backend::Native => Ok(()),
            #[cfg(feature = "mbedtls")]
            Backend::MbedTls => crate::mbedtls::check(self),
        }
    }

    /// Whether the backend can do what a client's session asks for, as [`Endpoint::connect`] finds.
    ///
    /// # Errors
    /// The first thing that the backend lacks.
    pub fn check_profile(&self, profile: &ClientProfile) -> Result<(), Unsupported> {
        let is_native = self.backend == Backend::Native;
        let is_psk = matches!(profile.security, ClientSecurity::Psk { .. });
        if profile.tls13 && (!cfg!(feature = "tls13") || !is_native || is_psk) {
            return Err(Unsupported::Tls13);
        }
        match &profile.security {
            // A longer key is no profile at all.
            ClientSecurity::Psk { key, .. } if !is_native => self.backend.check_psk(key)?,
            ClientSecurity::RawPublicKey { .. } => self.backend.check_raw_public_keys()?,
            _ => {}
        }
        let strict = profile.require_extended_master_secret;
        match is_native {
            false if profile.record_size_limit.is_some() => Err(Unsupported::RecordSizeLimit),
            false if strict => Err(Unsupported::RequiredExtendedMasterSecret),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn backends_by_their_names() {
        assert_eq!("native".parse(), Ok(Backend::Native));
        assert_eq!("Native".parse::<Backend>(), Err(UnknownBackend::NoSuchName));
        #[cfg(feature = "mbedtls")]
        assert_eq!("mbedtls".parse(), Ok(Backend::MbedTls));
        #[cfg(not(feature = "mbedtls"))]
        assert_eq!("mbedtls".parse::<Backend>(), Err(UnknownBackend::NotBuilt));
        let how = UnknownBackend::NotBuilt.to_string();
        assert!(how.contains("--features mbedtls") && how.contains("cmake"), "{how}");
    }
}
