//! The loop that drives an engine on UDP sockets, one for coap and one for coaps, and on TCP
//! connections.
//!
//! One task owns the engine, so engines need no locks. Others reach it by sending closures
//! through a bounded queue ([`Handle::with`]); when the queue is full, the sender waits.

use crate::clock::Clock;
use crate::tcp::{Connections, Incoming};
use lwm2m_link::{Engine, Input, Output, StreamAction, Transmit};
use lwm2m_time::Instant;
use socket2::{Domain, Protocol, Socket, Type};
use std::future::pending;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};

/// Closures that wait for the engine; more senders than this wait for room.
const QUEUE: usize = 256;
/// Datagrams taken from the socket before the engine's output is looked at.
const BATCH: usize = 64;
/// The receive buffer that is asked for, in bytes.
const RECEIVE_BUFFER: usize = 4 << 20;
/// The largest UDP payload; longer ones do not exist.
const DATAGRAM: usize = 65_536;

type Command<E> = Box<dyn FnOnce(&mut E, Instant) + Send>;

/// The engine's task has ended, because it was shut down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the engine has been shut down")]
pub struct Closed;

/// Access to an engine that a task drives.
#[derive(Debug)]
pub struct Handle<E> {
    commands: mpsc::Sender<Command<E>>,
    local: Addresses,
    clock: Clock,
}

/// Access of one engine to another that shares its ports. Unlike a [`Handle`] it does not keep the
/// engine running.
#[derive(Debug)]
pub(crate) struct ShardHandle<E>(mpsc::WeakSender<Command<E>>);

impl<E> Clone for ShardHandle<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<E> ShardHandle<E> {
    /// Runs `f` on the engine soon; not at all, if its queue is full or the task has ended.
    pub(crate) fn try_post(&self, f: impl FnOnce(&mut E, Instant) + Send + 'static) {
        let posted = self.0.upgrade().is_some_and(|queue| queue.try_send(Box::new(f)).is_ok());
        if !posted {
            tracing::debug!("another shard has no room for a datagram");
        }
    }
}

/// Where an engine listens.
#[derive(Debug, Clone, Copy)]
struct Addresses {
    udp: SocketAddr,
    dtls: Option<SocketAddr>,
    tcp: Option<SocketAddr>,
    tls: Option<SocketAddr>,
}

impl<E> Clone for Handle<E> {
    fn clone(&self) -> Self {
        Self { commands: self.commands.clone(), ..*self }
    }
}

/// Where an engine is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sockets {
    /// The address for datagrams of coap; port 0 is any free one.
    pub udp: SocketAddr,
    /// The address for datagrams of coaps, which speaks DTLS only.
    pub dtls: Option<SocketAddr>,
    /// The address on which connections for coap+tcp are accepted; with none, connections are
    /// opened only.
    pub tcp: Option<SocketAddr>,
    /// The address on which connections for coaps+tcp are accepted.
    pub tls: Option<SocketAddr>,
    /// Whether other sockets of this user may share the UDP ports: the kernel then gives each peer
    /// to one of them.
    pub share_port: bool,
}

impl From<SocketAddr> for Sockets {
    /// For datagrams, and for connections that this side opens.
    fn from(udp: SocketAddr) -> Self {
        Self { udp, dtls: None, tcp: None, tls: None, share_port: false }
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

impl<E: Engine + Send + 'static> Handle<E> {
    /// Binds the sockets and starts the task that drives `engine` on them. The task ends when all
    /// handles are gone.
    ///
    /// # Errors
    /// A socket cannot be bound, for example because the port is in use.
    pub async fn bind(sockets: impl Into<Sockets>, engine: E) -> io::Result<Self> {
        let sockets = sockets.into();
        let plain = UdpPort::bind(sockets.udp, sockets.share_port)?;
        let secured = sockets.dtls.map(|at| UdpPort::bind(at, sockets.share_port)).transpose()?;
        let connections = Connections::new();
        let mut local = Addresses {
            udp: plain.local,
            dtls: secured.as_ref().map(|port| port.local),
            tcp: None,
            tls: None,
        };
        if let Some(address) = sockets.tcp {
            local.tcp = Some(connections.listen(address, false).await?);
        }
        if let Some(address) = sockets.tls {
            local.tls = Some(connections.listen(address, true).await?);
        }
        let (commands, queue) = mpsc::channel(QUEUE);
        let clock = Clock::start();
        tokio::spawn(Driver { engine, plain, secured, connections, clock, queue }.run());
        Ok(Self { commands, local, clock })
    }

    /// The address for datagrams of coap.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.local.udp
    }

    /// The address for datagrams of coaps, if there is one.
    #[must_use]
    pub const fn local_dtls_addr(&self) -> Option<SocketAddr> {
        self.local.dtls
    }

    /// The address on which connections for coap+tcp are accepted, if they are.
    #[must_use]
    pub const fn local_tcp_addr(&self) -> Option<SocketAddr> {
        self.local.tcp
    }

    /// The address on which connections for coaps+tcp are accepted, if they are.
    #[must_use]
    pub const fn local_tls_addr(&self) -> Option<SocketAddr> {
        self.local.tls
    }

    /// The clock that the engine is driven by.
    #[must_use]
    pub const fn clock(&self) -> Clock {
        self.clock
    }

    /// Access for an engine that shares the ports.
    pub(crate) fn shard(&self) -> ShardHandle<E> {
        ShardHandle(self.commands.downgrade())
    }

