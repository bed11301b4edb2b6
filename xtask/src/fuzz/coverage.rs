//! How much of each crate the corpora cover, by LLVM's instrumentation: `cargo fuzz coverage`.

use super::{Build, folders};
use crate::Outcome;
use crate::process::{command, output, run_logged};
use crate::tools::sysroot;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Where the figures of the last campaign are kept.
const LAST: &str = "target/fuzz-coverage.tsv";

/// Covered and all lines.
type Lines = (u64, u64);

/// The programs of LLVM that come with the toolchain.
pub(super) fn tools(root: &Path) -> Option<PathBuf> {
    let host = output(&mut command(root, "rustc", &["--print", "host-tuple"])).ok()?;
    let tools = sysroot(root)?.join("lib/rustlib").join(host.trim()).join("bin");
    tools.join("llvm-cov").is_file().then_some(tools)
}

/// Measures the corpora of the targets and prints a line a crate, with what grew since the last
/// campaign.
pub(super) fn report(root: &Path, tools: &Path, targets: &[&str]) -> Outcome {
    let mut files: BTreeMap<String, Lines> = BTreeMap::new();
    for target in targets {
        for (file, (covered, all)) in measure(root, tools, target)? {
            // What one target covers of a file, another may not: the best of them is shown.
            let best = files.entry(file).or_insert((0, all));
            *best = (best.0.max(covered), best.1.max(all));
        }
    }
    let crates = by_crate(&files);
    let last = fs::read_to_string(root.join(LAST)).unwrap_or_default();
    print!("\n{}", table(&crates, &last));
    let lines = crates.iter().map(|(name, (covered, all))| format!("{name}\t{covered}\t{all}\n"));
    Ok(fs::write(root.join(LAST), lines.collect::<String>())?)
}

fn measure(root: &Path, tools: &Path, target: &str) -> Outcome<BTreeMap<String, Lines>> {
    let [corpus, seeds] = folders(target);
    let build = Build::Plain;
    let mut run = build.cargo_fuzz(root, &["coverage", target, &corpus, &seeds]);
    run_logged(&mut run, &root.join(format!("target/fuzz-logs/{target}-coverage.log")))?;
    let host = output(&mut command(root, "rustc", &["--print", "host-tuple"]))?;
    let program = format!("target/{0}/coverage/{0}/release/{target}", host.trim());
    let profile = format!("fuzz/coverage/{target}/coverage.profdata");
    let mut export = command(root, &tools.join("llvm-cov").to_string_lossy(), &["export"]);
    export.args(["-summary-only", "-instr-profile", &profile, &program]);
    parse(&output(&mut export)?)
}

/// The lines of each file in `crates/`, from what `llvm-cov export` prints.
fn parse(json: &str) -> Outcome<BTreeMap<String, Lines>> {
    let json: Value = serde_json::from_str(json)?;
    let files = json["data"][0]["files"].as_array().ok_or("llvm-cov exports no files")?;
    let mut found = BTreeMap::new();
    for file in files {
        let name = file["filename"].as_str().unwrap_or_default();
        let Some((_, name)) = name.split_once("/crates/") else { continue };
        let lines = &file["summary"]["lines"];
        let number = |key: &str| lines[key].as_u64().unwrap_or(0);
        found.insert(name.to_owned(), (number("covered"), number("count")));
    }
    Ok(found)
}

fn by_crate(files: &BTreeMap<String, Lines>) -> BTreeMap<&str, Lines> {
    let mut crates = BTreeMap::new();
    for (file, (covered, all)) in files {
        let name = file.split('/').next().unwrap_or_default();
        let sum: &mut Lines = crates.entry(name).or_default();
        *sum = (sum.0 + covered, sum.1 + all);
    }
    crates
}

fn table(crates: &BTreeMap<&str, Lines>, last: &str) -> String {
    let before = |name: &str| {
        let mut rows = last.lines().filter_map(|line| line.split_once('\t'));
        let (_, figures) = rows.find(|(row, _)| *row == name)?;
        figures.split('\t').next()?.parse::<u64>().ok()
    };
    let mut text =
        format!("{:<20} {:>8} {:>8} {:>6}  grew by\n", "crate", "covered", "lines", "share");
    for (name, (covered, all)) in crates {
        let share = 100 * covered / (*all).max(1);
        let grew = before(name)
            .map_or_else(|| "-".to_owned(), |it| covered.saturating_sub(it).to_string());
        text.push_str(&format!("{name:<20} {covered:>8} {all:>8} {share:>4} %  {grew}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_summed_by_crate_and_compared() {
        let json = r#"{"data":[{"files":[
            {"filename":"/w/crates/a/src/x.rs","summary":{"lines":{"count":10,"covered":4}}},
            {"filename":"/w/crates/a/src/y.rs","summary":{"lines":{"count":10,"covered":6}}},
            {"filename":"/rustc/library/x.rs","summary":{"lines":{"count":9,"covered":9}}}]}]}"#;
        let files = parse(json).unwrap();
        let crates = by_crate(&files);
        assert_eq!(crates, BTreeMap::from([("a", (10, 20))]));
        let table = table(&crates, "a\t7\t20\nb\t1\t2\n");
        let words: Vec<&str> = table.lines().last().unwrap().split_whitespace().collect();
        assert_eq!(words, ["a", "10", "20", "50", "%", "3"]);
        assert!(parse("{}").is_err());
    }
}
