//! `cargo xtask ci`: every check of the repository, in order, each with its time.

use crate::process::{command, run as run_command, succeeds};
use crate::{Outcome, coverage, fuzz, tidy};
use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// One check.
struct Step {
    name: &'static str,
    about: &'static str,
    run: fn(&mut Context<'_>) -> Outcome,
}

const STEPS: &[Step] = &[
    Step { name: "fmt", about: "formatting", run: fmt },
    Step { name: "clippy", about: "lints of all targets, warnings are errors", run: clippy },
    Step { name: "tidy", about: "the repository's own rules", run: |ci| tidy::run(ci.root) },
    Step {
        name: "coverage",
        about: "requirements against the tests that prove them",
        run: |ci| coverage::run(ci.root, None),
    },
    Step { name: "no-std", about: "builds without default features", run: no_std },
    Step { name: "test", about: "all tests, examples in the docs too", run: test },
    Step {
        name: "mbedtls",
        about: "the Mbed TLS backend: lints, tests of its modes",
        run: mbedtls,
    },
    Step { name: "docs", about: "API pages, warnings are errors", run: docs },
    Step { name: "deny", about: "licences, bans and sources of dependencies", run: deny },
    Step { name: "fuzz", about: "every fuzz target for ten seconds", run: fuzz },
    Step { name: "bench", about: "benchmarks compiled, each run once", run: bench },
];

/// Seconds that each fuzz target runs.
const FUZZ_SECONDS: u32 = 10;

/// What the steps share.
struct Context<'a> {
    root: &'a Path,
    /// A missing tool or peer is an error.
    all: bool,
    /// What was left out, and how to get what it needs.
    skipped: Vec<String>,
}

impl Context<'_> {
    fn cargo(&self, arguments: &[&str]) -> Outcome {
        run_command(&mut command(self.root, "cargo", arguments))
    }

    /// Notes that the tool for something is missing; an error if everything was asked for.
    fn missing(&mut self, what: &str, get: &str) -> Outcome {
        if self.all {
            return Err(format!("{what}; get it with: {get}").into());
        }
        self.skipped.push(format!("{what}; get it with: {get}"));
        Ok(())
    }
}

/// Runs the steps that the options choose: all of them, or those of `--only`.
pub(crate) fn run(root: &Path, options: &[&str]) -> Outcome {
    let (all, steps) = choose(options)?;
    let mut context = Context { root, all, skipped: Vec::new() };
    let mut times = Vec::new();
    for step in steps {
        println!("\n== {}: {}", step.name, step.about);
        let start = Instant::now();
        let result = (step.run)(&mut context);
        times.push((step.name, start.elapsed()));
        if let Err(error) = result {
            print_times(&times);
            return Err(format!("step {} failed: {error}", step.name).into());
        }
    }
    print_times(&times);
    for skipped in &context.skipped {
        println!("skipped: {skipped}");
    }
    Ok(())
}

/// The steps with what they do, a line each.
pub(crate) fn step_list() -> String {
    STEPS.iter().fold(String::new(), |mut list, step| {
        let _ = writeln!(list, "  {:<9} {}", step.name, step.about);
        list
    })
}

fn choose(options: &[&str]) -> Outcome<(bool, Vec<&'static Step>)> {
    let (mut all, mut chosen) = (false, Vec::new());
    let mut options = options.iter();
    while let Some(option) = options.next() {
        match *option {
            "--all" => all = true,
            "--only" => {
                let name = options.next().ok_or("--only needs the name of a step")?;
                let step = STEPS.iter().find(|step| step.name == *name);
                chosen.push(
                    step.ok_or_else(|| format!("no step {name}; there are:\n{}", step_list()))?,
                );
            }
            other => return Err(format!("ci has no option {other}").into()),
        }
    }
    if chosen.is_empty() {
        chosen.extend(STEPS);
    }
    Ok((all, chosen))
}

fn print_times(times: &[(&str, Duration)]) {
    println!();
    for (name, time) in times {
        println!("{name:<9} {:>7.1} s", time.as_secs_f64());
    }
}

fn fmt(ci: &mut Context<'_>) -> Outcome {
    ci.cargo(&["fmt", "--all", "--check"])?;
    ci.cargo(&["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"])
}

fn clippy(ci: &mut Context<'_>) -> Outcome {
    ci.cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    ci.cargo(&["clippy", "--manifest-path", "fuzz/Cargo.toml", "--", "-D", "warnings"])
}

fn no_std(ci: &mut Context<'_>) -> Outcome {
    for name in tidy::no_std_crates() {
        ci.cargo(&["check", "--no-default-features", "-p", name])?;
    }
    Ok(())
}

/// The tests against real peers fail where a peer is missing, with `--all`; else they pass.
fn test(ci: &mut Context<'_>) -> Outcome {
    let mut tests = command(ci.root, "cargo", &["test", "--workspace"]);
    if ci.all {
        tests.env("LWM2M_PEERS", "require");
    } else {
        note_missing_peers(ci)?;
    }
    run_command(&mut tests)
}

