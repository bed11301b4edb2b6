//! The data folder: the store of what the server has promised, and the key of its sessions.

use lwm2m_app::Failure;
use lwm2m_dtls::TicketKey;
use lwm2m_link::Record;
use lwm2m_net::Clock;
use lwm2m_server::{Server, records};
use lwm2m_store::{FileStore, Pace, Reader, Store, StoreError, Writer};
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The name of the file with the key that seals sessions. It is not in the store, so that who has a
/// backup does not have the sessions.
const SESSION_KEY: &str = "session.key";

/// The data folder where no other one is named.
///
/// # Errors
/// The environment does not tell the home of the user.
pub fn default_folder() -> Result<PathBuf, Failure> {
    use etcetera::BaseStrategy;
    let base = etcetera::choose_base_strategy().map_err(|_| {
        Failure::usage(
            "there is no home for a data folder; name one by --data DIR, or use --ephemeral",
        )
    })?;
    Ok(base.data_dir().join("lwm2m-serverd"))
}

/// A data folder that this process has opened.
pub(crate) struct Data {
    store: FileStore,
    /// Seals the sessions that go on after a restart.
    pub(crate) session_key: TicketKey,
}

impl Data {
    /// Opens the folder, and makes what is not there.
    pub(crate) fn open(folder: &Path) -> Result<Self, Failure> {
        let store = FileStore::open(folder).map_err(failure)?;
        let path = folder.join(SESSION_KEY);
        let session_key = session_key(&path).map_err(|error| {
            Failure::usage(format!("cannot use the key of sessions {}: {error}", path.display()))
        })?;
        Ok(Self { store, session_key })
    }

    /// Lets a server go on from what is kept, and returns the thread that keeps what follows.
    pub(crate) fn restore(self, server: &mut Server) -> Result<Writer, Failure> {
        let mut restore = server.restore(Clock::start().now());
        for record in self.store.reader().all().map_err(failure)? {
            let Record { table, key, value } = record.map_err(failure)?;
            restore.take(table, &key, value.as_deref().unwrap_or_default());
        }
        let restored = restore.finish();
        tracing::info!("restored {restored}");
        Writer::start(self.store, Pace::default()).map_err(Failure::running)
    }
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
            let seed = Zeroizing::new(lwm2m_net::seed()?);
            key.copy_from_slice(&seed[..16]);
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

/// Copies the store of a folder to a file, also while a server uses it.
///
/// # Errors
/// There is no store in the folder, or the file cannot be written.
pub fn backup(folder: &Path, file: &Path) -> Result<(), Failure> {
    let reader = lwm2m_store::open_to_read(folder).map_err(failure)?;
    lwm2m_store::backup(&reader, file).map_err(failure)
}

/// Makes the store of a folder from a backup. Sessions do not go on from it: devices may have gone on
/// in them since, and their record numbers must not be used twice.
///
/// # Errors
/// The backup cannot be used, or the folder has a store and `replace` is not set, or a server uses it.
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

/// Prints what is in the store of a folder, also while a server uses it.
///
/// # Errors
/// There is no store in the folder, or it cannot be read.
pub fn inspect(folder: &Path) -> Result<(), Failure> {
    let reader: Reader = lwm2m_store::open_to_read(folder).map_err(failure)?;
    let inspection = lwm2m_store::inspect(&reader, records::name).map_err(failure)?;
    lwm2m_app::print_line(inspection);
    Ok(())
}
