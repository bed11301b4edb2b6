//! What a device costs the server that comes (handshake and Register), with so many devices there
//! already, and the memory that is left when all of them have gone.
//!
//! `cargo run --release -p lwm2m-benches --example scale [DEVICES]`; the default is 100,000. Times compare
//! within one run only. The devices' own work does not count.

use bytes::Bytes;
use lwm2m_coap::{Code, MessageBuilder, MessageType, OptionNumber, Options, Token};
use lwm2m_credentials::{Credential, SecurityStore};
use lwm2m_dtls::crypto::AwsLc;
use lwm2m_dtls::{ClientProfile, ClientSecurity, Endpoint, Event, SessionId};
use lwm2m_link::{ConnectionId, Engine, Input, Output, StreamAction};
use lwm2m_server::{Config, Server};
use lwm2m_time::Instant;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

const KEY: &[u8] = b"0123456789abcdef";
const LIST: &[u8] =
    b"</>;rt=\"oma.lwm2m\";ct=\"60 110 112 11542 11543\",</1/0>,</3/0>,</4/0>,</3303/0>";
/// Between two devices: 10,000 a second.
const STEP: Duration = Duration::from_micros(100);
/// After that long without a message, a device is forgotten.
const LIFETIME: Duration = Duration::from_secs(86_400);

#[derive(Clone, Copy, PartialEq, Debug)]
enum Kind {
    Plain,
    Dtls,
    Tls,
}

fn main() {
    let devices = std::env::args().nth(1).and_then(|it| it.parse().ok()).unwrap_or(100_000);
    let sizes = [devices / 100, devices / 10, devices];
    let store = keys(devices);
    println!(
        "| devices | CPU of one more, µs, in the clear | DTLS, PSK | TLS, PSK |\n|---|---|---|---|"
    );
    let kinds = [Kind::Plain, Kind::Dtls, Kind::Tls];
    let runs = kinds.map(|kind| Run::of(kind, &store, &sizes));
    for (place, size) in sizes.iter().enumerate() {
        let [plain, dtls, tls] = runs.each_ref().map(|run| run.times[place]);
        println!("| {size} | {plain:.1} | {dtls:.1} | {tls:.1} |");
    }
    println!(
        "\n| memory, bytes a device | in the clear | DTLS, PSK | TLS, PSK |\n|---|---|---|---|"
    );
    let [plain, dtls, tls] = runs.each_ref().map(|run| run.held / i64::from(devices));
    println!("| {devices} are there | {plain} | {dtls} | {tls} |");
    let [plain, dtls, tls] = runs.each_ref().map(|run| run.left / i64::from(devices));
    println!("| all have gone | {plain} | {dtls} | {tls} |");
}

fn keys(count: u32) -> Arc<SecurityStore> {
    let store = SecurityStore::default();
    for number in 0..count {
        let name = name(number);
        let key = Credential::psk(name.as_bytes(), KEY).expect("a key of 16 bytes");
        store.put(&name, key).expect("a new endpoint");
    }
    Arc::new(store)
}

fn name(number: u32) -> String {
    format!("device-{number:07}")
}

/// What was measured.
struct Run {
    /// Microseconds of the last devices before each size.
    times: Vec<f64>,
    /// Bytes with all devices, and without them.
    held: i64,
    left: i64,
}

impl Run {
    fn of(kind: Kind, store: &Arc<SecurityStore>, sizes: &[u32]) -> Self {
        let most = sizes.last().copied().unwrap_or(0) as usize;
        // What belongs to the devices is allocated before it counts.
        let mut farewells: Vec<[u8; 64]> = Vec::with_capacity(most);
        let mut lengths: Vec<u8> = Vec::with_capacity(most);
        let mut times = Vec::with_capacity(sizes.len());
        let mut held = 0;
        let mut kept = None;
        let all = allocation_counter::measure(|| {
            let mut fleet = Fleet::new(kind, store);
            let grown = allocation_counter::measure(|| {
                for size in sizes {
                    let (mut spent, from) = (Duration::ZERO, lengths.len() as u32);
                    let counted = (size / 10).max(100).min(*size - from);
                    for number in from..*size {
                        let (time, farewell) = fleet.join(number);
                        spent += if number + counted >= *size { time } else { Duration::ZERO };
                        let mut bytes = [0; 64];
                        bytes[..farewell.len()].copy_from_slice(&farewell);
                        farewells.push(bytes);
                        lengths.push(farewell.len() as u8);
                    }
                    times.push(spent.as_secs_f64() * 1e6 / f64::from(counted));
                }
                fleet.pass(Duration::from_secs(600));
            });
            held = grown.bytes_current;
            for (number, (bytes, length)) in (0..).zip(farewells.iter().zip(&lengths)) {
                fleet.leave(number, &bytes[..usize::from(*length)]);
            }
            fleet.pass(LIFETIME + Duration::from_secs(600));
            assert_eq!((fleet.server.registrations().count(), fleet.server.peer_count()), (0, 0));
            kept = Some(fleet);
        });
        Self { times, held, left: all.bytes_current }
    }
}

/// A server, and what it said last.
struct Fleet {
    kind: Kind,
    server: Server,
    now: Instant,
    spent: Duration,
    datagrams: Vec<Bytes>,
    stream: Vec<Bytes>,
}

