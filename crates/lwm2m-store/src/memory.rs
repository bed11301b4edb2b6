//! A store in memory, for programs that keep nothing and for tests.

use crate::changes::{Changes, Key, is_below};
use crate::error::StoreError;
use crate::store::{Read, Reader, Records, Store};
use bytes::Bytes;
use lwm2m_link::Record;
use std::collections::{BTreeMap, btree_map};
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock};

type Map = BTreeMap<Key, Bytes>;

/// A store that ends with the process.
///
/// A commit copies the map while somebody iterates over it.
#[derive(Clone, Default, Debug)]
pub struct MemoryStore(Arc<RwLock<Arc<Map>>>);

impl MemoryStore {
    fn map(&self) -> Arc<Map> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Store for MemoryStore {
    fn commit(&mut self, changes: &Changes) -> Result<(), StoreError> {
        let mut map = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let map = Arc::make_mut(&mut map);
        changes.removed().for_each(|prefix| trim(map, prefix, 0));
        for (key, value) in changes.iter() {
            match value {
                Some(value) => _ = map.insert(key.clone(), value.clone()),
                None => _ = map.remove(key),
            }
        }
        changes.trimmed().for_each(|(prefix, last)| trim(map, prefix, last as usize));
        Ok(())
    }

    fn reader(&self) -> Reader {
        Reader::new(self.clone())
    }
}

/// Removes the records below a key, but for the last ones.
fn trim(map: &mut Map, prefix: &Key, last: usize) {
    let below = map.range(prefix.clone()..).map(|(key, _)| key);
    let mut below: Vec<Key> = below.take_while(|key| is_below(key, prefix)).cloned().collect();
    below.truncate(below.len().saturating_sub(last));
    below.iter().for_each(|key| _ = map.remove(key));
}

impl Read for MemoryStore {
    fn get(&self, key: &Key) -> Result<Option<Bytes>, StoreError> {
        Ok(self.map().get(key).cloned())
    }

    fn range(&self, from: Bound<Key>, to: Bound<Key>) -> Result<Records, StoreError> {
        Ok(Box::new(Iter { map: self.map(), from, to }))
    }

    fn size(&self) -> Result<u64, StoreError> {
        Ok(self.map().iter().map(|((_, key), value)| (1 + key.len() + value.len()) as u64).sum())
    }
}

/// The records of a range that have not been returned yet.
struct Iter {
    map: Arc<Map>,
    from: Bound<Key>,
    to: Bound<Key>,
}

impl Iter {
    fn rest(&self) -> Option<btree_map::Range<'_, Key, Bytes>> {
        // A map panics at some ranges with nothing in them.
        let is_empty = match (&self.from, &self.to) {
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
            (Bound::Included(from), Bound::Included(to)) => from > to,
            (
                Bound::Included(from) | Bound::Excluded(from),
                Bound::Included(to) | Bound::Excluded(to),
            ) => from >= to,
        };
        (!is_empty).then(|| self.map.range((self.from.as_ref(), self.to.as_ref())))
    }
}

fn record((key, value): (&Key, &Bytes)) -> Record {
    let (table, key) = key.clone();
    Record { table, key, value: Some(value.clone()) }
}

impl Iterator for Iter {
    type Item = Result<Record, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let record = record(self.rest()?.next()?);
        self.from = Bound::Excluded((record.table, record.key.clone()));
        Some(Ok(record))
    }
}

impl DoubleEndedIterator for Iter {
    fn next_back(&mut self) -> Option<Self::Item> {
        let record = record(self.rest()?.next_back()?);
        self.to = Bound::Excluded((record.table, record.key.clone()));
        Some(Ok(record))
    }
}
