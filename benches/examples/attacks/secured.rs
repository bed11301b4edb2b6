//! A device's end of a DTLS session.

use crate::Outcome;
use bytes::Bytes;
use lwm2m_dtls::crypto::AwsLc;
use lwm2m_dtls::{ClientProfile, ClientSecurity, Config, Endpoint, Event, SessionId};
use lwm2m_time::Instant;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use zeroize::Zeroizing;

/// The key of all devices with a pre-shared key.
pub(crate) const KEY: &[u8] = b"0123456789abcdef";

pub(crate) fn pre_shared(identity: &'static str) -> Arc<ClientProfile> {
    let (identity, key) = (Bytes::from(identity), Zeroizing::new(KEY.to_vec()));
    Arc::new(ClientProfile::new(ClientSecurity::Psk { identity, key }))
}

/// A session, or the beginning of one.
pub(crate) struct Secured {
    socket: UdpSocket,
    server: SocketAddr,
    endpoint: Endpoint,
    session: SessionId,
    start: std::time::Instant,
    /// The bytes that it has sent.
    pub(crate) sent: usize,
}

impl Secured {
    /// Sends the first hello.
    pub(crate) fn begin(server: SocketAddr, profile: Arc<ClientProfile>) -> Outcome<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect(server)?;
        let start = std::time::Instant::now();
        let mut config = Config::default();
        config.provider = Arc::new(AwsLc);
        config.unix_time_of_origin = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        let mut endpoint = Endpoint::new(config, lwm2m_net::seed()?);
        let session = endpoint.connect(Instant::ZERO, server, profile)?;
        let mut begun = Self { socket, server, endpoint, session, start, sent: 0 };
        begun.flush()?;
        Ok(begun)
    }

    /// Makes a handshake.
    pub(crate) fn connect(
        server: SocketAddr,
        profile: Arc<ClientProfile>,
        patience: Duration,
    ) -> Outcome<Self> {
        let mut secured = Self::begin(server, profile)?;
        match secured.ended(patience)? {
            None => Ok(secured),
            Some(reason) => Err(reason.into()),
        }
    }

    /// Goes through the handshake; the reason if it fails.
    pub(crate) fn ended(&mut self, patience: Duration) -> Outcome<Option<String>> {
        loop {
            match self.endpoint.poll_event() {
                Some(Event::Connected { .. }) => return Ok(None),
                Some(Event::Failed { reason, .. }) => return Ok(Some(reason.to_string())),
                Some(_) => {}
                None if self.start.elapsed() > patience => return Ok(Some("no answer".to_owned())),
                None => {
                    // The flight is sent again when its time is over.
                    let due =
                        self.endpoint.poll_timeout().map(|at| at.saturating_since(self.now()));
                    self.receive(
                        due.unwrap_or(patience).clamp(Duration::from_millis(1), patience),
                    )?;
                    self.endpoint.handle_timeout(self.now());
                    self.flush()?;
                }
            }
        }
    }

    /// Handles what arrives next and answers it; `false` if nothing does.
    pub(crate) fn receive(&mut self, patience: Duration) -> Outcome<bool> {
        self.socket.set_read_timeout(Some(patience))?;
        let mut buffer = [0; 2048];
        match self.socket.recv(&mut buffer) {
            Ok(length) => {
                let datagram = buffer.get(..length).unwrap_or_default();
                self.endpoint.handle_datagram(self.now(), self.server, datagram);
                self.flush()?;
                Ok(true)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Sends a message and waits for what comes back in the session.
    pub(crate) fn ask(&mut self, message: &[u8], patience: Duration) -> Outcome<Option<Bytes>> {
        self.endpoint.send(self.now(), self.session, message)?;
        self.flush()?;
        loop {
            match self.endpoint.poll_event() {
                Some(Event::Data { data, .. }) => return Ok(Some(data)),
                Some(Event::Closed { cause, .. }) => return Err(format!("{cause:?}").into()),
                Some(_) => {}
                None if self.receive(patience)? => {}
                None => return Ok(None),
            }
        }
    }

    fn now(&self) -> Instant {
        Instant::ZERO + self.start.elapsed()
    }

    fn flush(&mut self) -> Outcome<()> {
        while let Some(datagram) = self.endpoint.poll_transmit() {
            self.sent += self.socket.send(&datagram.payload)?;
        }
        Ok(())
    }
}