impl Fleet {
    fn new(kind: Kind, store: &Arc<SecurityStore>) -> Self {
        let mut config = Config::default();
        // One host may register them all.
        config.max_registrations = 10_000_000;
        config.connections.max_connections = 10_000_000;
        if kind != Kind::Plain {
            config.security = Arc::clone(store);
            let mut dtls = lwm2m_dtls::Config::default();
            dtls.provider = Arc::new(AwsLc);
            config.dtls = Some(dtls);
        }
        Self {
            kind,
            server: Server::new(config, [7; 32]),
            now: Instant::from_millis(1_000),
            spent: Duration::ZERO,
            datagrams: Vec::new(),
            stream: Vec::new(),
        }
    }

    fn handle(&mut self, input: Input<'_>) {
        let before = thread_time();
        self.server.handle(self.now, input);
        while let Some(output) = self.server.poll() {
            match output {
                Output::Transmit(sent) => self.datagrams.push(sent.payload),
                Output::Stream(StreamAction::Write { payload, .. }) => self.stream.push(payload),
                _ => {}
            }
        }
        self.spent += thread_time() - before;
    }

    /// Lets time pass, with all timers in it.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.server.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.handle(Input::Timeout);
        }
        self.now = end;
        self.datagrams.clear();
        self.stream.clear();
    }

    /// Lets a device come and register. Returns the CPU time of the server, and the datagram that ends
    /// the session.
    fn join(&mut self, number: u32) -> (Duration, Bytes) {
        self.now = self.now + STEP;
        self.spent = Duration::ZERO;
        if self.server.poll_timeout().is_some_and(|due| due <= self.now) {
            self.handle(Input::Timeout);
        }
        let from = address(number);
        let farewell = match self.kind {
            Kind::Plain => {
                self.handle(Input::datagram(from, &register(number)));
                Bytes::new()
            }
            Kind::Dtls | Kind::Tls => self.join_secured(number, from),
        };
        assert!(self.server.registration(&name(number)).is_some());
        self.datagrams.clear();
        self.stream.clear();
        (self.spent, farewell)
    }

    fn join_secured(&mut self, number: u32, from: SocketAddr) -> Bytes {
        let server = address(u32::from(u16::MAX) << 8);
        let mut seed = [0; 32];
        seed[..4].copy_from_slice(&number.to_le_bytes());
        let mut client = Endpoint::new(lwm2m_dtls::Config::default(), seed);
        let (identity, key) = (Bytes::from(name(number)), Zeroizing::new(KEY.to_vec()));
        let profile = Arc::new(ClientProfile::new(ClientSecurity::Psk { identity, key }));
        let connection = ConnectionId::Accepted(number.into());
        let stream = self.kind == Kind::Tls;
        let session = if stream {
            self.handle(Input::Connected { connection, from, secured: true });
            client.connect_stream(self.now, server, profile, None)
        } else {
            client.connect(self.now, server, profile)
        };
        let session = session.expect("a valid profile");
        while self.exchange(&mut client, session, from, connection) {
            while let Some(event) = client.poll_event() {
                if let Event::Connected { .. } = event {
                    let message = register(number);
                    let message = if stream { framed(&message) } else { message };
                    client.send(self.now, session, &message).expect("established");
                }
            }
        }
        client.close(session).expect("it is open");
        let farewell = client.poll_transmit().map(|sent| sent.payload);
        farewell.unwrap_or_default()
    }

    /// Moves what both sides have to send; `false` if that is nothing.
    fn exchange(
        &mut self,
        client: &mut Endpoint,
        session: SessionId,
        from: SocketAddr,
        connection: ConnectionId,
    ) -> bool {
        let mut moved = false;
        while let Some(sent) = client.poll_transmit() {
            self.handle(Input::secured_datagram(from, &sent.payload));
            moved = true;
        }
        while let Some((_, bytes)) = client.poll_stream() {
            self.handle(Input::Stream { connection, bytes: &bytes });
            moved = true;
        }
        for datagram in std::mem::take(&mut self.datagrams) {
            client.handle_datagram(self.now, address(u32::from(u16::MAX) << 8), &datagram);
            moved = true;
        }
        for bytes in std::mem::take(&mut self.stream) {
            client.handle_stream(self.now, session, &bytes);
            moved = true;
        }
        moved
    }

    /// A device has gone.
    fn leave(&mut self, number: u32, farewell: &[u8]) {
        self.now = self.now + STEP;
        let connection = ConnectionId::Accepted(number.into());
        match self.kind {
            Kind::Plain => {}
            Kind::Dtls => self.handle(Input::secured_datagram(address(number), farewell)),
            Kind::Tls => self.handle(Input::Disconnected { connection }),
        }
        self.datagrams.clear();
        self.stream.clear();
    }
}

fn address(number: u32) -> SocketAddr {
    (Ipv4Addr::from_bits(0x0a00_0000 + number), 5_683).into()
}

fn register(number: u32) -> Vec<u8> {
    let mut options = Options::new();
    options.push(OptionNumber::URI_PATH, b"rd");
    options.push(OptionNumber::CONTENT_FORMAT, &[40]);
    for query in [&*format!("ep={}", name(number)), "lt=86400", "lwm2m=1.1", "b=U"] {
        options.push(OptionNumber::URI_QUERY, query.as_bytes());
    }
    let mut bytes = Vec::new();
    let kind = MessageType::Confirmable;
    MessageBuilder::new(&mut bytes, kind, Code::POST, 1, Token::EMPTY)
        .options(&options)
        .payload(LIST);
    bytes
}

/// The same message on a connection, behind the CSM: without type and message ID, with a length.
fn framed(message: &[u8]) -> Vec<u8> {
    let body = &message[4..];
    let length = u8::try_from(body.len() - 13).expect("a short message");
    [&[0x00, 0xE1, 0xD0, length, 2][..], body].concat()
}

fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
