//! Our DTLS endpoint on a UDP socket, driven by the thread that calls it.

use super::{Error, PATIENCE};
use lwm2m_dtls::{ClientProfile, Config, Endpoint, Event, Resumption, SessionId};
use lwm2m_time::Instant;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant as Wall};

/// The fixed seed of the endpoint, so that runs repeat.
const SEED: [u8; 32] = [7; 32];
/// The longest wait for one datagram.
const POLL: Duration = Duration::from_millis(5);

/// An endpoint, its socket and its clock.
pub struct DtlsEndpoint {
    /// The endpoint.
    pub endpoint: Endpoint,
    socket: UdpSocket,
    start: Wall,
    seen: Option<(SocketAddr, SocketAddr)>,
}

impl DtlsEndpoint {
    /// Binds an endpoint to a free port of loopback. Its clock starts at the machine's time.
    ///
    /// # Errors
    /// The operating system refuses the socket.
    pub fn open(mut config: Config) -> Result<Self, Error> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        config.unix_time_of_origin = now.unwrap_or_default();
        Ok(Self {
            endpoint: Endpoint::new(config, SEED),
            socket: socket()?,
            start: Wall::now(),
            seen: None,
        })
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

    /// Continues from another port, as behind a NAT that dropped its mapping.
    ///
    /// # Errors
    /// The operating system refuses the socket.
    pub fn rebind(&mut self) -> Result<(), Error> {
        self.socket = socket()?;
        Ok(())
    }

    /// From now on the endpoint knows the peer at `real` by the address `seen`, as behind a NAT.
    pub const fn disguise(&mut self, real: SocketAddr, seen: SocketAddr) {
        self.seen = Some((real, seen));
    }

    /// Starts a session as client, by a full handshake or by resumption.
    ///
    /// # Errors
    /// The profile cannot make a handshake.
    pub fn connect(
        &mut self,
        to: SocketAddr,
        profile: ClientProfile,
        resumption: Option<Arc<Resumption>>,
    ) -> Result<SessionId, lwm2m_dtls::Error> {
        let (now, profile) = (self.now(), Arc::new(profile));
        match resumption {
            None => self.endpoint.connect(now, to, profile),
            Some(resumption) => self.endpoint.resume(now, to, profile, resumption),
        }
    }

    /// Sends application data.
    ///
    /// # Errors
    /// The session is not established, or the data are too long for it.
    pub fn send(&mut self, session: SessionId, text: &str) -> Result<(), lwm2m_dtls::Error> {
        let now = self.now();
        self.endpoint.send(now, session, text.as_bytes())
    }

    /// Drives the endpoint until an event comes for which `found` has a value.
    ///
    /// # Errors
    /// [`Error::Garbled`] with all other events after [`PATIENCE`].
    pub fn until<T>(&mut self, found: impl Fn(&Event) -> Option<T>) -> Result<T, Error> {
        let deadline = Wall::now() + PATIENCE;
        let mut log = Vec::new();
        while Wall::now() < deadline {
            self.turn();
            while let Some(event) = self.endpoint.poll_event() {
                if let Some(value) = found(&event) {
                    return Ok(value);
                }
                log.push(event);
            }
        }
        Err(Error::Garbled { what: "the events of DTLS", text: format!("{log:?}") })
    }

    /// Sends pending output and handles a datagram, if one arrives soon.
    pub fn turn(&mut self) {
        while let Some(sent) = self.endpoint.poll_transmit() {
            let to = self.seen.filter(|it| it.1 == sent.peer).map_or(sent.peer, |it| it.0);
            // The peer may not listen yet: the endpoint resends the flight.
            let _ = self.socket.send_to(&sent.payload, to);
        }
        let mut buffer = [0; 2048];
        // An error is a timeout, or an ICMP message that the peer's socket is closed.
        if let Ok((length, from)) = self.socket.recv_from(&mut buffer) {
            let from = self.seen.filter(|it| it.0 == from).map_or(from, |it| it.1);
            let datagram = buffer.get(..length).unwrap_or_default();
            self.endpoint.handle_datagram(self.now(), from, datagram);
        }
        let now = self.now();
        self.endpoint.handle_timeout(now);
    }
}

fn socket() -> Result<UdpSocket, Error> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Error::io("UDP socket"))?;
    socket.set_read_timeout(Some(POLL)).map_err(Error::io("UDP socket"))?;
    Ok(socket)
}
