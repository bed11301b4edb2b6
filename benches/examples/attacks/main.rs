//! What attacks cost the server, and how long a device waits for its answers meanwhile.
//!
//! `cargo run --release -p lwm2m-benches --example attacks [NAME [SECONDS]]` starts `lwm2m-serverd` for
//! each attack whose name begins with NAME, and prints the bytes of the attack, the processor time and
//! memory that it took from the server, and the median and 99th percentile of the answers to a device
//! with a pre-shared key, the victim, that sends an Update each 20 ms: before the attack and during it.
//!
//! Attackers share the machine with server and victim, as they would not elsewhere, so they run at a
//! lower priority: what the victim waits for is the server. Linux only: figures are read from `/proc`,
//! and addresses of 127.0.0.0/8 are many.

mod bodies;
mod certificates;
#[path = "../fleet_api/cpu.rs"]
mod cpu;
mod flood;
mod floods;
mod handshakes;
#[path = "../fleet_api/http.rs"]
#[allow(dead_code, reason = "only a part of it is needed here")]
mod http;
mod patience;
mod secured;
mod server;
mod victim;

use server::Target;
use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use victim::{Times, Victim};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const SECONDS: u64 = 5;

/// What was sent so far.
#[derive(Default)]
struct Sent {
    bytes: u64,
    messages: u64,
}

impl Sent {
    fn add(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        self.messages += 1;
    }
}

trait Attack: Send {
    /// Goes on with the attack for a moment.
    fn step(&mut self, sent: &mut Sent) -> Outcome<()>;
    /// What came of it.
    fn outcome(&mut self) -> Outcome<String>;
}

type Prepare = fn(&Target) -> Outcome<Box<dyn Attack>>;

const ATTACKS: &[(&str, Prepare)] = &[
    ("32 certificate bombs", certificates::bombs),
    ("33 Sends of 1 MiB, 21 event streams", bodies::too_many_values),
    ("33 Sends of 10,000 values, 21 event streams", bodies::most_values),
    ("34 Registers with lt=0", floods::registers),
    ("35 forged addresses", floods::addresses),
    ("36 Updates of 960 links of 16 attributes", floods::fat_updates),
    ("37 connections that say nothing", patience::connections),
    ("38 half-open handshakes, 1,000 a second", handshakes::in_crowds),
    ("38 half-open handshakes without a pause", handshakes::without_a_pause),
    ("38 bodies that do not end", floods::bodies),
    ("39 leaves without digitalSignature", certificates::wrong_usage),
    ("40 names with blanks and fields", floods::log_lines),
    ("41 requests of every kind", floods::reflection),
    ("42 lists of 20,000 devices, 5 readers", patience::lists),
    ("42 requests without their bodies", patience::bodies),
];

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let first = arguments.next().unwrap_or_default();
    if first == server::COMMAND {
        return server::run(arguments);
    }
    let seconds = arguments.next().map_or(Ok(SECONDS), |text| text.parse())?;
    // This program opens thousands of sockets, too.
    let _ = lwm2m_app::Descriptors::raise(8_192, 8_192);
    println!(
        "| attack | messages | bytes | CPU of the server | memory | victim before: median, p99 | \
         during: median, p99 | |\n|---|---|---|---|---|---|---|---|"
    );
    let chosen = ATTACKS.iter().filter(|(name, _)| name.starts_with(&first));
    for (name, prepare) in chosen {
        let row = measure(*prepare, Duration::from_secs(seconds))
            .unwrap_or_else(|error| format!("failed: {error} | | | | | |"));
        println!("| {name} | {row} |");
    }
    Ok(())
}

/// Runs one attack on a server of its own; the rest of a row of the table.
fn measure(prepare: Prepare, duration: Duration) -> Outcome<String> {
    let target = Target::start()?;
    let mut attack = prepare(&target)?;
    let mut victim = Victim::register(&target)?;
    let before = victim.ask_for(duration)?;
    let (cpu, memory) = (target.cpu()?, target.memory()?);
    let done = AtomicBool::new(false);
    let (during, sent) = thread::scope(|scope| {
        let attacker = scope.spawn(|| go_on(&mut *attack, &done));
        let during = victim.ask_for(duration);
        done.store(true, Ordering::Relaxed);
        Ok::<_, Box<dyn Error + Send + Sync>>((
            during?,
            attacker.join().map_err(|_| "the attacker panicked")??,
        ))
    })?;
    let share = (target.cpu()? - cpu).as_secs_f64() / duration.as_secs_f64() * 100.0;
    let grown = (target.memory()? - memory) / 1e6;
    Ok(format!(
        "{} | {} | {share:.0}% | {grown:+.0} MB | {} | {} | {}",
        sent.messages,
        sent.bytes,
        Times::of(before),
        Times::of(during),
        attack.outcome()?
    ))
}

/// Makes the thread one that takes what others leave.
fn step_back() -> Outcome<()> {
    rustix::process::nice(10)?;
    Ok(())
}

fn go_on(attack: &mut dyn Attack, done: &AtomicBool) -> Outcome<Sent> {
    step_back()?;
    let mut sent = Sent::default();
    while !done.load(Ordering::Relaxed) {
        attack.step(&mut sent)?;
    }
    Ok(sent)
}
