//! `cargo xtask fuzz --campaign HOURS`: all targets by turns until the time is over. Then each
//! corpus is minimised, and a report tells what grew and how to run each crash again.

use super::{Build, Queue, coverage, crashes, folders, run_target};
use crate::Outcome;
use crate::process::run_logged;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// The longest turn of a target, so that a long campaign has several rounds.
const LONGEST_TURN: Duration = Duration::from_secs(600);
/// A target with so many crashes has no more turns: it would find the same again.
const CRASHES: usize = 3;

/// What a campaign is to do.
#[derive(PartialEq, Debug)]
pub(super) struct Campaign {
    pub(super) hours: f64,
    pub(super) jobs: usize,
    /// Copies the minimised corpora to the committed ones.
    pub(super) keep: bool,
}

/// How a target did over all its turns.
struct Progress<'a> {
    target: &'a str,
    build: Build,
    runs: u64,
    /// Edges at the start of the first turn and at the end of the last.
    edges: Option<(u64, u64)>,
    crashes: Vec<String>,
}

impl Campaign {
    /// Runs the campaign over `targets`, which are built.
    pub(super) fn run(&self, root: &Path, targets: &[(&str, Build)]) -> Outcome {
        let total = Duration::from_secs_f64(self.hours * 3_600.0);
        let turn = turn(total, targets.len(), self.jobs);
        let end = Instant::now() + total;
        let start = |&(target, build): &(_, _)| Progress {
            target,
            build,
            runs: 0,
            edges: None,
            crashes: crashes(root, target),
        };
        let mut all: Vec<Progress<'_>> = targets.iter().map(start).collect();
        let known: usize = all.iter().map(|it| it.crashes.len()).sum();
        for round in 0.. {
            let running: Vec<_> = all.iter_mut().filter(|it| it.crashes.len() < CRASHES).collect();
            if running.is_empty() || (round > 0 && Instant::now() >= end) {
                break;
            }
            // Every target has a turn in the first round, however slow the machine is.
            Queue::new(running).work(self.jobs, |progress| {
                match round > 0 && Instant::now() >= end {
                    true => Ok(()),
                    false => progress.turn(root, turn),
                }
            })?;
        }
        Queue::new(all.iter().collect()).work(self.jobs, |it| minimise(root, it, self.keep))?;
        let found = self.report(root, &all)? - known;
        if found == 0 { Ok(()) } else { Err(format!("{found} new crashes").into()) }
    }

    /// Prints what grew and the crashes; returns how many crashes there are.
    fn report(&self, root: &Path, all: &[Progress<'_>]) -> Outcome<usize> {
        println!("\n{:<20} {:>14} {:>16} {:>7}  crashes", "target", "runs", "edges", "inputs");
        for it in all {
            let (before, after) = it.edges.unwrap_or_default();
            let inputs = files(&root.join(&folders(it.target)[0]));
            let edges = format!("{before} -> {after}");
            let crashes = it.crashes.len();
            println!("{:<20} {:>14} {edges:>16} {inputs:>7}  {crashes}", it.target, it.runs);
        }
        match coverage::tools(root) {
            Some(tools) => {
                let targets: Vec<&str> = all.iter().map(|it| it.target).collect();
                coverage::report(root, &tools, &targets)?;
            }
            None => println!("skipped: coverage; get it with: rustup component add llvm-tools"),
        }
        for it in all {
            for crash in &it.crashes {
                println!("crash; run it again with: {}", it.build.replay(it.target, crash));
            }
        }
        Ok(all.iter().map(|it| it.crashes.len()).sum())
    }
}

impl Progress<'_> {
    fn turn(&mut self, root: &Path, time: Duration) -> Outcome {
        let run = run_target(root, self.target, self.build, time, None)?;
        self.runs += run.stats.runs;
        let first = self.edges.map_or(run.stats.edges.0, |(first, _)| first);
        self.edges = Some((first, run.stats.edges.1));
        self.crashes = crashes(root, self.target);
        Ok(())
    }
}

/// The time of a turn: each target has at least one.
fn turn(total: Duration, targets: usize, jobs: usize) -> Duration {
    let jobs = u32::try_from(jobs.max(1)).unwrap_or(u32::MAX);
    let rounds = u32::try_from(targets).unwrap_or(u32::MAX).div_ceil(jobs).max(1);
    (total / rounds).clamp(Duration::from_secs(1), LONGEST_TURN)
}

/// Replaces a corpus by the smallest part of it and of the seeds that covers as much.
fn minimise(root: &Path, progress: &Progress<'_>, keep: bool) -> Outcome {
    let target = progress.target;
    let [corpus, seeds] = folders(target);
    let smaller = format!("{corpus}-smaller");
    let _ = fs::remove_dir_all(root.join(&smaller));
    fs::create_dir_all(root.join(&smaller))?;
    let words = ["run", target, &smaller, &seeds, &corpus, "--", "-merge=1"];
    let log = root.join(format!("target/fuzz-logs/{target}-merge.log"));
    run_logged(&mut progress.build.cargo_fuzz(root, &words), &log)?;
    fs::remove_dir_all(root.join(&corpus))?;
    fs::rename(root.join(&smaller), root.join(&corpus))?;
    if keep {
        for entry in fs::read_dir(root.join(&corpus))? {
            let entry = entry?;
            fs::copy(entry.path(), root.join(&seeds).join(entry.file_name()))?;
        }
    }
    Ok(())
}

fn files(folder: &Path) -> usize {
    fs::read_dir(folder).map_or(0, Iterator::count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_a_turn() {
        let minute = Duration::from_secs(60);
        assert_eq!(turn(26 * minute, 26, 2), 2 * minute);
        assert_eq!(turn(600 * minute, 26, 2), LONGEST_TURN);
        assert_eq!(turn(minute, 1_000, 1), Duration::from_secs(1));
        assert_eq!(turn(2 * minute, 3, 8), 2 * minute);
    }
}
