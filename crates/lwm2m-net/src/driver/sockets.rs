//! The I/O of a driver on the sockets of tokio, and with a store's writer.

use super::io::{FullPorts, Io, Wake};
use crate::clock::Clock;
use crate::tcp::Connections;
use lwm2m_coap::uri::Scheme;
use lwm2m_link::{StreamAction, Transmit, Write};
use lwm2m_store::{Progress, Writer};
use lwm2m_time::Instant;
use socket2::{Domain, Protocol, Socket, Type};
use std::future::pending;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::net::UdpSocket;

/// Datagrams taken from the socket before the engine's output is looked at.
const BATCH: usize = 64;
/// The receive buffer that is asked for, in bytes.
const RECEIVE_BUFFER: usize = 4 << 20;
/// Room for the connections of an engine by default, and for those that are closing.
const MAX_ACCEPTED: usize = 11_000;
/// The largest UDP payload; longer ones do not exist.
const DATAGRAM: usize = 65_536;

/// The addresses to bind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sockets {
    /// The address for datagrams of coap; port 0 is any free one.
    pub udp: Option<SocketAddr>,
    /// The address for datagrams of coaps. The port speaks DTLS only.
    pub dtls: Option<SocketAddr>,
    /// The address to accept connections for coap+tcp on. Without one, connections are opened only.
    pub tcp: Option<SocketAddr>,
    /// The address to accept connections for coaps+tcp on.
    pub tls: Option<SocketAddr>,
    /// Whether other sockets of this user may share the UDP ports: the kernel then gives each peer
    /// to one of them.
    pub share_port: bool,
    /// The most accepted connections, those included that are closing; others wait in the queue of
    /// the operating system. Each takes a file descriptor. Default: 11,000.
    pub max_accepted: usize,
}

/// For connections that this side opens, and nothing else.
impl Default for Sockets {
    fn default() -> Self {
        let (udp, dtls, tcp, tls) = (None, None, None, None);
        Self { udp, dtls, tcp, tls, share_port: false, max_accepted: MAX_ACCEPTED }
    }
}

impl From<SocketAddr> for Sockets {
    /// For datagrams, and for connections that this side opens.
    fn from(udp: SocketAddr) -> Self {
        Self { udp: Some(udp), ..Self::default() }
    }
}

impl Sockets {
    /// For datagrams of coap and coaps to servers whose addresses are of this family, from any
    /// ports, and for connections that this side opens.
    #[must_use]
    pub fn client(ipv6: bool) -> Self {
        let any = match ipv6 {
            false => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            true => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        Self { dtls: Some(any), ..Self::from(any) }
    }
}

/// The addresses that were bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Addresses {
    /// The address for datagrams of coap.
    pub udp: Option<SocketAddr>,
    /// The address for datagrams of coaps.
    pub dtls: Option<SocketAddr>,
    /// The address on which connections for coap+tcp are accepted.
    pub tcp: Option<SocketAddr>,
    /// The address on which connections for coaps+tcp are accepted.
    pub tls: Option<SocketAddr>,
}

impl Addresses {
    /// The addresses that are there, each with the scheme that it serves.
    pub fn iter(&self) -> impl Iterator<Item = (Scheme, SocketAddr)> + use<> {
        let all = [
            (Scheme::Coap, self.udp),
            (Scheme::Coaps, self.dtls),
            (Scheme::CoapTcp, self.tcp),
            (Scheme::CoapsTcp, self.tls),
        ];
        all.into_iter().filter_map(|(scheme, address)| Some((scheme, address?)))
    }
}

/// UDP sockets, TCP connections, the clock, and where records are kept.
pub(super) struct SocketIo {
    plain: Option<UdpPort>,
    secured: Option<UdpPort>,
    connections: Connections,
    clock: Clock,
    buffer: Vec<u8>,
    writer: Option<Writer>,
    /// Whether a socket had more datagrams than were taken from it. It stays readable then, and the
    /// driver's task would never give way to what tells it of all others.
    busy: bool,
}

