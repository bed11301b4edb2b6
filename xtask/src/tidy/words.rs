//! Words that stay out: unfinished work, tests that do not run or that sleep, registry hosts.

use super::Violation;
use crate::source::{Source, lines_with};

/// In comments.
const UNFINISHED_NOTES: &[&str] = &["TODO", "FIXME", "XXX"];
/// In code.
const UNFINISHED_CODE: &[&str] = &["todo!", "unimplemented!"];
/// Package registries, in parts, so that this file does not name one itself.
const REGISTRY_HOSTS: &[&[&str]] = &[
    &["crates", "io"],
    &["pypi", "org"],
    &["pythonhosted", "org"],
    &["npmjs", "org"],
    &["npmjs", "com"],
    &["proxy", "golang", "org"],
    &["repo", "maven", "apache", "org"],
    &["repo1", "maven", "org"],
    &["deb", "debian", "org"],
];

pub(super) fn check(source: &Source) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut find = |text: &str, word: &str, why: &str| {
        let lines = lines_with(text, word).into_iter();
        let found = |line| Violation::new(&source.path, line, format!("`{word}`: {why}"));
        violations.extend(lines.map(found));
    };
    for word in UNFINISHED_NOTES {
        find(&source.comments, word, "finish it, or leave it out");
    }
    for word in UNFINISHED_CODE {
        find(&source.code, word, "finish it, or leave it out");
    }
    find(&source.code, "#[ignore", "a test that does not run proves nothing");
    if !source.path.ends_with("Cargo.lock") {
        for parts in REGISTRY_HOSTS {
            find(&source.text, &parts.join("."), "name no registry's host");
        }
    }
    violations.extend(sleeps(source));
    violations
}

/// `thread::sleep` in tests.
fn sleeps(source: &Source) -> impl Iterator<Item = Violation> {
    let tests_from = if source.is_test_file() { 0 } else { source.lines_before_tests() };
    let lines = lines_with(&source.code, "thread::sleep").into_iter();
    lines.filter(move |&line| line > tests_from).map(|line| {
        let message = "a test that sleeps is slow and flaky: advance a virtual clock";
        Violation::new(&source.path, line, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        check(&Source::new(path, text)).len()
    }

    #[test]
    fn unfinished_work_is_found() {
        assert_eq!(found("a.rs", "// TODO: later"), 1);
        assert_eq!(found("a.rs", "/// FIXME"), 1);
        assert_eq!(found("a.rs", "fn f() { todo!() }"), 1);
        assert_eq!(found("a.rs", "fn f() { unimplemented!(\"x\") }"), 1);
        assert_eq!(found("a.rs", "let a = \"TODO todo!\";"), 0);
    }

    #[test]
    fn tests_that_do_not_run_are_found() {
        assert_eq!(found("a.rs", "#[ignore]\nfn f() {}"), 1);
        assert_eq!(found("a.rs", "#[ignore = \"slow\"]\nfn f() {}"), 1);
    }

    #[test]
    fn tests_that_sleep_are_found() {
        let sleep = "std::thread::sleep(d);";
        assert_eq!(found("crates/a/tests/it/main.rs", sleep), 1);
        assert_eq!(found("a.rs", &format!("#[cfg(test)]\nmod tests {{\n{sleep}\n}}")), 1);
        assert_eq!(found("a.rs", sleep), 0);
    }

    #[test]
    fn registry_hosts_are_found() {
        for parts in REGISTRY_HOSTS {
            let host = parts.join(".");
            assert_eq!(found("x.md", &format!("see https://{host}/x")), 1, "{host}");
            assert_eq!(found("Cargo.lock", &host), 0);
        }
    }
}
