//! What users of the HTTP API cost the devices: a server in a process of its own, and a fleet of
//! devices by plain UDP on loopback.
//!
//! `cargo run --release -p lwm2m-benches --example fleet_api [DEVICES [SECONDS]]` prints
//! - how long an Update takes while 0, 1 and 10 clients list all devices over and over,
//! - the processor time of the server for a notification with 0, 10 and 100 event streams open,
//!   and how many of the events their readers missed,
//! - the processor time of the server for a Read of /3/0 by HTTP.
//!
//! Compare figures of one run alone, on a machine that does nothing else: the fleet and the clients
//! take their share of the same processors. Linux only: processor time is read from `/proc`.

mod cpu;
mod device;
mod events;
mod http;
mod lists;
mod reads;
mod server;

use cpu::Cpu;
use device::Fleet;
use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const DEVICES: usize = 100_000;
/// Reads go so fast that a device's message IDs, which may not be used again for 247 s, last for eight
/// seconds on a quiet machine.
const SECONDS: u64 = 5;

/// That of the daemon.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A server under measurement.
struct Bench {
    coap: SocketAddr,
    http: SocketAddr,
    cpu: Cpu,
    /// How long each measurement takes.
    duration: Duration,
}

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let first = arguments.next();
    if first.as_deref() == Some(server::COMMAND) {
        return server::run();
    }
    let devices = first.map_or(Ok(DEVICES), |text| text.parse())?;
    let seconds = arguments.next().map_or(Ok(SECONDS), |text| text.parse())?;
    let mut server = server::Server::start()?;
    let bench = Bench {
        coap: server.coap,
        http: server.http,
        cpu: Cpu::of(server.process.id()),
        duration: Duration::from_secs(seconds),
    };
    let measured = measure(&bench, devices);
    server.process.kill()?;
    measured
}

fn measure(bench: &Bench, devices: usize) -> Outcome<()> {
    reads::measure(bench)?;
    events::measure(bench)?;
    let before = bench.cpu.now()?;
    let fleet = Fleet::register(bench.coap, devices)?;
    let each = (bench.cpu.now()? - before) / u32::try_from(devices)?;
    println!("register: {devices} devices, {each:?} of the server's time each");
    lists::measure(bench, fleet)
}
