//! The requirements table `docs/requirements.tsv` against the tests that say what they prove.
//!
//! A test proves rows of the table with a comment above it: `// proves: TLV-03, TLV-04`. The list
//! `docs/proven.txt` holds the rows that were proven; a row of it that loses its test is an error.

use crate::source::Source;
use crate::{Outcome, repository};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const TABLE: &str = "docs/requirements.tsv";
/// The ids of the rows that tests prove, a line each, in order.
const PROVEN: &str = "docs/proven.txt";
const COLUMNS: &str = "id\tarea\trole\tsince\tlevel\trequirement\tproof";
const MARK: &str = "// proves:";

struct Requirement<'a> {
    id: &'a str,
    area: &'a str,
    level: &'a str,
    text: &'a str,
}

/// What `coverage` does besides the summary.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode<'a> {
    /// Compares what is proven with the list of proven rows.
    Check,
    /// Writes the list of proven rows anew.
    Update,
    /// Prints the rows of an area that no test proves.
    Open(&'a str),
}

/// Fails if the table is broken, if a mark is wrong, or if the tests prove other rows than the list
/// of proven rows says.
pub(crate) fn check(root: &Path) -> Outcome {
    run(root, Mode::Check)
}

/// Prints what is proven by area, or the open rows of one area. An id that the table does not have,
/// or a mark that stands above no test, is an error.
pub(crate) fn run(root: &Path, mode: Mode<'_>) -> Outcome {
    let table = std::fs::read_to_string(root.join(TABLE))
        .map_err(|error| format!("cannot read {TABLE}: {error}"))?;
    let requirements = parse(&table)?;
    let proven = proven(&requirements, &repository::sources(root)?)?;
    match mode {
        Mode::Open(area) => print_open(&requirements, &proven, area),
        Mode::Update => {
            let lines: String = proven.iter().map(|id| format!("{id}\n")).collect();
            Ok(std::fs::write(root.join(PROVEN), lines)?)
        }
        Mode::Check => {
            print_summary(&requirements, &proven);
            let list = std::fs::read_to_string(root.join(PROVEN))
                .map_err(|error| format!("cannot read {PROVEN}: {error}"))?;
            compare(&list, &proven)
        }
    }
}

/// A ratchet: a row that was proven stays proven, and the list grows with what is proven anew.
fn compare(list: &str, proven: &BTreeSet<String>) -> Outcome {
    let listed: BTreeSet<&str> = list.lines().collect();
    let lost = listed.iter().filter(|id| !proven.contains(**id));
    let lost = lost.map(|id| format!("{id} has lost its test: put its mark above the test again"));
    let new = proven.iter().filter(|id| !listed.contains(id.as_str()));
    let new = new
        .map(|id| format!("{id} is proven but not in {PROVEN}: `cargo xtask coverage --update`"));
    let problems: Vec<String> = lost.chain(new).collect();
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n").into()) }
}

fn parse(table: &str) -> Outcome<Vec<Requirement<'_>>> {
    let mut lines = table.lines();
    if lines.next() != Some(COLUMNS) {
        return Err(format!("{TABLE}: the first line must name the columns id, area, …").into());
    }
    let mut ids = BTreeSet::new();
    let mut requirements = Vec::new();
    for (at, line) in lines.enumerate() {
        let cells: Vec<&str> = line.split('\t').collect();
        let [id, area, _role, _since, level, text, _proof] = cells[..] else {
            return Err(format!("{TABLE}:{}: {} columns, not 7", at + 2, cells.len()).into());
        };
        if !ids.insert(id) {
            return Err(format!("{TABLE}:{}: {id} is there twice", at + 2).into());
        }
        requirements.push(Requirement { id, area, level, text });
    }
    Ok(requirements)
}

