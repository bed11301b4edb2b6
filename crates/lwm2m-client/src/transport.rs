//! Which transport carries the messages of a server: datagrams, or a connection (OMA LwM2M
//! Transport 6.2 and 6.6).

use core::net::SocketAddr;
use lwm2m_coap::uri::Uri;
use lwm2m_core::BindingMode;

/// What carries messages, secured or not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Transport {
    /// Binding U.
    Udp,
    /// Binding T.
    Tcp,
}

impl Transport {
    /// What the scheme of a server URI asks for.
    pub(crate) fn of(uri: &str) -> Self {
        match Uri::parse(uri).is_ok_and(|uri| uri.scheme.is_connection()) {
            true => Self::Tcp,
            false => Self::Udp,
        }
    }

    /// The transport of a letter, if this client has it.
    pub(crate) fn from_letter(letter: &str) -> Option<Self> {
        match letter {
            "U" => Some(Self::Udp),
            "T" => Some(Self::Tcp),
            _ => None,
        }
    }

    pub(crate) const fn binding(self) -> BindingMode {
        match self {
            Self::Udp => BindingMode::U,
            Self::Tcp => BindingMode::T,
        }
    }

    pub(crate) const fn letter(self) -> char {
        match self {
            Self::Udp => 'U',
            Self::Tcp => 'T',
        }
    }
}

/// Whether two addresses are the same, however the socket writes IPv4.
pub(crate) fn same_address(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() == other.port() && one.ip().to_canonical() == other.ip().to_canonical()
}
