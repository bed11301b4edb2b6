//! How long Updates take while clients list the fleet.

use crate::device::{Fleet, Members};
use crate::http::Connection;
use crate::{Bench, Outcome};
use lwm2m_coap::Code;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Between two Updates of one socket; all sockets together send some thousand a second.
const PERIOD: Duration = Duration::from_millis(32);

/// What the lists did meanwhile.
#[derive(Default)]
struct Lists {
    done: AtomicBool,
    count: AtomicUsize,
    bytes: AtomicUsize,
}

pub(crate) fn measure(bench: &Bench, mut fleet: Fleet) -> Outcome<()> {
    for clients in [0, 1, 10] {
        let lists = Lists::default();
        let (cpu, start) = (bench.cpu.now()?, Instant::now());
        let mut times = thread::scope(|scope| -> Outcome<_> {
            let listing: Vec<_> =
                (0..clients).map(|_| scope.spawn(|| list(bench, &lists))).collect();
            let times = update_all(bench, &mut fleet);
            lists.done.store(true, Ordering::Relaxed);
            for client in listing {
                client.join().map_err(|_| "a client panicked")??;
            }
            times
        })?;
        let load = (bench.cpu.now()? - cpu).as_secs_f64() / start.elapsed().as_secs_f64();
        times.sort_unstable();
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
        println!(
            "{clients:2} clients list: Update p50 {:?}, p99 {:?}, max {:?} of {}; {} lists, {} MB; \
             {load:.2} processors",
            at(0.5),
            at(0.99),
            at(1.0),
            times.len(),
            lists.count.load(Ordering::Relaxed),
            lists.bytes.load(Ordering::Relaxed) >> 20,
        );
    }
    Ok(())
}

/// Lists the devices until all Updates are done.
fn list(bench: &Bench, lists: &Lists) -> Outcome<()> {
    let mut connection = Connection::open(bench.http)?;
    while !lists.done.load(Ordering::Relaxed) {
        connection.send("GET", "/api/clients")?;
        match connection.head()? {
            Some(_) => return Err("the list is too short to be sent in pieces".into()),
            None => loop {
                let length = connection.chunk()?;
                lists.bytes.fetch_add(length, Ordering::Relaxed);
                if length == 0 {
                    lists.count.fetch_add(1, Ordering::Relaxed);
                    break;
                }
                if lists.done.load(Ordering::Relaxed) {
                    return Ok(());
                }
            },
        }
    }
    Ok(())
}

/// Sends Updates from all sockets, each one after the other, and returns how long they took.
fn update_all(bench: &Bench, fleet: &mut Fleet) -> Outcome<Vec<Duration>> {
    let start = Instant::now();
    let sockets = fleet.members.len().max(1);
    thread::scope(|scope| {
        let updating = fleet.members.iter_mut().enumerate().map(|(index, members)| {
            let offset = PERIOD * u32::try_from(index).unwrap_or(0) / sockets as u32;
            scope.spawn(move || update(members, start + offset, bench.duration))
        });
        let updating: Vec<_> = updating.collect();
        let mut times = Vec::new();
        for thread in updating {
            times.extend(thread.join().map_err(|_| "a socket panicked")??);
        }
        Ok(times)
    })
}

/// Sends Updates on time. What starts late because the one before took long counts from when it
/// should have started: a fleet would not have waited.
fn update(members: &mut Members, start: Instant, duration: Duration) -> Outcome<Vec<Duration>> {
    let mut times = Vec::new();
    let mut due = start;
    for id in members.ids.iter().cycle() {
        if due > start + duration {
            break;
        }
        thread::sleep(due.saturating_duration_since(Instant::now()));
        // A sleep that ends late is the fault of this program; an Update before it is not.
        let begun =
            if times.last().is_some_and(|took| *took > PERIOD) { due } else { Instant::now() };
        members.socket.update(id)?;
        let answer = members.socket.receive()?;
        if answer.code != Code::CHANGED {
            return Err(format!("an Update was answered {}", answer.code).into());
        }
        times.push(begun.elapsed());
        due += PERIOD;
    }
    Ok(times)
}
