//! The steps of `cargo xtask ci`, in the order in which they run.

use super::{Context, Step};
use crate::process::{command, run as run_command, succeeds};
use crate::tools::Tool;
use crate::{Outcome, coverage, fuzz, tidy};

/// Quick ones first.
pub(super) const STEPS: &[Step] = &[
    Step { name: "fmt", about: "formatting", fast: true, run: fmt },
    Step { name: "tidy", about: "the repository's own rules", fast: true, run: tidy_rules },
    Step {
        name: "coverage",
        about: "requirements against the tests that prove them",
        fast: true,
        run: requirements,
    },
    Step { name: "clippy", about: "lints, warnings are errors", fast: true, run: clippy },
    Step {
        name: "bare-metal",
        about: "what a device embeds, without std",
        fast: false,
        run: bare_metal,
    },
    Step { name: "test", about: "all tests", fast: true, run: test },
    Step { name: "bench", about: "each benchmark once", fast: false, run: bench },
    Step {
        name: "mbedtls",
        about: "the Mbed TLS backend: lints and API pages",
        fast: false,
        run: mbedtls,
    },
    Step { name: "docs", about: "API pages, warnings are errors", fast: false, run: docs },
    Step {
        name: "deny",
        about: "licences, bans and sources of dependencies",
        fast: false,
        run: deny,
    },
    Step {
        name: "package",
        about: "the crates as they would be published",
        fast: false,
        run: package,
    },
    Step { name: "fuzz", about: "every fuzz target for ten seconds", fast: false, run: fuzz_all },
];

/// Seconds that each fuzz target runs.
const FUZZ_SECONDS: u32 = 10;
/// The target of the step bare-metal: a Cortex-M4F or M7F, which has no operating system.
const BARE_METAL: &str = "thumbv7em-none-eabihf";
/// Crates whose tests `--fast` leaves out: the suite against real peers takes minutes.
const SLOW_TESTS: [&str; 2] = ["--exclude=lwm2m-testkit", "--exclude=lwm2m-benches"];
/// What turns the Mbed TLS backend on in every crate that has it. The benchmarks are left out: their
/// feature of this name brings all peers that they measure.
const WITH_MBEDTLS: &str = "lwm2m-mbedtls/mbedtls,lwm2m-dtls/mbedtls,lwm2m-server/mbedtls,lwm2m-bootstrap/mbedtls,lwm2m-app/mbedtls,lwm2m-cli/mbedtls";

const GIT: Tool = Tool::Program("git", "apt-get install git");
const CMAKE: Tool = Tool::Program("cmake", "apt-get install cmake");
const CXX: Tool = Tool::Program("c++", "apt-get install g++");
const RUSTFMT: Tool = Tool::CargoCommand("fmt", "rustup component add rustfmt");
const CLIPPY: Tool = Tool::CargoCommand("clippy", "rustup component add clippy");
const CARGO_DENY: Tool = Tool::CargoCommand("deny", "cargo install cargo-deny --locked");
const CARGO_FUZZ: Tool = Tool::CargoCommand("fuzz", "cargo install cargo-fuzz --locked");

fn fmt(ci: &mut Context<'_>) -> Outcome {
    if !ci.has("fmt", &[RUSTFMT]) {
        return Ok(());
    }
    ci.cargo(&["fmt", "--all", "--check"])?;
    ci.cargo(&["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"])
}

fn tidy_rules(ci: &mut Context<'_>) -> Outcome {
    if ci.has("tidy", &[GIT]) { tidy::run(ci.root) } else { Ok(()) }
}

fn requirements(ci: &mut Context<'_>) -> Outcome {
    if ci.has("coverage", &[GIT]) { coverage::check(ci.root) } else { Ok(()) }
}

/// The fuzz targets are a workspace of their own; they share the directory of what is built.
fn clippy(ci: &mut Context<'_>) -> Outcome {
    if !ci.has("clippy", &[CLIPPY]) {
        return Ok(());
    }
    ci.cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    if ci.options.fast {
        return Ok(());
    }
    if !ci.has("clippy: the fuzz targets", &[CXX]) {
        return Ok(());
    }
    let fuzz = ["clippy", "--manifest-path", "fuzz/Cargo.toml", "--target-dir", "target"];
    ci.cargo(&[&fuzz[..], &["--", "-D", "warnings"]].concat())
}

/// Where the target cannot be had, the crates are checked without default features on this machine.
fn bare_metal(ci: &mut Context<'_>) -> Outcome {
    let target = Tool::Target(BARE_METAL, "rustup target add thumbv7em-none-eabihf");
    let target = if ci.has("bare-metal", &[target]) { &["--target", BARE_METAL][..] } else { &[] };
    for name in tidy::no_std_crates() {
        ci.cargo(&[&["check", "--no-default-features", "-p", name], target].concat())?;
    }
    Ok(())
}

/// How often the simulated server crashes with `--all`, instead of some hundreds of times.
const CRASHES: &str = "10000";
/// How often a daemon is killed with `--fast`, instead of 20 times.
const FEW_KILLS: &str = "2";

