//! The backends that implement DTLS and TLS, and what each supports.

use crate::suite::CipherSuite;
use crate::unsupported::Unsupported;
use core::fmt;
use core::str::FromStr;

/// The implementation of DTLS and TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// The implementation of this crate: every mode and option.
    #[default]
    Native,
    /// Mbed TLS 2.28: pre-shared keys and certificates.
    #[cfg(feature = "mbedtls")]
    MbedTls,
}

/// A name that selects no backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnknownBackend {
    /// The backend exists, but this program is built without it.
    #[error(
        "this program is built without Mbed TLS: build it with `--features mbedtls`, which needs \
         cmake and libclang, or use the native backend"
    )]
    NotBuilt,
    /// No backend has this name.
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
    /// Whether it supports Connection IDs (RFC 9146).
    #[must_use]
    pub const fn has_connection_ids(self) -> bool {
        matches!(self, Self::Native)
    }

    /// Whether it writes the secrets of sessions to a key log.
    #[must_use]
    pub const fn has_key_log(self) -> bool {
        matches!(self, Self::Native)
    }

    /// Whether it can authenticate a peer by a raw public key (RFC 7250).
    #[must_use]
    pub const fn has_raw_public_keys(self) -> bool {
        matches!(self, Self::Native)
    }

    /// Checks that it can export and import sessions.
    pub(crate) fn check_export(self) -> Result<(), Unsupported> {
        matches!(self, Self::Native).then_some(()).ok_or(Unsupported::Export)
    }

    /// Whether it supports a cipher suite.
    #[must_use]
    pub fn has_suite(self, suite: CipherSuite) -> bool {
        let by_library = match self {
            Self::Native => true,
            #[cfg(feature = "mbedtls")]
            Self::MbedTls => lwm2m_mbedtls::has_suite(suite.0),
        };
        by_library && suite.parts().is_some()
    }

    /// Checks that it supports raw public keys.
    ///
    /// # Errors
    /// [`Unsupported::RawPublicKeys`].
    pub fn check_raw_public_keys(self) -> Result<(), Unsupported> {
        self.has_raw_public_keys().then_some(()).ok_or(Unsupported::RawPublicKeys)
    }

    /// Checks that it supports a pre-shared key of this length.
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
