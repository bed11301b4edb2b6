//! Settings files in TOML.

use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};

/// The reason why a settings file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read the settings file {0}: {1}")]
    Read(PathBuf, #[source] std::io::Error),
    /// The file is not TOML, or has unknown or wrong entries.
    #[error("the settings file {0} has a mistake in line {1}: {2}")]
    Parse(PathBuf, usize, String),
}

/// Reads a settings file. Returns the default settings without a file.
///
/// # Errors
/// The file cannot be read or parsed.
pub fn read<T: DeserializeOwned + Default>(file: Option<&Path>) -> Result<T, SettingsError> {
    let Some(file) = file else {
        return Ok(T::default());
    };
    parse(file, &text(file)?)
}

/// Reads the text of a settings file.
///
/// # Errors
/// The file cannot be read.
pub fn text(file: &Path) -> Result<String, SettingsError> {
    std::fs::read_to_string(file).map_err(|error| SettingsError::Read(file.to_owned(), error))
}

/// Parses the text of a settings file.
///
/// # Errors
/// The text is not TOML, or has unknown or wrong entries.
pub fn parse<T: DeserializeOwned>(file: &Path, text: &str) -> Result<T, SettingsError> {
    toml::from_str(text).map_err(|error| {
        let line = line_at(text, error.span().map_or(0, |span| span.start));
        // The error is one line: the parser's excerpt is left out.
        SettingsError::Parse(file.to_owned(), line, error.message().replace('\n', " "))
    })
}

/// The line, from 1, of a byte offset in a text.
#[must_use]
pub fn line_at(text: &str, offset: usize) -> usize {
    text.get(..offset).unwrap_or_default().matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    type Table = BTreeMap<String, u16>;

    #[test]
    fn a_mistake_is_named_by_file_and_line() {
        let folder = std::env::temp_dir().join(format!("lwm2m-settings-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("bad.toml");
        std::fs::write(&file, "a = 1\nb = 'x'\n").unwrap();
        let text = read::<Table>(Some(&file)).unwrap_err().to_string();
        assert!(text.contains("bad.toml") && text.contains("line 2"), "{text}");
        assert!(!text.contains('\n'), "{text}");
        let missing = read::<Table>(Some(&folder.join("none.toml"))).unwrap_err().to_string();
        assert!(missing.contains("none.toml"), "{missing}");
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(read::<Table>(None).unwrap(), Table::new());
    }
}
