//! `crash`: the server, or a device, is killed again and again under load, and nothing that it
//! acknowledged is lost.

use crate::Outcome;
use crate::process::{command, run};
use std::path::Path;

/// Runs with the options `--kills N` and `--devices N`; with `--device` a device is killed instead of the
/// server. Default: 500 kills of a server with 1,000 devices, and 1,000 of a device.
pub(crate) fn run_with(root: &Path, options: &[&str]) -> Outcome {
    let (mut kills, mut devices, mut package) = (None, "1000", "lwm2m-serverd");
    let mut options = options.iter();
    while let Some(option) = options.next() {
        match *option {
            "--device" => package = "lwm2m-clientd",
            "--kills" => kills = options.next().copied(),
            "--devices" if let Some(number) = options.next() => devices = number,
            _ => return Err("crash takes --kills N, --devices N and --device".into()),
        }
    }
    let kills = kills.unwrap_or(if package == "lwm2m-clientd" { "1000" } else { "500" });
    // The test that `cargo test` runs with a few kills.
    let test = ["test", "--release", "-p", package, "--test", "it", "crash", "--", "--nocapture"];
    let mut test = command(root, "cargo", &test);
    run(test.env("LWM2M_KILLS", kills).env("LWM2M_DEVICES", devices))
}
