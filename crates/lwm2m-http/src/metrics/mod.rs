//! What a server counts, in the text format of Prometheus.
//!
//! The numbers are read when they are asked for: counters beside the engine, its own by one short visit.
//! The labels are words of this source and routes of the API, so that their number is bounded.

mod families;
mod requests;
mod text;

pub(crate) use requests::Requests;

use crate::error::ApiError;
use crate::state::ApiState;
use lwm2m_coap::Statistics;
use lwm2m_codec::Quirk;
use lwm2m_link::Identity;
use lwm2m_net::directory::Listed;
use lwm2m_server::Overload;
use std::time::Duration;
use text::Text;

/// How long the engine may take to answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// The media type of the text.
pub(crate) const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What only the engine knows.
struct Engine {
    overload: Overload,
    coap: Statistics,
    sessions: (u64, u64),
    peers: usize,
    can_promise: bool,
    /// What was forgiven devices.
    quirks: Vec<(Quirk, u32)>,
}

/// Asks the engine.
async fn engine(state: &ApiState) -> Result<Engine, ApiError> {
    let visit = state.server().with(|server, _| Engine {
        overload: server.overload(),
        coap: *server.statistics(),
        sessions: server.accepted_sessions(),
        peers: server.peer_count(),
        can_promise: server.can_promise(),
        quirks: server.all_quirks().collect(),
    });
    match tokio::time::timeout(PATIENCE, visit).await {
        Ok(engine) => Ok(engine?),
        Err(_) => Err(ApiError::NotKept("the engine does not answer".to_owned())),
    }
}

/// Whether the engine answers.
pub(crate) async fn is_live(state: &ApiState) -> bool {
    engine(state).await.is_ok()
}

/// Why the server cannot do its work at present.
pub(crate) async fn flaw(state: &ApiState) -> Option<&'static str> {
    match engine(state).await {
        Err(_) => Some("the engine does not answer"),
        Ok(engine) if !engine.can_promise => Some("the store cannot be written"),
        Ok(_) => None,
    }
}

/// All metrics.
///
/// # Errors
/// The engine does not answer.
pub(crate) async fn text(state: &ApiState) -> Result<String, ApiError> {
    let engine = engine(state).await?;
    let mut text = Text::default();
    families::devices(&mut text, &census(state));
    families::events(&mut text, state.server().counters());
    families::engine(&mut text, &engine);
    if let Some(bootstrap) = &state.config().bootstrap {
        let visit = bootstrap.engine(|it, _| it.overload());
        if let Ok(Ok(overload)) = tokio::time::timeout(PATIENCE, visit).await {
            families::bootstrap(&mut text, &overload);
        }
    }
    if let Some(durability) = state.server().durability() {
        families::store(&mut text, durability.commits());
    }
    let streams = u64::try_from(state.open_streams()).unwrap_or(u64::MAX);
    text.gauge("lwm2m_http_event_streams", "Open event streams.", streams);
    families::outputs(&mut text, &state.output_snapshots().await?);
    state.requests().write(&mut text);
    Ok(text.into())
}

/// Registered devices by what they are.
#[derive(Default)]
struct Census {
    listening: u64,
    awake: u64,
    asleep: u64,
    secure: u64,
    plain: u64,
}

/// Counts the devices, a short piece under the lock at a time.
fn census(state: &ApiState) -> Census {
    let census = std::cell::RefCell::new(Census::default());
    let count = |listed: &Listed| {
        let mut census = census.borrow_mut();
        match (listed.registration.queue_mode, listed.is_asleep) {
            (false, _) => census.listening += 1,
            (true, false) => census.awake += 1,
            (true, true) => census.asleep += 1,
        }
        match listed.registration.identity {
            Identity::NoSec => census.plain += 1,
            _ => census.secure += 1,
        }
        false
    };
    let mut after = None;
    loop {
        let (_, next) = state.server().directory().scan("", after.as_deref(), count);
        let Some(next) = next else { return census.into_inner() };
        after = Some(next);
    }
}
