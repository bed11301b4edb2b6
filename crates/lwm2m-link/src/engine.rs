//! The contract between a sans-IO engine and whatever drives it: a socket loop or a simulator.

use bytes::Bytes;
use core::net::SocketAddr;
use lwm2m_coap::PeerId;
use lwm2m_time::Instant;

/// A datagram that an engine wants sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transmit {
    /// The address to send it to.
    pub to: SocketAddr,
    /// The datagram.
    pub payload: Bytes,
    /// Whether it leaves from the port for coaps, which speaks DTLS, or from the one for coap.
    pub secured: bool,
}

/// What an engine wants done with connections: TCP, whether TLS is spoken on it or not. A connection goes by the name of the
/// peer at its other end, which no other connection ever has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StreamAction {
    /// Connect to an address. If that fails, the answer is [`Engine::handle_disconnected`].
    Open {
        /// The name of the connection.
        peer: PeerId,
        /// Where to.
        to: SocketAddr,
    },
    /// Send the next bytes. They wait if the connection is not established yet.
    Write {
        /// The connection.
        peer: PeerId,
        /// The bytes.
        payload: Bytes,
    },
    /// Send what is still to be sent, then close. The name means nothing any more.
    Close {
        /// The connection.
        peer: PeerId,
    },
}

/// A sans-IO engine: it has no socket and no clock, so a daemon and a test run the same code.
///
/// A driver loops: one input ([`handle_datagram`](Engine::handle_datagram),
/// [`handle_timeout`](Engine::handle_timeout), or a mutator of the engine), then
/// [`poll_transmit`](Engine::poll_transmit), [`poll_stream`](Engine::poll_stream) and
/// [`poll_event`](Engine::poll_event) until none has anything left, then wait for the next input until [`poll_timeout`](Engine::poll_timeout).
pub trait Engine {
    /// What the engine tells its application.
    type Event;

    /// A datagram arrived. Whatever its bytes are, this neither fails nor panics.
    fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]);

    /// A datagram arrived at the port for coaps, which speaks DTLS and nothing else. Engines without
    /// security ignore it.
    fn handle_secured_datagram(&mut self, _now: Instant, _from: SocketAddr, _datagram: &[u8]) {}

    /// The time that [`Engine::poll_timeout`] named has come; calling it earlier does nothing.
    fn handle_timeout(&mut self, now: Instant);

    /// The next datagram to send.
    fn poll_transmit(&mut self) -> Option<Transmit>;

    /// When [`Engine::handle_timeout`] wants to be called, if nothing else happens before.
    fn poll_timeout(&self) -> Option<Instant>;

    /// The next event for the application.
    fn poll_event(&mut self) -> Option<Self::Event>;

    /// Somebody connected from an address, to the port for coaps+tcp if `secured`; the name of the
    /// connection, or `None` to refuse it. Engines that know datagrams only keep this and the
    /// following methods as they are.
    fn handle_connected(
        &mut self,
        _now: Instant,
        _from: SocketAddr,
        _secured: bool,
    ) -> Option<PeerId> {
        None
    }

    /// The next bytes of a connection arrived, cut anywhere. Whatever they are, this neither fails
    /// nor panics.
    fn handle_stream(&mut self, _now: Instant, _peer: PeerId, _bytes: &[u8]) {}

    /// A connection has ended or could not be established; after [`StreamAction::Close`] this says
    /// nothing new.
    fn handle_disconnected(&mut self, _now: Instant, _peer: PeerId) {}

    /// The next thing to do with a connection. Comes after [`Engine::poll_transmit`], which sorts
    /// what is to be sent.
    fn poll_stream(&mut self) -> Option<StreamAction> {
        None
    }
}
