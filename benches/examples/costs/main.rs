//! What the server's engine costs: instructions of an operation, heap of an idle device, CPU time
//! at different sizes of the fleet. No socket, and nothing of the devices' own work counts.
//!
//! `cargo run --release -p lwm2m-benches --example costs` prints all of it, `costs instructions`,
//! `costs heap` and `costs cpu` a part. Instructions are counted by valgrind's callgrind, and the
//! same in each run. CPU times compare within one run only.

mod adapter;
mod device;
mod fleet;
mod scenarios;

use crate::adapter::Keys;
use crate::device::Device;
use crate::fleet::{Fleet, keys};
use crate::scenarios::{SCENARIOS, Scenario, registered};
use std::process::{Command, ExitCode};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// How often callgrind sees an operation: the difference is free of what comes before.
const FEW: u32 = 1_000;
const MANY: u32 = 3_000;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments[..] {
        [] => instructions().and_then(|()| heap()).and_then(|()| cpu()),
        ["instructions"] => instructions(),
        ["heap"] => heap(),
        ["cpu"] => cpu(),
        ["run", name, count] => run(name, count),
        ["idle", "clear", count] => profile_idle(count, false),
        ["idle", "dtls", count] => profile_idle(count, true),
        _ => {
            Err("usage: costs [instructions | heap | cpu | run NAME COUNT | idle clear|dtls COUNT]"
                .into())
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("costs: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(name: &str, count: &str) -> Outcome<()> {
    let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name);
    (scenario.ok_or("there is no such scenario")?.run)(count.parse()?);
    Ok(())
}

/// Registers devices, lets them fall silent, and exits with all of it in memory: for heap profilers.
fn profile_idle(count: &str, secured: bool) -> Outcome<()> {
    let count = count.parse()?;
    let keys = secured.then(|| keys(count));
    let mut fleet = Fleet::new(keys.as_ref());
    fleet.register(count, false);
    fleet.fall_silent();
    std::process::exit(0)
}

fn instructions() -> Outcome<()> {
    println!("| operation | instructions |\n|---|---|");
    for scenario in &SCENARIOS {
        let each = (collected(scenario, MANY)? - collected(scenario, FEW)?) / u64::from(MANY - FEW);
        println!("| {} | {each} |", scenario.name);
    }
    Ok(())
}

/// The instructions that callgrind counts within `measured`.
fn collected(scenario: &Scenario, count: u32) -> Outcome<u64> {
    let file = std::env::temp_dir().join(format!("costs.{}.{count}", std::process::id()));
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--collect-atstart=no", "--toggle-collect=*measured*"])
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(std::env::current_exe()?)
        .args(["run", scenario.name, &count.to_string()])
        .output()
        .map_err(|error| format!("valgrind does not start: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let profile = std::fs::read_to_string(&file)?;
    std::fs::remove_file(&file)?;
    let total = profile.lines().find_map(|line| line.strip_prefix("totals: "));
    Ok(total.ok_or("callgrind names no total")?.trim().parse()?)
}

fn heap() -> Outcome<()> {
    println!(
        "\n| devices | heap of an idle one in the clear | with its DTLS session |\n|---|---|---|"
    );
    for count in [10_000, 100_000] {
        let keys = keys(count);
        println!("| {count} | {} B | {} B |", idle(count, None), idle(count, Some(&keys)));
    }
    Ok(())
}

/// The bytes that a registered device takes at the server; keys are not counted.
fn idle(count: u32, keys: Option<&Keys>) -> i64 {
    let mut server = None;
    let info = allocation_counter::measure(|| {
        let mut fleet = Fleet::new(keys);
        fleet.register(count, false);
        fleet.fall_silent();
        assert_eq!(fleet.server.registrations(), count as usize);
        server = Some(fleet.server);
    });
    info.bytes_current / i64::from(count)
}

fn cpu() -> Outcome<()> {
    const SIZES: [u32; 4] = [1_000, 50_000, 100_000, 300_000];
    let largest = SIZES[SIZES.len() - 1];
    println!("\n| devices | Register, µs | with its handshake, µs |\n|---|---|---|");
    let keys = keys(largest);
    let columns = [None, Some(&keys)].map(|keys| registers(keys, &SIZES));
    for (place, size) in SIZES.iter().enumerate() {
        println!("| {size} | {:.2} | {:.2} |", columns[0][place], columns[1][place]);
    }
    println!("\n| devices | Update, µs | by DTLS, µs |\n|---|---|---|");
    for size in [1_000, 100_000] {
        let times = [None, Some(&keys)].map(|keys| updates(size, keys));
        println!("| {size} | {:.2} | {:.2} |", times[0], times[1]);
    }
    Ok(())
}

/// The CPU time of a Register, of the last ones before each size.
fn registers(keys: Option<&Keys>, sizes: &[u32]) -> Vec<f64> {
    let mut fleet = Fleet::new(keys);
    let mut registered = 0;
    let mut times = Vec::new();
    for size in sizes {
        let last = (size / 10).max(1_000).min(size - registered);
        fleet.register(size - registered - last, false);
        times.push(fleet.register(last, false).as_secs_f64() * 1e6 / f64::from(last));
        registered = *size;
    }
    times
}

fn updates(size: u32, keys: Option<&Keys>) -> f64 {
    let mut fleet = registered(size, keys);
    let count = 50_000;
    fleet.act(count, &Device::update).as_secs_f64() * 1e6 / f64::from(count)
}
