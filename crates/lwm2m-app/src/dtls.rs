//! Settings of DTLS and TLS: the backend, Connection IDs, the key log, the time for certificates.

use crate::exit::Failure;
use lwm2m_dtls::crypto::Provider;
use lwm2m_dtls::{Backend, Config, ConnectionIds, KeyLog, RoutingCids, Unsupported};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Appends a line for each secret (the format of NSS).
struct KeyLogFile(Mutex<File>);

impl KeyLog for KeyLogFile {
    fn log(&self, label: &str, client_random: &[u8; 32], secret: &[u8]) {
        let line = format!("{label} {} {}\n", hex(client_random), hex(secret));
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = file.write_all(line.as_bytes()) {
            tracing::warn!(%error, "the key log cannot be written");
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads the name of a backend in a settings file.
///
/// # Errors
/// This program has no backend of that name.
pub fn backend<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Backend>, D::Error> {
    let name = String::deserialize(deserializer)?;
    name.parse().map(Some).map_err(D::Error::custom)
}

/// The length in bytes of the Connection IDs that a server gives by default: 6, or 0 if the backend
/// has none.
#[must_use]
pub const fn server_cid(backend: Backend) -> u8 {
    if backend.has_connection_ids() { 6 } else { 0 }
}

/// Builds the settings of DTLS. Connection IDs of length 0 turn Connection IDs off.
///
/// # Errors
/// The key log cannot be written, or the backend lacks a feature that the settings ask for.
pub fn config(
    backend: Backend,
    provider: Arc<dyn Provider>,
    ids: RoutingCids,
    key_log: Option<&Path>,
) -> Result<Config, Failure> {
    let mut config = Config::default();
    config.backend = backend;
    config.provider = provider;
    if ids.length() > 0 {
        config.connection_ids = Some(Arc::new(ids));
    }
    if let Some(path) = key_log {
        if !backend.has_key_log() {
            return Err(Failure::usage(Unsupported::KeyLog));
        }
        let file = open_key_log(path).map_err(|error| {
            Failure::usage(format!("cannot write the key log {}: {error}", path.display()))
        })?;
        tracing::warn!(
            "the key log {} holds the secrets of all sessions; its readers can decrypt them",
            path.display()
        );
        config.key_log = Some(Arc::new(KeyLogFile(Mutex::new(file))));
    }
    config.check().map_err(Failure::usage)?;
    Ok(config)
}

fn open_key_log(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
