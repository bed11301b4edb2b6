//! The contract between a sans-IO engine and whatever drives it: a socket loop or a simulator.

use bytes::Bytes;
use core::net::SocketAddr;
use lwm2m_time::Instant;

/// A datagram that an engine wants sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transmit {
    /// The address to send it to.
    pub to: SocketAddr,
    /// The datagram.
    pub payload: Bytes,
}

/// A sans-IO engine: it has no socket and no clock, so a daemon and a test run the same code.
///
/// A driver loops: one input ([`handle_datagram`](Engine::handle_datagram),
/// [`handle_timeout`](Engine::handle_timeout), or a mutator of the engine), then
/// [`poll_transmit`](Engine::poll_transmit) and [`poll_event`](Engine::poll_event) until both
/// have nothing left, then wait for the next input until [`poll_timeout`](Engine::poll_timeout).
pub trait Engine {
    /// What the engine tells its application.
    type Event;

    /// A datagram arrived. Whatever its bytes are, this neither fails nor panics.
    fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]);

    /// The time that [`Engine::poll_timeout`] named has come; calling it earlier does nothing.
    fn handle_timeout(&mut self, now: Instant);

    /// The next datagram to send.
    fn poll_transmit(&mut self) -> Option<Transmit>;

    /// When [`Engine::handle_timeout`] wants to be called, if nothing else happens before.
    fn poll_timeout(&self) -> Option<Instant>;

    /// The next event for the application.
    fn poll_event(&mut self) -> Option<Self::Event>;
}
