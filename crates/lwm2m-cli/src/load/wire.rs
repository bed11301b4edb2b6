//! The transport of one socket: plain datagrams or a DTLS session on them.

use super::generator::LoadError;
use super::sender::DATAGRAM;
use lwm2m_dtls::{Endpoint, Event, SessionId};
use lwm2m_net::Clock;
use lwm2m_net::coap::Security;
use lwm2m_time::Instant;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::UdpSocket;

/// A socket connected to one server.
pub(super) struct Wire {
    socket: UdpSocket,
    session: Option<Box<Session>>,
}

struct Session {
    endpoint: Endpoint,
    id: SessionId,
    server: SocketAddr,
}

impl Wire {
    /// Opens a socket; with security, it comes with an established session.
    pub(super) async fn open(
        server: SocketAddr,
        security: Option<&Security>,
        clock: Clock,
        seed: [u8; 32],
    ) -> Result<Self, LoadError> {
        let mut wire = Self { socket: connect(server).await?, session: None };
        if let Some(Security { config, profile }) = security {
            let mut endpoint = Endpoint::new(config.clone(), seed);
            let id = endpoint.connect(clock.now(), server, Arc::clone(profile))?;
            wire.session = Some(Box::new(Session { endpoint, id, server }));
            wire.handshake(clock).await?;
        }
        Ok(wire)
    }

    async fn handshake(&mut self, clock: Clock) -> Result<(), LoadError> {
        let mut datagram = [0; DATAGRAM];
        while let Some(session) = &mut self.session {
            session.flush(&self.socket);
            match session.endpoint.poll_event() {
                Some(Event::Connected { .. }) => break,
                Some(Event::Failed { reason, .. }) => return Err(LoadError::NoSession(reason)),
                _ => {}
            }
            let due = session.endpoint.poll_timeout().unwrap_or_else(|| clock.now());
            match tokio::time::timeout_at(clock.to_tokio(due), self.socket.readable()).await {
                Ok(_) => while session.take(&self.socket, clock.now(), &mut datagram) {},
                Err(_) => session.endpoint.handle_timeout(clock.now()),
            }
        }
        Ok(())
    }

    pub(super) async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await
    }

    /// Sends a message; a full socket loses it, as a network may.
    pub(super) fn send(&mut self, now: Instant, message: &[u8]) {
        match &mut self.session {
            Some(session) => {
                let _ = session.endpoint.send(now, session.id, message);
                session.flush(&self.socket);
            }
            None => drop(self.socket.try_send(message)),
        }
    }

    /// Reads the next message into `buffer` and returns its length. `None`: nothing has arrived, or
    /// only an ICMP error, which retransmission covers.
    pub(super) fn receive(&mut self, now: Instant, buffer: &mut [u8]) -> Option<usize> {
        let Some(session) = &mut self.session else { return self.socket.try_recv(buffer).ok() };
        loop {
            match session.endpoint.poll_event() {
                Some(Event::Data { data, .. }) => {
                    buffer.get_mut(..data.len())?.copy_from_slice(&data);
                    return Some(data.len());
                }
                Some(_) => {}
                None if session.take(&self.socket, now, buffer) => {}
                None => return None,
            }
        }
    }
}

impl Session {
    /// Takes in a datagram, if there is one.
    fn take(&mut self, socket: &UdpSocket, now: Instant, buffer: &mut [u8]) -> bool {
        let Ok(length) = socket.try_recv(buffer) else { return false };
        let datagram = buffer.get(..length).unwrap_or_default();
        self.endpoint.handle_datagram(now, self.server, datagram);
        true
    }

    fn flush(&mut self, socket: &UdpSocket) {
        while let Some(sent) = self.endpoint.poll_transmit() {
            // A full socket loses it, as a network may.
            let _ = socket.try_send(&sent.payload);
        }
    }
}

async fn connect(server: SocketAddr) -> io::Result<UdpSocket> {
    let any = match server {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(server).await?;
    // Before the first sending, the runtime does not know that the socket can send.
    socket.writable().await?;
    Ok(socket)
}
