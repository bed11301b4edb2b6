//! The files and the packages of the repository.

use crate::source::Source;
use crate::{Outcome, process};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The repository's top directory.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_owned()
}

/// Every text file that git tracks or would track, in order of path. Binary files are left out.
pub(crate) fn sources(root: &Path) -> Outcome<Vec<Source>> {
    let options = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let listed = process::output(&mut process::command(root, "git", &options))?;
    let paths: BTreeSet<&str> = listed.split('\0').filter(|path| !path.is_empty()).collect();
    let existing = paths.into_iter().filter(|path| root.join(path).is_file());
    let mut sources = Vec::new();
    for path in existing {
        if let Ok(text) = String::from_utf8(std::fs::read(root.join(path))?) {
            sources.push(Source::new(path, text));
        }
    }
    Ok(sources)
}

/// The folders in `crates/`: one a crate.
pub(crate) fn crate_folders(root: &Path) -> Outcome<BTreeSet<String>> {
    let mut folders = BTreeSet::new();
    for entry in std::fs::read_dir(root.join("crates"))? {
        let entry = entry?;
        if entry.path().join("Cargo.toml").is_file() {
            folders.insert(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(folders)
}

/// What the rules need to know of one workspace package.
#[derive(Debug)]
pub(crate) struct Package {
    /// Its name.
    pub(crate) name: String,
    /// What it uses in normal and build dependencies; those for tests are not in here.
    pub(crate) dependencies: BTreeSet<String>,
    /// Its features without `default`.
    pub(crate) features: BTreeSet<String>,
    /// Whether it is to be published.
    pub(crate) published: bool,
    /// Whether it has a description, a licence and a readme.
    pub(crate) described: bool,
}

/// The packages of the workspace, as cargo sees them.
pub(crate) fn packages(root: &Path) -> Outcome<Vec<Package>> {
    let options = ["metadata", "--no-deps", "--format-version", "1", "--offline"];
    parse_packages(&process::output(&mut process::command(root, "cargo", &options))?)
}

fn parse_packages(metadata: &str) -> Outcome<Vec<Package>> {
    let metadata: Value = serde_json::from_str(metadata)?;
    let packages = metadata.get("packages").and_then(Value::as_array);
    let packages = packages.ok_or("cargo metadata tells no packages")?;
    Ok(packages.iter().map(package).collect())
}

fn package(value: &Value) -> Package {
    let dependencies = value.get("dependencies").and_then(Value::as_array).into_iter().flatten();
    let features = value.get("features").and_then(Value::as_object).into_iter().flatten();
    Package {
        name: text(value, "name"),
        dependencies: dependencies
            .filter(|dependency| dependency.get("kind").and_then(Value::as_str) != Some("dev"))
            .map(|dependency| text(dependency, "name"))
            .collect(),
        features: features.map(|(name, _)| name.clone()).filter(|name| name != "default").collect(),
        published: value.get("publish").is_none_or(Value::is_null),
        described: ["description", "license", "readme"].iter().all(|key| value[key].is_string()),
    }
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_gives_normal_and_build_dependencies_and_features() {
        let metadata = r#"{"packages":[{"name":"a","dependencies":[
            {"name":"n","kind":null},{"name":"b","kind":"build"},{"name":"d","kind":"dev"}],
            "features":{"default":["std"],"std":[]},"description":"d","license":"l","readme":"r"},
            {"name":"b","publish":[]}]}"#;
        let packages = parse_packages(metadata).unwrap();
        assert_eq!(packages[0].name, "a");
        assert_eq!(packages[0].dependencies, BTreeSet::from(["b".to_owned(), "n".to_owned()]));
        assert_eq!(packages[0].features, BTreeSet::from(["std".to_owned()]));
        assert!(packages[0].published && packages[0].described);
        assert!(!packages[1].published && !packages[1].described);
    }

    #[test]
    fn the_repository_lists_itself() {
        let sources = sources(&root()).unwrap();
        assert!(sources.iter().any(|source| source.path == "xtask/src/repository.rs"));
        assert!(crate_folders(&root()).unwrap().contains("lwm2m-core"));
    }
}
