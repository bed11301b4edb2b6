//! Reading a file while it is written.

use super::failure::guarded;
use super::record::{self, RECORDS};
use super::{builder, header};
use crate::changes::Key;
use crate::error::StoreError;
use crate::store::{Read, Reader, Records};
use bytes::Bytes;
use lwm2m_link::Record;
use redb::{Database, DatabaseError, OwnedAccessGuard, OwnedRange, ReadOnlyDatabase};
use redb::{ReadTransaction, ReadableDatabase as _};
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

/// An open file.
pub(super) enum Handle {
    /// Ours to write.
    Writable(Database),
    /// Another process may write it.
    ReadOnly(ReadOnlyDatabase),
}

impl Handle {
    fn begin_read(&self) -> Result<ReadTransaction, redb::Error> {
        Ok(match self {
            Self::Writable(database) => database.begin_read()?,
            Self::ReadOnly(database) => database.begin_read()?,
        })
    }
}

/// Opens a file that another process may have open. `None` if it has to be repaired or migrated first.
pub(super) fn open(file: &Path) -> Result<Option<Reader>, StoreError> {
    let opened = guarded(file, || match builder().open_read_only(file) {
        Ok(database) => Ok(Some(database)),
        Err(DatabaseError::RepairAborted) => Ok(None),
        Err(error) => Err(error.into()),
    })?;
    let Some(database) = opened else { return Ok(None) };
    if !header::is_current(&database, file)? {
        return Ok(None);
    }
    let reader = FileReader::new(file.to_owned());
    reader.set(Some(Handle::ReadOnly(database)));
    Ok(Some(Reader::new(reader)))
}

/// A file that many threads read and one writes.
#[derive(Clone)]
pub(super) struct FileReader {
    /// What errors call it.
    pub(super) file: PathBuf,
    /// `None` while an error has closed it, and after its end.
    handle: Arc<RwLock<Option<Handle>>>,
}

impl FileReader {
    pub(super) fn new(file: PathBuf) -> Self {
        Self { file, handle: Arc::default() }
    }

    pub(super) fn is_open(&self) -> bool {
        self.handle.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    pub(super) fn set(&self, handle: Option<Handle>) {
        *self.handle.write().unwrap_or_else(PoisonError::into_inner) = handle;
    }

    /// Calls `f` with the open file.
    fn with<T>(&self, f: impl FnOnce(&Handle) -> Result<T, redb::Error>) -> Result<T, StoreError> {
        let handle = self.handle.read().unwrap_or_else(PoisonError::into_inner);
        let closed = || StoreError::Closed { file: self.file.clone() };
        let handle = handle.as_ref().ok_or_else(closed)?;
        guarded(&self.file, || f(handle))
    }

    /// Calls `f` with the file to write.
    pub(super) fn write(
        &self,
        f: impl FnOnce(&Database) -> Result<(), redb::Error>,
    ) -> Result<(), StoreError> {
        self.with(|handle| match handle {
            Handle::Writable(database) => f(database),
            Handle::ReadOnly(_) => Err(io::Error::from(io::ErrorKind::ReadOnlyFilesystem).into()),
        })
    }
}

impl Read for FileReader {
    fn get(&self, key: &Key) -> Result<Option<Bytes>, StoreError> {
        self.with(|handle| Ok(record::get(&handle.begin_read()?.open_table(RECORDS)?, key)?))
    }

    fn range(&self, from: Bound<Key>, to: Bound<Key>) -> Result<Records, StoreError> {
        let range = (from.map(|key| record::raw(&key)), to.map(|key| record::raw(&key)));
        let range = (range.0.as_ref().map(Vec::as_slice), range.1.as_ref().map(Vec::as_slice));
        let records = self.with(|handle| {
            let records = handle.begin_read()?.open_table(RECORDS)?;
            Ok(records.range_owned::<&[u8]>(range)?)
        })?;
        Ok(Box::new(Iter { file: self.file.clone(), records: Some(records) }))
    }

    fn size(&self) -> Result<u64, StoreError> {
        let size = std::fs::metadata(&self.file).map(|it| it.len());
        size.map_err(|error| StoreError::io(&self.file, error))
    }
}

type Entries = OwnedRange<&'static [u8], &'static [u8]>;
type Entry = (OwnedAccessGuard<&'static [u8]>, OwnedAccessGuard<&'static [u8]>);

/// Records of a range.
struct Iter {
    file: PathBuf,
    /// `None` after the last one, and after an error.
    records: Option<Entries>,
}

impl Iter {
    fn take(
        &mut self,
        next: impl FnOnce(&mut Entries) -> Option<redb::Result<Entry>>,
    ) -> Option<Result<Record, StoreError>> {
        let records = self.records.as_mut()?;
        let record = guarded(&self.file, || {
            let entry = next(records).transpose()?;
            Ok(entry
                .map(|(raw, stored)| record::record(raw.value(), stored.value()))
                .transpose()?)
        });
        let record = record.transpose();
        if !matches!(record, Some(Ok(_))) {
            self.records = None;
        }
        record
    }
}

impl Iterator for Iter {
    type Item = Result<Record, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.take(Iterator::next)
    }
}

impl DoubleEndedIterator for Iter {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.take(DoubleEndedIterator::next_back)
    }
}
