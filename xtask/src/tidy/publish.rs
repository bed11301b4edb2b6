//! Every crate that is to be published has a description, a readme, and both licences in its folder,
//! so that they are in its package.

use super::Violation;
use crate::repository::Package;
use std::path::Path;

const LICENCES: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];

pub(super) fn check(root: &Path, packages: &[Package]) -> Vec<Violation> {
    packages.iter().filter(|package| package.published).flat_map(|it| problems(root, it)).collect()
}

fn problems(root: &Path, package: &Package) -> Vec<Violation> {
    let folder = format!("crates/{}", package.name);
    let mut found = Vec::new();
    if !package.described {
        let message = "needs a description, a licence and a readme: see another crate's manifest";
        found.push(Violation::new(&format!("{folder}/Cargo.toml"), 0, message));
    }
    for licence in LICENCES.iter().filter(|licence| !root.join(&folder).join(licence).is_file()) {
        let message = format!("is missing: ln -s ../../{licence} {folder}/");
        found.push(Violation::new(&format!("{folder}/{licence}"), 0, message));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_to_publish_needs_a_description_and_licences() {
        let package = |published, described| Package {
            name: "lwm2m-none".to_owned(),
            dependencies: Default::default(),
            features: Default::default(),
            published,
            described,
        };
        let root = Path::new("no such folder");
        assert_eq!(check(root, &[package(false, false)]), []);
        assert_eq!(check(root, &[package(true, true)]).len(), LICENCES.len());
        assert_eq!(check(root, &[package(true, false)]).len(), LICENCES.len() + 1);
    }
}
