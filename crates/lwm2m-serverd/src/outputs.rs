//! `--events-file FILE`: events of devices as lines of JSON.

use lwm2m_http::{ApiState, CHUNK};
use std::path::PathBuf;
use std::time::Duration;

/// How often it is looked whether something has happened.
pub(crate) const INTERVAL: Duration = Duration::from_secs(1);

/// Appends events to a file until the server ends.
pub(crate) fn to_file(api: ApiState, file: PathBuf) {
    api.clone().spawn(async move {
        let mut failures = 0;
        loop {
            match api.append_events("file", &file).await {
                // There may be more.
                Ok(CHUNK) => failures = 0,
                Ok(_) => {
                    failures = 0;
                    tokio::time::sleep(INTERVAL).await;
                }
                Err(error) => {
                    let pause = pause(failures);
                    failures += 1;
                    tracing::warn!(
                        "events wait, and are tried again in {} s: {error}",
                        pause.as_secs()
                    );
                    tokio::time::sleep(pause).await;
                }
            }
        }
    });
}

/// How long to wait after so many failures before: up to about a minute.
pub(crate) fn pause(failures: u32) -> Duration {
    INTERVAL * 2_u32.pow(failures.min(6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_grows_to_a_minute() {
        let pauses: Vec<_> = [0, 1, 5, 6, 7, u32::MAX].map(|it| pause(it).as_secs()).into();
        assert_eq!(pauses, [1, 2, 32, 64, 64, 64]);
    }
}