fn note_missing_peers(ci: &mut Context<'_>) -> Outcome {
    let folder = |name| ci.root.join("target/peers").join(name).is_dir();
    let program = |name| command(ci.root, name, &["--version"]).output().is_ok();
    let peers = [
        ("leshan", folder("leshan")),
        ("aiocoap", folder("venv")),
        ("mbedtls", folder("mbedtls")),
        ("libcoap", program("coap-client-notls")),
        ("openssl", program("openssl")),
        ("gnutls", program("gnutls-cli")),
    ];
    for (name, _) in peers.iter().filter(|(_, there)| !there) {
        let what = format!("test: the tests against {name}");
        ci.missing(&what, "crates/lwm2m-testkit/peers/install.sh")?;
    }
    Ok(())
}

/// Builds Mbed TLS, once; the tests are those of both backends with each other, and those of the
/// native backend that Mbed TLS has the modes for.
fn mbedtls(ci: &mut Context<'_>) -> Outcome {
    if command(ci.root, "cmake", &["--version"]).output().is_err() {
        return ci.missing("mbedtls: no cmake", "apt-get install cmake libclang-dev");
    }
    let features = ["--features", "lwm2m-dtls/mbedtls"];
    let packages = ["-p", "lwm2m-dtls", "-p", "lwm2m-mbedtls"];
    let lints = ["--all-targets", "--", "-D", "warnings"];
    ci.cargo(&[&["clippy"][..], &packages, &features, &lints].concat())?;
    let docs = [&["doc", "--no-deps"][..], &packages, &features].concat();
    run_command(command(ci.root, "cargo", &docs).env("RUSTDOCFLAGS", "-D warnings"))?;
    for name in ["lwm2m-mbedtls", "lwm2m-app", "lwm2m-server"] {
        ci.cargo(&["test", "-p", name, "--features", "mbedtls"])?;
    }
    // The command has both daemons in it, so they are built with it, too.
    ci.cargo(&["test", "-p", "lwm2m-cli", "--features", "mbedtls", "--test", "it", "backend::"])?;
    ci.cargo(&["test", "-p", "lwm2m-dtls", "--features", "mbedtls", "--test", "it", "backends::"])
}

/// Without `lwm2m-cli`: its binary has the name of the library `lwm2m`, but no API.
fn docs(ci: &mut Context<'_>) -> Outcome {
    let arguments = ["doc", "--workspace", "--no-deps", "--exclude", "lwm2m-cli"];
    run_command(command(ci.root, "cargo", &arguments).env("RUSTDOCFLAGS", "-D warnings"))
}

fn deny(ci: &mut Context<'_>) -> Outcome {
    if !succeeds(&mut command(ci.root, "cargo", &["deny", "--version"])) {
        return ci.missing("deny: no cargo-deny", "cargo install cargo-deny --locked");
    }
    ci.cargo(&["deny", "check", "--hide-inclusion-graph", "licenses", "bans", "sources"])?;
    if !succeeds(&mut command(ci.root, "cargo", &["deny", "fetch", "db"])) {
        let what = "deny: advisories, their database cannot be fetched";
        ci.skipped.push(format!("{what}; needs: the internet"));
        return Ok(());
    }
    ci.cargo(&["deny", "check", "advisories"])
}

fn fuzz(ci: &mut Context<'_>) -> Outcome {
    if !succeeds(&mut command(ci.root, "cargo", &["fuzz", "--version"])) {
        return ci.missing("fuzz: no cargo-fuzz", "cargo install cargo-fuzz --locked");
    }
    let (jobs, targets) = (fuzz::cores(), Vec::new());
    fuzz::all(ci.root, &fuzz::Plan { seconds: FUZZ_SECONDS, jobs, targets, repeatable: true })
}

fn bench(ci: &mut Context<'_>) -> Outcome {
    ci.cargo(&["bench", "-p", "lwm2m-benches", "--", "--test"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_choose_steps() {
        let (all, steps) = choose(&["--all"]).unwrap();
        assert!(all);
        assert_eq!(steps.len(), STEPS.len());
        let (all, steps) = choose(&["--only", "tidy", "--only", "fmt"]).unwrap();
        assert!(!all);
        assert_eq!(steps.iter().map(|step| step.name).collect::<Vec<_>>(), ["tidy", "fmt"]);
        assert!(choose(&["--only"]).is_err());
        assert!(choose(&["--only", "none"]).is_err());
        assert!(choose(&["--fast"]).is_err());
    }

    #[test]
    fn a_missing_tool_is_an_error_only_with_all() {
        let root = Path::new(".");
        let mut context = Context { root, all: false, skipped: Vec::new() };
        context.missing("fuzz: no tool", "get").unwrap();
        assert_eq!(context.skipped, ["fuzz: no tool; get it with: get"]);
        context.all = true;
        assert!(context.missing("fuzz: no tool", "get").is_err());
    }
}
