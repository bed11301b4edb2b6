//! Every store against an ordered map: the same commits, then the same answers.

use bytes::Bytes;
use lwm2m_link::{Record, Table};
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

fn change() -> impl Strategy<Value = Record> {
    let value = proptest::option::weighted(0.8, vec(any::<u8>(), 0..5));
    (table(), key(), value).prop_map(|(table, key, value)| Record {
        table,
        key: key.into(),
        value: value.map(Bytes::from),
    })
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
        for records in commits {
            let changes = Changes::from_iter(records.clone());
            file.commit(&changes).unwrap();
            memory.commit(&changes).unwrap();
            for Record { table, key, value } in records {
                match value {
                    Some(value) => _ = model.insert((table, key), value),
                    None => _ = model.remove(&(table, key)),
                }
            }
        }
        for (table, bounds, prefix) in queries {
            for reader in [file.reader(), memory.reader()] {
                compare(&reader, &model, table, &bounds, &prefix);
            }
        }
    }
}
