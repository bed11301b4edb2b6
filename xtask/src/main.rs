//! Checks of the repository: `cargo xtask ci` runs them all, the other commands run one.
//!
//! - [`ci`]: every check, with its time and its result;
//! - [`fresh`]: the commands of the README on a bare Debian;
//! - [`fuzz`]: fuzz targets for a while, or campaigns of hours;
//! - [`crash`]: the server, or a device, is killed again and again under load;
//! - [`speed`]: CoAP servers under the same load;
//! - [`tidy`]: the repository's own rules (crate edges, sans-IO, sizes, …);
//! - [`coverage`]: the requirements table against the tests that prove its rows.

mod ci;
mod coverage;
mod crash;
mod fresh;
mod fuzz;
mod process;
mod repository;
mod source;
mod speed;
mod tidy;
mod tools;

use std::process::ExitCode;

/// The result of a command; the text of an error is printed as it is.
type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

const USAGE: &str = "\
Usage: cargo xtask COMMAND

  ci [--all | --fast] [--only STEP]...
                                all checks, or the named steps; --all: a skip is a failure;
                                --fast: the daily loop, under three minutes when warm
  fresh [--full]                the README's commands on a bare Debian with Rust and gcc alone (as root);
                                --full: all steps of ci there, not only those that compile little
  fuzz [--seconds N] [--jobs N] [TARGET]...
                                fuzz targets, all of them unless named, for a minute each unless told otherwise
  fuzz --campaign HOURS [TARGET]...
                                fuzz targets by turns; keeps their corpora and crashes, reports what grew
  crash [--kills N] [--devices N] [--device]
                                the server is killed 500 times under the load of 1,000 devices, unless told
                                otherwise; nothing that it acknowledged may be lost. --device: a device is
                                killed 1,000 times
  speed                         our CoAP server and libcoap's under the same load, in one run
  tidy                          the repository's own rules
  coverage [--open AREA | --update]
                                which requirements have a test; --open: the rows of AREA without one;
                                --update: lists what is proven in docs/proven.txt
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Outcome {
    let root = repository::root();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if asks_for_help(&words) {
        print!("{USAGE}\nSteps of ci:\n{}", ci::step_list());
        return Ok(());
    }
    match words.as_slice() {
        ["ci", options @ ..] => ci::run(&root, options),
        ["fuzz", options @ ..] => fuzz::run(&root, options),
        ["crash", options @ ..] => crash::run_with(&root, options),
        ["speed"] => speed::run_all(&root),
        ["tidy"] => tidy::run(&root),
        ["coverage"] => coverage::check(&root),
        ["coverage", "--update"] => coverage::run(&root, coverage::Mode::Update),
        ["coverage", "--open", area] => coverage::run(&root, coverage::Mode::Open(area)),
        ["fresh"] => fresh::run(&root, false),
        ["fresh", "--full"] => fresh::run(&root, true),
        _ => Err(format!("unknown command `{}`\n\n{USAGE}", words.join(" ")).into()),
    }
}

/// Whether no command is given, or one is asked for its options: all are on one page.
fn asks_for_help(words: &[&str]) -> bool {
    matches!(words, [] | ["help", ..]) || words.iter().any(|word| matches!(*word, "--help" | "-h"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_help() {
        for words in [&[][..], &["help"], &["-h"], &["ci", "--help"], &["fuzz", "tlv", "-h"]] {
            assert!(asks_for_help(words), "{words:?}");
        }
        assert!(!asks_for_help(&["ci", "--fast"]));
    }
}
