//! Log lines of the server's events.

use lwm2m_server::Event;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::time::Instant;

/// How long the log waits after events before it looks for more: to wake it for each would take
/// more of the engine's time than the event.
const INTERVAL: Duration = Duration::from_millis(50);

/// Lines in a [`WINDOW`] about clients that were refused. Anybody can cause them, so more are only
/// counted.
const MAX_FAILURES: u32 = 10;
const WINDOW: Duration = Duration::from_secs(10);

/// Logs events until the server has ended.
pub(crate) async fn events(mut events: Receiver<Arc<Event>>) {
    let mut failures = Failures::new(Instant::now());
    loop {
        match events.recv().await {
            Ok(event) => log(&event, &mut failures),
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(missed, "the log is behind; events were skipped")
            }
            Err(RecvError::Closed) => break,
        }
        if events.is_empty() {
            tokio::time::sleep(INTERVAL).await;
        }
    }
}

/// A bounded number of lines about clients that were refused.
struct Failures {
    since: Instant,
    count: u32,
}

impl Failures {
    const fn new(since: Instant) -> Self {
        Self { since, count: 0 }
    }

    fn log(&mut self, now: Instant, line: impl FnOnce()) {
        if now.duration_since(self.since) >= WINDOW {
            if let Some(unsaid) = self.count.checked_sub(MAX_FAILURES).filter(|count| *count > 0) {
                tracing::warn!("{unsaid} more failed handshakes and refusals were not logged");
            }
            *self = Self::new(now);
        }
        self.count = self.count.saturating_add(1);
        if self.count <= MAX_FAILURES {
            line();
        }
    }
}

fn log(event: &Event, failures: &mut Failures) {
    match event {
        Event::HandshakeFailed(failure) => {
            failures.log(Instant::now(), || tracing::warn!("{failure}"));
        }
        Event::NameRefused(refused) => {
            failures.log(Instant::now(), || tracing::warn!("{refused}"));
        }
        Event::Registered(it) => tracing::info!(
            endpoint = %it.endpoint, address = %it.address, version = %it.version,
            lifetime = it.lifetime.as_secs(), "registered"
        ),
        Event::Updated { registration: it, .. } => {
            tracing::debug!(endpoint = %it.endpoint, address = %it.address, "updated");
        }
        Event::Moved(it) => {
            tracing::debug!(endpoint = %it.endpoint, address = %it.address, "moved");
        }
        Event::Deregistered { registration: it, reason } => {
            tracing::info!(endpoint = %it.endpoint, ?reason, "deregistered");
        }
        Event::Notification { registration: it, target, result: Ok(_), .. } => {
            tracing::debug!(endpoint = %it.endpoint, %target, "notification");
        }
        Event::Notification { registration: it, target, result: Err(error), .. } => {
            tracing::warn!(endpoint = %it.endpoint, %target, %error, "the notification cannot be decoded");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_failures_does_not_fill_the_log() {
        let start = Instant::now();
        let mut failures = Failures::new(start);
        let mut lines = 0;
        for _ in 0..1_000 {
            failures.log(start, || lines += 1);
        }
        assert_eq!(lines, MAX_FAILURES);
        failures.log(start + WINDOW, || lines += 1);
        assert_eq!(lines, MAX_FAILURES + 1);
    }
}
