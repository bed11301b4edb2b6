//! Targets as parts of keys.

use crate::operation::Target;
use lwm2m_core::Path;
use std::sync::Arc;

/// The path, or each path of a composite target with a comma after it.
pub(super) fn text(target: &Target) -> String {
    match target {
        Target::Path(path) => path.to_string(),
        Target::Composite(paths) => paths.iter().map(|path| format!("{path},")).collect(),
    }
}

/// Reads what [`text`] wrote.
pub(super) fn parse(text: &str) -> Option<Target> {
    let Some(list) = text.strip_suffix(',') else { return Some(Target::Path(text.parse().ok()?)) };
    let paths: Option<Vec<Path>> = list.split(',').map(|path| path.parse().ok()).collect();
    Some(Target::Composite(Arc::from(paths?)))
}
