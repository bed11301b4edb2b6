//! The wish of the user or the system that a program ends.

/// Waits for Ctrl-C, or on Unix for SIGTERM, as service managers send it.
///
/// # Errors
/// The signals cannot be listened to.
pub async fn wait_for_end() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}
