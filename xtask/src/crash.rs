//! `crash`: the server is killed again and again under load, and nothing that it acknowledged is lost.

use crate::Outcome;
use crate::process::{command, run};
use std::path::Path;

/// The test that `cargo test` runs with a few kills.
const TEST: [&str; 9] =
    ["test", "--release", "-p", "lwm2m-serverd", "--test", "it", "crash", "--", "--nocapture"];

/// Runs with the options `--kills N` and `--devices N`. Default: 500 and 1,000.
pub(crate) fn run_with(root: &Path, options: &[&str]) -> Outcome {
    let (mut kills, mut devices) = ("500", "1000");
    for option in options.chunks(2) {
        match option {
            ["--kills", number] => kills = number,
            ["--devices", number] => devices = number,
            _ => return Err("crash takes --kills N and --devices N".into()),
        }
    }
    let mut test = command(root, "cargo", &TEST);
    run(test.env("LWM2M_KILLS", kills).env("LWM2M_DEVICES", devices))
}
