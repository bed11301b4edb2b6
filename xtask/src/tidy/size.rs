//! Budgets of size: files and functions that a reader can hold in mind. The test module at the end
//! of a file does not count.

use super::Violation;
use crate::source::Source;

/// A longer file, or function, is an error.
const FILE_LIMIT: usize = 800;
const FUNCTION_LIMIT: usize = 80;
/// What we aim at; how many are above is in the summary.
const FILE_AIM: usize = 400;
const FUNCTION_AIM: usize = 25;

/// A function with a body.
struct Function {
    name: String,
    /// The line of its `fn`, from 1.
    line: usize,
    /// From `fn` to the closing brace.
    lines: usize,
}

pub(super) fn check(source: &Source) -> Vec<Violation> {
    let mut violations = Vec::new();
    let lines = source.lines_before_tests();
    if lines > FILE_LIMIT {
        let message = format!("{lines} lines; {FILE_LIMIT} are the most: split the file");
        violations.push(Violation::new(&source.path, 0, message));
    }
    for function in functions(source).iter().filter(|function| function.lines > FUNCTION_LIMIT) {
        let Function { name, line, lines } = function;
        let message = format!("`{name}` has {lines} lines; {FUNCTION_LIMIT} are the most");
        violations.push(Violation::new(&source.path, *line, message));
    }
    violations
}

/// One line of statistics over all Rust files outside tests.
pub(super) fn summary(sources: &[Source]) -> String {
    let rust = || sources.iter().filter(|source| source.is_rust() && !source.is_test_file());
    let files: Vec<usize> = rust().map(Source::lines_before_tests).collect();
    let functions: Vec<usize> = rust().flat_map(functions).map(|function| function.lines).collect();
    let above = |sizes: &[usize], aim| sizes.iter().filter(|&&lines| lines > aim).count();
    format!(
        "{} lines in {} files, {} of them over {FILE_AIM}; {} functions, {} of them over {FUNCTION_AIM}",
        files.iter().sum::<usize>(),
        files.len(),
        above(&files, FILE_AIM),
        functions.len(),
        above(&functions, FUNCTION_AIM),
    )
}

fn functions(source: &Source) -> Vec<Function> {
    let code: Vec<&str> = source.code.lines().take(source.lines_before_tests()).collect();
    let code = code.join("\n");
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        if let Some(end) = body_end(&code[at..]) {
            let rest = &code[at + 3..];
            let name = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next();
            found.push(Function {
                name: name.unwrap_or_default().to_owned(),
                line: code[..at].matches('\n').count() + 1,
                lines: code[at..at + end].lines().count(),
            });
        }
    }
    found
}

/// Where the body of the function at the start of `code` ends; `None` for a mere signature.
fn body_end(code: &str) -> Option<usize> {
    let (mut nested, mut braces) = (0, 0);
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' => nested += 1,
            ')' | ']' => nested -= 1,
            ';' if nested == 0 && braces == 0 => return None,
            '{' => braces += 1,
            '}' if braces == 1 => return Some(at + 1),
            '}' => braces -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(lines: usize) -> String {
        format!("//! f\npub(crate) fn long(a: [u8; 4]) {{\n{}}}\n", "    a();\n".repeat(lines - 2))
    }

    fn messages(text: &str) -> Vec<String> {
        check(&Source::new("a.rs", text)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_function_over_the_limit_is_found() {
        assert!(messages(&function(80)).is_empty());
        assert_eq!(messages(&function(81)), ["a.rs:2: `long` has 81 lines; 80 are the most"]);
        let tested = format!("fn a() {{}}\n#[cfg(test)]\nmod tests {{\n{}}}\n", function(81));
        assert!(messages(&tested).is_empty());
    }

    #[test]
    fn a_file_over_the_limit_is_found() {
        assert!(messages(&"use a;\n".repeat(800)).is_empty());
        assert_eq!(messages(&"use a;\n".repeat(801)).len(), 1);
        let tested = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "use a;\n".repeat(801));
        assert!(messages(&tested).is_empty());
    }

    #[test]
    fn signatures_and_nested_functions() {
        let text =
            "trait A { fn a(&self); fn b() {} }\nfn c() {\n  fn d() {\n  }\n}\n// fn e() {}\n";
        let found = functions(&Source::new("a.rs", text));
        let found: Vec<_> = found.iter().map(|f| (f.name.as_str(), f.line, f.lines)).collect();
        assert_eq!(found, [("b", 1, 1), ("c", 2, 4), ("d", 3, 2)]);
    }

    #[test]
    fn the_summary_counts() {
        let sources = [Source::new("a.rs", function(30)), Source::new("b.md", "text")];
        let expected = "31 lines in 1 files, 0 of them over 400; 1 functions, 1 of them over 25";
        assert_eq!(summary(&sources), expected);
    }
}
