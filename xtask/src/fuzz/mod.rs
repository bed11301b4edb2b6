//! `cargo xtask fuzz`: fuzz targets for a while each, or in a campaign of hours by turns.

mod campaign;
mod coverage;
mod stats;

use crate::Outcome;
use crate::process::{command, run as run_command};
use crate::tools::Tool;
use campaign::Campaign;
use stats::Stats;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

/// What is to be run.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Plan {
    /// Seconds that each target runs.
    pub(crate) seconds: u32,
    /// How many targets run at a time.
    pub(crate) jobs: usize,
    /// Their names; empty means all.
    pub(crate) targets: Vec<String>,
    /// Whether all runs begin with the same random number, so that their verdicts repeat.
    pub(crate) repeatable: bool,
}

/// Runs what the options say.
pub(crate) fn run(root: &Path, options: &[&str]) -> Outcome {
    let (plan, campaign) = parse(options)?;
    match campaign {
        None => all(root, &plan),
        Some(campaign) => {
            let targets = chosen(root, &plan.targets)?;
            let targets: Vec<_> = targets.iter().map(|name| (name.as_str(), build(name))).collect();
            let targets = build_all(root, targets)?;
            campaign.run(root, &targets)
        }
    }
}

pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn parse(options: &[&str]) -> Outcome<(Plan, Option<Campaign>)> {
    let mut plan = Plan { seconds: 60, jobs: cores(), targets: Vec::new(), repeatable: false };
    let (mut hours, mut keep) = (None, false);
    let mut options = options.iter();
    while let Some(option) = options.next() {
        let mut number = || {
            let number = options.next().and_then(|text| text.parse::<f64>().ok());
            number.filter(|number| *number > 0.0).ok_or_else(|| format!("{option} needs a number"))
        };
        match *option {
            "--seconds" => plan.seconds = number()? as u32,
            "--jobs" => plan.jobs = number()? as usize,
            "--campaign" => hours = Some(number()?),
            "--keep" => keep = true,
            other if other.starts_with('-') => {
                return Err(format!("fuzz has no option {other}").into());
            }
            target => plan.targets.push(target.to_owned()),
        }
    }
    if keep && hours.is_none() {
        return Err("--keep is for a campaign".into());
    }
    let jobs = plan.jobs.max(1);
    Ok((plan, hours.map(|hours| Campaign { hours, jobs, keep })))
}

/// Runs all targets of a plan for their seconds. A crash, an input that takes more than ten seconds
/// and one that takes more than a gigabyte are failures. The committed corpus is read only: what a
/// run finds goes below `target`.
pub(crate) fn all(root: &Path, plan: &Plan) -> Outcome {
    let targets = chosen(root, &plan.targets)?;
    run_command(&mut Build::Plain.cargo_fuzz(root, &["build"]))?;
    println!("{:<20} {:>14} {:>16}  result", "target", "runs", "edges");
    let (time, seed) = (Duration::from_secs(plan.seconds.into()), plan.repeatable.then_some(1));
    Queue::new(targets).work(plan.jobs, |target| {
        let run = run_target(root, &target, Build::Plain, time, seed)?;
        let Stats { runs, edges: (before, after) } = run.stats;
        let result = if run.failure.is_some() { "FAILED" } else { "no finding" };
        println!("{target:<20} {runs:>14} {:>16}  {result}", format!("{before} -> {after}"));
        run.failure.map_or(Ok(()), |failure| Err(format!("{target}: {failure}").into()))
    })
}

/// The named targets, or all.
fn chosen(root: &Path, names: &[String]) -> Outcome<Vec<String>> {
    let mut known = Vec::new();
    for entry in fs::read_dir(root.join("fuzz/fuzz_targets"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        known.extend(name.strip_suffix(".rs").map(str::to_owned));
    }
    known.sort();
    if let Some(unknown) = names.iter().find(|name| !known.contains(name)) {
        return Err(format!("no fuzz target {unknown}; there are: {}", known.join(" ")).into());
    }
    Ok(if names.is_empty() { known } else { names.to_vec() })
}

/// How a target is built.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Build {
    /// Without sanitizers, by the stable compiler: the crates have no `unsafe`.
    Plain,
    /// With address sanitizer and with the Mbed TLS backend, which is C.
    Sanitized,
}

/// The targets of DTLS and TLS run C, too.
fn build(target: &str) -> Build {
    let has_c = target.starts_with("dtls_") || target.starts_with("tls_");
    if has_c { Build::Sanitized } else { Build::Plain }
}

impl Build {
    fn cargo_fuzz(self, root: &Path, arguments: &[&str]) -> Command {
        let mut command = command(root, "cargo", &[]);
        command.args(self.words(arguments));
        if self == Self::Sanitized {
            command.env("CFLAGS", "-fsanitize=address -fno-omit-frame-pointer");
        }
        command
    }

    fn words<'a>(self, arguments: &[&'a str]) -> Vec<&'a str> {
        let (verb, rest) = arguments.split_at(1);
        let (before, options): (&[&str], &[&str]) = match self {
            Self::Plain => (&["fuzz"], &["--sanitizer", "none"]),
            Self::Sanitized => (
                &["+nightly", "fuzz"],
                &["--features", "mbedtls", "--target-dir", "fuzz/target/sanitized"],
            ),
        };
        [before, verb, options, rest].concat()
    }

    /// The command that runs an input again.
    fn replay(self, target: &str, input: &str) -> String {
        format!("cargo {}", self.words(&["run", target, input]).join(" "))
    }
}

