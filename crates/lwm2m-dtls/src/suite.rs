//! Cipher suites and what each is made of.

use crate::config::Mode;
use core::fmt;

/// A cipher suite: its number in the registry of IANA.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CipherSuite(pub u16);

/// How the premaster secret comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyExchangeKind {
    Psk,
    EcdhePsk,
    EcdheEcdsa,
}

/// How records are protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cipher {
    Ccm8,
    Ccm,
    Gcm,
    CbcSha256,
}

impl Cipher {
    /// Length of the MAC key in the key block.
    pub(crate) fn mac_key_length(self) -> usize {
        if self == Self::CbcSha256 { 32 } else { 0 }
    }

    /// Length of the fixed part of the nonce in the key block.
    pub(crate) fn fixed_iv_length(self) -> usize {
        if self == Self::CbcSha256 { 0 } else { 4 }
    }
}

/// The suites spoken here, as one table: number, name, key exchange, cipher.
macro_rules! suites {
    ($($name:ident = $number:literal, $exchange:ident, $cipher:ident;)*) => {
        impl CipherSuite {
            $(#[doc = concat!("`TLS_", stringify!($name), "`")]
              pub const $name: Self = Self($number);)*

            /// The registered name, for the suites spoken here and those of TLS 1.3.
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
    /// Renegotiation is safe: no suite, but a signal in the list of suites (RFC 5746).
    pub(crate) const RENEGOTIATION_SCSV: Self = Self(0x00ff);
    /// The client has more than it offers, and tries again with less (RFC 7507): no suite either.
    pub(crate) const FALLBACK_SCSV: Self = Self(0x5600);

    /// Whether a handshake of this mode can agree on the suite; never for one not spoken here.
    pub const fn suits(self, mode: Mode) -> bool {
        match (self.parts(), mode) {
            (Some((KeyExchangeKind::Psk | KeyExchangeKind::EcdhePsk, _)), Mode::Psk) => true,
            (Some((KeyExchangeKind::EcdheEcdsa, _)), mode) => !matches!(mode, Mode::Psk),
            _ => false,
        }
    }

    /// What a server accepts by default, in its order of preference.
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

    /// What a client with a pre-shared key offers by default.
    pub const PSK_DEFAULTS: [Self; 3] = [
        Self::PSK_WITH_AES_128_CCM_8,
        Self::PSK_WITH_AES_128_CCM,
        Self::PSK_WITH_AES_128_GCM_SHA256,
    ];

    /// What a client with a key pair offers by default.
    pub const ECDSA_DEFAULTS: [Self; 3] = [
        Self::ECDHE_ECDSA_WITH_AES_128_CCM_8,
        Self::ECDHE_ECDSA_WITH_AES_128_CCM,
        Self::ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    ];
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
