//! Features are few: five a crate at the most, `default` not counted.

use super::Violation;
use crate::repository::Package;

const MOST: usize = 5;

pub(super) fn check(packages: &[Package]) -> Vec<Violation> {
    let many = packages.iter().filter(|package| package.features.len() > MOST);
    many.map(|package| {
        let count = package.features.len();
        let message = format!("{} has {count} features; {MOST} are the most", package.name);
        Violation::new("Cargo.toml", 0, message)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_features(count: usize) -> Package {
        let features = (0..count).map(|at| format!("f{at}")).collect();
        Package {
            name: "a".to_owned(),
            dependencies: Default::default(),
            features,
            published: false,
            described: false,
        }
    }

    #[test]
    fn the_sixth_feature_is_one_too_many() {
        assert_eq!(check(&[with_features(5)]), []);
        assert_eq!(check(&[with_features(6)]).len(), 1);
    }
}
