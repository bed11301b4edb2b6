//! What durability costs a server, by the wire on loopback: acknowledged Registers and Sends with and
//! without a store, restarts, and bytes a device on disk and in memory.
//!
//! `cargo run --release -p lwm2m-benches --example durable [FOLDER [SECONDS [DEVICES…]]]`. The folder must
//! be on the disk to measure; it is made, and removed at the end. Default: `target/bench-durable`, 5 s
//! a row, restarts with 10,000 and 100,000 devices. Numbers in the history of values are on, as in the
//! daemon.

mod load;

use load::{Done, register, send};
use lwm2m_coap::{MessageBuilder, MessageType, Token};
use lwm2m_link::{Engine, Input, Output};
use lwm2m_net::{Clock, ServerHandle, Sockets, bind_server};
use lwm2m_server::records::RESTORED;
use lwm2m_server::{Config, Server};
use lwm2m_store::{Changes, FileStore, Pace, Store, Writer};
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Devices that ask at once.
const AT_ONCE: u32 = 256;
/// Devices that one commit has when a store is filled.
const COMMIT: u32 = 1_000;

fn config(is_kept: bool) -> Config {
    let mut config = Config::default().is_kept(is_kept).max_events(10_000).max_history(1_000);
    config.coap.max_peers = 4_000_000;
    config.max_registrations = 4_000_000;
    config.max_registration_bytes = 8 << 30;
    config
}

/// A server on loopback, with a store in a folder or without one.
async fn start(folder: Option<&Path>) -> Outcome<ServerHandle> {
    let server = Server::new(config(folder.is_some()), lwm2m_net::seed()?);
    let writer = match folder {
        Some(folder) => Some(Writer::start(FileStore::open(folder)?, Pace::default())?),
        None => None,
    };
    let sockets = Sockets::from(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    Ok(bind_server(sockets, server, writer).await?)
}

/// Measures Registers and Sends of one server.
async fn ask(folder: Option<&Path>, span: Duration) -> Outcome<()> {
    let how = if folder.is_some() { "with a store" } else { "without a store" };
    let server = start(folder).await?;
    let to = server.local().udp.ok_or("a socket")?;
    let rows = tokio::task::spawn_blocking(move || {
        let of = |device: u32, count: u32| register(&format!("dev-{device}-{count}"));
        let registers = Done::by(to, AT_ONCE, span, false, of);
        let sends = Done::by(to, AT_ONCE, span, true, |_, count| send(count));
        [registers, sends].map(|done| done.map_err(|error| error.to_string()))
    });
    let [registers, sends] = rows.await?;
    registers?.print(&format!("Registers {how}, {AT_ONCE} at once"));
    sends?.print(&format!("Sends {how}, {AT_ONCE} at once"));
    let durability = server.durability();
    drop(server);
    if let Some(durability) = durability {
        durability.ended().await;
    }
    Ok(())
}

/// Fills a store with devices that have registered, each at an address of its own, and with a value.
fn fill(folder: &Path, devices: u32) -> Outcome<()> {
    let mut store = FileStore::open(folder)?;
    let mut server = Server::new(config(true), [7; 32]);
    let now = Clock::start().now();
    let mut changes = Changes::default();
    for device in 0..devices {
        let from = SocketAddr::from((Ipv4Addr::from(0x0a00_0000 + device), 5683));
        let requests = [register(&format!("urn:dev:os:{device:012}")), send(device)];
        for (id, request) in (1..).zip(requests) {
            let mut datagram = Vec::new();
            let token = Token::new(b"t").ok_or("a short token")?;
            MessageBuilder::new(&mut datagram, MessageType::Confirmable, request.code, id, token)
                .options(&request.options)
                .payload(&request.payload);
            server.handle(now, Input::datagram(from, &datagram));
            let mut last = None;
            while let Some(output) = server.poll() {
                if let Output::Write(write) = output {
                    last = Some(write.lsn);
                    changes.write(write);
                }
            }
            last.into_iter().for_each(|lsn| server.handle(now, Input::Written(lsn)));
            while server.poll().is_some() {}
        }
        if device % COMMIT == 0 {
            store.commit(&std::mem::take(&mut changes))?;
        }
    }
    Ok(store.commit(&changes)?)
}

/// Measures a restart with so many devices.
fn restart(folder: &Path, devices: u32) -> Outcome<()> {
    fill(folder, devices)?;
    let begin = Instant::now();
    let store = FileStore::open(folder)?;
    let opened = begin.elapsed();
    let mut server = Server::new(config(true), [9; 32]);
    let memory = allocation_counter::measure(|| {
        let mut restore = server.restore(Clock::start().now());
        let tables = RESTORED.iter().filter_map(|table| store.reader().table(*table).ok());
        for record in tables.flatten().map_while(Result::ok) {
            let value = record.value.unwrap_or_default();
            restore.take(record.table, &record.key, &value);
        }
        // This also says that the store could be read.
        let restored = restore.finish();
        assert_eq!(restored.registrations, devices as usize, "{restored}");
    });
    let (whole, each) = (begin.elapsed(), f64::from(devices));
    println!(
        "restart with {devices:>7} devices: {:>6.2} s, of them {:.2} s to open the file; a device takes \
         {:.0} bytes on disk, {:.0} in memory",
        whole.as_secs_f64(),
        opened.as_secs_f64(),
        store.reader().size()? as f64 / each,
        memory.bytes_current as f64 / each,
    );
    Ok(())
}

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().unwrap_or_else(|| "target/bench-durable".into()));
    let seconds = arguments.next().map_or(Ok(5), |text| text.parse())?;
    let devices: Result<Vec<u32>, _> = arguments.map(|text| text.parse()).collect();
    let mut devices = devices?;
    if devices.is_empty() {
        devices = vec![10_000, 100_000];
    }
    if folder.exists() {
        return Err(format!("{} is there already; remove it", folder.display()).into());
    }
    let result = measure(&folder, Duration::from_secs(seconds), &devices);
    std::fs::remove_dir_all(&folder)?;
    result
}

fn measure(folder: &Path, span: Duration, devices: &[u32]) -> Outcome<()> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    std::fs::create_dir_all(folder)?;
    runtime.block_on(ask(None, span))?;
    runtime.block_on(ask(Some(&folder.join("asked")), span))?;
    for devices in devices {
        restart(&folder.join(devices.to_string()), *devices)?;
    }
    Ok(())
}
