//! `cargo xtask ci`: all checks of the repository. Every step runs, whatever the others did; the
//! end lists the time and the result of each, what was skipped and what failed.

mod steps;

use crate::Outcome;
use crate::process::{command, run as run_command};
use crate::tools::Tool;
use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};
use steps::STEPS;

/// One check.
struct Step {
    name: &'static str,
    about: &'static str,
    /// Whether `--fast` runs it.
    fast: bool,
    run: fn(&mut Context<'_>) -> Outcome,
}

/// What the options ask for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Options {
    /// A skip is a failure.
    all: bool,
    /// The daily loop: the fast steps, and of the tests those without peers and doc examples.
    fast: bool,
}

/// What the steps share.
struct Context<'a> {
    root: &'a Path,
    options: Options,
    /// What was left out, and how to get what it needs.
    skipped: Vec<String>,
}

impl Context<'_> {
    fn cargo(&self, arguments: &[&str]) -> Outcome {
        run_command(&mut command(self.root, "cargo", arguments))
    }

    /// Notes that `what` is left out because something is missing, and how to get it.
    fn skip(&mut self, what: &str, get: &str) {
        self.skipped.push(format!("{what}; get it with: {get}"));
    }

    /// Whether all `tools` of a step are there; notes those that are missing.
    fn has(&mut self, step: &str, tools: &[Tool]) -> bool {
        let missing = tools.iter().filter(|tool| !tool.is_there(self.root));
        let missing: Vec<String> = missing
            .map(|tool| format!("{step}: {} is missing; get it with: {}", tool.name(), tool.get()))
            .collect();
        self.skipped.extend_from_slice(&missing);
        missing.is_empty()
    }
}

/// How a step ended.
struct Report {
    name: &'static str,
    time: Duration,
    skips: bool,
    error: Option<String>,
}

impl Report {
    fn result(&self) -> &'static str {
        match (&self.error, self.skips) {
            (Some(_), _) => "FAILED",
            (None, true) => "passed, with skips",
            (None, false) => "passed",
        }
    }
}

/// Runs the steps that the options choose, all of them unless told otherwise.
pub(crate) fn run(root: &Path, options: &[&str]) -> Outcome {
    let (options, steps) = choose(options)?;
    let mut context = Context { root, options, skipped: Vec::new() };
    let reports: Vec<Report> = steps.into_iter().map(|step| run_step(step, &mut context)).collect();
    print!("\n{}", summary(&reports, &context.skipped));
    verdict(&reports, &context)
}

fn run_step(step: &Step, context: &mut Context<'_>) -> Report {
    println!("\n== {}: {}", step.name, step.about);
    let (start, skipped) = (Instant::now(), context.skipped.len());
    let error = (step.run)(context).err().map(|error| error.to_string());
    if let Some(error) = &error {
        println!("step {} failed: {error}", step.name);
    }
    let skips = context.skipped.len() > skipped;
    Report { name: step.name, time: start.elapsed(), skips, error }
}

fn summary(reports: &[Report], skipped: &[String]) -> String {
    let mut text = String::new();
    for report in reports {
        let (name, seconds) = (report.name, report.time.as_secs_f64());
        let _ = writeln!(text, "{name:<10} {seconds:>7.1} s  {}", report.result());
    }
    for skip in skipped {
        let _ = writeln!(text, "skipped: {skip}");
    }
    for report in reports {
        if let Some(error) = &report.error {
            let _ = writeln!(text, "failed: {}: {error}", report.name);
        }
    }
    text
}

fn verdict(reports: &[Report], context: &Context<'_>) -> Outcome {
    let failed: Vec<&str> =
        reports.iter().filter(|it| it.error.is_some()).map(|it| it.name).collect();
    if !failed.is_empty() {
        return Err(format!("failed steps: {}", failed.join(", ")).into());
    }
    if context.options.all && !context.skipped.is_empty() {
        let count = context.skipped.len();
        return Err(format!("with --all nothing may be skipped; {count} checks were").into());
    }
    Ok(())
}

