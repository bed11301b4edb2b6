//! Every Rust file says first what its room is: `//!` on line 1.

use super::Violation;
use crate::source::Source;

pub(super) fn check(source: &Source) -> Option<Violation> {
    let told = source.text.strip_prefix("//! ").is_some_and(|rest| !rest.starts_with('\n'));
    (!told).then(|| Violation::new(&source.path, 1, "line 1 must say with `//!` what the file is"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_the_header() {
        assert_eq!(check(&Source::new("a.rs", "//! What it is.\n")), None);
        assert!(check(&Source::new("a.rs", "use x;\n//! Late.\n")).is_some());
        assert!(check(&Source::new("a.rs", "//! \n")).is_some());
        assert!(check(&Source::new("a.rs", "")).is_some());
    }
}
