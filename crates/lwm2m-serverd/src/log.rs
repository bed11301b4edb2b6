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

const fn level(event: &Event) -> Option<Level> {
    Some(match event {
        Event::HandshakeFailed(failure) if is_unproven(&failure.reason) => Level::DEBUG,
        Event::HandshakeFailed(_) | Event::NameRefused(_) => Level::WARN,
        Event::Notification { result: Err(_), .. } => Level::WARN,
        Event::Registered(_) | Event::Deregistered { .. } => Level::INFO,
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
