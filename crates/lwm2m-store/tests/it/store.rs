//! What every store does.

use crate::{TABLE, folder, record};
use lwm2m_link::{Record, Table};
use lwm2m_store::{Changes, FileStore, MemoryStore, Reader, Records, Store};
use std::ops::Bound;

fn keys(records: Records) -> Vec<String> {
    let name = |record: Record| format!("{}{}", record.table.0, record.key.escape_ascii());
    records.map(|record| name(record.unwrap())).collect()
}

fn record_of(table: u8, key: &[u8]) -> Record {
    Record { table: Table(table), key: key.to_vec().into(), value: Some("x".into()) }
}

/// A store with records of several tables.
fn filled(store: &mut dyn Store) -> Reader {
    let records =
        [(1, &b"z"[..]), (7, b""), (7, b"a"), (7, b"a\xFF"), (7, b"a\xFF\xFF"), (7, b"b")];
    let last = [(8, &b"\0"[..]), (255, b"\xFF\xFF")];
    let records = records.into_iter().chain(last).map(|(table, key)| record_of(table, key));
    store.commit(&records.collect()).unwrap();
    store.reader()
}

fn changes_replace_and_remove(store: &mut dyn Store) {
    let reader = store.reader();
    assert_eq!(keys(reader.all().unwrap()), [""; 0]);
    let changes = [record("a", Some("1")), record("b", Some("2")), record("a", Some("3"))];
    store.commit(&Changes::from_iter(changes)).unwrap();
    assert_eq!(reader.get(TABLE, b"a").unwrap().as_deref(), Some(&b"3"[..]));
    store.commit(&Changes::from_iter([record("a", None), record("c", None)])).unwrap();
    assert_eq!(reader.get(TABLE, b"a").unwrap(), None);
    assert_eq!(reader.get(Table(8), b"b").unwrap(), None);
    assert_eq!(
        reader.all().unwrap().map(Result::unwrap).collect::<Vec<_>>(),
        [record("b", Some("2"))]
    );
    assert!(reader.size().unwrap() > 0);
}

fn ranges_end_where_they_should(store: &mut dyn Store) {
    let reader = filled(store);
    let all = ["1z", "7", "7a", "7a\\xff", "7a\\xff\\xff", "7b", "8\\x00", "255\\xff\\xff"];
    assert_eq!(keys(reader.all().unwrap()), all);
    assert_eq!(keys(reader.table(TABLE).unwrap()), all[1..6]);
    assert_eq!(
        keys(Box::new(reader.table(TABLE).unwrap().rev())),
        ["7b", "7a\\xff\\xff", "7a\\xff", "7a", "7"]
    );
    assert_eq!(keys(reader.prefix(TABLE, b"a").unwrap()), all[2..5]);
    assert_eq!(keys(reader.prefix(TABLE, b"a\xFF").unwrap()), all[3..5]);
    assert_eq!(keys(reader.prefix(Table(255), b"\xFF").unwrap()), all[7..]);
    assert_eq!(keys(reader.table(Table(2)).unwrap()), [""; 0]);
    let after = (Bound::Excluded(&b"a"[..]), Bound::Unbounded);
    assert_eq!(keys(reader.range(TABLE, after).unwrap()), all[3..6]);
    let until = (Bound::Unbounded, Bound::Included(&b"a"[..]));
    assert_eq!(keys(reader.range(TABLE, until).unwrap()), all[1..3]);
    for (from, to) in [
        (Bound::Included(&b"b"[..]), Bound::Included(&b"a"[..])),
        (Bound::Excluded(b"a"), Bound::Excluded(b"a")),
    ] {
        assert_eq!(keys(reader.range(TABLE, (from, to)).unwrap()), [""; 0]);
    }
    let mut both = reader.table(TABLE).unwrap();
    let ends = [both.next(), both.next_back()].map(|it| it.unwrap().unwrap().key);
    assert_eq!(ends, ["", "b"]);
    assert_eq!(keys(both), all[2..5]);
}

fn iteration_is_of_one_moment(store: &mut dyn Store) {
    let reader = filled(store);
    let mut records = reader.table(TABLE).unwrap();
    assert_eq!(records.next().unwrap().unwrap().key, "");
    store.commit(&Changes::from_iter([record("a", None), record("aa", Some("new"))])).unwrap();
    assert_eq!(keys(records), ["7a", "7a\\xff", "7a\\xff\\xff", "7b"]);
    assert_eq!(keys(reader.table(TABLE).unwrap()), ["7", "7aa", "7a\\xff", "7a\\xff\\xff", "7b"]);
}

#[test]
fn file() {
    let open = |name| FileStore::open(folder(name)).unwrap();
    changes_replace_and_remove(&mut open("changes"));
    ranges_end_where_they_should(&mut open("ranges"));
    iteration_is_of_one_moment(&mut open("moment"));
}

#[test]
fn memory() {
    changes_replace_and_remove(&mut MemoryStore::default());
    ranges_end_where_they_should(&mut MemoryStore::default());
    iteration_is_of_one_moment(&mut MemoryStore::default());
}
