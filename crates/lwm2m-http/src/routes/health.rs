//! `/metrics`, `/livez` and `/readyz`: how the server is, for the programs that watch it.

use crate::access::Principal;
use crate::error::ApiError;
use crate::metrics::{self, MEDIA_TYPE};
use crate::state::ApiState;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use std::time::Instant;

/// GET `/metrics`: for a viewer of all devices.
pub(crate) async fn metrics(
    State(state): State<ApiState>,
    principal: Principal,
) -> Result<Response, ApiError> {
    if principal.prefix().is_some() {
        let needed = "viewer without a prefix";
        return Err(ApiError::Forbidden { name: principal.name, needed });
    }
    Ok(([(CONTENT_TYPE, MEDIA_TYPE)], metrics::text(&state).await?).into_response())
}

/// GET `/livez`: 503 if the engine does not answer, so that a restart may help.
pub(crate) async fn live(State(state): State<ApiState>) -> Response {
    match metrics::is_live(&state).await {
        true => probe(StatusCode::OK, "ok"),
        false => probe(StatusCode::SERVICE_UNAVAILABLE, "the engine does not answer"),
    }
}

/// GET `/readyz`: 503 while the server cannot take registrations.
pub(crate) async fn ready(State(state): State<ApiState>) -> Response {
    match metrics::flaw(&state).await {
        None => probe(StatusCode::OK, "ok"),
        Some(flaw) => probe(StatusCode::SERVICE_UNAVAILABLE, flaw),
    }
}

fn probe(status: StatusCode, text: &'static str) -> Response {
    (status, [(CACHE_CONTROL, "no-store")], format!("{text}\n")).into_response()
}

/// A request that will be counted.
pub(super) struct Counting {
    begun: Instant,
    route: Option<MatchedPath>,
    method: Method,
}

impl Counting {
    pub(super) fn begin(request: &Request) -> Self {
        let route = request.extensions().get::<MatchedPath>().cloned();
        Self { begun: Instant::now(), route, method: request.method().clone() }
    }

    /// Counts the request, which was answered.
    pub(super) fn end(self, state: &ApiState, status: StatusCode) {
        let route = self.route.as_ref().map(MatchedPath::as_str);
        state.requests().count(route, &self.method, status, self.begun.elapsed());
    }
}
