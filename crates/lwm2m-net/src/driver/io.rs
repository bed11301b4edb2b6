//! What a driver needs of its surroundings.

use lwm2m_link::{ConnectionId, Lsn, StreamAction, Transmit, Write};
use lwm2m_time::Instant;
use std::net::SocketAddr;

/// Datagram sockets, connections, a clock and a store: the sockets of tokio and a [`Writer`], or a
/// simulation.
///
/// There are two ports for datagrams: the one for coap, and the one for coaps, which is meant
/// wherever `secured` is set.
///
/// [`Writer`]: lwm2m_store::Writer
pub trait Io {
    /// The time.
    fn now(&self) -> Instant;

    /// Sends a datagram. Returns `false` if the socket is full: the driver keeps the datagram and
    /// sends it again after [`Wake::Writable`]. A datagram that cannot be sent for another reason
    /// counts as sent, because it is as good as lost on the way.
    fn try_send(&mut self, transmit: &Transmit) -> bool;

    /// Passes datagrams that have arrived at a port to `take`: a bounded number at a time.
    fn receive(&mut self, secured: bool, take: &mut dyn FnMut(SocketAddr, &[u8]));

    /// Does what the engine wants with a connection. Returns `false` if the connection had to be
    /// cut instead.
    fn act(&mut self, action: StreamAction) -> bool;

    /// Takes what the engine wants kept, without waiting: all of it becomes durable at once, or none.
    /// [`Wake::Written`] or [`Wake::WriteFailed`] follows. Without a store it is dropped: an engine is
    /// told at its making whether there is one.
    fn write(&mut self, writes: Vec<Write>);

    /// Waits for the next thing that happens, at most until `until`. The driver drops the future
    /// when something else happens first: nothing may be lost by that.
    fn wait(
        &mut self,
        until: Option<Instant>,
        full: FullPorts,
    ) -> impl Future<Output = Wake> + Send;
}

/// The ports whose sockets are full.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct FullPorts {
    /// The port for coap.
    pub plain: bool,
    /// The port for coaps.
    pub secured: bool,
}

/// Why a driver wakes up.
#[derive(Debug)]
pub enum Wake {
    /// Datagrams have arrived at a port.
    Readable {
        /// Whether it is the port for coaps.
        secured: bool,
    },
    /// A socket that was full takes datagrams again.
    Writable {
        /// Whether it is the port for coaps.
        secured: bool,
    },
    /// A connection was accepted.
    Connected {
        /// Its name.
        connection: ConnectionId,
        /// The remote address.
        from: SocketAddr,
        /// Whether it was accepted at the port for coaps+tcp.
        secured: bool,
    },
    /// The next bytes of a connection arrived.
    Stream {
        /// The connection.
        connection: ConnectionId,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// A connection has ended, or could not be opened.
    Disconnected {
        /// The connection.
        connection: ConnectionId,
    },
    /// All that the engine wanted kept up to a position is durable.
    Written(Lsn),
    /// What the engine wanted kept up to a position is not durable yet.
    WriteFailed(Lsn),
    /// The time that was waited for has come.
    Timeout,
}
