//! What a Read by HTTP costs the server.

use crate::device::{Socket, register};
use crate::http::Connection;
use crate::{Bench, Outcome};
use lwm2m_benches::device_object;
use lwm2m_core::{ContentFormat, Path};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

/// Devices that are read at the same time, each by a connection of its own.
const DEVICES: usize = 8;

pub(crate) fn measure(bench: &Bench) -> Outcome<()> {
    let format = ContentFormat::SENML_CBOR;
    let payload = lwm2m_codec::encode(format, &Path::instance(3, 0), &device_object())?;
    let done = AtomicBool::new(false);
    let (reads, each, rate) = thread::scope(|scope| -> Outcome<_> {
        let mut connections = Vec::new();
        for number in 0..DEVICES {
            let endpoint = format!("urn:dev:ops:read-{number}");
            let mut socket = register(bench.coap, &endpoint)?;
            let (payload, done) = (&payload, &done);
            scope.spawn(move || answer(&mut socket, format.0, payload, done));
            let target = format!("/api/clients/{endpoint}/3/0");
            connections.push((Connection::open(bench.http)?, target));
        }
        let (before, start) = (bench.cpu.now()?, Instant::now());
        let reading: Vec<_> = connections
            .into_iter()
            .map(|(connection, target)| {
                scope.spawn(move || read(connection, &target, start, bench))
            })
            .collect();
        let mut reads = 0;
        for thread in reading {
            reads += thread.join().map_err(|_| "a reader panicked")??;
        }
        let each = (bench.cpu.now()? - before) / u32::try_from(reads)?;
        let rate = reads as f64 / start.elapsed().as_secs_f64();
        // The devices end with their next request.
        done.store(true, Ordering::Relaxed);
        for number in 0..DEVICES {
            let target = format!("/api/clients/urn:dev:ops:read-{number}/3/0");
            Connection::open(bench.http)?.request("GET", &target)?;
        }
        Ok((reads, each, rate))
    })?;
    println!("Read of /3/0 by HTTP: {each:?} of the server's time, {reads} reads, {rate:.0}/s");
    Ok(())
}

fn answer(socket: &mut Socket, format: u16, payload: &[u8], done: &AtomicBool) -> Outcome<()> {
    loop {
        socket.answer(format, payload)?;
        if done.load(Ordering::Relaxed) {
            return Ok(());
        }
    }
}

fn read(mut connection: Connection, target: &str, start: Instant, bench: &Bench) -> Outcome<usize> {
    let mut reads = 0;
    while start.elapsed() < bench.duration {
        let body = connection.request("GET", target)?;
        if !body.starts_with(b"{\"status\":\"CONTENT(205)\"") {
            return Err(String::from_utf8_lossy(body).into());
        }
        reads += 1;
    }
    Ok(reads)
}
