//! Our CoAP endpoint on a UDP socket, driven by the thread that calls it.

use super::{Error, PATIENCE};
use lwm2m_coap::{Config, Endpoint, Event, PeerId};
use lwm2m_time::Instant;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant as Wall};

/// The fixed seed of the endpoint, so that runs repeat.
const SEED: [u8; 32] = [7; 32];
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// An endpoint, its socket and its clock.
#[derive(Debug)]
pub struct UdpEndpoint {
    /// The endpoint.
    pub endpoint: Endpoint,
    socket: UdpSocket,
    start: Wall,
    peers: Vec<SocketAddr>,
}

impl UdpEndpoint {
    /// An endpoint on a free port of loopback.
    ///
    /// # Errors
    /// The operating system refuses the socket.
    pub fn open() -> Result<Self, Error> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Error::io("UDP socket"))?;
        let endpoint = Endpoint::new(Config::default(), SEED);
        Ok(Self { endpoint, socket, start: Wall::now(), peers: Vec::new() })
    }

    /// The address of the socket.
    ///
    /// # Errors
    /// The operating system does not tell it.
    pub fn address(&self) -> Result<SocketAddr, Error> {
        self.socket.local_addr().map_err(Error::io("UDP socket"))
    }

    /// The time of the endpoint's clock.
    #[must_use]
    pub fn now(&self) -> Instant {
        Instant::ZERO + self.start.elapsed()
    }

    /// The peer at an address.
    pub fn peer(&mut self, address: SocketAddr) -> PeerId {
        let known = self.peers.iter().position(|it| *it == address);
        let place = known.unwrap_or_else(|| {
            self.peers.push(address);
            self.peers.len() - 1
        });
        PeerId(u64::try_from(place).unwrap_or(u64::MAX))
    }

    /// Sends and receives until the endpoint has an event; `None` after `patience`.
    ///
    /// # Errors
    /// The socket fails.
    pub fn next_event(&mut self, patience: Duration) -> Result<Option<Event>, Error> {
        let deadline = self.now() + patience.min(PATIENCE);
        loop {
            while let Some(transmit) = self.endpoint.poll_transmit() {
                let place = usize::try_from(transmit.peer.0).unwrap_or(usize::MAX);
                if let Some(to) = self.peers.get(place) {
                    self.socket.send_to(&transmit.payload, to).map_err(Error::io("UDP send"))?;
                }
            }
            if let Some(event) = self.endpoint.poll_event() {
                return Ok(Some(event));
            }
            if self.now() >= deadline {
                return Ok(None);
            }
            self.receive(deadline)?;
        }
    }

    fn receive(&mut self, deadline: Instant) -> Result<(), Error> {
        let wake = self.endpoint.poll_timeout().map_or(deadline, |it| it.min(deadline));
        let wait = wake.saturating_since(self.now()).max(SHORTEST_WAIT);
        self.socket.set_read_timeout(Some(wait)).map_err(Error::io("UDP socket"))?;
        let mut buffer = [0; 2048];
        // An error is a timeout, or an ICMP message that the peer's socket is closed.
        if let Ok((length, from)) = self.socket.recv_from(&mut buffer) {
            let (peer, now) = (self.peer(from), self.now());
            self.endpoint.handle_datagram(now, peer, buffer.get(..length).unwrap_or_default());
        }
        let now = self.now();
        self.endpoint.handle_timeout(now);
        Ok(())
    }
}
