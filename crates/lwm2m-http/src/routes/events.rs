//! `/api/event`: what happens, as server-sent events.
//!
//! Each stream reads from a bounded queue of its own. One that reads too slowly misses the oldest
//! events and is told by an event `LAGGED` with how many; the server never waits for it. After
//! that a program should ask for `/api/clients` again.

use crate::error::ApiError;
use crate::json::node::{write_composite, write_node, write_value};
use crate::json::registration::{RegistrationJson, UpdateJson};
use crate::query::Parameters;
use crate::state::ApiState;
use axum::Extension;
use axum::extract::State;
use axum::http::HeaderName;
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use lwm2m_codec::Timed;
use lwm2m_core::Node;
use lwm2m_net::Clock;
use lwm2m_server::{Event, Registration, Target};
use serde::Serialize;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::sync::{OwnedSemaphorePermit, watch};

/// How often an idle stream sends a comment, so that neither end nor a proxy gives it up.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Asks nginx, which may stand in front, not to hold events back until a buffer is full.
const UNBUFFERED: (HeaderName, &str) = (HeaderName::from_static("x-accel-buffering"), "no");

/// Tells event streams, which have no end of their own, that the server stops.
#[derive(Clone, Debug)]
pub(crate) struct Closing(pub(crate) watch::Receiver<bool>);

/// Opens a stream: of all devices, or with `?ep=` of one.
pub(crate) async fn stream(
    State(state): State<ApiState>,
    closing: Option<Extension<Closing>>,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    let taken = ApiError::TooManySubscribers(state.config().max_subscribers);
    let subscriber = Subscriber {
        permit: state.permit().ok_or(taken)?,
        events: state.server().subscribe(),
        closing: closing.map(|Extension(Closing(closing))| closing),
        clock: state.server().clock(),
        endpoint: parameters.get("ep").map(str::to_owned),
    };
    let events = stream::unfold(subscriber, async |mut subscriber| {
        let event = subscriber.next().await?;
        Some((Ok::<_, Infallible>(event), subscriber))
    });
    let events = Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT));
    Ok(([UNBUFFERED], events).into_response())
}

struct Subscriber {
    events: Receiver<Arc<Event>>,
    closing: Option<watch::Receiver<bool>>,
    clock: Clock,
    endpoint: Option<String>,
    #[expect(dead_code, reason = "held, and given back when the stream ends")]
    permit: OwnedSemaphorePermit,
}

impl Subscriber {
    /// The next event; `None` when the server stops.
    async fn next(&mut self) -> Option<sse::Event> {
        loop {
            let received = tokio::select! {
                received = self.events.recv() => received,
                () = closed(self.closing.as_mut()) => return None,
            };
            match received {
                Ok(event) => {
                    if let Some(event) = self.write(&event) {
                        return Some(event);
                    }
                }
                Err(RecvError::Lagged(missed)) => {
                    return Some(named("LAGGED", &json!({"missed": missed})));
                }
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// The event as the dialect writes it, if it has one and the stream is for its device.
    fn write(&self, event: &Event) -> Option<sse::Event> {
        let wanted = |registration: &Registration| {
            self.endpoint.as_ref().is_none_or(|endpoint| **endpoint == *registration.endpoint)
        };
        let json = |registration| RegistrationJson::new(registration, self.clock);
        match event {
            Event::Registered(it) if wanted(it) => Some(named("REGISTRATION", &json(it))),
            Event::Updated { registration: it, update } if wanted(it) => {
                let update = UpdateJson::new(it, update);
                Some(named("UPDATED", &json!({"registration": json(it), "update": update})))
            }
            Event::Deregistered { registration: it, .. } if wanted(it) => {
                Some(named("DEREGISTRATION", &json(it)))
            }
            Event::Notification { registration: it, target, result: Ok(node), .. }
                if wanted(it) =>
            {
                Some(named("NOTIFICATION", &notification(&it.endpoint, target, node)))
            }
            Event::ValuesReceived { registration: it, values } if wanted(it) => {
                Some(named("SEND", &sent(&it.endpoint, values)))
            }
            _ => None,
        }
    }
}

/// The values of a Send: `val` has the newest of each path; where values tell their times, `timed`
/// has all of them.
fn sent(endpoint: &str, values: &[Timed]) -> Json {
    let mut newest = BTreeMap::new();
    for value in values {
        let known = newest.entry(value.path).or_insert(value);
        if !value.is_older_than(known) {
            *known = value;
        }
    }
    let json = |it: &Timed| write_value(&it.path, it.value.clone());
    let newest: Map<_, _> = newest.values().map(|it| (it.path.to_string(), json(it))).collect();
    let mut data = json!({"ep": endpoint, "val": newest});
    if values.iter().any(|value| value.time.is_some()) {
        let row =
            |it: &Timed| json!({"time": it.time, "path": it.path.to_string(), "val": json(it)});
        data["timed"] = values.iter().map(row).collect();
    }
    data
}

fn notification(endpoint: &str, target: &Target, node: &Node) -> Json {
    match target {
        Target::Path(path) => json!({
            "ep": endpoint,
            "kind": "single",
            "res": path.to_string(),
            "val": write_node(path, node),
        }),
        Target::Composite(paths) => json!({
            "ep": endpoint,
            "kind": "composite",
            "val": write_composite(paths, node),
            "paths": paths.iter().map(ToString::to_string).collect::<Vec<_>>(),
        }),
    }
}

fn named(name: &str, data: &impl Serialize) -> sse::Event {
    // JSON of our own types has no map keys but text, the one thing that serializing can stumble
    // over, and no line break, which an event cannot hold.
    let data = serde_json::to_string(data).unwrap_or_default();
    sse::Event::default().event(name).data(data)
}

/// Ends when the server stops; never, if nobody can tell.
async fn closed(closing: Option<&mut watch::Receiver<bool>>) {
    match closing {
        Some(closing) => {
            // A sender that is gone means the end as well.
            let _ = closing.wait_for(|closing| *closing).await;
        }
        None => std::future::pending().await,
    }
}
