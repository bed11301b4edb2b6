//! `--models DIR`: object definitions from files, read again when they change.

use lwm2m_app::Failure;
use lwm2m_http::ApiState;
use lwm2m_objects::{ObjectDefinition, xml};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How often the folder is looked at.
const INTERVAL: Duration = Duration::from_secs(2);
/// The largest file in bytes.
const MAX_FILE: u64 = 4 << 20;
/// The most files.
const MAX_FILES: usize = 10_000;

/// A file, and what shows that it has changed.
type File = (PathBuf, Option<SystemTime>, u64);

/// Why the definitions of a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ModelsError {
    #[error("cannot read the object definitions in {0}: {1}")]
    Read(PathBuf, #[source] io::Error),
    #[error("{0}, {1}")]
    Xml(PathBuf, #[source] xml::XmlError),
    #[error("{0} is larger than {MAX_FILE} bytes; split it")]
    TooLarge(PathBuf),
    #[error("{0} has more than {MAX_FILES} files")]
    TooMany(PathBuf),
}

/// A folder of definitions, and the files that were read last.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    files: Vec<File>,
}

impl Folder {
    /// Reads the definitions of a folder.
    ///
    /// # Errors
    /// It cannot be read, or a file in it is wrong.
    pub(crate) fn open(path: &Path) -> Result<(Self, Vec<ObjectDefinition>), Failure> {
        let files = list(path).map_err(Failure::usage)?;
        let definitions = read(&files).map_err(Failure::usage)?;
        tracing::info!("{} object definitions from {}", definitions.len(), path.display());
        Ok((Self { path: path.to_owned(), files }, definitions))
    }

    /// The definitions, if a file has changed. What is wrong is told once: until it changes again.
    fn look(&mut self) -> Option<Result<Vec<ObjectDefinition>, ModelsError>> {
        let files = match list(&self.path) {
            Ok(files) => files,
            Err(error) => {
                let is_news = !self.files.is_empty();
                self.files.clear();
                return is_news.then_some(Err(error));
            }
        };
        if files == self.files {
            return None;
        }
        self.files = files;
        Some(read(&self.files))
    }

    /// Has the API take what changes in the folder, until the server ends.
    pub(crate) fn watch(mut self, api: ApiState) {
        api.clone().spawn(async move {
            loop {
                tokio::time::sleep(INTERVAL).await;
                let look = move || {
                    let found = self.look();
                    (self, found)
                };
                let Ok((folder, found)) = tokio::task::spawn_blocking(look).await else { return };
                self = folder;
                match found {
                    Some(Ok(definitions)) => {
                        let count = definitions.len();
                        if api.set_model_files(definitions).await.is_err() {
                            return;
                        }
                        tracing::info!("{count} object definitions from {}", self.path.display());
                    }
                    Some(Err(error)) => {
                        tracing::warn!("the object definitions of before hold: {error}");
                    }
                    None => {}
                }
            }
        });
    }
}

/// The files of a folder whose names end in `.xml`, by name.
fn list(folder: &Path) -> Result<Vec<File>, ModelsError> {
    let error = |error| ModelsError::Read(folder.to_owned(), error);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(error)? {
        let path = entry.map_err(error)?.path();
        if path.extension().is_none_or(|it| !it.eq_ignore_ascii_case("xml")) {
            continue;
        }
        if files.len() == MAX_FILES {
            return Err(ModelsError::TooMany(folder.to_owned()));
        }
        let metadata =
            std::fs::metadata(&path).map_err(|it| ModelsError::Read(path.clone(), it))?;
        files.push((path, metadata.modified().ok(), metadata.len()));
    }
    files.sort();
    Ok(files)
}

/// The definitions of files. A later file replaces what an earlier one defines.
fn read(files: &[File]) -> Result<Vec<ObjectDefinition>, ModelsError> {
    let mut all = Vec::new();
    for (path, _, length) in files {
        if *length > MAX_FILE {
            return Err(ModelsError::TooLarge(path.clone()));
        }
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|error| ModelsError::Read(path.clone(), error))?;
        let objects = xml::parse(&text).map_err(|error| ModelsError::Xml(path.clone(), error))?;
        all.extend(objects.into_iter().map(|object| object.definition));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kettle(name: &str) -> String {
        format!(
            "<LWM2M><Object><Name>{name}</Name><ObjectID>33000</ObjectID>\
             <MultipleInstances>Single</MultipleInstances><Mandatory>Optional</Mandatory>\
             </Object></LWM2M>"
        )
    }

    #[test]
    fn a_change_is_read_once_and_a_mistake_is_told_once_with_its_file_and_line() {
        let path = std::env::temp_dir().join(format!("lwm2m-models-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        let write = |name: &str, text: &str| std::fs::write(path.join(name), text).unwrap();
        write("a.xml", &kettle("Kettle"));
        write("readme.txt", "no definition");
        let (mut folder, definitions) = Folder::open(&path).unwrap();
        assert_eq!(definitions.len(), 1);
        assert!(folder.look().is_none());
        write("b.xml", &kettle("A longer kettle"));
        let found = folder.look().expect("a change").expect("definitions");
        assert_eq!(
            found.iter().map(|it| it.name()).collect::<Vec<_>>(),
            ["Kettle", "A longer kettle"]
        );
        write("b.xml", "\n<LWM2M/>");
        let error = folder.look().expect("a change").unwrap_err().to_string();
        assert!(error.contains("b.xml, line 2: there is no element Object"), "{error}");
        assert!(folder.look().is_none(), "it is told once");
        assert!(Folder::open(&path).is_err(), "and refused at the start");
        std::fs::remove_dir_all(&path).unwrap();
        assert!(folder.look().expect("a change").is_err());
        assert!(folder.look().is_none());
    }
}
