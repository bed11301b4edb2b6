//! Connections that are opened and wait, and readers of long lists.

use crate::flood::Message;
use crate::http::Connection;
use crate::server::{Addresses, Target};
use crate::{Attack, Outcome, Sent};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

/// Connections to some ports, and how long the HTTP API takes beside them.
struct Silent {
    at: Addresses,
    ports: Vec<SocketAddr>,
    greeting: &'static [u8],
    wanted: usize,
    open: Vec<TcpStream>,
    slowest: Duration,
    failed: u32,
}

impl Silent {
    fn new(
        target: &Target,
        ports: Vec<SocketAddr>,
        greeting: &'static [u8],
        wanted: usize,
    ) -> Self {
        let (at, open) = (target.at, Vec::new());
        Self { at, ports, greeting, wanted, open, slowest: Duration::ZERO, failed: 0 }
    }
}

impl Attack for Silent {
    fn step(&mut self, sent: &mut Sent) -> Outcome<()> {
        if self.open.len() < self.wanted {
            let port = self.ports.get(self.open.len() % self.ports.len()).ok_or("no port")?;
            let mut stream = TcpStream::connect(port)?;
            stream.write_all(self.greeting)?;
            sent.add(self.greeting.len());
            self.open.push(stream);
            return Ok(());
        }
        let begun = Instant::now();
        let asked = Connection::open(self.at.http)
            .and_then(|mut api| api.request("GET", "/api/clients/victim").map(drop));
        self.failed += u32::from(asked.is_err());
        self.slowest = self.slowest.max(begun.elapsed());
        thread::sleep(Duration::from_millis(20));
        Ok(())
    }

    fn outcome(&mut self) -> Outcome<String> {
        let Self { slowest, failed, .. } = self;
        Ok(format!("API beside them: {slowest:.1?} at most, {failed} requests failed"))
    }
}

pub(crate) fn connections(target: &Target) -> Outcome<Box<dyn Attack>> {
    let ports = vec![target.at.tcp, target.at.tls, target.at.http];
    Ok(Box::new(Silent::new(target, ports, b"", 1_650)))
}

pub(crate) fn bodies(target: &Target) -> Outcome<Box<dyn Attack>> {
    let greeting = b"PUT /api/security/clients HTTP/1.1\r\nHost: localhost\r\nContent-Type: \
                     application/json\r\nContent-Length: 100\r\n\r\n";
    Ok(Box::new(Silent::new(target, vec![target.at.http], greeting, 520)))
}

/// Readers of the list of all devices.
struct Readers {
    lists: Arc<AtomicU64>,
    alive: Arc<()>,
}

const DEVICES: u16 = 20_000;

pub(crate) fn lists(target: &Target) -> Outcome<Box<dyn Attack>> {
    register_all(target.at.coap)?;
    let (lists, alive) = (Arc::new(AtomicU64::new(0)), Arc::new(()));
    for _ in 0..5 {
        let (mut api, lists) = (Connection::open(target.at.http)?, Arc::clone(&lists));
        let alive: Weak<()> = Arc::downgrade(&alive);
        thread::spawn(move || {
            let _ = crate::step_back();
            while alive.strong_count() > 0 && api.request("GET", "/api/clients").is_ok() {
                lists.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    Ok(Box::new(Readers { lists, alive }))
}

/// Registers devices with lists of 100 links, no faster than the server takes them from one host.
fn register_all(server: SocketAddr) -> Outcome<()> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.connect(server)?;
    socket.set_read_timeout(Some(Duration::from_secs(2)))?;
    let list: Vec<_> = (0..100).map(|number| format!("</3303/{number}>")).collect();
    let list = list.join(",");
    let start = Instant::now();
    for number in 0..DEVICES {
        let message = Message::post(number, "rd").query(&format!("ep=large-{number}"));
        let message = message.query("lt=86400").query("lwm2m=1.1").format(40);
        socket.send(&message.payload(list.as_bytes()))?;
        socket.recv(&mut [0; 2048])?;
        let due = start + Duration::from_micros(500) * u32::from(number);
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    Ok(())
}

impl Attack for Readers {
    fn step(&mut self, sent: &mut Sent) -> Outcome<()> {
        thread::sleep(Duration::from_millis(20));
        let lists = self.lists.load(Ordering::Relaxed);
        sent.messages = lists;
        sent.bytes = lists * "GET /api/clients HTTP/1.1\r\nHost: localhost\r\n\r\n".len() as u64;
        Ok(())
    }

    fn outcome(&mut self) -> Outcome<String> {
        Ok(format!(
            "{} lists, {} readers",
            self.lists.load(Ordering::Relaxed),
            Arc::weak_count(&self.alive)
        ))
    }
}
