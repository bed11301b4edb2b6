//! `/api/clients/{ep}/messages` and `…/capture.pcapng`: the last messages of a device, from the flight recorder.

use super::answer::json;
use super::operations::Answer;
use crate::access::{Principal, Scope};
use crate::error::ApiError;
use crate::messages::Reader;
use crate::pcapng;
use crate::query::Parameters;
use crate::state::ApiState;
use axum::extract::{Path as Segment, State};
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use lwm2m_server::{Messages, Server};

/// The most messages of an answer.
const MOST: u64 = 1_000;
/// The messages of an answer without `limit`.
const USUAL: u64 = 100;
/// The messages that are looked at: those before the ones that are shown tell what answers are about.
const LOOKED_AT: usize = 4_000;

/// GET: the last messages, or those after a number, the oldest first. Of a device that has left, the last
/// ones before. Bytes are for admins, by `?raw`.
pub(crate) async fn list(
    State(state): State<ApiState>,
    Segment(endpoint): Segment<String>,
    principal: Principal,
    parameters: Parameters,
) -> Answer {
    let limit = parameters.number("limit", 1..=MOST, "a number from 1 to 1000")?.unwrap_or(USUAL);
    let after = parameters.number("after", 0..=u64::MAX, "the number of a message")?.unwrap_or(0);
    let raw = parameters.flag("raw");
    if raw && principal.scope < Scope::Admin {
        return Err(ApiError::Forbidden { name: principal.name, needed: Scope::Admin.name() });
    }
    let messages = recorded(&state, &endpoint, &principal).await?;
    let registration = state.device(&endpoint).ok().map(|device| device.registration);
    let (registry, clock) = (state.server().registry(), state.server().clock());
    let (list, observed) = (messages.list, messages.observed);
    let reader = Reader { registration, registry, clock, observed, raw };
    let reading = tokio::task::spawn_blocking(move || {
        let mut read = reader.read(&list, after);
        let excess = read.len().saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX));
        read.drain(..excess);
        json(&read)
    });
    reading.await.map_err(ApiError::Interrupted)
}

/// What is recorded of a device.
async fn recorded(
    state: &ApiState,
    endpoint: &str,
    principal: &Principal,
) -> Result<Messages, ApiError> {
    let name = endpoint.to_owned();
    let look = move |server: &mut Server, _| server.messages(&name, 0, LOOKED_AT);
    let messages = state.server().with(look).await?.ok_or(ApiError::NotRecorded)?;
    check_alone(principal, messages.is_shared)?;
    if messages.list.is_empty() {
        state.device(endpoint)?;
    }
    Ok(messages)
}

/// Refuses those who are confined to a prefix, if messages of other devices are among those of a device.
fn check_alone(principal: &Principal, is_shared: bool) -> Result<(), ApiError> {
    let needed = "viewer without a prefix, because another device is reached at the same address";
    match is_shared && principal.prefix().is_some() {
        true => Err(ApiError::Forbidden { name: principal.name.clone(), needed }),
        false => Ok(()),
    }
}

/// GET `…/capture.pcapng`: what was said with a device, for Wireshark, with the keys of its sessions.
pub(crate) async fn capture(
    State(state): State<ApiState>,
    Segment(endpoint): Segment<String>,
    principal: Principal,
) -> Result<Response, ApiError> {
    let name = endpoint.clone();
    let look = move |server: &mut Server, _| server.capture(&name);
    let (capture, is_shared) = state.server().with(look).await?.ok_or(ApiError::NotRecorded)?;
    check_alone(&principal, is_shared)?;
    if capture.packets.is_empty() {
        state.device(&endpoint)?;
    }
    let (local, clock) = (*state.server().local(), state.server().clock());
    let writing = tokio::task::spawn_blocking(move || pcapng::write(&capture, &local, clock));
    let file = writing.await.map_err(ApiError::Interrupted)?;
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(pcapng::MEDIA_TYPE)),
        (CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"capture.pcapng\"")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, file).into_response())
}
