//! A source file, with its Rust code and its comments told apart, so that a rule about code is not
//! misled by a string or a comment, nor the other way round.

/// A text file of the repository.
pub(crate) struct Source {
    /// Path from the repository's top, with `/`.
    pub(crate) path: String,
    /// The whole text.
    pub(crate) text: String,
    /// Rust only: the text with comments and the insides of literals blanked; lines are kept.
    pub(crate) code: String,
    /// Rust only: the text with all but comments blanked; lines are kept.
    pub(crate) comments: String,
}

impl Source {
    pub(crate) fn new(path: &str, text: impl Into<String>) -> Self {
        let text = text.into();
        let (code, comments) =
            if path.ends_with(".rs") { split(&text) } else { Default::default() };
        Self { path: path.to_owned(), text, code, comments }
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// The crate's folder name, for a file in `crates/*/src`.
    pub(crate) fn crate_src(&self) -> Option<&str> {
        let (name, rest) = self.path.strip_prefix("crates/")?.split_once('/')?;
        rest.starts_with("src/").then_some(name)
    }

    /// Whether the file as a whole is test code.
    pub(crate) fn is_test_file(&self) -> bool {
        self.path.contains("/tests/") || self.path.ends_with("/tests.rs")
    }

    /// The number of lines before the `#[cfg(test)] mod … {` at the end of the file.
    pub(crate) fn lines_before_tests(&self) -> usize {
        let lines: Vec<&str> = self.code.lines().collect();
        let opens_tests = |at: usize| {
            let mut after = lines.iter().skip(at + 1).filter(|line| !line.starts_with("#["));
            after.next().is_some_and(|line| line.starts_with("mod ") && line.ends_with('{'))
        };
        let tests = (0..lines.len()).find(|&at| lines[at] == "#[cfg(test)]" && opens_tests(at));
        tests.unwrap_or(lines.len())
    }
}

/// The numbers (from 1) of the lines of `text` where `word` stands as a word of its own.
pub(crate) fn lines_with(text: &str, word: &str) -> Vec<usize> {
    let lines = text.lines().enumerate();
    lines.filter(|(_, line)| has_word(line, word)).map(|(at, _)| at + 1).collect()
}

fn has_word(line: &str, word: &str) -> bool {
    let in_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + word.len()..]);
        let starts = !word.starts_with(in_name) || !before.ends_with(in_name);
        let ends = !word.ends_with(in_name) || !after.starts_with(in_name);
        starts && ends
    })
}

/// Splits Rust into its code and its comments; each has the lines of the whole.
fn split(text: &str) -> (String, String) {
    let chars: Vec<char> = text.chars().collect();
    let (mut code, mut comments) = (String::new(), String::new());
    let mut at = 0;
    while at < chars.len() {
        let (kind, length) = next_piece(&chars, at);
        let end = (at + length.max(1)).min(chars.len());
        for &c in &chars[at..end] {
            let blank = if c == '\n' { '\n' } else { ' ' };
            code.push(if kind == Piece::Code { c } else { blank });
            comments.push(if kind == Piece::Comment { c } else { blank });
        }
        at = end;
    }
    (code, comments)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Piece {
    Code,
    Comment,
    Literal,
}

/// What begins at `at`, and how many characters belong to it.
fn next_piece(chars: &[char], at: usize) -> (Piece, usize) {
    let rest = &chars[at..];
    let in_name = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    match rest {
        ['/', '/', ..] => (Piece::Comment, rest.iter().take_while(|&&c| c != '\n').count()),
        ['/', '*', ..] => (Piece::Comment, block_comment(rest)),
        ['"', ..] => (Piece::Literal, quoted(rest, '"')),
        ['\'', '\\', ..] | ['\'', _, '\'', ..] => (Piece::Literal, quoted(rest, '\'')),
        ['r', ..] if !in_name => raw_string(rest, 1),
        ['b' | 'c', 'r', ..] if !in_name => raw_string(rest, 2),
        _ => (Piece::Code, 1),
    }
}

fn block_comment(rest: &[char]) -> usize {
    let (mut at, mut depth) = (2, 1);
    while depth > 0 && at < rest.len() {
        match &rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    at
}

fn quoted(rest: &[char], quote: char) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// A raw string whose `r` and what stands before it take `prefix` characters; or else code.
fn raw_string(rest: &[char], prefix: usize) -> (Piece, usize) {
    let hashes = rest[prefix..].iter().take_while(|&&c| c == '#').count();
    let open = prefix + hashes;
    if rest.get(open) != Some(&'"') {
        return (Piece::Code, prefix);
    }
    let closes = |at: usize| {
        rest[at] == '"'
            && rest[at + 1..].iter().take(hashes).filter(|&&c| c == '#').count() == hashes
    };
    let close = (open + 1..rest.len()).find(|&at| closes(at)).unwrap_or(rest.len());
    (Piece::Literal, close + 1 + hashes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        let (code, _) = split(text);
        code.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn literals_and_comments_are_no_code() {
        assert_eq!(code("a /* b /* c */ d */ e // f\ng"), "a e g");
        assert_eq!(code(r#"f("x \" y") + 'z' + '\'' + b'"'"#), "f( ) + + + b");
        assert_eq!(code("r#\"a \" b\"# + br\"c\" + bar\"d\" + r#type"), "+ + bar + r#type");
        assert_eq!(code("fn f<'a>(x: &'a str) {}"), "fn f<'a>(x: &'a str) {}");
    }

    #[test]
    fn comments_keep_their_lines() {
        let (code, comments) = split("a\n// b\n\"x\ny\" // c");
        assert_eq!(comments.lines().map(str::trim).collect::<Vec<_>>(), ["", "// b", "", "// c"]);
        assert_eq!(code.lines().count(), 4);
    }

    #[test]
    fn words_are_whole() {
        assert_eq!(lines_with("tokio::spawn\nmy_tokio\nuse tokio;", "tokio"), [1, 3]);
        assert_eq!(lines_with("std::thread::spawn\nthreading::x", "thread::"), [1]);
    }

    #[test]
    fn the_test_module_at_the_end_is_left_out() {
        let text =
            "fn a() {}\n#[cfg(test)]\nmod helpers;\nfn b() {}\n\n#[cfg(test)]\nmod tests {\n}\n";
        assert_eq!(Source::new("a.rs", text).lines_before_tests(), 5);
        assert_eq!(Source::new("a.rs", "fn a() {}\n").lines_before_tests(), 1);
    }

    #[test]
    fn paths_tell_the_crate() {
        assert_eq!(Source::new("crates/lwm2m-tlv/src/a/b.rs", "").crate_src(), Some("lwm2m-tlv"));
        assert_eq!(Source::new("crates/lwm2m-tlv/tests/it/main.rs", "").crate_src(), None);
        assert!(Source::new("crates/lwm2m-tlv/tests/it/main.rs", "").is_test_file());
    }
}
