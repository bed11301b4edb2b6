//! `cargo xtask fuzz`: fuzz targets for as long as one likes, several at a time, with what each did.

use crate::Outcome;
use crate::process::{command, run as run_command};
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;

/// What is to be run.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Plan {
    /// For how long each target runs.
    pub(crate) seconds: u32,
    /// How many targets run at a time.
    pub(crate) jobs: usize,
    /// Their names; none means all of them.
    pub(crate) targets: Vec<String>,
    /// Whether all runs begin with the same random number, so that their verdicts repeat.
    pub(crate) repeatable: bool,
}

/// Runs what the options say.
pub(crate) fn run(root: &Path, options: &[&str]) -> Outcome {
    all(root, &plan(options)?)
}

pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn plan(options: &[&str]) -> Outcome<Plan> {
    let mut plan = Plan { seconds: 60, jobs: cores(), targets: Vec::new(), repeatable: false };
    let mut options = options.iter();
    while let Some(option) = options.next() {
        let mut number = || {
            let number = options.next().and_then(|text| text.parse().ok());
            number.filter(|number| *number > 0).ok_or_else(|| format!("{option} needs a number"))
        };
        match *option {
            "--seconds" => plan.seconds = number()?,
            "--jobs" => plan.jobs = usize::try_from(number()?)?,
            other if other.starts_with('-') => return Err(format!("no option {other}").into()),
            target => plan.targets.push(target.to_owned()),
        }
    }
    Ok(plan)
}

/// Runs all targets of a plan. A crash, an input that takes over ten seconds or one that takes over a
/// gigabyte is a failure. The committed corpus is read only: what a run finds goes below `target`.
pub(crate) fn all(root: &Path, plan: &Plan) -> Outcome {
    let known = targets(root)?;
    if let Some(unknown) = plan.targets.iter().find(|name| !known.contains(name)) {
        return Err(format!("no fuzz target {unknown}; there are: {}", known.join(" ")).into());
    }
    run_command(&mut cargo_fuzz(root, &["build"]))?;
    let chosen = if plan.targets.is_empty() { &known } else { &plan.targets };
    println!("{:<20} {:>14} {:>13}  result", "target", "runs", "corpus");
    let (queue, failed) = (Mutex::new(chosen.iter()), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..plan.jobs {
            scope.spawn(|| {
                while let Some(target) = queue.lock().ok().and_then(|mut queue| queue.next()) {
                    if let (Err(error), Ok(mut failed)) = (one(root, plan, target), failed.lock()) {
                        failed.push(format!("{target}: {error}"));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\n").into()) }
}

/// Runs one target and prints its line.
fn one(root: &Path, plan: &Plan, target: &str) -> Outcome {
    let (corpus, log) = (format!("target/fuzz-corpus/{target}"), "target/fuzz-logs");
    fs::create_dir_all(root.join(&corpus))?;
    fs::create_dir_all(root.join(log))?;
    let log = root.join(log).join(format!("{target}.log"));
    let (seeds, limit) =
        (format!("fuzz/corpus/{target}"), format!("-max_total_time={}", plan.seconds));
    let mut run = cargo_fuzz(root, &["run", target, &corpus, &seeds, "--", &limit]);
    run.args(["-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1"]);
    if plan.repeatable {
        run.arg("-seed=1");
    }
    let output = File::create(&log)?;
    let status = run.stdout(output.try_clone()?).stderr(output).stdin(Stdio::null()).status()?;
    let text = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    let runs = text.lines().rev().find_map(|line| line.strip_prefix("stat::number_of_executed_"));
    let runs = runs.and_then(|rest| rest.split_whitespace().last()).unwrap_or("?");
    let inputs = fs::read_dir(root.join(&corpus))?.count() + files(&root.join(&seeds));
    let result = if status.success() { "no finding" } else { "FAILED" };
    println!("{target:<20} {runs:>14} {inputs:>7} files  {result}");
    if status.success() {
        return Ok(());
    }
    let end: Vec<&str> = text.lines().rev().take(40).collect();
    let end: Vec<&str> = end.into_iter().rev().collect();
    Err(format!("{status}; the end of {}:\n{}", log.display(), end.join("\n")).into())
}

fn files(folder: &Path) -> usize {
    fs::read_dir(folder).map_or(0, Iterator::count)
}

/// cargo-fuzz without sanitizers: the code has no `unsafe`, and the stable compiler will do.
fn cargo_fuzz(root: &Path, arguments: &[&str]) -> Command {
    let (verb, rest) = arguments.split_at(1);
    command(root, "cargo", &[&["fuzz"], verb, &["--sanitizer", "none"], rest].concat())
}

fn targets(root: &Path) -> Outcome<Vec<String>> {
    let mut targets = Vec::new();
    for entry in fs::read_dir(root.join("fuzz/fuzz_targets"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        targets.extend(name.strip_suffix(".rs").map(str::to_owned));
    }
    targets.sort();
    Ok(targets)
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
        assert_eq!(plan(&words).unwrap(), wanted);
        for wrong in [&["--seconds"][..], &["--jobs", "0"], &["--fast"]] {
            assert!(plan(wrong).is_err(), "{wrong:?}");
        }
    }
}