impl SocketIo {
    pub(super) async fn bind(
        sockets: Sockets,
        clock: Clock,
        writer: Option<Writer>,
    ) -> io::Result<(Self, Addresses)> {
        let port = |scheme: Scheme, at: Option<SocketAddr>| {
            let bind = |at| {
                UdpPort::bind(at, sockets.share_port).map_err(|error| named(scheme, at, &error))
            };
            at.map(bind).transpose()
        };
        let (plain, secured) =
            (port(Scheme::Coap, sockets.udp)?, port(Scheme::Coaps, sockets.dtls)?);
        let connections = Connections::new(sockets.max_accepted);
        let local_of = |port: &Option<UdpPort>| port.as_ref().map(|port| port.local);
        let (udp, dtls) = (local_of(&plain), local_of(&secured));
        let mut local = Addresses { udp, dtls, tcp: None, tls: None };
        if let Some(at) = sockets.tcp {
            let listening = connections.listen(at, false).await;
            local.tcp = Some(listening.map_err(|error| named(Scheme::CoapTcp, at, &error))?);
        }
        if let Some(at) = sockets.tls {
            let listening = connections.listen(at, true).await;
            local.tls = Some(listening.map_err(|error| named(Scheme::CoapsTcp, at, &error))?);
        }
        let buffer = vec![0; DATAGRAM];
        Ok((Self { plain, secured, connections, clock, buffer, writer, busy: false }, local))
    }
}

impl Io for SocketIo {
    fn now(&self) -> Instant {
        self.clock.now()
    }

    fn try_send(&mut self, transmit: &Transmit) -> bool {
        let port = if transmit.secured { &self.secured } else { &self.plain };
        port.as_ref().is_none_or(|port| port.try_send(transmit.to, &transmit.payload))
    }

    fn receive(&mut self, secured: bool, take: &mut dyn FnMut(SocketAddr, &[u8])) {
        let port = if secured { &self.secured } else { &self.plain };
        self.busy = port.as_ref().is_some_and(|port| port.receive(&mut self.buffer, take));
    }

    fn act(&mut self, action: StreamAction) -> bool {
        self.connections.act(action)
    }

    fn write(&mut self, writes: Vec<Write>) {
        if let Some(writer) = &mut self.writer {
            writer.extend(writes);
        }
    }

    async fn wait(&mut self, until: Option<Instant>, full: FullPorts) -> Wake {
        let until = until.map(|at| self.clock.to_tokio(at));
        let sleep = async {
            match until {
                Some(at) => tokio::time::sleep_until(at).await,
                None => pending().await,
            }
        };
        if self.busy {
            tokio::task::yield_now().await;
            self.busy = false;
        }
        let (plain, secured) = (self.plain.as_ref(), self.secured.as_ref());
        tokio::select! {
            () = readable(plain) => Wake::Readable { secured: false },
            () = writable(plain), if full.plain => Wake::Writable { secured: false },
            () = readable(secured) => Wake::Readable { secured: true },
            () = writable(secured), if full.secured => Wake::Writable { secured: true },
            wake = self.connections.next() => wake,
            wake = progress(self.writer.as_mut()) => wake,
            () = sleep => Wake::Timeout,
        }
    }
}

/// The error with the address that it is about.
fn named(scheme: Scheme, at: SocketAddr, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{} on {at}: {error}", scheme.name()))
}

async fn readable(port: Option<&UdpPort>) {
    match port {
        Some(port) => port.readable().await,
        None => pending().await,
    }
}

async fn writable(port: Option<&UdpPort>) {
    match port {
        Some(port) => port.writable().await,
        None => pending().await,
    }
}

async fn progress(writer: Option<&mut Writer>) -> Wake {
    match writer {
        Some(writer) => match writer.next().await {
            Progress::Written(lsn) => Wake::Written(lsn),
            Progress::Failed(lsn) => Wake::WriteFailed(lsn),
        },
        None => pending().await,
    }
}

/// A UDP socket.
struct UdpPort {
    socket: UdpSocket,
    local: SocketAddr,
}

impl UdpPort {
    /// A socket with room for a burst: what does not fit is lost, and its sender waits seconds
    /// before it sends again. The kernel gives what it allows.
    fn bind(address: SocketAddr, share_port: bool) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if share_port {
            socket.set_reuse_port(true)?;
        }
        if let Err(error) = socket.set_recv_buffer_size(RECEIVE_BUFFER) {
            tracing::debug!(%error, "the receive buffer keeps its size");
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        let socket = UdpSocket::from_std(socket.into())?;
        Ok(Self { local: socket.local_addr()?, socket })
    }

    async fn readable(&self) {
        if let Err(error) = self.socket.readable().await {
            tracing::warn!(local = %self.local, %error, "waiting for datagrams failed");
        }
    }

    async fn writable(&self) {
        if let Err(error) = self.socket.writable().await {
            tracing::warn!(local = %self.local, %error, "waiting for room for datagrams failed");
        }
    }

