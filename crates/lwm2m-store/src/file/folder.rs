//! The folder of a store: who may read it, and that one process has it.

use crate::error::StoreError;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The name of the file.
const STORE: &str = "store.redb";
/// The end of the names of files that are not finished.
const PART: &str = ".part";

/// The folder of a store.
pub(super) struct Folder<'a>(&'a Path);

/// Held by the process that has the store open. Ends with the process, however that ends.
pub(super) struct Lock(#[expect(dead_code, reason = "holds the lock")] File);

impl<'a> Folder<'a> {
    pub(super) const fn of(path: &'a Path) -> Self {
        Self(path)
    }

    /// The folder, made if it is not there.
    pub(super) fn make(path: &'a Path) -> Result<Self, StoreError> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(path).map_err(|error| StoreError::io(path, error))?;
        Ok(Self(path))
    }

    /// The file of the store.
    pub(super) fn store(&self) -> PathBuf {
        self.0.join(STORE)
    }

    /// Takes the folder for this process.
    pub(super) fn lock(&self) -> Result<Lock, StoreError> {
        let path = self.0.join("lock");
        let file = private().read(true).create(true).truncate(false).open(&path);
        let file = file.map_err(|error| StoreError::io(&path, error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::InUse { folder: self.0.to_owned() });
            }
            // Some network file systems have no locks.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(StoreError::io(&path, error)),
        }
        self.remove_parts();
        Ok(Lock(file))
    }

    /// Removes what a crash has left of files that were not put in their place.
    fn remove_parts(&self) {
        let entries = fs::read_dir(self.0).into_iter().flatten().flatten();
        for entry in entries {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with(STORE) && name.ends_with(PART) {
                // It does no harm.
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// Options to write a file that only its owner can read.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// A new file that only its owner can read.
pub(super) fn new_file(path: &Path) -> Result<File, StoreError> {
    private().read(true).create_new(true).open(path).map_err(|error| StoreError::io(path, error))
}

pub(super) fn exists(path: &Path) -> Result<bool, StoreError> {
    path.try_exists().map_err(|error| StoreError::io(path, error))
}

/// Puts a file in its place as a whole: `write` writes it beside it, and whatever happens, either
/// nothing is at `path` that was not there before, or all of it.
pub(super) fn put(
    path: &Path,
    write: impl FnOnce(&Path) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let part = part_of(path);
    let about = |error| StoreError::io(path, error);
    let written = write(&part).and_then(|()| {
        OpenOptions::new().write(true).open(&part).and_then(|it| it.sync_all()).map_err(about)?;
        fs::rename(&part, path).map_err(about)
    });
    if written.is_err() {
        // It may not even be there.
        let _ = fs::remove_file(&part);
    }
    written?;
    sync_folder(path).map_err(about)
}

/// A name beside a file that nobody else uses.
fn part_of(path: &Path) -> PathBuf {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}-{}{PART}", std::process::id(), now.as_nanos()));
    path.with_file_name(name)
}

/// Makes the name of a file durable.
fn sync_folder(file: &Path) -> io::Result<()> {
    if cfg!(unix) {
        let parent = file.parent().filter(|it| !it.as_os_str().is_empty());
        File::open(parent.unwrap_or_else(|| Path::new(".")))?.sync_all()?;
    }
    Ok(())
}
