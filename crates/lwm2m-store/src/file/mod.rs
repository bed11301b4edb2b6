//! A store in a file, by `redb`: crash-safe, and read while it is written, also by other processes.
//!
//! Every commit is durable: `redb` writes changed pages to free places, waits for the disk, and then
//! makes them the current ones (two-phase commit). So a commit that fails, or that a crash interrupts,
//! leaves the state before it, also where the disk has dropped what it was not able to write. Each
//! commit also says which places are free, so that opening the file after a crash takes no longer than
//! after a clean end.

mod copy;
mod failure;
mod folder;
mod header;
mod reading;
mod record;

pub use copy::{backup, restore};

use crate::changes::Changes;
use crate::error::StoreError;
use crate::store::{Reader, Store};
use failure::guarded;
use folder::{Folder, Lock};
use reading::{FileReader, Handle};
use record::RECORDS;
use redb::{Builder, ConcurrencyMode, Database, DatabaseError, WriteTransaction};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// The memory for pages of the file, in bytes.
const CACHE: usize = 32 << 20;
/// The size up to which a file is checked as a whole when it is opened, in bytes. It takes a third of
/// a second for 100 MB; `redb` believes what it reads from a larger file.
const CHECKED: u64 = 256 << 20;

type Open = dyn Fn(&Builder) -> Result<Database, DatabaseError> + Send;

/// A store in a folder of its own.
pub struct FileStore {
    reader: FileReader,
    open: Box<Open>,
    /// Keeps other processes out, also while the file is closed after an error.
    _lock: Option<Lock>,
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore").field("file", &self.reader.file).finish_non_exhaustive()
    }
}

impl FileStore {
    /// Opens the store in a folder, which is made if it is not there. On Unix only its owner can read
    /// what is made: a store holds keys.
    ///
    /// # Errors
    /// Another process has it open; it is no store, or of a newer version, or damaged; or the operating
    /// system refuses. The store is as before then.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, StoreError> {
        let folder = Folder::make(folder.as_ref())?;
        let lock = folder.lock()?;
        let file = folder.store();
        if !folder::exists(&file)? {
            folder::put(&file, |part| create(part).map(drop))?;
        }
        let path = file.clone();
        Self::with(file, Some(lock), move |builder| builder.open(&path))
    }

    /// A store on another backend of `redb`, such as one that fails when a test wants it to. `open` is
    /// called again after each error; `name` is what errors call the store.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn on(
        name: impl Into<PathBuf>,
        open: impl Fn(&Builder) -> Result<Database, DatabaseError> + Send + 'static,
    ) -> Result<Self, StoreError> {
        Self::with(name.into(), None, open)
    }

    fn with(
        file: PathBuf,
        lock: Option<Lock>,
        open: impl Fn(&Builder) -> Result<Database, DatabaseError> + Send + 'static,
    ) -> Result<Self, StoreError> {
        let store = Self { reader: FileReader::new(file), open: Box::new(open), _lock: lock };
        let is_large = fs::metadata(&store.reader.file).is_ok_and(|file| file.len() > CHECKED);
        store.open_file(!is_large)?;
        Ok(store)
    }

    fn open_file(&self, is_checked: bool) -> Result<(), StoreError> {
        let (file, mut builder) = (&self.reader.file, builder());
        builder.set_check_integrity_on_open(is_checked);
        let database = guarded(file, || Ok((self.open)(&builder)?))?;
        header::check(&database, file, header::MIGRATIONS)?;
        self.reader.set(Some(Handle::Writable(database)));
        Ok(())
    }
}

impl Store for FileStore {
    fn commit(&mut self, changes: &Changes) -> Result<(), StoreError> {
        let opened = if self.reader.is_open() { Ok(()) } else { self.open_file(false) };
        let committed = opened.and_then(|()| self.reader.write(|it| commit(it, changes)));
        if committed.is_err() {
            // `redb` does nothing more until it is opened again, and readers are not to wait for that.
            // If it fails, the next commit tries once more.
            self.reader.set(None);
            let _ = self.open_file(false);
        }
        committed
    }

    fn reader(&self) -> Reader {
        Reader::new(self.reader.clone())
    }
}

/// Closes the file; readers that are left fail from then on.
impl Drop for FileStore {
    fn drop(&mut self) {
        self.reader.set(None);
    }
}

fn commit(database: &Database, changes: &Changes) -> Result<(), redb::Error> {
    let transaction = begin(database)?;
    {
        let mut records = transaction.open_table(RECORDS)?;
        for prefix in changes.removed() {
            record::trim(&mut records, prefix, 0)?;
        }
        for (key, value) in changes.iter() {
            record::put(&mut records, key, value.map(|value| &value[..]))?;
        }
        for (prefix, last) in changes.trimmed() {
            record::trim(&mut records, prefix, last as usize)?;
        }
    }
    Ok(transaction.commit()?)
}

/// A transaction as all are: durable in two phases, and quick to repair.
fn begin(database: &Database) -> Result<WriteTransaction, redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    Ok(transaction)
}

/// How files are opened.
fn builder() -> Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE).set_concurrency_mode(ConcurrencyMode::SingleWriter);
    builder
}

/// Makes a new file with a header and without records.
fn create(file: &Path) -> Result<Database, StoreError> {
    let new = folder::new_file(file)?;
    let backend = redb::backends::FileBackend::new(new);
    let database = guarded(file, || Ok(builder().create_with_backend(backend?)?))?;
    header::check(&database, file, header::MIGRATIONS)?;
    Ok(database)
}

/// Opens the store in a folder to read it. If a process has it open, that one goes on, and its commits
/// are seen. After a crash the store is repaired first.
///
/// # Errors
/// There is no store; it is no store, or of a newer version, or damaged; or the operating system
/// refuses.
pub fn open_to_read(folder: impl AsRef<Path>) -> Result<Reader, StoreError> {
    let file = Folder::of(folder.as_ref()).store();
    if !folder::exists(&file)? {
        return Err(StoreError::Missing { folder: folder.as_ref().to_owned() });
    }
    if let Some(reader) = reading::open(&file)? {
        return Ok(reader);
    }
    drop(FileStore::open(folder)?);
    reading::open(&file)?.ok_or(StoreError::Closed { file })
}
