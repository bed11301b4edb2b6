//! Types and headers of handshake messages: RFC 5246 section 7.4, RFC 6347 section 4.2.2.

use crate::record::header::{TLS_VERSION, VERSION};
use crate::wire::put_u24;
use alloc::vec::Vec;

/// The type of a handshake message. Unknown numbers are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MessageType(pub(crate) u8);

impl MessageType {
    pub(crate) const HELLO_REQUEST: Self = Self(0);
    pub(crate) const CLIENT_HELLO: Self = Self(1);
    pub(crate) const SERVER_HELLO: Self = Self(2);
    pub(crate) const HELLO_VERIFY_REQUEST: Self = Self(3);
    pub(crate) const NEW_SESSION_TICKET: Self = Self(4);
    pub(crate) const CERTIFICATE: Self = Self(11);
    pub(crate) const SERVER_KEY_EXCHANGE: Self = Self(12);
    pub(crate) const CERTIFICATE_REQUEST: Self = Self(13);
    pub(crate) const SERVER_HELLO_DONE: Self = Self(14);
    pub(crate) const CERTIFICATE_VERIFY: Self = Self(15);
    pub(crate) const CLIENT_KEY_EXCHANGE: Self = Self(16);
    pub(crate) const FINISHED: Self = Self(20);
}

/// The transport below a handshake. It decides message headers, version numbers and cookies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// DTLS: headers of 12 bytes, as if each message were a single fragment.
    Datagram,
    /// TLS: headers of 4 bytes.
    Stream,
}

impl Framing {
    /// The number of version 1.2.
    pub(crate) const fn version(self) -> u16 {
        match self {
            Self::Datagram => VERSION,
            Self::Stream => TLS_VERSION,
        }
    }

    /// Whether a client that supports versions up to `offered` supports 1.2. DTLS counts downwards.
    pub(crate) const fn is_within(self, offered: u16) -> bool {
        match self {
            Self::Datagram => offered <= self.version(),
            Self::Stream => offered >= self.version(),
        }
    }

    /// The length of a message header in bytes.
    pub(crate) const fn header_length(self) -> usize {
        match self {
            Self::Datagram => 12,
            Self::Stream => 4,
        }
    }
}

/// Returns a message with its header; on datagrams that of a single fragment.
pub(crate) fn frame(framing: Framing, kind: MessageType, sequence: u16, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(framing.header_length() + body.len());
    out.push(kind.0);
    put_u24(&mut out, body.len());
    if framing == Framing::Datagram {
        out.extend_from_slice(&sequence.to_be_bytes());
        put_u24(&mut out, 0);
        put_u24(&mut out, body.len());
    }
    out.extend_from_slice(body);
    out
}
