//! The file in which credentials that came by the API outlive a restart.
//!
//! It holds what `GET /api/security/clients` answers, is readable by its owner alone, and is
//! replaced as a whole: after a power cut there is the old one or the new one.

use crate::json::security::{SecurityJsonError, read_client, write_client};
use lwm2m_credentials::{Credential, SecurityStore, StoreError};
use serde_json::Value as Json;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The file; see the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialsFile(PathBuf);

impl CredentialsFile {
    /// Loads a file into a store. Creates a file that is missing, so that a folder that cannot be
    /// written to shows at once.
    ///
    /// # Errors
    /// See [`CredentialsFileError`].
    pub fn open(path: PathBuf, store: &SecurityStore) -> Result<Self, CredentialsFileError> {
        let file = Self(path);
        match fs::read(&file.0) {
            Ok(bytes) => file.load(&bytes, store)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                file.save([])
                    .map_err(|error| CredentialsFileError::Write(file.0.clone(), error))?;
            }
            Err(error) => return Err(CredentialsFileError::Read(file.0, error)),
        }
        Ok(file)
    }

    fn load(&self, bytes: &[u8], store: &SecurityStore) -> Result<(), CredentialsFileError> {
        let path = || self.0.clone();
        let clients: Vec<Json> = serde_json::from_slice(bytes)
            .map_err(|error| CredentialsFileError::Json(path(), error))?;
        for (index, client) in clients.iter().enumerate() {
            let read = read_client(client);
            let (endpoint, credential) =
                read.map_err(|error| CredentialsFileError::Client(path(), index, error))?;
            if store.contains(&endpoint) {
                return Err(CredentialsFileError::Twice(path(), endpoint));
            }
            let stored = store.put(&endpoint, credential);
            stored.map_err(|error| CredentialsFileError::Store(path(), endpoint, error))?;
        }
        Ok(())
    }

    /// Replaces the content.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn save<'c>(
        &self,
        clients: impl IntoIterator<Item = (&'c str, &'c Credential)>,
    ) -> io::Result<()> {
        let clients: Vec<_> =
            clients.into_iter().map(|(endpoint, it)| write_client(endpoint, it)).collect();
        let new = self.0.with_added_extension("new");
        // Discards a temporary file left by a crash.
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = create_secret(&new)?;
        // One write: the serializer's own are a few bytes each.
        let mut text = Zeroizing::new(serde_json::to_vec_pretty(&clients)?);
        text.push(b'\n');
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&new, &self.0)?;
        sync_folder_of(&self.0)
    }
}

fn create_secret(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes a renaming last.
fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Why a file of credentials cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsFileError {
    /// It cannot be read.
    #[error("cannot read the credentials in {0}: {1}")]
    Read(PathBuf, #[source] io::Error),
    /// It cannot be made.
    #[error("cannot write the credentials to {0}: {1}")]
    Write(PathBuf, #[source] io::Error),
    /// It is no list in JSON.
    #[error("{0} holds no JSON list of credentials: {1}")]
    Json(PathBuf, #[source] serde_json::Error),
    /// One of the clients cannot be read; counted from 0.
    #[error("{0}: client {1} of the list: {2}")]
    Client(PathBuf, usize, #[source] SecurityJsonError),
    /// One of the clients has credentials already.
    #[error("{0}: the client `{1}` has credentials elsewhere already; remove it from one place")]
    Twice(PathBuf, String),
    /// One of the clients contradicts what is known already.
    #[error("{0}: the client `{1}`: {2}")]
    Store(PathBuf, String, #[source] StoreError),
}