/// The ids that tests prove.
fn proven(requirements: &[Requirement<'_>], sources: &[Source]) -> Outcome<BTreeSet<String>> {
    let known: BTreeSet<&str> = requirements.iter().map(|requirement| requirement.id).collect();
    let mut proven = BTreeSet::new();
    let mut wrong = Vec::new();
    for source in sources {
        for (line, id) in marks(source) {
            match id {
                Ok(id) if known.contains(id) => drop(proven.insert(id.to_owned())),
                Ok(id) => wrong.push(format!("{}:{line}: {TABLE} has no {id}", source.path)),
                Err(problem) => wrong.push(format!("{}:{line}: {problem}", source.path)),
            }
        }
    }
    if wrong.is_empty() { Ok(proven) } else { Err(wrong.join("\n").into()) }
}

/// Each id of the marks in a file with its line (from 1), or what is wrong with the mark.
fn marks(source: &Source) -> Vec<(usize, Result<&str, &'static str>)> {
    let mut found = Vec::new();
    for (at, line) in source.comments.lines().enumerate() {
        let Some(ids) = line.trim().strip_prefix(MARK) else { continue };
        if stands_above_test(source, at) {
            found.extend(ids.split(',').map(|id| (at + 1, Ok(id.trim()))));
        } else {
            found.push((at + 1, Err("a `proves` mark belongs above a test")));
        }
    }
    found
}

/// Whether only comments and attributes, one of them a test's, follow the line up to an item.
fn stands_above_test(source: &Source, at: usize) -> bool {
    let following = source.code.lines().skip(at + 1).map(str::trim);
    let attributes = following.take_while(|line| line.is_empty() || line.starts_with("#["));
    let mut attributes = attributes.filter(|line| !line.is_empty());
    attributes.any(|line| line.starts_with("#[test]") || line.contains("::test"))
}

fn print_summary(requirements: &[Requirement<'_>], proven: &BTreeSet<String>) {
    let mut areas: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for requirement in requirements {
        let (done, open) = areas.entry(requirement.area).or_default();
        *(if proven.contains(requirement.id) { done } else { open }) += 1;
    }
    println!("area     proven  open");
    for (area, (done, open)) in &areas {
        println!("{area:<8} {done:>6} {open:>5}");
    }
    println!("all      {:>6} {:>5}", proven.len(), requirements.len() - proven.len());
}

fn print_open(requirements: &[Requirement<'_>], proven: &BTreeSet<String>, area: &str) -> Outcome {
    if !requirements.iter().any(|requirement| requirement.area == area) {
        return Err(format!("{TABLE} has no area {area}").into());
    }
    for requirement in requirements {
        if requirement.area == area && !proven.contains(requirement.id) {
            println!("{:<9} {:<10} {}", requirement.id, requirement.level, requirement.text);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: &str = "id\tarea\trole\tsince\tlevel\trequirement\tproof\n\
        A-01\tA\tboth\t1.0\tMUST\tfirst\thow\nA-02\tA\tboth\t1.0\tMUST\tsecond\thow\n";

    fn prove(text: &str) -> Result<Vec<String>, String> {
        let sources = [Source::new("crates/a/src/lib.rs", text)];
        let requirements = parse(ROWS).unwrap();
        let proven = proven(&requirements, &sources).map_err(|error| error.to_string());
        proven.map(|ids| ids.into_iter().collect())
    }

    #[test]
    fn a_mark_above_a_test_proves_its_ids() {
        let text = "    // proves: A-01, A-02\n    // why\n    #[test]\n    fn f() {}\n";
        assert_eq!(prove(text).unwrap(), ["A-01", "A-02"]);
        assert_eq!(prove("// proves: A-02\n#[tokio::test]\nfn f() {}").unwrap(), ["A-02"]);
    }

    #[test]
    fn an_unknown_id_is_an_error() {
        let error = prove("// proves: A-03\n#[test]\nfn f() {}").unwrap_err();
        assert!(error.contains("crates/a/src/lib.rs:1") && error.contains("A-03"), "{error}");
    }

    #[test]
    fn a_mark_above_no_test_is_an_error() {
        assert!(prove("// proves: A-01\nfn f() {}\n#[test]\nfn g() {}").is_err());
        assert!(prove("let text = \"// proves: A-03\";").unwrap().is_empty());
    }

    #[test]
    fn a_row_that_loses_its_test_is_an_error() {
        let proven = |ids: &[&str]| ids.iter().map(|&id| id.to_owned()).collect();
        compare("A-01\nA-02\n", &proven(&["A-01", "A-02"])).unwrap();
        let lost = compare("A-01\nA-02\n", &proven(&["A-01"])).unwrap_err().to_string();
        assert!(lost.contains("A-02 has lost its test"), "{lost}");
        let new = compare("A-01\n", &proven(&["A-01", "A-02"])).unwrap_err().to_string();
        assert!(new.contains("A-02 is proven but not in"), "{new}");
    }

    #[test]
    fn a_broken_table_is_an_error() {
        assert!(parse("id\tarea\n").is_err());
        assert!(parse(&format!("{ROWS}A-03\tA\n")).is_err());
        assert!(parse(&format!("{ROWS}A-01\tA\tboth\t1.0\tMUST\tx\ty\n")).is_err());
    }
}
