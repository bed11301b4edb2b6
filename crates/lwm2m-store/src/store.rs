//! What a store is: an ordered map of records that one thread changes and others read.

use crate::changes::{Changes, Key};
use crate::error::StoreError;
use bytes::Bytes;
use lwm2m_link::{Record, Table};
use std::fmt;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

/// An ordered map of records, kept on something durable.
///
/// All methods may wait for a disk, so a thread of its own calls them: see [`Writer`].
///
/// [`Writer`]: crate::Writer
pub trait Store: Send + 'static {
    /// Makes changes durable, all or none: when this returns, they survive a crash of the machine.
    ///
    /// # Errors
    /// They are not durable, or may or may not be. The caller may commit them again, together with
    /// later ones; until then readers see the state before, or nothing.
    fn commit(&mut self, changes: &Changes) -> Result<(), StoreError>;

    /// Access for other threads.
    fn reader(&self) -> Reader;
}

/// Reads a store while its owner commits. See [`Reader`].
pub trait Read: Send + Sync + 'static {
    /// The value of a record.
    ///
    /// # Errors
    /// The store cannot be read.
    fn get(&self, key: &Key) -> Result<Option<Bytes>, StoreError>;

    /// The records in a range, as they are now.
    ///
    /// # Errors
    /// The store cannot be read.
    fn range(&self, from: Bound<Key>, to: Bound<Key>) -> Result<Records, StoreError>;

    /// The bytes that the store takes on its disk; without one, those of keys and values.
    ///
    /// # Errors
    /// The store cannot be read.
    fn size(&self) -> Result<u64, StoreError>;
}

/// Records in the order of tables and keys, or backwards, of one moment: later commits do not change
/// them. A record that cannot be read is an error, and the last item.
pub type Records = Box<dyn DoubleEndedIterator<Item = Result<Record, StoreError>> + Send>;

/// Read access to a store, from any thread, while its owner commits.
///
/// Readers never wait for a commit, but they may read from a disk: in a task, leave more than a few
/// records to `spawn_blocking`. They see what is committed, so a change is visible when it is durable.
#[derive(Clone)]
pub struct Reader(Arc<dyn Read>);

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}

impl Reader {
    /// Access to what `read` reads.
    pub fn new(read: impl Read) -> Self {
        Self(Arc::new(read))
    }

    /// The value of a record.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.0.get(&(table, Bytes::copy_from_slice(key)))
    }

    /// All records, of one moment.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn all(&self) -> Result<Records, StoreError> {
        self.0.range(Bound::Unbounded, Bound::Unbounded)
    }

    /// The records of a table.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn table(&self, table: Table) -> Result<Records, StoreError> {
        self.prefix(table, &[])
    }

    /// The records of a table whose keys begin with `prefix`.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn prefix(&self, table: Table, prefix: &[u8]) -> Result<Records, StoreError> {
        let first = (table, Bytes::copy_from_slice(prefix));
        self.0.range(Bound::Included(first), after_prefix(table, prefix))
    }

    /// The records of a table whose keys are in a range, such as `(Bound::Excluded(last),
    /// Bound::Unbounded)` for the next page of a list.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn range<'a>(
        &self,
        table: Table,
        keys: impl RangeBounds<&'a [u8]>,
    ) -> Result<Records, StoreError> {
        let bound = |bound: Bound<&&[u8]>| bound.map(|key| (table, Bytes::copy_from_slice(key)));
        let from = match bound(keys.start_bound()) {
            Bound::Unbounded => Bound::Included((table, Bytes::new())),
            from => from,
        };
        let to = match bound(keys.end_bound()) {
            Bound::Unbounded => after_prefix(table, &[]),
            to => to,
        };
        self.0.range(from, to)
    }

    /// The bytes that the store takes on its disk; without one, those of keys and values.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn size(&self) -> Result<u64, StoreError> {
        self.0.size()
    }
}

/// The end of the keys that begin with `prefix`: the same with its last byte one larger.
pub(crate) fn after_prefix(table: Table, prefix: &[u8]) -> Bound<Key> {
    let kept = prefix.iter().rposition(|byte| *byte != u8::MAX).map_or(0, |last| last + 1);
    match prefix.get(..kept).unwrap_or_default() {
        [head @ .., last] => {
            let end = [head, &[last.saturating_add(1)]].concat();
            Bound::Excluded((table, end.into()))
        }
        [] => match table.0.checked_add(1) {
            Some(next) => Bound::Excluded((Table(next), Bytes::new())),
            None => Bound::Unbounded,
        },
    }
}
