//! Copies of stores: backups, and stores made from them.

use super::failure::guarded;
use super::folder::{self, Folder};
use super::record::{self, RECORDS};
use super::{create, reading};
use crate::error::StoreError;
use crate::store::Reader;
use lwm2m_link::Record;
use std::path::Path;

/// Writes all records of a store, of one moment, to a file, which is replaced as a whole if it exists.
/// The store may be in use, here or by another process. On Unix only its owner can read the file.
///
/// # Errors
/// The store cannot be read, or the file cannot be written.
pub fn backup(store: &Reader, file: impl AsRef<Path>) -> Result<(), StoreError> {
    folder::put(file.as_ref(), |part| copy(store, part))
}

/// Makes the store in a folder from a backup. With `replace` it may have records, which are lost.
///
/// # Errors
/// The backup is no store, or of a newer version, or damaged; a process has the store open; it has
/// records, and `replace` is not set; or the operating system refuses. The store is as before then.
pub fn restore(
    backup: impl AsRef<Path>,
    folder: impl AsRef<Path>,
    replace: bool,
) -> Result<(), StoreError> {
    let backup = backup.as_ref();
    let Some(reader) = reading::open(backup)? else {
        return Err(super::failure::damaged(backup, "it was not closed"));
    };
    let folder = Folder::make(folder.as_ref())?;
    let _lock = folder.lock()?;
    let file = folder.store();
    if !replace && folder::exists(&file)? && !is_empty(&file)? {
        return Err(StoreError::Exists { file });
    }
    folder::put(&file, |part| copy(&reader, part))
}

/// Whether a store is known to have no records.
fn is_empty(file: &Path) -> Result<bool, StoreError> {
    let Some(reader) = reading::open(file)? else { return Ok(false) };
    Ok(reader.all()?.next().is_none())
}

/// Writes all records to a new file.
fn copy(from: &Reader, to: &Path) -> Result<(), StoreError> {
    let database = create(to)?;
    let transaction = guarded(to, || super::begin(&database))?;
    {
        let mut records = guarded(to, || Ok(transaction.open_table(RECORDS)?))?;
        for record in from.all()? {
            let Record { table, key, value } = record?;
            let put = || Ok(record::put(&mut records, &(table, key), value.as_deref())?);
            guarded(to, put)?;
        }
    }
    guarded(to, || Ok(transaction.commit()?))?;
    guarded(to, || Ok(database.close()?))
}
