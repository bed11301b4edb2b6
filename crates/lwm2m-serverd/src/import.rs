//! Credentials from the file that was used before there was a data folder.

use lwm2m_app::{Failure, keys};
use lwm2m_credentials::{OwnCredentials, SecurityStore};
use lwm2m_http::CredentialsFile;
use lwm2m_net::ServerHandle;
use std::path::Path;

/// Moves the credentials of a file to the store, and renames the file when they are durable. A file
/// that is not there has been moved before.
pub(crate) async fn credentials(path: &Path, server: &ServerHandle) -> Result<(), Failure> {
    if !path.exists() {
        return Ok(());
    }
    keys::warn_if_shared(path);
    let read = SecurityStore::new(OwnCredentials::default());
    CredentialsFile::open(path.to_owned(), &read).map_err(Failure::usage)?;
    let clients = read.list();
    let count = clients.len();
    let put = move |server: &mut lwm2m_server::Server, now| {
        for (endpoint, credential) in clients {
            if !server.security().contains(&endpoint) {
                server
                    .put_credential(now, &endpoint, credential)
                    .map_err(|error| format!("the credential of {endpoint}: {error}"))?;
            }
        }
        Ok::<_, String>(server.promised())
    };
    let promised = server.with(put).await.map_err(Failure::running)?.map_err(Failure::usage)?;
    server.written(promised).await.map_err(Failure::running)?;
    let retired = path.with_added_extension("imported");
    std::fs::rename(path, &retired).map_err(|error| {
        Failure::usage(format!(
            "cannot rename {} to {}: {error}",
            path.display(),
            retired.display()
        ))
    })?;
    tracing::info!(
        "{count} credentials moved to the data folder; {} is not read again",
        path.display()
    );
    Ok(())
}
