//! Changes of records on their way to a store: of each record the last one.

use bytes::Bytes;
use lwm2m_link::{Record, Table};
use std::collections::BTreeMap;

/// The place of a record in the order of a store: its table, and its key in the table.
pub type Key = (Table, Bytes);

/// Changes to commit together. A later change of a record replaces an earlier one, so that the
/// number of records bounds the memory.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Changes(BTreeMap<Key, Option<Bytes>>);

impl Changes {
    /// Adds a change.
    pub fn push(&mut self, Record { table, key, value }: Record) {
        self.0.insert((table, key), value);
    }

    /// Adds later changes.
    pub fn append(&mut self, mut later: Self) {
        self.0.append(&mut later.0);
    }

    /// The changes in the order of their keys: a new value, or `None` for a record that ends.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Key, Option<&Bytes>)> {
        self.0.iter().map(|(key, value)| (key, value.as_ref()))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Record> for Changes {
    fn from_iter<I: IntoIterator<Item = Record>>(records: I) -> Self {
        let mut changes = Self::default();
        records.into_iter().for_each(|record| changes.push(record));
        changes
    }
}
