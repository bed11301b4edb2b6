//! Changes of records on their way to a store: of each record the last one.

use bytes::Bytes;
use lwm2m_link::{Record, Table, Write};
use std::collections::{BTreeMap, BTreeSet};

/// The place of a record in the order of a store: its table, and its key in the table.
pub type Key = (Table, Bytes);

/// Changes to commit together, in this order: [`removed`](Self::removed), [`iter`](Self::iter),
/// [`trimmed`](Self::trimmed). A later change of a record replaces an earlier one, so that the number of
/// records bounds the memory.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Changes {
    removed: BTreeSet<Key>,
    records: BTreeMap<Key, Option<Bytes>>,
    trimmed: BTreeMap<Key, u32>,
}

impl Changes {
    /// Adds a change of one record.
    pub fn push(&mut self, Record { table, key, value }: Record) {
        self.records.insert((table, key), value);
    }

    /// Adds a change that an engine wants.
    pub fn write(&mut self, Write { record, keep_last, .. }: Write) {
        match keep_last {
            None => self.push(record),
            Some(0) => self.remove_all((record.table, record.key)),
            Some(last) => _ = self.trimmed.insert((record.table, record.key), last),
        }
    }

    /// Adds that all records whose keys begin with a key are removed.
    fn remove_all(&mut self, prefix: Key) {
        let gone = self.records.range(prefix.clone()..).map(|(key, _)| key);
        let gone: Vec<Key> = gone.take_while(|key| is_below(key, &prefix)).cloned().collect();
        gone.iter().for_each(|key| _ = self.records.remove(key));
        self.removed.insert(prefix);
    }

    /// Adds later changes.
    pub fn append(&mut self, mut later: Self) {
        later.removed.into_iter().for_each(|prefix| self.remove_all(prefix));
        self.records.append(&mut later.records);
        self.trimmed.append(&mut later.trimmed);
    }

    /// The keys below which all records are removed first.
    pub fn removed(&self) -> impl ExactSizeIterator<Item = &Key> {
        self.removed.iter()
    }

    /// The changes in the order of their keys: a new value, or `None` for a record that ends.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Key, Option<&Bytes>)> {
        self.records.iter().map(|(key, value)| (key, value.as_ref()))
    }

    /// The keys below which only so many of the last records stay, in the end.
    pub fn trimmed(&self) -> impl ExactSizeIterator<Item = (&Key, u32)> {
        self.trimmed.iter().map(|(key, last)| (key, *last))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.removed.is_empty() && self.trimmed.is_empty()
    }
}

/// Whether the key of a record begins with another one.
pub(crate) fn is_below((table, key): &Key, (of, prefix): &Key) -> bool {
    table == of && key.starts_with(prefix)
}

impl FromIterator<Record> for Changes {
    fn from_iter<I: IntoIterator<Item = Record>>(records: I) -> Self {
        let mut changes = Self::default();
        records.into_iter().for_each(|record| changes.push(record));
        changes
    }
}
