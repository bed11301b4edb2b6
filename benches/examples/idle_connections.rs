//! What idle connections take at a server: 10,000 by TCP, then as many by TLS with a pre-shared key.
//!
//! `cargo build --release -p lwm2m-cli && cargo run --release -p lwm2m-benches --example
//! idle_connections [NUMBER]`. Server and clients need a file descriptor each for a connection: raise
//! `ulimit -n` above the number.

use lwm2m_dtls::{ClientProfile, ClientSecurity, Config, Endpoint, Event, SessionId};
use lwm2m_time::Instant;
use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

type Outcome<T> = Result<T, Box<dyn Error>>;

const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/release/lwm2m");
const ARGUMENTS: [&str; 12] = [
    "coap",
    "serve",
    "--coap",
    "127.0.0.1:0",
    "--coap-tcp",
    "127.0.0.1:0",
    "--coaps-tcp",
    "127.0.0.1:0",
    "--psk-identity",
    "device",
    "--psk-key",
    "6120736861726564207365637265742e",
];
const KEY: &[u8] = b"a shared secret.";
/// A Capabilities and Settings Message without options: RFC 8323 section 5.3.
const CSM: &[u8] = &[0x00, 0xe1];
/// GET /test, and how its answer begins behind the length: 2.05 with the same token.
const GET: &[u8] = &[0x51, 0x01, b'?', 0xb4, b't', b'e', b's', b't'];
const ANSWER: &[u8] = &[0x45, b'?'];

/// A server that ends with its measurement.
struct Server {
    child: Child,
    tcp: SocketAddr,
    tls: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended on its own.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start() -> Outcome<Self> {
        let mut child = Command::new(SERVER).args(ARGUMENTS).stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().ok_or("the server has no output")?;
        let mut lines = BufReader::new(stdout).lines();
        let mut address = |scheme: &str| -> Outcome<SocketAddr> {
            loop {
                let line = lines.next().ok_or("the server names no address")??;
                if let Some(address) =
                    line.strip_prefix(scheme).and_then(|it| it.strip_prefix(" on "))
                {
                    return Ok(address.parse()?);
                }
            }
        };
        let (tcp, tls) = (address("coap+tcp")?, address("coaps+tcp")?);
        Ok(Self { child, tcp, tls })
    }

    /// Its resident memory in bytes.
    fn memory(&self) -> Outcome<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next());
        Ok(kilobytes.ok_or("no VmRSS")?.parse::<f64>()? * 1024.0)
    }
}

/// A client's end of a connection.
trait Connection {
    fn write(&mut self, bytes: &[u8]) -> Outcome<()>;
    fn read(&mut self) -> Outcome<Vec<u8>>;
}

impl Connection for TcpStream {
    fn write(&mut self, bytes: &[u8]) -> Outcome<()> {
        Ok(self.write_all(bytes)?)
    }
    fn read(&mut self) -> Outcome<Vec<u8>> {
        let mut buffer = [0; 4096];
        let length = Read::read(self, &mut buffer)?;
        if length == 0 {
            return Err("the server closed the connection".into());
        }
        Ok(buffer.iter().take(length).copied().collect())
    }
}

/// A connection with TLS.
struct Secured {
    socket: TcpStream,
    endpoint: Endpoint,
    session: SessionId,
}

impl Secured {
    fn connect(to: SocketAddr) -> Outcome<Self> {
        let key = Zeroizing::new(KEY.to_vec());
        let security = ClientSecurity::Psk { identity: "device".into(), key };
        let mut endpoint = Endpoint::new(Config::default(), [1; 32]);
        let profile = Arc::new(ClientProfile::new(security));
        let session = endpoint.connect_stream(Instant::ZERO, to, profile, None)?;
        let mut secured = Self { socket: connect(to)?, endpoint, session };
        loop {
            match secured.next()? {
                Event::Connected { .. } => return Ok(secured),
                Event::Failed { reason, .. } => return Err(reason.into()),
                _ => {}
            }
        }
    }

    fn flush(&mut self) -> Outcome<()> {
        while let Some((_, bytes)) = self.endpoint.poll_stream() {
            self.socket.write_all(&bytes)?;
        }
        Ok(())
    }

    fn next(&mut self) -> Outcome<Event> {
        loop {
            self.flush()?;
            if let Some(event) = self.endpoint.poll_event() {
                return Ok(event);
            }
            let bytes = Connection::read(&mut self.socket)?;
            self.endpoint.handle_stream(Instant::ZERO, self.session, &bytes);
        }
    }
}

impl Connection for Secured {
    fn write(&mut self, bytes: &[u8]) -> Outcome<()> {
        self.endpoint.send(Instant::ZERO, self.session, bytes)?;
        self.flush()
    }
    fn read(&mut self) -> Outcome<Vec<u8>> {
        match self.next()? {
            Event::Data { data, .. } => Ok(data.to_vec()),
            other => Err(format!("the session ended: {other:?}").into()),
        }
    }
}

fn connect(to: SocketAddr) -> Outcome<TcpStream> {
    let socket = TcpStream::connect(to)?;
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    Ok(socket)
}

/// Opens so many connections, exchanges CSMs, and sees that every tenth part of them is served.
fn measure(
    name: &str,
    number: usize,
    open: impl Fn(&Server) -> Outcome<Box<dyn Connection>>,
) -> Outcome<()> {
    let server = Server::start()?;
    let before = server.memory()?;
    let mut connections = Vec::with_capacity(number);
    for opened in 0..number {
        let mut connection = open(&server).map_err(|error| {
            format!("connection {opened}: {error}; is `ulimit -n` above {number}?")
        })?;
        connection.write(CSM)?;
        connection.read()?;
        connections.push(connection);
    }
    let each = (server.memory()? - before) / number as f64;
    for connection in connections.iter_mut().step_by((number / 10).max(1)) {
        connection.write(GET)?;
        let answer = connection.read()?;
        assert!(answer.windows(ANSWER.len()).any(|part| part == ANSWER), "{answer:?}");
    }
    println!("{name}: {number} idle connections, {each:.0} B of the server's memory each");
    Ok(())
}

fn main() -> Outcome<()> {
    let number = std::env::args().nth(1).map_or(Ok(10_000), |number| number.parse())?;
    measure("coap+tcp", number, |server| Ok(Box::new(connect(server.tcp)?)))?;
    measure("coaps+tcp", number, |server| Ok(Box::new(Secured::connect(server.tls)?)))
}
