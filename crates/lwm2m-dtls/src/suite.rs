//! Cipher suites.

use crate::mode::Mode;
use alloc::vec::Vec;
use core::fmt;

/// A cipher suite, by its number in the IANA registry. Unknown numbers are kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CipherSuite(pub u16);

/// The key exchange of a suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyExchangeKind {
    Psk,
    EcdhePsk,
    EcdheEcdsa,
}

/// The record protection of a suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cipher {
    Ccm8,
    Ccm,
    Gcm,
    CbcSha256,
}

impl Cipher {
    /// The length of the MAC key in the key block.
    pub(crate) fn mac_key_length(self) -> usize {
        if self == Self::CbcSha256 { 32 } else { 0 }
    }

    /// The length of the fixed part of the nonce in the key block.
    pub(crate) fn fixed_iv_length(self) -> usize {
        if self == Self::CbcSha256 { 0 } else { 4 }
    }
}

/// The supported suites in one table: name, number, key exchange, cipher.
macro_rules! suites {
    ($($name:ident = $number:literal, $exchange:ident, $cipher:ident;)*) => {
        impl CipherSuite {
            $(#[doc = concat!("`TLS_", stringify!($name), "`")]
              pub const $name: Self = Self($number);)*

            /// The registered name of a supported suite.
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some(concat!("TLS_", stringify!($name))),)*
                    Self(0x1301) => Some("TLS_AES_128_GCM_SHA256"),
                    Self(0x1302) => Some("TLS_AES_256_GCM_SHA384"),
                    Self(0x1303) => Some("TLS_CHACHA20_POLY1305_SHA256"),
                    _ => None,
                }
            }

            pub(crate) const fn parts(self) -> Option<(KeyExchangeKind, Cipher)> {
                match self {
                    $(Self::$name => Some((KeyExchangeKind::$exchange, Cipher::$cipher)),)*
                    _ => None,
                }
            }
        }
    };
}

suites! {
    PSK_WITH_AES_128_CCM_8 = 0xc0a8, Psk, Ccm8;
    PSK_WITH_AES_128_CCM = 0xc0a4, Psk, Ccm;
    PSK_WITH_AES_128_GCM_SHA256 = 0x00a8, Psk, Gcm;
    PSK_WITH_AES_128_CBC_SHA256 = 0x00ae, Psk, CbcSha256;
    ECDHE_PSK_WITH_AES_128_CCM_8_SHA256 = 0xd003, EcdhePsk, Ccm8;
    ECDHE_PSK_WITH_AES_128_CCM_SHA256 = 0xd005, EcdhePsk, Ccm;
    ECDHE_PSK_WITH_AES_128_GCM_SHA256 = 0xd001, EcdhePsk, Gcm;
    ECDHE_PSK_WITH_AES_128_CBC_SHA256 = 0xc037, EcdhePsk, CbcSha256;
    ECDHE_ECDSA_WITH_AES_128_CCM_8 = 0xc0ae, EcdheEcdsa, Ccm8;
    ECDHE_ECDSA_WITH_AES_128_CCM = 0xc0ac, EcdheEcdsa, Ccm;
    ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 = 0xc02b, EcdheEcdsa, Gcm;
    ECDHE_ECDSA_WITH_AES_128_CBC_SHA256 = 0xc023, EcdheEcdsa, CbcSha256;
}

impl CipherSuite {
    /// Not a suite but a signal: the client supports secure renegotiation (RFC 5746).
    pub(crate) const RENEGOTIATION_SCSV: Self = Self(0x00ff);
    /// Not a suite but a signal: the client falls back to a lower version (RFC 7507).
    pub(crate) const FALLBACK_SCSV: Self = Self(0x5600);

    /// Whether a handshake of this mode can agree on the suite; never if it is not supported.
    pub const fn suits(self, mode: Mode) -> bool {
        match (self.parts(), mode) {
            (Some((KeyExchangeKind::Psk | KeyExchangeKind::EcdhePsk, _)), Mode::Psk) => true,
            (Some((KeyExchangeKind::EcdheEcdsa, _)), mode) => !matches!(mode, Mode::Psk),
            _ => false,
        }
    }

    /// The default suites of a server, most preferred first.
    pub const SERVER_DEFAULTS: [Self; 12] = [
        Self::PSK_WITH_AES_128_CCM_8,
        Self::ECDHE_ECDSA_WITH_AES_128_CCM_8,
        Self::PSK_WITH_AES_128_CCM,
        Self::PSK_WITH_AES_128_GCM_SHA256,
        Self::ECDHE_PSK_WITH_AES_128_CCM_8_SHA256,
        Self::ECDHE_PSK_WITH_AES_128_CCM_SHA256,
        Self::ECDHE_PSK_WITH_AES_128_GCM_SHA256,
        Self::ECDHE_ECDSA_WITH_AES_128_CCM,
        Self::ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        Self::PSK_WITH_AES_128_CBC_SHA256,
        Self::ECDHE_PSK_WITH_AES_128_CBC_SHA256,
        Self::ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
    ];

    /// The default suites of a client with a pre-shared key.
    pub const PSK_DEFAULTS: [Self; 3] = [
        Self::PSK_WITH_AES_128_CCM_8,
        Self::PSK_WITH_AES_128_CCM,
        Self::PSK_WITH_AES_128_GCM_SHA256,
    ];

    /// The default suites of a client with a key pair.
    pub const ECDSA_DEFAULTS: [Self; 3] = [
        Self::ECDHE_ECDSA_WITH_AES_128_CCM_8,
        Self::ECDHE_ECDSA_WITH_AES_128_CCM,
        Self::ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    ];
}

/// The cipher suites that a client has offered, as far as they are known and at most the first 16.
/// Its `Display` goes on a sentence.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Offered {
    suites: Vec<CipherSuite>,
    /// How many there were in addition.
    more: usize,
}

impl Offered {
    /// The most suites that are kept.
    const MAX: usize = 16;

    pub(crate) fn new(suites: &[CipherSuite]) -> Self {
        let is_signal = |suite: &&CipherSuite| {
            matches!(**suite, CipherSuite::RENEGOTIATION_SCSV | CipherSuite::FALLBACK_SCSV)
        };
        let real = suites.iter().filter(|suite| !is_signal(suite));
        let more = real.clone().count().saturating_sub(Self::MAX);
        Self { suites: real.take(Self::MAX).copied().collect(), more }
    }

    /// The suites, in the order of the client.
    pub fn suites(&self) -> &[CipherSuite] {
        &self.suites
    }
}

impl fmt::Display for Offered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = " (the client offers";
        for suite in &self.suites {
            write!(f, "{words} {suite}")?;
            words = ",";
        }
        match (self.suites.is_empty(), self.more) {
            (true, _) => Ok(()),
            (false, 0) => f.write_str(")"),
            (false, more) => write!(f, " and {more} more)"),
        }
    }
}

impl fmt::Display for CipherSuite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{:#06x}", self.0),
        }
    }
}

impl fmt::Debug for CipherSuite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 5246 section 6.3, RFC 6655 section 3, RFC 5288 section 3, RFC 7366
    #[test]
    fn each_cipher_takes_its_part_of_the_key_block() {
        for (cipher, mac_key, fixed_iv) in [
            (Cipher::Ccm8, 0, 4),
            (Cipher::Ccm, 0, 4),
            (Cipher::Gcm, 0, 4),
            (Cipher::CbcSha256, 32, 0),
        ] {
            let lengths = (cipher.mac_key_length(), cipher.fixed_iv_length());
            assert_eq!(lengths, (mac_key, fixed_iv), "{cipher:?}");
        }
    }
}