    /// Gives the datagrams that wait, up to [`BATCH`], to `take`. Returns whether more may wait.
    fn receive(&self, buffer: &mut [u8], take: &mut dyn FnMut(SocketAddr, &[u8])) -> bool {
        for _ in 0..BATCH {
            match self.socket.try_recv_from(buffer) {
                Ok((length, from)) => {
                    let datagram = buffer.get(..length).unwrap_or_default();
                    tracing::trace!(%from, bytes = %Hex(datagram), "received");
                    take(from, datagram);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                // An ICMP error of an earlier datagram; its sender finds out by its own timers.
                Err(error) => {
                    tracing::debug!(local = %self.local, %error, "receiving failed");
                    break;
                }
            }
        }
        true
    }

    /// Sends a datagram; `false` if the socket is full.
    fn try_send(&self, to: SocketAddr, payload: &[u8]) -> bool {
        let to = as_seen_from(self.local, to);
        match self.socket.try_send_to(payload, to) {
            Ok(_) => tracing::trace!(%to, bytes = %Hex(payload), "sent"),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
            // A datagram that cannot be sent is as good as lost on the way: the peer's or our own
            // retransmission makes up for it.
            Err(error) => {
                tracing::debug!(%to, length = payload.len(), %error, "sending failed");
            }
        }
        true
    }
}

/// An IPv6 socket reaches IPv4 peers by their mapped addresses.
fn as_seen_from(local: SocketAddr, to: SocketAddr) -> SocketAddr {
    match (local, to.ip()) {
        (SocketAddr::V6(_), IpAddr::V4(ip)) => {
            SocketAddr::new(IpAddr::V6(ip.to_ipv6_mapped()), to.port())
        }
        _ => to,
    }
}

/// Bytes as they stand in a log.
struct Hex<'a>(&'a [u8]);

impl std::fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Handle;
    use bytes::Bytes;
    use lwm2m_link::{Engine, Input, Output, Outputs};
    use std::sync::mpsc;
    use std::time::Duration;

    /// Sends back what comes without security, and tells of all else.
    struct Echo {
        outputs: Outputs<()>,
        due: Option<Instant>,
        told: mpsc::Sender<&'static str>,
    }

    impl Engine for Echo {
        type Event = ();

        fn handle(&mut self, _: Instant, input: Input<'_>) {
            let told = match input {
                Input::Datagram { from: to, secured: false, bytes } => {
                    let payload = Bytes::copy_from_slice(bytes);
                    return self.outputs.transmit(Transmit { to, payload, secured: false });
                }
                Input::Datagram { .. } => "a datagram",
                Input::Connected { .. } => "a connection",
                Input::Timeout => {
                    self.due = None;
                    "a timer"
                }
                _ => return,
            };
            self.told.send(told).unwrap();
        }

        fn poll(&mut self) -> Option<Output<()>> {
            self.outputs.poll()
        }

        fn poll_timeout(&self) -> Option<Instant> {
            self.due
        }
    }

    // proves: SEC-36
    #[tokio::test]
    async fn a_port_that_is_flooded_keeps_nothing_else_waiting() {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let sockets = Sockets { dtls: Some(any), tcp: Some(any), ..Sockets::from(any) };
        let (told, news) = mpsc::channel();
        let echo = Echo { outputs: Outputs::default(), due: None, told };
        let handle = Handle::bind_on_thread("echo", sockets, echo, None).await.unwrap();
        let Addresses { udp: Some(to), dtls: Some(dtls), tcp: Some(tcp), .. } = *handle.local()
        else {
            panic!("three ports")
        };
        // The port sends to itself what it receives, so that it is never empty.
        let flood = handle.with(move |echo, now| {
            let one = Transmit { to, payload: Bytes::from_static(&[0]), secured: false };
            (0..2 * BATCH).for_each(|_| echo.outputs.transmit(one.clone()));
            echo.due = Some(now + Duration::from_millis(1));
        });
        flood.await.unwrap();
        let device = std::net::UdpSocket::bind(any).unwrap();
        device.send_to(&[0], dtls).unwrap();
        let _connection = std::net::TcpStream::connect(tcp).unwrap();
        let patience = Duration::from_secs(20);
        let told = (0..3).map(|_| news.recv_timeout(patience).expect("nothing waits for the port"));
        let mut told: Vec<_> = told.collect();
        told.sort_unstable();
        assert_eq!(told, ["a connection", "a datagram", "a timer"]);
        let asked = handle.with(|_, _| ());
        tokio::time::timeout(patience, asked).await.expect("commands go on").unwrap();
    }
}
