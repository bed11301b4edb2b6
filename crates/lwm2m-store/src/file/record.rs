//! How a record is written in the file: the key begins with the byte of the table, and the value ends
//! with a checksum of both, because `redb` checks pages only when it opens a file.

use crate::changes::Key;
use crate::store::after_prefix;
use bytes::Bytes;
use lwm2m_link::{Record, Table};
use redb::{ReadableTable, StorageError, Table as RedbTable, TableDefinition};
use std::ops::Bound;

/// The records.
pub(super) const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");
/// The bytes of a checksum: CRC-32, the most significant byte first.
const CHECKSUM: usize = 4;

/// The key as it is in the file.
pub(super) fn raw((table, key): &Key) -> Vec<u8> {
    [&[table.0], &key[..]].concat()
}

fn checksum(raw: &[u8], value: &[u8]) -> [u8; CHECKSUM] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(raw);
    hasher.update(value);
    hasher.finalize().to_be_bytes()
}

/// Writes a change.
pub(super) fn put(
    records: &mut RedbTable<'_, &'static [u8], &'static [u8]>,
    key: &Key,
    value: Option<&[u8]>,
) -> Result<(), StorageError> {
    let raw = raw(key);
    let Some(value) = value else {
        records.remove(&raw[..])?;
        return Ok(());
    };
    let mut place = records.insert_reserve(&raw[..], value.len() + CHECKSUM)?;
    let (body, end) = place.as_mut().split_at_mut(value.len());
    body.copy_from_slice(value);
    end.copy_from_slice(&checksum(&raw, value));
    Ok(())
}

/// Removes the records below a key, but for the last ones.
pub(super) fn trim(
    records: &mut RedbTable<'_, &'static [u8], &'static [u8]>,
    prefix: &Key,
    last: usize,
) -> Result<(), StorageError> {
    let first = raw(prefix);
    let end = after_prefix(prefix.0, &prefix.1);
    let end = end.as_ref().map(raw);
    let range = (Bound::Included(&first[..]), end.as_ref().map(Vec::as_slice));
    let newest_gone = records.range::<&[u8]>(range)?.rev().nth(last).transpose()?;
    let Some(newest_gone) = newest_gone.map(|(key, _)| key.value().to_vec()) else { return Ok(()) };
    records.retain_in::<&[u8], _>(&first[..]..=&newest_gone[..], |_, _| false)
}

/// Reads the value of a record.
pub(super) fn get(
    records: &impl ReadableTable<&'static [u8], &'static [u8]>,
    key: &Key,
) -> Result<Option<Bytes>, StorageError> {
    let raw = raw(key);
    let stored = records.get(&raw[..])?;
    stored.map(|stored| value(&raw, stored.value())).transpose()
}

/// A record from what is in the file.
pub(super) fn record(raw: &[u8], stored: &[u8]) -> Result<Record, StorageError> {
    let value = Some(value(raw, stored)?);
    let (table, key) = raw.split_first().ok_or_else(|| damaged("a record has no table"))?;
    Ok(Record { table: Table(*table), key: Bytes::copy_from_slice(key), value })
}

fn value(raw: &[u8], stored: &[u8]) -> Result<Bytes, StorageError> {
    let parts = stored.split_last_chunk::<CHECKSUM>();
    let (value, _) = parts
        .filter(|(value, written)| **written == checksum(raw, value))
        .ok_or_else(|| damaged("a record is not as it was written"))?;
    Ok(Bytes::copy_from_slice(value))
}

fn damaged(detail: &str) -> StorageError {
    StorageError::Corrupted(detail.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use redb::{Database, ReadableDatabase as _, backends::InMemoryBackend};

    #[test]
    fn each_changed_bit_of_a_record_is_noticed() {
        let database = Database::builder().create_with_backend(InMemoryBackend::new()).unwrap();
        let (key, other) = ((Table(1), "key".into()), (Table(1), "kez".into()));
        let transaction = database.begin_write().unwrap();
        put(&mut transaction.open_table(RECORDS).unwrap(), &key, Some(b"value")).unwrap();
        transaction.commit().unwrap();
        let records = database.begin_read().unwrap().open_table(RECORDS).unwrap();
        assert_eq!(get(&records, &key).unwrap().as_deref(), Some(&b"value"[..]));
        let stored = records.get(&raw(&key)[..]).unwrap().unwrap().value().to_vec();
        assert_eq!(record(&raw(&key), &stored).unwrap().value.as_deref(), Some(&b"value"[..]));
        assert!(record(&raw(&other), &stored).is_err(), "the value of another record");
        for bit in 0..8 * stored.len() {
            let mut changed = stored.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(record(&raw(&key), &changed).is_err(), "{bit}");
        }
        assert!((0..stored.len()).all(|end| record(&raw(&key), &stored[..end]).is_err()));
    }
}
