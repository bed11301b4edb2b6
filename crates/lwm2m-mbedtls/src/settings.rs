//! What a connection is made with.

use std::time::Duration;

/// Which side of a connection we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// We began it.
    Client,
    /// The peer began it.
    Server,
}

/// What carries a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Datagrams: DTLS.
    Datagram,
    /// A stream: TLS.
    Stream,
}

/// What a connection is made with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which side we are.
    pub role: Role,
    /// What carries it.
    pub transport: Transport,
    /// The suites, most preferred first, by their numbers; what the library lacks is left out.
    pub suites: Vec<u16>,
    /// How many bytes a datagram of a handshake has at most.
    pub mtu: u16,
    /// When a flight is sent again for the first time; doubles each time.
    pub retransmit_after: Duration,
    /// What it doubles up to. The library never gives up by itself.
    pub retransmit_limit: Duration,
    /// What is spoken above, by its name for ALPN (RFC 7301).
    pub application_protocol: Option<String>,
    /// max_fragment_length to ask for as a client: 1 to 4 (RFC 6066).
    pub max_fragment_length: Option<u8>,
    /// The name of the server, for SNI as a client.
    pub server_name: Option<String>,
}
