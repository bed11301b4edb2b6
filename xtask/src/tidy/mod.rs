//! The repository's own rules, one module each. What a rule finds is a [`Violation`].

mod architecture;
mod edges;
mod features;
mod headers;
mod publish;
mod sans_io;
mod size;
mod words;

pub(crate) use edges::no_std_crates;

use crate::source::Source;
use crate::{Outcome, repository};
use std::fmt;
use std::path::Path;

/// A place that breaks a rule, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    path: String,
    /// From 1; 0 means the file as a whole.
    line: usize,
    message: String,
}

impl Violation {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(formatter, "{}: {}", self.path, self.message),
            line => write!(formatter, "{}:{line}: {}", self.path, self.message),
        }
    }
}

/// Checks every rule and prints what breaks one.
pub(crate) fn run(root: &Path) -> Outcome {
    let sources = repository::sources(root)?;
    let packages = repository::packages(root)?;
    let folders = repository::crate_folders(root)?;
    let architecture = sources.iter().find(|source| source.path == "ARCHITECTURE.md");
    let mut violations = edges::check(&packages);
    violations.extend(features::check(&packages));
    violations.extend(publish::check(root, &packages));
    violations.extend(architecture::check(architecture.map(|file| file.text.as_str()), &folders));
    violations.extend(sources.iter().flat_map(check_file));
    println!("{}", size::summary(&sources));
    for violation in &violations {
        println!("{violation}");
    }
    match violations.len() {
        0 => Ok(()),
        count => Err(format!("{count} places break a rule of the repository").into()),
    }
}

fn check_file(source: &Source) -> Vec<Violation> {
    let mut violations = words::check(source);
    if source.is_rust() {
        violations.extend(headers::check(source));
        violations.extend(sans_io::check(source));
        violations.extend(size::check(source));
    }
    violations
}
