//! The data folder of a program: the store of what its engine has promised, and the key of its sessions.

use crate::Failure;
use lwm2m_dtls::TicketKey;
use lwm2m_link::{Record, Table};
use lwm2m_store::{FileStore, Pace, Reader, Records, Store, StoreError, Writer};
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The name of the file with the key that seals sessions. It is not in the store, so that who has a
/// backup does not have the sessions.
const SESSION_KEY: &str = "session.key";

/// The data folder of a program where no other one is named.
///
/// # Errors
/// The environment does not tell the home of the user.
pub fn default_folder(program: &str) -> Result<PathBuf, Failure> {
    use etcetera::BaseStrategy;
    let base = etcetera::choose_base_strategy().map_err(|_| {
        Failure::usage(
            "there is no home for a data folder; name one by --data DIR, or use --ephemeral",
        )
    })?;
    Ok(base.data_dir().join(program))
}

/// A data folder that this process has opened.
#[derive(Debug)]
pub struct Data {
    store: FileStore,
    /// Seals the sessions that go on after a restart.
    pub session_key: TicketKey,
}

impl Data {
    /// Opens the folder, and makes what is not there.
    ///
    /// # Errors
    /// Another process uses the folder, or it cannot be used; the text says what to do.
    pub fn open(folder: &Path) -> Result<Self, Failure> {
        let store = FileStore::open(folder).map_err(failure)?;
        let path = folder.join(SESSION_KEY);
        let session_key = session_key(&path).map_err(|error| {
            Failure::usage(format!("cannot use the key of sessions {}: {error}", path.display()))
        })?;
        Ok(Self { store, session_key })
    }

    /// Hands what is kept to an engine: tables, keys and values.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn read(&self, mut take: impl FnMut(Table, &[u8], &[u8])) -> Result<(), Failure> {
        hand(self.store.reader().all(), &mut take)
    }

    /// As [`read`](Self::read), for some tables, in this order.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn read_tables(
        &self,
        tables: &[Table],
        mut take: impl FnMut(Table, &[u8], &[u8]),
    ) -> Result<(), Failure> {
        let reader = self.store.reader();
        tables.iter().try_for_each(|table| hand(reader.table(*table), &mut take))
    }

    /// The thread that keeps what follows.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn writer(self) -> Result<Writer, Failure> {
        Writer::start(self.store, Pace::default()).map_err(Failure::running)
    }
}

fn hand(
    records: Result<Records, StoreError>,
    take: &mut impl FnMut(Table, &[u8], &[u8]),
) -> Result<(), Failure> {
    for record in records.map_err(failure)? {
        let Record { table, key, value } = record.map_err(failure)?;
        take(table, &key, value.as_deref().unwrap_or_default());
    }
    Ok(())
}

fn failure(error: StoreError) -> Failure {
    Failure::usage(error)
}

/// Reads the key, or makes one that only its owner can read.
fn session_key(path: &Path) -> io::Result<TicketKey> {
    let mut key = Zeroizing::new([0; 16]);
    match fs::File::open(path) {
        Ok(mut file) => file.read_exact(&mut key[..])?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            getrandom::fill(&mut key[..]).map_err(io::Error::other)?;
            let mut options = OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut file = options.open(path)?;
            file.write_all(&key[..])?;
            file.sync_all()?;
        }
        Err(error) => return Err(error),
    }
    Ok(TicketKey::new(*key))
}

/// Copies the store of a folder to a file, also while a program uses it.
///
/// # Errors
/// There is no store in the folder, or the file cannot be written.
pub fn backup(folder: &Path, file: &Path) -> Result<(), Failure> {
    let reader = lwm2m_store::open_to_read(folder).map_err(failure)?;
    lwm2m_store::backup(&reader, file).map_err(failure)
}

/// Makes the store of a folder from a backup. Sessions do not go on from it: their peers may have gone
/// on in them since, and their record numbers must not be used twice.
///
/// # Errors
/// The backup cannot be used, or the folder has a store and `replace` is not set, or a program uses it.
pub fn restore(file: &Path, folder: &Path, replace: bool) -> Result<(), Failure> {
    lwm2m_store::restore(file, folder, replace).map_err(failure)?;
    let key = folder.join(SESSION_KEY);
    match fs::remove_file(&key) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Failure::usage(format!("cannot remove {}: {error}", key.display())))
        }
        _ => Ok(()),
    }
}

/// Prints what is in the store of a folder, by tables with these names, also while a program uses it.
///
/// # Errors
/// There is no store in the folder, or it cannot be read.
pub fn inspect(folder: &Path, name: fn(Table) -> Option<&'static str>) -> Result<(), Failure> {
    let reader: Reader = lwm2m_store::open_to_read(folder).map_err(failure)?;
    let inspection = lwm2m_store::inspect(&reader, name).map_err(failure)?;
    crate::print_line(inspection);
    Ok(())
}
