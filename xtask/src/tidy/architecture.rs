//! The crate table of `ARCHITECTURE.md` names the crates that exist, no more and no less.
//!
//! A row of that table starts with the crate's name: ``| `lwm2m-core` | …``.

use super::Violation;
use std::collections::BTreeSet;

const FILE: &str = "ARCHITECTURE.md";

pub(super) fn check(text: Option<&str>, folders: &BTreeSet<String>) -> Vec<Violation> {
    let Some(text) = text else {
        return vec![Violation::new(FILE, 0, "the file with the crate table is missing")];
    };
    let named: BTreeSet<&str> = text.lines().filter_map(row_name).collect();
    let missing = folders.iter().filter(|folder| !named.contains(folder.as_str()));
    let gone = named.iter().filter(|&&name| !folders.contains(name));
    missing
        .map(|name| Violation::new(FILE, 0, format!("the crate table has no row for `{name}`")))
        .chain(gone.map(|name| Violation::new(FILE, 0, format!("there is no crate `{name}`"))))
        .collect()
}

fn row_name(line: &str) -> Option<&str> {
    let (name, _) = line.strip_prefix("| `")?.split_once('`')?;
    name.starts_with("lwm2m").then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_and_folders_must_agree() {
        let folders = BTreeSet::from(["lwm2m".to_owned(), "lwm2m-core".to_owned()]);
        let table = "# Map\n| `lwm2m` | facade |\n| `lwm2m-core` | words |\n| `Path` | type |\n";
        assert_eq!(check(Some(table), &folders), []);
        assert_eq!(check(Some("| `lwm2m` | facade |"), &folders).len(), 1);
        assert_eq!(check(Some(&format!("{table}| `lwm2m-gone` | x |")), &folders).len(), 1);
        assert_eq!(check(None, &folders).len(), 1);
    }
}
