//! A daemon on ports of its own, and its HTTP API.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The addresses of a daemon, which it gets back after each restart.
#[derive(Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) coaps: SocketAddr,
    pub(crate) http: SocketAddr,
}

impl Ports {
    /// Ports that nobody has.
    pub(crate) fn free() -> Self {
        let any = (Ipv4Addr::LOCALHOST, 0);
        let coaps = UdpSocket::bind(any).unwrap().local_addr().unwrap();
        let http = TcpListener::bind(any).unwrap().local_addr().unwrap();
        Self { coaps, http }
    }
}

/// A daemon; killed when it is dropped.
pub(crate) struct Daemon(Child);

impl Daemon {
    /// Starts a daemon, and waits until it listens.
    pub(crate) fn start(folder: &Path, ports: Ports) -> Self {
        Self::start_with(folder, ports, &["--coap", "off"])
    }

    /// As [`start`](Self::start), with other arguments.
    pub(crate) fn start_with(folder: &Path, ports: Ports, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_lwm2m-serverd"))
            .args(arguments)
            .args(["--trust-loopback", "--log", "warn", "--data"])
            .arg(folder)
            .args(["--coaps", &ports.coaps.to_string(), "--http", &ports.http.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let listens = lines.map_while(Result::ok).any(|line| line.contains("for http"));
        assert!(listens, "the daemon ended: {:?}", child.wait());
        Self(child)
    }

    /// Ends the daemon as a service manager does, and returns its exit status.
    #[cfg(unix)]
    pub(crate) fn terminate(mut self) -> Option<i32> {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        self.0.wait().unwrap().code()
    }

    /// Ends the daemon as a power cut does, but for the operating system's buffers.
    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Asks the API; the status and the body.
pub(crate) fn ask(http: SocketAddr, method: &str, path: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(http).unwrap();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {http}\r\nConnection: close\r\nContent-Type: \
         application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).and_then(|text| text.parse().ok());
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status.unwrap(), body.to_owned())
}
