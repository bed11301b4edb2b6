//! What a notification costs the server while event streams are open.

use crate::device::{Socket, register};
use crate::http::Connection;
use crate::{Bench, Outcome};
use lwm2m_coap::{MessageType, Token};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const DEVICES: usize = 32;
const FRAME: &[u8] = b"event: NOTIFICATION\n";

/// Non-confirmable notifications of each device in a row, and the pause after them: 10,000 a second
/// of all devices.
const BURST: usize = 8;
const PAUSE: Duration = Duration::from_micros(25_600);

/// A device that is observed.
struct Observed {
    socket: Socket,
    token: Token,
    sequence: u32,
}

pub(crate) fn measure(bench: &Bench) -> Outcome<()> {
    let mut devices = (0..DEVICES).map(|it| observe(bench, it)).collect::<Outcome<Vec<_>>>()?;
    let read = Arc::new(AtomicUsize::new(0));
    let mut open = 0;
    for streams in [0, 10, 100] {
        while open < streams {
            subscribe(bench, Arc::clone(&read))?;
            open += 1;
        }
        for (kind, name) in [
            (MessageType::Confirmable, "confirmable, as fast as they are acknowledged"),
            (MessageType::NonConfirmable, "non-confirmable, 10,000 a second"),
        ] {
            read.store(0, Ordering::Relaxed);
            let (before, start) = (bench.cpu.now()?, Instant::now());
            let sent = notify_all(bench, &mut devices, kind)?;
            let rate = sent as f64 / start.elapsed().as_secs_f64();
            settle(&read);
            let each = (bench.cpu.now()? - before) / u32::try_from(sent)?;
            let missed = (sent * streams).saturating_sub(read.load(Ordering::Relaxed));
            println!(
                "{streams:3} streams: {each:?} a notification ({name}: {rate:.0}/s); of {} events \
                 readers missed {missed}",
                sent * streams
            );
        }
    }
    Ok(())
}

/// Waits until nothing more arrives at the streams.
fn settle(read: &AtomicUsize) {
    loop {
        let before = read.load(Ordering::Relaxed);
        thread::sleep(Duration::from_millis(300));
        if read.load(Ordering::Relaxed) == before {
            break;
        }
    }
}

fn observe(bench: &Bench, number: usize) -> Outcome<Observed> {
    let endpoint = format!("urn:dev:ops:observed-{number}");
    let mut socket = register(bench.coap, &endpoint)?;
    let mut api = Connection::open(bench.http)?;
    api.send("POST", &format!("/api/clients/{endpoint}/3303/0/5700/observe"))?;
    let token = socket.answer(0, b"21.5")?.token;
    api.head()?;
    Ok(Observed { socket, token, sequence: 1 })
}

/// Opens an event stream, whose notifications are counted until the program ends.
fn subscribe(bench: &Bench, read: Arc<AtomicUsize>) -> Outcome<()> {
    let mut stream = Connection::open(bench.http)?;
    stream.send("GET", "/api/event")?;
    stream.head()?;
    thread::Builder::new().stack_size(1 << 17).spawn(move || {
        while stream.chunk().is_ok_and(|length| length > 0) {
            let found = stream.body().windows(FRAME.len()).filter(|it| *it == FRAME).count();
            read.fetch_add(found, Ordering::Relaxed);
        }
    })?;
    Ok(())
}

/// Lets the devices notify for the time of a measurement; returns how many notifications that were.
fn notify_all(bench: &Bench, devices: &mut [Observed], kind: MessageType) -> Outcome<usize> {
    let end = Instant::now() + bench.duration;
    let total = Mutex::new(0);
    thread::scope(|scope| -> Outcome<()> {
        let notifying: Vec<_> = devices
            .iter_mut()
            .map(|device| {
                scope.spawn(|| -> Outcome<()> {
                    let sent = device.notify_until(end, kind)?;
                    *total.lock().map_err(|_| "a device panicked")? += sent;
                    Ok(())
                })
            })
            .collect();
        notifying.into_iter().try_for_each(|it| it.join().map_err(|_| "a device panicked")?)
    })?;
    Ok(total.into_inner()?)
}

impl Observed {
    fn notify_until(&mut self, end: Instant, kind: MessageType) -> Outcome<usize> {
        let mut sent = 0;
        while Instant::now() < end {
            for _ in 0..BURST {
                self.sequence += 1;
                let value = format!("{}.5", self.sequence % 50);
                self.socket.notify(kind, self.token, self.sequence, &value)?;
                if kind == MessageType::Confirmable {
                    self.socket.receive()?;
                }
                sent += 1;
            }
            if kind == MessageType::NonConfirmable {
                thread::sleep(PAUSE);
            }
        }
        Ok(sent)
    }
}
