//! Outputs of events: `/api/outputs`.

use super::answer::json;
use super::operations::Answer;
use crate::error::ApiError;
use crate::state::ApiState;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// GET: all outputs.
pub(crate) async fn list(State(state): State<ApiState>) -> Answer {
    Ok(json(&state.output_snapshots().await?))
}

/// GET: the events that the receiver of an output refused for good.
pub(crate) async fn dead(State(state): State<ApiState>, Path(name): Path<String>) -> Answer {
    Ok(json(&state.dead_letters(&name).await?))
}

/// POST: tells them again, each once.
pub(crate) async fn retry(
    State(state): State<ApiState>,
    Path(name): Path<String>,
) -> Result<Response, ApiError> {
    let letters = state.outputs().get(&name)?.retry();
    Ok((StatusCode::ACCEPTED, axum::Json(json!({"letters": letters}))).into_response())
}
