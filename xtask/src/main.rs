//! Checks of the repository: `cargo xtask ci` runs them all, the other commands run one.
//!
//! - [`ci`]: every check, in order, with its time;
//! - [`fuzz`]: fuzz targets, for as long as one likes;
//! - [`speed`]: CoAP servers under the same load;
//! - [`tidy`]: the repository's own rules (crate edges, sans-IO, sizes, …);
//! - [`coverage`]: the requirements table against the tests that prove its rows.

mod ci;
mod coverage;
mod fuzz;
mod process;
mod repository;
mod source;
mod speed;
mod tidy;

use std::process::ExitCode;

/// What a command ends with: an error's text is for the person who runs it.
type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

const USAGE: &str = "\
Usage: cargo xtask COMMAND

  ci [--all] [--only STEP]...   all checks, or the named steps; --all: a missing tool or peer is an error
  fuzz [--seconds N] [--jobs N] [TARGET]...
                                fuzz targets, all of them unless named, for a minute each unless told otherwise
  speed                         our CoAP server and libcoap's under the same load, in one run
  tidy                          the repository's own rules
  coverage [--open AREA]        which requirements have a test; --open: the rows of AREA without one
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
    match words.as_slice() {
        ["ci", options @ ..] => ci::run(&root, options),
        ["fuzz", options @ ..] => fuzz::run(&root, options),
        ["speed"] => speed::run_all(&root),
        ["tidy"] => tidy::run(&root),
        ["coverage"] => coverage::run(&root, None),
        ["coverage", "--open", area] => coverage::run(&root, Some(area)),
        [] | ["help" | "--help" | "-h"] => {
            print!("{USAGE}\nSteps of ci:\n{}", ci::step_list());
            Ok(())
        }
        _ => Err(format!("unknown command `{}`\n\n{USAGE}", words.join(" ")).into()),
    }
}
