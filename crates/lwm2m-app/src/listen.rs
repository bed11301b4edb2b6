//! Addresses to listen on.

use serde::Deserialize;
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

/// An address to listen on, or the word `off`.
#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(try_from = "String")]
pub enum Listen {
    /// Nothing is listened on.
    Off,
    /// The address; port 0 is any free one.
    At(SocketAddr),
}

impl Listen {
    /// The address, unless it is off.
    #[must_use]
    pub const fn address(self) -> Option<SocketAddr> {
        match self {
            Self::Off => None,
            Self::At(address) => Some(address),
        }
    }
}

impl From<SocketAddr> for Listen {
    fn from(address: SocketAddr) -> Self {
        Self::At(address)
    }
}

/// A text is neither an address nor `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoAddress;

impl fmt::Display for NoAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "give an IP address with a port, such as 0.0.0.0:5684 or [fe80::1%eth0]:5684, or `off`",
        )
    }
}

impl std::error::Error for NoAddress {}

impl FromStr for Listen {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        match text {
            "off" => Ok(Self::Off),
            _ => crate::address::parse(text).map(Self::At).map_err(|_| NoAddress),
        }
    }
}

impl TryFrom<String> for Listen {
    type Error = NoAddress;

    fn try_from(text: String) -> Result<Self, NoAddress> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_or_off() {
        let at = SocketAddr::from(([127, 0, 0, 1], 5684));
        assert_eq!("127.0.0.1:5684".parse(), Ok(Listen::At(at)));
        assert_eq!("off".parse(), Ok(Listen::Off));
        assert!("[fe80::1%lo]:5684".parse::<Listen>().is_ok(), "an address with a zone");
        for text in ["", "Off", "localhost:5684", "127.0.0.1"] {
            assert_eq!(text.parse::<Listen>(), Err(NoAddress), "{text}");
        }
        assert_eq!((Listen::At(at).address(), Listen::Off.address()), (Some(at), None));
    }
}
