//! The header of a file: that it is a store, its format, and which version of the program wrote it.

use super::begin;
use super::failure::{damaged, foreign, guarded};
use super::record::RECORDS;
use crate::error::StoreError;
use redb::{Database, ReadTransaction, ReadableDatabase, TableDefinition, WriteTransaction};
use std::path::Path;

const HEADER: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("header");
const MAGIC: (&str, &[u8]) = ("magic", b"lwm2m-store");
/// The format as four bytes, the most significant first.
const FORMAT: &str = "format";
const PRODUCT: &str = "product";
const THIS_PRODUCT: &str = env!("CARGO_PKG_VERSION");

/// A change from one format to the next, in the transaction that also writes the new number.
pub(super) type Migration = fn(&WriteTransaction) -> Result<(), redb::Error>;

/// How a file of format `n` becomes one of format `n + 1`: the first of these is for format 1. What is
/// in the records is not the format of the file: engines have versions of their own in them.
pub(super) const MIGRATIONS: &[Migration] = &[];

/// What a file says about itself.
struct Header {
    format: u32,
    product: String,
}

/// The format that a program with these migrations writes.
fn current(migrations: &[Migration]) -> u32 {
    1 + u32::try_from(migrations.len()).unwrap_or(u32::MAX - 1)
}

/// Makes a new file a store, and an older one current.
pub(super) fn check(
    database: &Database,
    file: &Path,
    migrations: &[Migration],
) -> Result<(), StoreError> {
    let Some(header) = read(database, file)? else {
        return guarded(file, || write(database, &[], current(migrations)));
    };
    let (format, known) = (header.format, current(migrations));
    if format > known {
        let file = file.to_owned();
        return Err(StoreError::Newer { file, format, known, product: header.product });
    }
    if format == known && header.product == THIS_PRODUCT {
        return Ok(());
    }
    let done = usize::try_from(format).ok().and_then(|format| format.checked_sub(1));
    let due = done.and_then(|done| migrations.get(done..));
    let due = due.ok_or_else(|| damaged(file, format!("format {format}")))?;
    if !due.is_empty() {
        tracing::info!(file = %file.display(), format, to = known, "the store is migrated");
    }
    guarded(file, || write(database, due, known))
}

/// Whether a file that is only read can be read as it is.
pub(super) fn is_current(
    database: &impl ReadableDatabase,
    file: &Path,
) -> Result<bool, StoreError> {
    let known = current(MIGRATIONS);
    match read(database, file)? {
        Some(Header { format, product }) if format > known => {
            Err(StoreError::Newer { file: file.to_owned(), format, known, product })
        }
        header => Ok(header.is_some_and(|header| header.format == known)),
    }
}

/// Reads the header. `None` for a file without any table.
fn read(database: &impl ReadableDatabase, file: &Path) -> Result<Option<Header>, StoreError> {
    let transaction = guarded(file, || Ok(database.begin_read()?))?;
    let is_new = guarded(file, || {
        let tables =
            transaction.list_tables()?.count() + transaction.list_multimap_tables()?.count();
        Ok(tables == 0)
    })?;
    if is_new {
        return Ok(None);
    }
    let field = |name| guarded(file, || field(&transaction, name));
    if field(MAGIC.0)?.as_deref() != Some(MAGIC.1) {
        return Err(foreign(file));
    }
    let format = field(FORMAT)?.and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
    let format = format.ok_or_else(|| damaged(file, "it has no format"))?;
    let product = field(PRODUCT)?.unwrap_or_default();
    Ok(Some(Header { format, product: String::from_utf8_lossy(&product).into_owned() }))
}

fn field(transaction: &ReadTransaction, name: &str) -> Result<Option<Vec<u8>>, redb::Error> {
    let value = transaction.open_table(HEADER)?.get(name)?;
    Ok(value.map(|value| value.value().to_vec()))
}

/// Migrates the file, and writes a current header.
fn write(database: &Database, due: &[Migration], format: u32) -> Result<(), redb::Error> {
    let transaction = begin(database)?;
    for migrate in due {
        migrate(&transaction)?;
    }
    {
        transaction.open_table(RECORDS)?;
        let mut header = transaction.open_table(HEADER)?;
        header.insert(MAGIC.0, MAGIC.1)?;
        header.insert(FORMAT, &format.to_be_bytes()[..])?;
        header.insert(PRODUCT, THIS_PRODUCT.as_bytes())?;
    }
    Ok(transaction.commit()?)
}

#[cfg(test)]
mod tests {
    use super::super::record::{get, put};
    use super::*;
    use crate::changes::Key;
    use bytes::Bytes;
    use lwm2m_link::Table;
    use redb::backends::InMemoryBackend;
    use std::io;

    const KEY: Key = (Table(1), Bytes::from_static(b"a"));

    fn set(transaction: &WriteTransaction, value: &[u8]) -> Result<(), redb::Error> {
        Ok(put(&mut transaction.open_table(RECORDS)?, &KEY, Some(value))?)
    }

    fn value(database: &Database) -> Bytes {
        let records = database.begin_read().unwrap().open_table(RECORDS).unwrap();
        get(&records, &KEY).unwrap().unwrap()
    }

    fn header(database: &Database) -> Header {
        read(database, Path::new("a file")).unwrap().unwrap()
    }

    #[test]
    fn older_files_are_migrated_step_by_step_or_not_at_all() {
        let file = Path::new("a file");
        let database = Database::builder().create_with_backend(InMemoryBackend::new()).unwrap();
        check(&database, file, &[]).unwrap();
        assert_eq!((header(&database).format, header(&database).product), (1, THIS_PRODUCT.into()));
        let transaction = begin(&database).unwrap();
        set(&transaction, b"1").unwrap();
        transaction.commit().unwrap();

        let to_2: Migration = |transaction| set(transaction, b"2");
        let to_3: Migration = |transaction| {
            let old = get(&transaction.open_table(RECORDS)?, &KEY)?.unwrap_or_default();
            set(transaction, &[&old[..], b", then 3"].concat())
        };
        let broken: Migration = |_| Err(io::Error::from(io::ErrorKind::StorageFull).into());
        let error = check(&database, file, &[to_2, broken]).unwrap_err();
        assert!(matches!(error, StoreError::Full { .. }), "{error}");
        assert_eq!((header(&database).format, &value(&database)[..]), (1, &b"1"[..]));
        check(&database, file, &[to_2, to_3]).unwrap();
        assert_eq!((header(&database).format, &value(&database)[..]), (3, &b"2, then 3"[..]));
        // Nothing is done twice, and the program before it refuses.
        check(&database, file, &[to_2, to_3]).unwrap();
        assert_eq!(value(&database), "2, then 3");
        let error = check(&database, file, &[to_2]).unwrap_err();
        assert!(matches!(error, StoreError::Newer { format: 3, known: 2, .. }), "{error}");
    }
}