/// The steps with what they do, a line each.
pub(crate) fn step_list() -> String {
    STEPS.iter().fold(String::new(), |mut list, step| {
        let fast = if step.fast { " (also with --fast)" } else { "" };
        let _ = writeln!(list, "  {:<10} {}{fast}", step.name, step.about);
        list
    })
}

fn choose(words: &[&str]) -> Outcome<(Options, Vec<&'static Step>)> {
    let (mut options, mut chosen) = (Options::default(), Vec::new());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match *word {
            "--all" => options.all = true,
            "--fast" => options.fast = true,
            "--only" => {
                let name = words.next().ok_or("--only needs the name of a step")?;
                let step = STEPS.iter().find(|step| step.name == *name);
                let unknown = || format!("no step {name}; there are:\n{}", step_list());
                chosen.push(step.ok_or_else(unknown)?);
            }
            other => return Err(format!("ci has no option {other}").into()),
        }
    }
    if chosen.is_empty() {
        chosen.extend(STEPS.iter().filter(|step| step.fast || !options.fast));
    }
    Ok((options, chosen))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(steps: &[&Step]) -> Vec<&'static str> {
        steps.iter().map(|step| step.name).collect()
    }

    #[test]
    fn options_choose_steps() {
        let (options, steps) = choose(&["--all"]).unwrap();
        assert!(options.all && !options.fast);
        assert_eq!(steps.len(), STEPS.len());
        let (options, steps) = choose(&["--only", "tidy", "--only", "fmt"]).unwrap();
        assert_eq!(options, Options::default());
        assert_eq!(names(&steps), ["tidy", "fmt"]);
        let (_, steps) = choose(&["--fast"]).unwrap();
        assert_eq!(names(&steps), ["fmt", "tidy", "coverage", "clippy", "test"]);
        assert!(choose(&["--only"]).is_err());
        assert!(choose(&["--only", "none"]).is_err());
        assert!(choose(&["--slow"]).is_err());
    }

    const FAILS: Step =
        Step { name: "fails", about: "", fast: true, run: |_| Err("it broke".into()) };
    const SKIPS: Step = Step {
        name: "skips",
        about: "",
        fast: true,
        run: |ci| {
            ci.skip("skips: no tool", "make tool");
            Ok(())
        },
    };

    fn run_all(steps: &[Step], options: Options) -> (String, Option<String>) {
        let mut context = Context { root: Path::new("."), options, skipped: Vec::new() };
        let reports: Vec<_> = steps.iter().map(|step| run_step(step, &mut context)).collect();
        let error = verdict(&reports, &context).err().map(|error| error.to_string());
        (summary(&reports, &context.skipped), error)
    }

    #[test]
    fn steps_after_a_failure_run_and_the_end_names_each() {
        let (summary, error) = run_all(&[FAILS, SKIPS], Options::default());
        assert_eq!(error.as_deref(), Some("failed steps: fails"));
        assert!(summary.contains("skips") && summary.contains("passed, with skips"), "{summary}");
        assert!(summary.contains("skipped: skips: no tool; get it with: make tool"), "{summary}");
        assert!(summary.contains("failed: fails: it broke"), "{summary}");
    }

    #[test]
    fn a_skip_is_a_failure_only_with_all() {
        assert_eq!(run_all(&[SKIPS], Options::default()).1, None);
        let (_, error) = run_all(&[SKIPS], Options { all: true, fast: false });
        assert!(error.is_some_and(|error| error.contains("1 checks were")));
    }

    #[test]
    fn a_missing_tool_is_named_with_how_to_get_it() {
        let options = Options::default();
        let mut context = Context { root: Path::new("."), options, skipped: Vec::new() };
        assert!(context.has("a", &[Tool::Program("cargo", "rustup")]));
        assert!(!context.has("a", &[Tool::Program("no-such-program", "apt-get install it")]));
        let expected = "a: no-such-program is missing; get it with: apt-get install it";
        assert_eq!(context.skipped, [expected]);
    }
}