/// Builds the targets; without the tools for a sanitized build, those with C are built plain.
fn build_all<'a>(
    root: &Path,
    mut targets: Vec<(&'a str, Build)>,
) -> Outcome<Vec<(&'a str, Build)>> {
    let cmake = Tool::Program("cmake", "apt-get install cmake");
    let missing: Vec<Tool> = [Tool::Nightly, cmake, Tool::LibClang]
        .into_iter()
        .filter(|tool| !tool.is_there(root))
        .collect();
    let sanitized = targets.iter().any(|(_, build)| *build == Build::Sanitized);
    if sanitized && !missing.is_empty() {
        for tool in &missing {
            let (name, get) = (tool.name(), tool.get());
            println!(
                "skipped: address sanitizer and the Mbed TLS backend: {name} is missing; get it with: {get}"
            );
        }
        targets.iter_mut().for_each(|(_, build)| *build = Build::Plain);
    }
    for &(target, build) in &targets {
        run_command(&mut build.cargo_fuzz(root, &["build", target]))?;
    }
    Ok(targets)
}

/// The corpus that grows and the committed one.
fn folders(target: &str) -> [String; 2] {
    [format!("target/fuzz-corpus/{target}"), format!("fuzz/corpus/{target}")]
}

/// The inputs at which a target failed, as paths from the root.
fn crashes(root: &Path, target: &str) -> Vec<String> {
    let folder = format!("fuzz/artifacts/{target}");
    let entries = fs::read_dir(root.join(&folder)).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|it| format!("{folder}/{}", it.file_name().to_string_lossy())).collect();
    names.sort();
    names
}

/// What came of a run.
struct Run {
    stats: Stats,
    /// The end of its log.
    failure: Option<String>,
}

fn run_target(
    root: &Path,
    target: &str,
    build: Build,
    time: Duration,
    seed: Option<u32>,
) -> Outcome<Run> {
    let [corpus, seeds] = folders(target);
    let logs = root.join("target/fuzz-logs");
    fs::create_dir_all(root.join(&corpus))?;
    fs::create_dir_all(&logs)?;
    let log = logs.join(format!("{target}.log"));
    let limit = format!("-max_total_time={}", time.as_secs().max(1));
    let mut run = build.cargo_fuzz(root, &["run", target, &corpus, &seeds, "--", &limit]);
    run.args(["-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1"]);
    run.args(seed.map(|seed| format!("-seed={seed}")));
    let output = File::create(&log)?;
    let status = run.stdout(output.try_clone()?).stderr(output).stdin(Stdio::null()).status()?;
    let text = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    let failure = (!status.success()).then(|| {
        let lines: Vec<&str> = text.lines().collect();
        let end = lines[lines.len().saturating_sub(40)..].join("\n");
        format!("{status}; the end of {}:\n{end}", log.display())
    });
    Ok(Run { stats: stats::read(&text), failure })
}

/// Items that several threads take one by one.
struct Queue<T>(Mutex<std::vec::IntoIter<T>>);

impl<T: Send> Queue<T> {
    fn new(items: Vec<T>) -> Self {
        Self(Mutex::new(items.into_iter()))
    }

    /// Does `work` on each item, `jobs` at a time, and returns the failures joined.
    fn work(&self, jobs: usize, work: impl Fn(T) -> Outcome + Sync) -> Outcome {
        let failed = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for _ in 0..jobs.max(1) {
                scope.spawn(|| {
                    while let Some(item) = self.next() {
                        if let (Err(error), Ok(mut failed)) = (work(item), failed.lock()) {
                            failed.push(error.to_string());
                        }
                    }
                });
            }
        });
        let failed = failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        if failed.is_empty() { Ok(()) } else { Err(failed.join("\n").into()) }
    }

    fn next(&self) -> Option<T> {
        self.0.lock().ok()?.next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_make_a_plan() {
        let words = ["--seconds", "1800", "tlv", "--jobs", "3", "text"];
        let wanted = Plan {
            seconds: 1800,
            jobs: 3,
            targets: vec!["tlv".to_owned(), "text".to_owned()],
            repeatable: false,
        };
        assert_eq!(parse(&words).unwrap(), (wanted, None));
        let (plan, campaign) = parse(&["--campaign", "0.5", "--jobs", "2", "tlv"]).unwrap();
        assert_eq!(plan.targets, ["tlv"]);
        assert_eq!(campaign, Some(Campaign { hours: 0.5, jobs: 2, keep: false }));
        for wrong in [&["--seconds"][..], &["--jobs", "0"], &["--fast"], &["--keep"]] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_crash_is_run_again_by_the_build_that_found_it() {
        let input = "fuzz/artifacts/tlv/crash-1";
        let plain = Build::Plain.replay("tlv", input);
        assert_eq!(plain, format!("cargo fuzz run --sanitizer none tlv {input}"));
        let sanitized = build("dtls_server").replay("dtls_server", "x");
        assert!(sanitized.starts_with("cargo +nightly fuzz run --features mbedtls"), "{sanitized}");
    }

    #[test]
    fn a_queue_is_worked_to_its_end_and_failures_are_joined() {
        let done = Mutex::new(0);
        let failed = Queue::new(vec![1, 2, 3, 4]).work(2, |item| {
            *done.lock().unwrap() += 1;
            if item % 2 == 0 { Err(format!("{item} failed").into()) } else { Ok(()) }
        });
        assert_eq!(*done.lock().unwrap(), 4);
        let failed = failed.unwrap_err().to_string();
        assert!(failed.contains("2 failed") && failed.contains("4 failed"), "{failed}");
    }
}
