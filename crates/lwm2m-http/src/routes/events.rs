//! `/api/event`: what happens, as server-sent events.
//!
//! Each stream reads from a bounded queue of its own. A stream that reads too slowly misses the
//! oldest events, and an event `LAGGED` says how many; the server never waits for it. After that a
//! program should ask for `/api/clients` again.

use super::replay::Replay;
use crate::access::Principal;
use crate::error::ApiError;
use crate::events::{Delivery, Devices, KINDS, Queue, Selection, lagged};
use crate::query::Parameters;
use crate::state::ApiState;
use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, watch};

/// How often an idle stream sends a comment, so that neither end nor a proxy gives it up.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// A comment of `text/event-stream`.
const COMMENT: Bytes = Bytes::from_static(b":\n\n");

/// Asks nginx, which may stand in front, not to hold events back until a buffer is full.
const UNBUFFERED: (HeaderName, &str) = (HeaderName::from_static("x-accel-buffering"), "no");

/// Tells event streams, which have no end of their own, that the server stops.
#[derive(Clone, Debug)]
pub(crate) struct Closing(pub(crate) watch::Receiver<bool>);

/// Opens a stream: of all devices or with `?ep=` of one, of all events or those of `?kind=` and `?path=`.
/// With `Last-Event-ID`, what is kept of the time since then comes first.
pub(crate) async fn stream(
    State(state): State<ApiState>,
    closing: Option<Extension<Closing>>,
    principal: Principal,
    parameters: Parameters,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let selection = selection(&parameters, &principal)?;
    let taken = ApiError::TooManySubscribers(state.config().max_subscribers);
    let subscriber = Subscriber {
        permit: state.permit().ok_or(taken)?,
        events: state.hub().subscribe(selection.clone()).await,
        // After that, so that nothing is between the past and what comes.
        replay: Replay::of(&state, &headers, selection).await,
        closing: closing.map(|Extension(Closing(closing))| closing),
        principal,
        state,
    };
    let events = stream::unfold(subscriber, async |mut subscriber| {
        let text = subscriber.next().await?;
        Some((Ok::<_, Infallible>(text), subscriber))
    });
    let headers = [(CONTENT_TYPE, "text/event-stream"), UNBUFFERED];
    Ok((headers, Body::from_stream(events)).into_response())
}

/// Which events a query asks for.
fn selection(parameters: &Parameters, principal: &Principal) -> Result<Selection, ApiError> {
    let devices = match (parameters.get("ep"), principal.prefix()) {
        (Some(endpoint), _) if !principal.sees(endpoint) => {
            return Err(ApiError::UnknownEndpoint(endpoint.to_owned()));
        }
        (Some(endpoint), _) => Devices::Endpoint(endpoint.to_owned()),
        (None, Some(prefix)) => Devices::Prefix(prefix.to_owned()),
        (None, None) => Devices::All,
    };
    let expected = "REGISTRATION, UPDATED, DEREGISTRATION, SLEEPING, AWAKE, NOTIFICATION, \
                    OBSERVATION_ENDED, SEND or REQUEST_RESPONSE, or several with commas between them";
    let kind = |text: &str| KINDS.into_iter().find(|it| *it == text.trim());
    let kinds = parameters.get("kind").map(|text| text.split(',').map(kind).collect::<Option<_>>());
    let error = ApiError::Parameter { name: "kind", expected };
    let kinds = kinds.map_or(Ok(BTreeSet::new()), |it| it.ok_or(error))?;
    let path = parameters.get("path").map(str::parse).transpose()?;
    Ok(Selection { devices, kinds, path })
}

struct Subscriber {
    replay: Option<Replay>,
    events: Arc<Queue>,
    closing: Option<watch::Receiver<bool>>,
    principal: Principal,
    state: ApiState,
    #[expect(dead_code, reason = "held, and given back when the stream ends")]
    permit: OwnedSemaphorePermit,
}

impl Subscriber {
    /// The next piece of the stream; `None` when the server stops, or the token is not valid any more.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(replay) = &mut self.replay {
            if let Some(text) = replay.next(&self.state).await {
                return Some(text).filter(|_| self.principal.is_valid(&self.state));
            }
            self.replay = None;
        }
        let next = tokio::select! {
            delivery = self.events.next() => delivery.map(|delivery| match delivery {
                Delivery::Frames(text) => text,
                Delivery::Missed(missed) => lagged(missed).into(),
            }),
            () = closed(self.closing.as_mut()) => None,
            () = tokio::time::sleep(HEARTBEAT) => Some(COMMENT),
        };
        next.filter(|_| self.principal.is_valid(&self.state))
    }
}

/// Ends when the server stops; never, if nothing can tell.
async fn closed(closing: Option<&mut watch::Receiver<bool>>) {
    match closing {
        Some(closing) => {
            // A sender that is gone means the end as well.
            let _ = closing.wait_for(|closing| *closing).await;
        }
        None => std::future::pending().await,
    }
}
