//! Every store against an ordered map: the same commits, then the same answers.

use bytes::Bytes;
use lwm2m_link::{Lsn, Record, Table, Write};
use lwm2m_store::{Changes, FileStore, Key, MemoryStore, Reader, Store};
use lwm2m_testkit::VirtualDisk;
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::ops::Bound;

type Model = BTreeMap<Key, Bytes>;

fn table() -> impl Strategy<Value = Table> {
    prop_oneof![Just(0), Just(1), Just(254), Just(255)].prop_map(Table)
}

/// Short keys of few bytes, among them those at the ends.
fn key() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![Just(0), Just(1), Just(b'a'), Just(254), Just(255)], 0..4)
}

/// A change of a record, or at times of all records below a key.
fn change() -> impl Strategy<Value = Write> {
    let value = proptest::option::weighted(0.8, vec(any::<u8>(), 0..5));
    let keep_last = proptest::option::weighted(0.2, 0u32..3);
    (table(), key(), value, keep_last).prop_map(|(table, key, value, keep_last)| {
        let value = value.map(Bytes::from).filter(|_| keep_last.is_none());
        let record = Record { table, key: key.into(), value };
        Write { lsn: Lsn(0), record, keep_last, promised: false }
    })
}

/// Removes the records below a key, but for the last ones.
fn trim(model: &mut Model, (table, prefix): &Key, last: u32) {
    let below = model.keys().filter(|(of, key)| of == table && key.starts_with(prefix));
    let below: Vec<Key> = below.cloned().collect();
    let gone = below.len().saturating_sub(last as usize);
    below.iter().take(gone).for_each(|key| _ = model.remove(key));
}

/// Does the same to the model as a commit of these changes, one after the other.
fn apply(model: &mut Model, writes: &[Write]) {
    let mut trims = BTreeMap::new();
    for Write { record: Record { table, key, value }, keep_last, .. } in writes {
        let key = (*table, key.clone());
        match (value, keep_last) {
            (Some(value), _) => _ = model.insert(key, value.clone()),
            (None, None) => _ = model.remove(&key),
            (None, Some(0)) => trim(model, &key, 0),
            (None, Some(last)) => _ = trims.insert(key, *last),
        }
    }
    trims.iter().for_each(|(prefix, last)| trim(model, prefix, *last));
}

fn bound() -> impl Strategy<Value = Bound<Vec<u8>>> {
    prop_oneof![
        key().prop_map(Bound::Included),
        key().prop_map(Bound::Excluded),
        Just(Bound::Unbounded)
    ]
}

fn is_in(key: &[u8], from: &Bound<Vec<u8>>, to: &Bound<Vec<u8>>) -> bool {
    let is_after = match from {
        Bound::Included(from) => key >= &from[..],
        Bound::Excluded(from) => key > &from[..],
        Bound::Unbounded => true,
    };
    is_after
        && match to {
            Bound::Included(to) => key <= &to[..],
            Bound::Excluded(to) => key < &to[..],
            Bound::Unbounded => true,
        }
}

/// The records of the model that `is_wanted` picks.
fn expected(model: &Model, is_wanted: impl Fn(&Key) -> bool) -> Vec<Record> {
    let wanted = model.iter().filter(|(key, _)| is_wanted(key));
    let record = |(key, value): (&Key, &Bytes)| Record {
        table: key.0,
        key: key.1.clone(),
        value: Some(value.clone()),
    };
    wanted.map(record).collect()
}

fn compare(
    reader: &Reader,
    model: &Model,
    table: Table,
    (from, to): &(Bound<Vec<u8>>, Bound<Vec<u8>>),
    prefix: &[u8],
) {
    let found = |records: lwm2m_store::Records| records.map(Result::unwrap).collect::<Vec<_>>();
    assert_eq!(found(reader.all().unwrap()), expected(model, |_| true));
    let wanted = expected(model, |key| key.0 == table && key.1.starts_with(prefix));
    assert_eq!(found(reader.prefix(table, prefix).unwrap()), wanted);
    let bounds = (from.as_ref().map(Vec::as_slice), to.as_ref().map(Vec::as_slice));
    let mut wanted = expected(model, |key| key.0 == table && is_in(&key.1, from, to));
    assert_eq!(found(reader.range(table, bounds).unwrap()), wanted);
    wanted.reverse();
    assert_eq!(found(Box::new(reader.range(table, bounds).unwrap().rev())), wanted);
    let value = model.get(&(table, Bytes::copy_from_slice(prefix)));
    assert_eq!(reader.get(table, prefix).unwrap().as_ref(), value);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn stores_are_ordered_maps(
        commits in vec(vec(change(), 0..12), 1..4),
        queries in vec((table(), (bound(), bound()), key()), 1..8),
    ) {
        let computer = VirtualDisk::new(0).start();
        let open = move |builder: &redb::Builder| builder.create_with_backend(computer.clone());
        let mut file = FileStore::on("a file", open).unwrap();
        let (mut memory, mut model) = (MemoryStore::default(), Model::new());
        for writes in commits {
            // In two batches, as after a commit that failed.
            let (first, second) = writes.split_at(writes.len() / 2);
            let [mut changes, later] = [first, second].map(|writes| {
                let mut changes = Changes::default();
                writes.iter().for_each(|write| changes.write(write.clone()));
                changes
            });
            changes.append(later);
            file.commit(&changes).unwrap();
            memory.commit(&changes).unwrap();
            apply(&mut model, &writes);
        }
        for (table, bounds, prefix) in queries {
            for reader in [file.reader(), memory.reader()] {
                compare(&reader, &model, table, &bounds, &prefix);
            }
        }
    }
}
