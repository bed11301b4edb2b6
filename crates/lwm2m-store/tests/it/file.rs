//! The store in a folder: who may have it, its backups, and what is refused.

use crate::{TABLE, folder, record};
use lwm2m_link::Table;
use lwm2m_store::{
    Changes, FileStore, Reader, Store, StoreError, backup, inspect, open_to_read, restore,
};
use redb::{Database, TableDefinition};
use std::fs;
use std::path::Path;

fn filled(folder: &Path, records: u32) -> FileStore {
    let mut store = FileStore::open(folder).unwrap();
    let records = (0..records).map(|at| record(&format!("{at:05}"), Some("some value")));
    store.commit(&records.collect()).unwrap();
    store
}

fn count(reader: &Reader) -> usize {
    reader.all().unwrap().map(Result::unwrap).count()
}

/// Copies the file of an open store to another folder, as a crash would leave it.
fn crashed(store: &Path, name: &str) -> std::path::PathBuf {
    let folder = folder(name);
    fs::create_dir_all(&folder).unwrap();
    fs::copy(store.join("store.redb"), folder.join("store.redb")).unwrap();
    folder
}

fn error<T>(result: Result<T, StoreError>) -> String {
    match result {
        Ok(_) => panic!("it is refused"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn what_was_committed_is_there_after_a_restart_and_after_a_crash() {
    let (folder, reader) = (folder("restart"), |store: &FileStore| store.reader());
    let store = filled(&folder, 1_000);
    let crashed = crashed(&folder, "restart-crashed");
    let old = reader(&store);
    drop(store);
    let closed = format!("{} is closed", folder.join("store.redb").display());
    assert!(error(old.get(TABLE, b"00000")).starts_with(&closed));
    for folder in [folder, crashed] {
        assert_eq!(count(&reader(&FileStore::open(folder).unwrap())), 1_000);
    }
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder("private").join("deep");
    let store = filled(&folder, 1);
    let copy = folder.join("copy");
    backup(&store.reader(), &copy).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!([&folder, folder.parent().unwrap()].map(mode), [0o700; 2]);
    let files = fs::read_dir(&folder).unwrap().map(|entry| mode(&entry.unwrap().path()));
    assert_eq!(files.collect::<Vec<_>>(), [0o600; 3]);
}

#[test]
fn one_process_writes_and_others_read() {
    let folder = folder("shared");
    let mut store = filled(&folder, 10);
    let in_use = format!(
        "the store in {} is in use by another process: stop that process, or choose another folder",
        folder.display()
    );
    assert_eq!(error(FileStore::open(&folder)), in_use);
    let other = open_to_read(&folder).unwrap();
    assert_eq!(count(&other), 10);
    store.commit(&Changes::from_iter([record("more", Some("x"))])).unwrap();
    assert_eq!(other.get(TABLE, b"more").unwrap().as_deref(), Some(&b"x"[..]));
    let crashed = crashed(&folder, "shared-crashed");
    assert_eq!(count(&open_to_read(&crashed).unwrap()), 11);
    drop(store);
    let mut again = FileStore::open(&folder).unwrap();
    again.commit(&Changes::from_iter([record("more", Some("y"))])).unwrap();
    assert_eq!(other.get(TABLE, b"more").unwrap().as_deref(), Some(&b"y"[..]), "it goes on");
    let nowhere = folder.join("nowhere");
    assert_eq!(
        error(open_to_read(&nowhere)),
        format!("there is no store in {}", nowhere.display())
    );
    assert!(!nowhere.exists());
}

#[test]
fn backups_are_whole_and_made_while_the_store_is_in_use() {
    let (folder, other) = (folder("backup"), folder("backup-restored"));
    let mut store = filled(&folder, 500);
    let file = folder.join("copy");
    fs::write(&file, "something older").unwrap();
    backup(&store.reader(), &file).unwrap();
    store.commit(&Changes::from_iter([record("later", Some("x"))])).unwrap();
    restore(&file, &other, false).unwrap();
    let restored = FileStore::open(&other).unwrap();
    let same = |(a, b): (Result<_, StoreError>, Result<_, StoreError>)| a.unwrap() == b.unwrap();
    let mut pairs = store.reader().all().unwrap().zip(restored.reader().all().unwrap());
    assert!(pairs.by_ref().take(500).all(same));
    assert_eq!((count(&restored.reader()), count(&store.reader())), (500, 501));
    // Not over what is there or in use.
    assert!(error(restore(&file, &other, true)).contains("is in use by another process"));
    drop(restored);
    let exists = format!("{} exists: move it away", other.join("store.redb").display());
    assert!(error(restore(&file, &other, false)).starts_with(&exists));
    backup(&open_to_read(&folder).unwrap(), &file).unwrap();
    restore(&file, &other, true).unwrap();
    assert_eq!(count(&open_to_read(&other).unwrap()), 501);
    // A store without records is as good as none.
    let empty = crate::folder("backup-empty");
    drop(FileStore::open(&empty).unwrap());
    restore(&file, &empty, false).unwrap();
    let left = fs::read_dir(&empty).unwrap().count();
    assert_eq!((count(&open_to_read(&empty).unwrap()), left), (501, 2));
    // What is no backup changes nothing.
    let note = folder.join("note");
    fs::write(&note, "not a store, but longer than a header of one").unwrap();
    assert!(error(restore(&note, &empty, true)).contains("is not a store of this program"));
    assert_eq!(count(&open_to_read(&empty).unwrap()), 501);
}

#[test]
fn foreign_files_are_refused_and_stay_as_they_are() {
    let folder = folder("foreign");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("store.redb");
    let refused = format!(
        "{} is not a store of this program: move it away, or choose another folder",
        file.display()
    );
    for contents in [&b""[..], b"x", &[0; 5_000], &b"a text file\n".repeat(1_000)] {
        fs::write(&file, contents).unwrap();
        assert_eq!(error(FileStore::open(&folder)), refused);
        assert_eq!(error(open_to_read(&folder)), refused);
        assert_eq!(fs::read(&file).unwrap(), contents);
    }
    for name in ["records", "header"] {
        fs::remove_file(&file).unwrap();
        let database = Database::create(&file).unwrap();
        let transaction = database.begin_write().unwrap();
        transaction.open_table(TableDefinition::<u64, u64>::new(name)).unwrap();
        transaction.commit().unwrap();
        drop(database);
        assert_eq!(error(FileStore::open(&folder)), refused, "another program's {name}");
    }
}

#[test]
fn newer_formats_are_refused() {
    let folder = folder("newer");
    drop(filled(&folder, 1));
    let file = folder.join("store.redb");
    let database = Database::open(&file).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let header = TableDefinition::<&str, &[u8]>::new("header");
        let mut header = transaction.open_table(header).unwrap();
        header.insert("format", &[0, 0, 0, 9][..]).unwrap();
        header.insert("product", &b"7.0.0"[..]).unwrap();
    }
    transaction.commit().unwrap();
    drop(database);
    let refused = format!(
        "{} has format 9, written by version 7.0.0, and this version reads up to format 1: \
         install version 7.0.0 or a later one",
        file.display()
    );
    assert_eq!(error(FileStore::open(&folder)), refused);
    assert_eq!(error(open_to_read(&folder)), refused);
}

#[cfg(target_os = "linux")]
#[test]
fn folder_that_cannot_be_written_is_named() {
    // Not even root can make a folder there.
    let text = error(FileStore::open("/sys/lwm2m"));
    assert!(text.starts_with("/sys/lwm2m cannot be written ("), "{text}");
    assert!(text.ends_with("or choose another folder"), "{text}");
}

#[test]
fn leftovers_of_a_crash_go_with_the_next_start() {
    let folder = folder("leftovers");
    fs::create_dir_all(&folder).unwrap();
    let (part, other) = (folder.join("store.redb.7-7.part"), folder.join("other.part"));
    for file in [&part, &other] {
        fs::write(file, "x").unwrap();
    }
    drop(FileStore::open(&folder).unwrap());
    assert_eq!([part.exists(), other.exists()], [false, true]);
}

#[test]
fn inspection_counts_by_table() {
    let mut store = filled(&folder("inspect"), 3);
    let other = lwm2m_link::Record { table: Table(9), ..record("a", Some("bc")) };
    store.commit(&Changes::from_iter([other])).unwrap();
    let name = |table| (table == TABLE).then_some("registrations");
    let text = inspect(&store.reader(), name).unwrap().to_string();
    let lines: Vec<Vec<_>> = text.lines().map(|it| it.split_whitespace().collect()).collect();
    assert_eq!(
        lines[..3],
        [vec!["records", "bytes"], vec!["registrations", "3", "45"], vec!["table", "9", "1", "3"],]
    );
    assert_eq!(lines[3][..2], ["on", "disk"]);
}
