//! Log lines of the server's events.

use lwm2m_dtls::Reason;
use lwm2m_net::Events;
use lwm2m_server::Event;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tracing::Level;

/// How long the log waits after events before it looks for more: to wake it for each would take
/// more of the engine's time than the event.
const INTERVAL: Duration = Duration::from_millis(50);

/// Logs events until the server has ended.
pub(crate) async fn events(mut events: Events) {
    loop {
        match events.recv().await {
            Ok(event) => log(&event),
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

/// Whether the log has a line for an event, so that others need no place in its queue.
pub(crate) fn wants(event: &Event) -> bool {
    match level(event) {
        Some(Level::WARN) => tracing::enabled!(Level::WARN),
        Some(Level::INFO) => tracing::enabled!(Level::INFO),
        Some(_) => tracing::enabled!(Level::DEBUG),
        None => false,
    }
}

/// Whether anybody can cause the failure in anybody's name.
const fn is_unproven(reason: &Reason) -> bool {
    matches!(reason, Reason::IgnoredHellos { .. })
}

/// The level of the line that [`log`] writes.
const fn level(event: &Event) -> Option<Level> {
    Some(match event {
        Event::HandshakeFailed(failure) if is_unproven(&failure.reason) => Level::DEBUG,
        Event::HandshakeFailed(_) | Event::NameRefused(_) | Event::Overloaded(_) => Level::WARN,
        Event::Notification { result: Err(_), .. } => Level::WARN,
        Event::Registered(_) | Event::Deregistered { .. } => Level::INFO,
        Event::ObservationEnded { .. } => Level::INFO,
        Event::Updated { .. } | Event::Moved(_) | Event::Notification { .. } => Level::DEBUG,
        _ => return None,
    })
}

fn log(event: &Event) {
    match event {
        Event::HandshakeFailed(failure) if is_unproven(&failure.reason) => {
            tracing::debug!("{failure}");
        }
        Event::HandshakeFailed(failure) => tracing::warn!("{failure}"),
        Event::Overloaded(overload) => tracing::warn!("{overload}"),
        Event::NameRefused(refused) => tracing::warn!("{refused}"),
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
        Event::Deregistered { registration: it, reason, .. } => {
            tracing::info!(endpoint = %it.endpoint, ?reason, "deregistered");
        }
        Event::Notification { registration: it, target, result: Ok(_), .. } => {
            tracing::debug!(endpoint = %it.endpoint, %target, "notification");
        }
        Event::Notification { registration: it, target, result: Err(error), .. } => {
            tracing::warn!(endpoint = %it.endpoint, %target, %error, "the notification has no value");
        }
        Event::ObservationEnded { endpoint, target, reason } => {
            tracing::info!(%endpoint, %target, %reason, "observation ended");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lwm2m_core::Path;
    use lwm2m_server::{ObservationEnd, Overload, Target};
    use std::sync::{Arc, Mutex};
    use tracing::{Metadata, Subscriber, span};

    /// Remembers the level of each line, of those up to a level.
    #[derive(Clone)]
    struct Lines(Arc<Mutex<Vec<Level>>>, Level);

    impl Default for Lines {
        fn default() -> Self {
            Self(Arc::default(), Level::TRACE)
        }
    }

    impl Subscriber for Lines {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            *metadata.level() <= self.1
        }
        fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }
        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
        fn event(&self, event: &tracing::Event<'_>) {
            self.0.lock().unwrap().push(*event.metadata().level());
        }
        fn enter(&self, _: &span::Id) {}
        fn exit(&self, _: &span::Id) {}
    }

    #[test]
    fn an_event_without_a_line_at_the_level_has_no_place_in_the_queue() {
        let ended = || Event::ObservationEnded {
            endpoint: "a".into(),
            target: Target::from(Path::object(3)),
            reason: ObservationEnd::Disconnected,
        };
        let overloaded = || Event::Overloaded(Overload::default());
        for (most, expected) in
            [(Level::ERROR, [false, false]), (Level::WARN, [false, true]), (Level::INFO, [true; 2])]
        {
            let lines = Lines(Arc::default(), most);
            let wanted = tracing::subscriber::with_default(lines, || {
                tracing::callsite::rebuild_interest_cache();
                [wants(&ended()), wants(&overloaded())]
            });
            assert_eq!(wanted, expected, "{most}");
        }
    }

    #[test]
    fn what_was_refused_and_what_ended_without_being_asked_for_has_a_line() {
        let ended = Event::ObservationEnded {
            endpoint: "a".into(),
            target: Target::from(Path::object(3)),
            reason: ObservationEnd::Disconnected,
        };
        for (event, expected) in
            [(ended, Level::INFO), (Event::Overloaded(Overload::default()), Level::WARN)]
        {
            let lines = Lines::default();
            tracing::subscriber::with_default(lines.clone(), || {
                assert!(wants(&event), "{event:?} has a line, so the log asks for it");
                log(&event);
            });
            assert_eq!(*lines.0.lock().unwrap(), [expected]);
            assert_eq!(level(&event), Some(expected));
        }
    }
}