/// With the Mbed TLS backend where it can be built, so that its tests and all others are built once.
/// The tests against real peers pass where a peer is missing, unless `--all` is given.
fn test(ci: &mut Context<'_>) -> Outcome {
    if ci.options.fast {
        let fast = ["test", "--workspace", "--lib", "--bins", "--tests"];
        let mut tests = command(ci.root, "cargo", &[&fast[..], &SLOW_TESTS].concat());
        return run_command(tests.env("LWM2M_KILLS", FEW_KILLS));
    }
    let mut words = vec!["test", "--workspace", "--no-fail-fast"];
    words.extend(mbedtls_features(ci));
    let mut tests = command(ci.root, "cargo", &words);
    if ci.options.all {
        tests.env("LWM2M_PEERS", "require").env("LWM2M_CRASHES", CRASHES);
    }
    note_missing_peers(ci);
    run_command(&mut tests)
}

/// Features for the Mbed TLS backend; none where it cannot be built, which the step mbedtls notes.
fn mbedtls_features(ci: &Context<'_>) -> &'static [&'static str] {
    let there = CMAKE.is_there(ci.root) && Tool::LibClang.is_there(ci.root);
    if there { &["--features", WITH_MBEDTLS] } else { &[] }
}

fn note_missing_peers(ci: &mut Context<'_>) {
    let folder = |name| ci.root.join("target/peers").join(name).is_dir();
    let program = |name| Tool::Program(name, "").is_there(ci.root);
    let peers = [
        ("leshan", program("java") && folder("leshan")),
        ("aiocoap", folder("venv")),
        ("mbedtls", folder("mbedtls")),
        ("libcoap", program("coap-client-notls")),
        ("browser", program("chromium") && program("node") && folder("browser")),
        ("openssl", program("openssl")),
        ("gnutls", program("gnutls-cli")),
        ("tshark", program("tshark")),
    ];
    for (name, _) in peers.iter().filter(|(_, there)| !there) {
        let what = format!("test: the peer {name} is missing, its tests did nothing");
        ci.skip(&what, "crates/lwm2m-testkit/peers/install.sh");
    }
}

/// From the profile and the features of the step test, so that nothing is built a second time.
/// Figures need `cargo bench`.
fn bench(ci: &mut Context<'_>) -> Outcome {
    let benches = ["test", "--workspace", "--bench", "*"];
    ci.cargo(&[&benches[..], mbedtls_features(ci)].concat())
}

/// Lints and API pages; its tests run in the step test.
fn mbedtls(ci: &mut Context<'_>) -> Outcome {
    if !ci.has("mbedtls", &[CMAKE, Tool::LibClang]) {
        return Ok(());
    }
    let packages = ["-p", "lwm2m-dtls", "-p", "lwm2m-mbedtls"];
    let features = ["--features", "lwm2m-dtls/mbedtls,lwm2m-mbedtls/mbedtls"];
    if ci.has("mbedtls: lints", &[CLIPPY]) {
        let lints = ["--all-targets", "--", "-D", "warnings"];
        ci.cargo(&[&["clippy"][..], &packages, &features, &lints].concat())?;
    }
    let docs = [&["doc", "--no-deps"][..], &packages, &features].concat();
    run_command(command(ci.root, "cargo", &docs).env("RUSTDOCFLAGS", "-D warnings"))
}

fn docs(ci: &mut Context<'_>) -> Outcome {
    let arguments = ["doc", "--workspace", "--no-deps"];
    run_command(command(ci.root, "cargo", &arguments).env("RUSTDOCFLAGS", "-D warnings"))
}

fn deny(ci: &mut Context<'_>) -> Outcome {
    if !ci.has("deny", &[CARGO_DENY]) {
        return Ok(());
    }
    ci.cargo(&["deny", "check", "--hide-inclusion-graph", "licenses", "bans", "sources"])?;
    if !succeeds(&mut command(ci.root, "cargo", &["deny", "fetch", "db"])) {
        println!("note: the database of advisories cannot be fetched; advisories are not checked");
        return Ok(());
    }
    ci.cargo(&["deny", "check", "advisories"])
}

/// Packs every crate that is to be published; cargo checks the manifests and the versions of the
/// dependencies. What was packed is not compiled: the
/// other steps compile the same files, and it would take one more build of everything.
fn package(ci: &mut Context<'_>) -> Outcome {
    let unpublished = ["--exclude=lwm2m-testkit", "--exclude=lwm2m-benches", "--exclude=xtask"];
    let package = ["package", "--workspace", "--no-verify", "--allow-dirty"];
    ci.cargo(&[&package[..], &unpublished].concat())
}

fn fuzz_all(ci: &mut Context<'_>) -> Outcome {
    if !ci.has("fuzz", &[CARGO_FUZZ, CXX]) {
        return Ok(());
    }
    let (jobs, targets) = (fuzz::cores(), Vec::new());
    fuzz::all(ci.root, &fuzz::Plan { seconds: FUZZ_SECONDS, jobs, targets, repeatable: true })
}
