//! A server that answers any request with its payload, and raw connections to it.

use lwm2m_coap::{Code, Config, Endpoint, Event, Response};
use lwm2m_link::ConnectionConfig;
use lwm2m_net::Sockets;
use lwm2m_net::service::{CoapServer, Service, ServiceConfig};
use lwm2m_time::Instant;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// How long anything may take that a test waits for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// The shortest first message.
pub(crate) const CSM: [u8; 2] = [0x00, 0xE1];
/// Ping and the answer to it.
pub(crate) const PING: [u8; 2] = [0x00, 0xE2];
pub(crate) const PONG: [u8; 2] = [0x00, 0xE3];
pub(crate) const ABORT: u8 = 0xE5;
pub(crate) const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub(crate) const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// Echoes the payload of requests; answers requests without payload with 64 KiB.
pub(crate) struct Echo;

impl Service for Echo {
    fn handle_event(&mut self, now: Instant, coap: &mut Endpoint, event: Event) {
        if let Event::Request { exchange, request, .. } = event {
            let payload =
                if request.payload.is_empty() { vec![7; 64 << 10].into() } else { request.payload };
            // The connection may have been cut meanwhile.
            let _ = coap.respond(now, exchange, Response::new(Code::CONTENT).payload(payload));
        }
    }

    fn handle_timeout(&mut self, _: Instant, _: &mut Endpoint) {}

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}

/// A server on free ports of `ip`, and where its connections are taken.
pub(crate) async fn serve(
    ip: IpAddr,
    connections: ConnectionConfig,
) -> (CoapServer<Echo>, SocketAddr) {
    let free = SocketAddr::new(ip, 0);
    let sockets = Sockets { tcp: Some(free), ..Sockets::from(free) };
    let coap = Config::default().max_message_size(1 << 17);
    let config = ServiceConfig { coap, connections, security: None };
    let server = CoapServer::bind(sockets, config, [5; 32], Echo).await.unwrap();
    let address = server.local().tcp.unwrap();
    (server, address)
}

/// A connection made by hand.
pub(crate) struct Raw(pub(crate) TcpStream);

impl Raw {
    pub(crate) async fn connect(to: SocketAddr) -> Self {
        Self(timeout(PATIENCE, TcpStream::connect(to)).await.unwrap().unwrap())
    }

    /// A connection from another host than [`Raw::connect`]'s.
    pub(crate) async fn connect_from_elsewhere(to: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 2], 0).into()).unwrap();
        Self(timeout(PATIENCE, socket.connect(to)).await.unwrap().unwrap())
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// The code and the payload of the next message; `None` at the end of the stream.
    pub(crate) async fn message(&mut self) -> Option<(u8, Vec<u8>)> {
        timeout(PATIENCE, self.read()).await.expect("a message or the end")
    }

    async fn read(&mut self) -> Option<(u8, Vec<u8>)> {
        let first = self.0.read_u8().await.ok()?;
        let length = match first >> 4 {
            13 => usize::from(self.0.read_u8().await.ok()?) + 13,
            14 => usize::from(self.0.read_u16().await.ok()?) + 269,
            15 => usize::try_from(self.0.read_u32().await.ok()?).unwrap() + 65_805,
            length => length.into(),
        };
        let code = self.0.read_u8().await.ok()?;
        let mut rest = vec![0; length + usize::from(first & 15)];
        self.0.read_exact(&mut rest).await.ok()?;
        Some((code, rest))
    }

    /// Exchanges the first messages.
    pub(crate) async fn greet(&mut self) {
        self.send(&CSM).await;
        assert_eq!(self.message().await.unwrap().0, CSM[1]);
    }

    /// Whether the server still answers here.
    pub(crate) async fn is_alive(&mut self) -> bool {
        self.0.write_all(&PING).await.is_ok()
            && self.message().await.is_some_and(|(code, _)| code == PONG[1])
    }
}
