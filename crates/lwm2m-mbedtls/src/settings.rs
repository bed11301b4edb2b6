//! The settings of a connection.

use std::time::Duration;

/// A side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Sends the ClientHello.
    Client,
    /// Answers the ClientHello.
    Server,
}

/// The transport below a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Datagrams: DTLS.
    Datagram,
    /// A stream: TLS.
    Stream,
}

/// The settings of a connection.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Our side.
    pub role: Role,
    /// The transport.
    pub transport: Transport,
    /// The cipher suites, most preferred first, by their numbers in the IANA registry. The library
    /// ignores those that it does not support.
    pub suites: Vec<u16>,
    /// The longest datagram of a handshake, in bytes.
    pub mtu: u16,
    /// The first retransmission interval; it doubles each time.
    pub retransmit_after: Duration,
    /// The longest retransmission interval. The library never gives up by itself.
    pub retransmit_limit: Duration,
    /// The application protocol by its ALPN name (RFC 7301).
    pub application_protocol: Option<String>,
    /// The max_fragment_length that a client asks for: 1 to 4 for 512, 1024, 2048 or 4096 bytes
    /// (RFC 6066).
    pub max_fragment_length: Option<u8>,
    /// The name of the server, which a client sends as SNI (RFC 6066).
    pub server_name: Option<String>,
}
