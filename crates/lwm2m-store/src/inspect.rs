//! What is in a store, by table.

use crate::error::StoreError;
use crate::store::Reader;
use lwm2m_link::Table;
use std::collections::BTreeMap;
use std::fmt;

/// The records of a store, counted. Its `Display` is a table with one line for each kind of record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Inspection {
    /// The kinds of records by their numbers.
    pub tables: BTreeMap<u8, Tally>,
    /// The bytes that the store takes on its disk.
    pub size: u64,
}

/// Records of one kind, counted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tally {
    /// What they are called.
    pub name: String,
    /// How many there are.
    pub records: u64,
    /// The bytes of their keys and values.
    pub bytes: u64,
}

/// Counts the records of a store, of one moment. `name` names their kinds; the others are called by
/// their numbers.
///
/// # Errors
/// The store cannot be read.
pub fn inspect(
    store: &Reader,
    name: impl Fn(Table) -> Option<&'static str>,
) -> Result<Inspection, StoreError> {
    let mut tables = BTreeMap::new();
    let tally = |table: Table| {
        let name = name(table).map_or_else(|| format!("table {}", table.0), str::to_owned);
        Tally { name, records: 0, bytes: 0 }
    };
    for record in store.all()? {
        let record = record?;
        let counted = tables.entry(record.table.0).or_insert_with(|| tally(record.table));
        counted.records += 1;
        counted.bytes += (record.key.len() + record.value.map_or(0, |it| it.len())) as u64;
    }
    Ok(Inspection { tables, size: store.size()? })
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.tables.values().map(|tally| tally.name.chars().count());
        let width = names.max().unwrap_or(0).max("on disk".len());
        writeln!(f, "{:width$} {:>12} {:>15}", "", "records", "bytes")?;
        for Tally { name, records, bytes } in self.tables.values() {
            writeln!(f, "{name:width$} {records:>12} {bytes:>15}")?;
        }
        write!(f, "{:width$} {:>12} {:>15}", "on disk", "", self.size)
    }
}