    /// Runs `f` on the engine, between two inputs, and gives back what it returns.
    ///
    /// # Errors
    /// [`Closed`] if the task has ended.
    pub async fn with<R: Send + 'static>(
        &self,
        f: impl FnOnce(&mut E, Instant) -> R + Send + 'static,
    ) -> Result<R, Closed> {
        let (reply, answer) = oneshot::channel();
        let command = Box::new(move |engine: &mut E, now| {
            // The asker may have lost interest; then nobody reads the answer.
            let _ = reply.send(f(engine, now));
        });
        self.commands.send(command).await.map_err(|_| Closed)?;
        answer.await.map_err(|_| Closed)
    }

    /// Runs `f` on the engine after what was sent before. Waits for room in the queue, and not for
    /// `f`.
    #[cfg(feature = "server")]
    pub(crate) async fn run(
        &self,
        f: impl FnOnce(&mut E, Instant) + Send + 'static,
    ) -> Result<(), Closed> {
        self.commands.send(Box::new(f)).await.map_err(|_| Closed)
    }

    /// Runs `f` on the engine after what was sent before, without waiting for it; not at all, if the
    /// task has ended. For use where nothing can wait, such as `Drop`.
    #[cfg(feature = "server")]
    pub(crate) fn post(&self, f: impl FnOnce(&mut E, Instant) + Send + 'static) {
        let Err(mpsc::error::TrySendError::Full(command)) = self.commands.try_send(Box::new(f))
        else {
            return;
        };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let commands = self.commands.clone();
            // The task may end before there is room; then there is nothing to run it on.
            runtime.spawn(async move { commands.send(command).await.ok() });
        }
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

    /// Gives the datagrams that wait, up to [`BATCH`], to `take`.
    fn receive(&self, buffer: &mut [u8], mut take: impl FnMut(SocketAddr, &[u8])) {
        for _ in 0..BATCH {
            match self.socket.try_recv_from(buffer) {
                Ok((length, from)) => {
                    let datagram = buffer.get(..length).unwrap_or_default();
                    tracing::trace!(%from, bytes = %Hex(datagram), "received");
                    take(from, datagram);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // An ICMP error of an earlier datagram; its sender finds out by its own timers.
                Err(error) => {
                    tracing::debug!(local = %self.local, %error, "receiving failed");
                    break;
                }
            }
        }
    }

    async fn send(&self, to: SocketAddr, payload: &[u8]) {
        let to = as_seen_from(self.local, to);
        tracing::trace!(%to, bytes = %Hex(payload), "sent");
        // A datagram that cannot be sent is as good as lost on the way: the peer's or our own
        // retransmission makes up for it.
        if let Err(error) = self.socket.send_to(payload, to).await {
            tracing::debug!(%to, length = payload.len(), %error, "sending failed");
        }
    }
}

struct Driver<E: Engine> {
    engine: E,
    plain: UdpPort,
    secured: Option<UdpPort>,
    connections: Connections,
    clock: Clock,
    queue: mpsc::Receiver<Command<E>>,
}

enum Wake<E> {
    Datagrams,
    SecuredDatagrams,
    Connection(Incoming),
    Timeout,
    Command(Option<Command<E>>),
}

impl<E: Engine> Driver<E> {
    async fn run(mut self) {
        let mut buffer = vec![0; DATAGRAM];
        loop {
            self.flush().await;
            match self.next_input().await {
                Wake::Datagrams => {
                    let Self { plain, engine, clock, .. } = &mut self;
                    plain.receive(&mut buffer, |from, datagram| {
                        engine.handle(clock.now(), Input::datagram(from, datagram));
                    });
                }
                Wake::SecuredDatagrams => {
                    let Self { secured, engine, clock, .. } = &mut self;
                    secured.iter().for_each(|port| {
                        port.receive(&mut buffer, |from, datagram| {
                            engine.handle(clock.now(), Input::secured_datagram(from, datagram));
                        })
                    });
                }
                Wake::Connection(it) => {
                    self.connections.deliver(it, self.clock.now(), &mut self.engine);
                }
                Wake::Timeout => self.engine.handle(self.clock.now(), Input::Timeout),
                Wake::Command(Some(command)) => command(&mut self.engine, self.clock.now()),
                Wake::Command(None) => break,
            }
        }
        self.flush().await;
    }

    async fn next_input(&mut self) -> Wake<E> {
        let timeout = self.engine.poll_timeout().map(|at| self.clock.to_tokio(at));
        let sleep = async {
            match timeout {
                Some(at) => tokio::time::sleep_until(at).await,
                None => pending().await,
            }
        };
        let secured_readable = async {
            match &self.secured {
                Some(port) => port.readable().await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = self.plain.readable() => Wake::Datagrams,
            () = secured_readable => Wake::SecuredDatagrams,
            Some(incoming) = self.connections.next() => Wake::Connection(incoming),
            () = sleep => Wake::Timeout,
            command = self.queue.recv() => Wake::Command(command),
        }
    }

    async fn flush(&mut self) {
        loop {
            let transmit = match self.engine.poll() {
                None => return,
                Some(Output::Transmit(transmit)) => transmit,
                Some(Output::Stream(action)) => {
                    self.act(action);
                    continue;
                }
                // The engines that are driven here pass their events on themselves.
                Some(Output::Event(_)) => continue,
            };
            let Transmit { to, payload, secured } = transmit;
            let port = if secured { self.secured.as_ref() } else { Some(&self.plain) };
            if let Some(port) = port {
                port.send(to, &payload).await;
            }
        }
    }

    fn act(&mut self, action: StreamAction) {
        let connection = action.connection();
        if !self.connections.act(action) {
            self.engine.handle(self.clock.now(), Input::Disconnected { connection });
        }
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
