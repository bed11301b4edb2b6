//! DTLS 1.2, TLS 1.2 and TLS 1.3 of several stacks in one run: what a handshake costs the server, what a record costs,
//! and what an idle session takes of the heap, as a table with ratios to ours.
//!
//! `cargo run --release -p lwm2m-benches --features peers --example dtls_table`; with the feature
//! `mbedtls` as well, which needs cmake and libclang, Mbed TLS has a row.
//!
//! Both ends are of one stack and in one process; on datagrams clients show a cookie first. Records
//! are of a session with a pre-shared key, or with certificates where there are no such keys. Only
//! ratios within a run say anything.

#![allow(clippy::unwrap_used)] // a benchmark that cannot go on ends

mod dimpl;
#[cfg(feature = "mbedtls")]
mod mbedtls;
mod openssl;
mod ours;
mod pipe;
mod rustls;

pub(crate) use pipe::Pipe;
use std::time::{Duration, Instant};

pub(crate) const IDENTITY: &str = "device";
pub(crate) const KEY: &[u8] = b"0123456789abcdef";
/// Handshakes and records measured at once, and how often; the median counts.
const HANDSHAKES: usize = 50;
const RECORDS: usize = 2_000;
const ROUNDS: usize = 9;
/// Sessions whose heap is measured together.
const SESSIONS: usize = 100;

/// A file of the tests of `lwm2m-dtls`.
macro_rules! data {
    ($name:literal) => {
        include_bytes!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../crates/lwm2m-dtls/tests/data/",
            $name
        ))
        .as_slice()
    };
}
pub(crate) use data;

/// How the ends are authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// `TLS_PSK_WITH_AES_128_CCM_8`.
    Psk,
    /// Raw public keys, `TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8`.
    RawPublicKey,
    /// Certificates of both ends, the server's of an intermediate authority; the same suite.
    Certificate,
}

/// One end of a session.
pub(crate) trait End {
    /// Takes a datagram.
    fn handle(&mut self, datagram: &[u8]);
    /// The next datagram to be sent.
    fn poll(&mut self) -> Option<Vec<u8>>;
    /// Whether the handshake is done.
    fn is_connected(&self) -> bool;
    /// Sends application data.
    fn send(&mut self, data: &[u8]);
    /// Drops the application data that came; whether there were any.
    fn received(&mut self) -> bool;
}

/// Makes ends that fit each other.
pub(crate) trait Stack {
    fn name(&self) -> &'static str;
    fn client(&mut self) -> Box<dyn End>;
    fn server(&mut self) -> Box<dyn End>;
    /// Lets go what an established session keeps for repetitions only.
    fn settle(&mut self) {}
    /// Whether its heap is Rust's, and so counted.
    fn is_counted(&self) -> bool {
        true
    }
}

/// Makes a stack; `None` if it does not have the mode.
type Make = fn(Mode) -> Option<Box<dyn Stack>>;

/// A session, and the time its server took for the handshake.
fn handshake(stack: &mut dyn Stack) -> (Box<dyn End>, Box<dyn End>, Duration) {
    let mut client = stack.client();
    let start = Instant::now();
    let mut server = stack.server();
    let mut spent = start.elapsed();
    for _ in 0..10 {
        while let Some(datagram) = client.poll() {
            let start = Instant::now();
            server.handle(&datagram);
            spent += start.elapsed();
        }
        let start = Instant::now();
        let answers: Vec<_> = std::iter::from_fn(|| server.poll()).collect();
        spent += start.elapsed();
        answers.iter().for_each(|datagram| client.handle(datagram));
    }
    assert!(client.is_connected() && server.is_connected(), "{}", stack.name());
    (client, server, spent)
}

fn median(mut rounds: Vec<f64>) -> f64 {
    rounds.sort_by(f64::total_cmp);
    rounds.get(rounds.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Microseconds of the server for a handshake.
fn handshake_time(stack: &mut dyn Stack) -> f64 {
    let round = |stack: &mut dyn Stack| {
        let spent: Duration = (0..HANDSHAKES).map(|_| handshake(stack).2).sum();
        spent.as_secs_f64() * 1e6 / HANDSHAKES as f64
    };
    median((0..ROUNDS).map(|_| round(stack)).collect())
}

/// Nanoseconds to write and to read a record of 64 bytes.
fn record_times(stack: &mut dyn Stack) -> (f64, f64) {
    let (mut client, mut server, _) = handshake(stack);
    let mut round = || {
        let (mut write, mut read) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..RECORDS {
            let start = Instant::now();
            client.send(&[7; 64]);
            let record = client.poll().unwrap();
            let written = Instant::now();
            server.handle(&record);
            assert!(server.received());
            read += written.elapsed();
            write += written - start;
        }
        let each = |time: Duration| time.as_secs_f64() * 1e9 / RECORDS as f64;
        (each(write), each(read))
    };
    let (write, read) = (0..ROUNDS).map(|_| round()).unzip();
    (median(write), median(read))
}

/// Bytes of the heap that an idle session takes at its server.
fn heap(stack: &mut dyn Stack) -> f64 {
    if !stack.is_counted() {
        return f64::NAN;
    }
    // What is allocated once for all sessions is not theirs.
    handshake(stack);
    let mut servers = Vec::with_capacity(SESSIONS);
    let all = allocation_counter::measure(|| {
        for _ in 0..SESSIONS {
            servers.push(handshake(stack).1);
        }
        stack.settle();
    });
    all.bytes_current as f64 / SESSIONS as f64
}

/// A figure and its ratio to ours.
fn cell(value: f64, ours: f64) -> String {
    match value.is_nan() {
        true => format!("{:>20}", "-"),
        false => format!("{value:>12.1} {:>6.2}x", value / ours),
    }
}

const COLUMNS: [&str; 6] = [
    "PSK handshake us",
    "RPK handshake us",
    "X.509 handshake us",
    "record write ns",
    "record read ns",
    "idle session B",
];

fn row(make: Make) -> (&'static str, [f64; 6]) {
    let mode = if make(Mode::Psk).is_some() { Mode::Psk } else { Mode::Certificate };
    let mut first = make(mode).unwrap();
    let time = |mode| make(mode).map_or(f64::NAN, |mut stack| handshake_time(&mut *stack));
    let (write, read) = record_times(&mut *first);
    let figures = [
        time(Mode::Psk),
        time(Mode::RawPublicKey),
        time(Mode::Certificate),
        write,
        read,
        heap(&mut *make(mode).unwrap()),
    ];
    (first.name(), figures)
}

fn main() {
    let stacks: &[Make] = &[
        ours::on_aws_lc,
        ours::on_rust_crypto,
        dimpl::stack,
        openssl::dtls,
        ours::tls12,
        ours::tls13,
        rustls::tls13,
        openssl::tls12,
        openssl::tls13,
        #[cfg(feature = "mbedtls")]
        ours::on_mbedtls,
        #[cfg(feature = "mbedtls")]
        ours::tls12_on_mbedtls,
        #[cfg(feature = "mbedtls")]
        mbedtls::stack,
    ];
    println!("{:<22}{}", "", COLUMNS.map(|column| format!("{column:>20}")).concat());
    let mut ours = [f64::NAN; 6];
    for (place, make) in stacks.iter().enumerate() {
        let (name, figures) = row(*make);
        if place == 0 {
            ours = figures;
        }
        let cells = figures.iter().zip(ours).map(|(value, ours)| cell(*value, ours));
        println!("{name:<22}{}", cells.collect::<String>());
    }
}
