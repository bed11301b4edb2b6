//! `/api/clients`: the registrations; `/api/server/endpoint`: where the server listens.

use super::access::finish;
use super::answer::json;
use super::commands::{Filter, each_command, take_back};
use super::pages::{self, Pages, Piece};
use super::selection::Selection;
use super::target::Endpoint;
use crate::access::Principal;
use crate::error::ApiError;
use crate::json::registration::{ObjectListJson, RegistrationJson};
use crate::query::Parameters;
use crate::state::ApiState;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use lwm2m_coap::uri::Scheme;
use lwm2m_net::directory::{Listed, MAX_PAGE};
use lwm2m_server::{Registration, Server, SubmitError, records};
use serde_json::json;
use std::sync::Arc;

/// All registrations, ordered by endpoint name, or those that the query selects.
pub(crate) async fn list(
    State(state): State<ApiState>,
    principal: Principal,
    parameters: Parameters,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if let Some(selection) = Selection::read(&parameters, principal.prefix())? {
        return selection.answer(&state, &headers).await;
    }
    Ok(pages::list(state, Registrations { principal, last: None, objects: None }).await)
}

/// A list of registrations that is being sent.
struct Registrations {
    /// The user or token that the request comes from.
    principal: Principal,
    last: Option<Arc<Registration>>,
    /// The object list that was written last.
    objects: Option<ObjectListJson>,
}

impl Pages for Registrations {
    async fn write(&mut self, state: &ApiState, piece: &mut Piece) -> bool {
        let clock = state.server().clock();
        let prefix = self.principal.prefix().unwrap_or_default();
        let after = self.last.as_ref().map(|it| &*it.endpoint);
        let page = state.server().directory().page_within(prefix, after);
        let is_last = page.len() < MAX_PAGE;
        for Listed { registration, is_asleep } in page {
            if piece.is_full() {
                return true;
            }
            let json = RegistrationJson::new(&registration, clock).asleep(is_asleep);
            match ObjectListJson::of(&mut self.objects, &registration.list) {
                Some(objects) => piece.push(&json.sharing(objects)),
                None => piece.push(&json),
            }
            self.last = Some(registration);
        }
        !is_last
    }
}

/// One registration.
pub(crate) async fn one(
    State(state): State<ApiState>,
    Endpoint(endpoint): Endpoint,
) -> Result<Response, ApiError> {
    let device = state.device(&endpoint)?;
    let registration = RegistrationJson::new(&device.registration, state.server().clock());
    Ok(json(&registration.asleep(device.is_asleep)))
}

/// DELETE: forgets a device, with all but its credential and the events of its past.
pub(crate) async fn remove(
    State(state): State<ApiState>,
    Endpoint(endpoint): Endpoint,
) -> Result<Response, ApiError> {
    finish(delete(state, endpoint)).await
}

/// Deletes a device, and then the results of its commands.
async fn delete(state: ApiState, endpoint: String) -> Result<Response, ApiError> {
    let has_values = match state.server().store().cloned() {
        Some(reader) => {
            let prefix = records::prefix(&endpoint);
            let look =
                move || reader.prefix(records::VALUES, &prefix).map(|mut it| it.next().is_some());
            tokio::task::spawn_blocking(look).await.map_err(ApiError::Interrupted)??
        }
        None => false,
    };
    let name = endpoint.clone();
    let delete = move |server: &mut Server, now| match server.can_promise() {
        true => Ok(server.delete_device(now, &name)),
        false => Err(SubmitError::NotKept),
    };
    let deleted = state.server().promise(delete).await;
    let deleted = deleted.map_err(|error| ApiError::request(&endpoint, error))?;
    // To look at all commands takes the engine's time, so it is done in parts.
    let mut ended = Vec::new();
    let of_device = Filter::of_device(&endpoint);
    each_command(&state, &of_device, |command| ended.push(command.id)).await;
    let has_results = !ended.is_empty();
    take_back(&state, ended).await?;
    match deleted || has_values || has_results {
        true => Ok(StatusCode::NO_CONTENT.into_response()),
        false => Err(ApiError::UnknownEndpoint(endpoint)),
    }
}

/// DELETE: ends the sessions of a device, which may begin another one.
pub(crate) async fn end_session(
    State(state): State<ApiState>,
    Endpoint(endpoint): Endpoint,
) -> Result<Response, ApiError> {
    state.device(&endpoint)?;
    let name = endpoint.clone();
    let end = move |server: &mut Server, now| Ok(server.end_session(now, &name));
    let ended = state.server().promise(end).await;
    match ended.map_err(|error| ApiError::request(&endpoint, error))? {
        true => Ok(StatusCode::NO_CONTENT.into_response()),
        false => Err(ApiError::NoSession(endpoint)),
    }
}

/// The addresses that devices can register at.
pub(crate) async fn endpoints(State(state): State<ApiState>) -> Response {
    let endpoints = state.server().local().iter().map(|(scheme, address)| {
        let description = match scheme {
            Scheme::Coap => "CoAP over UDP without security",
            Scheme::Coaps => "CoAP over DTLS",
            Scheme::CoapTcp => "CoAP over TCP without security",
            Scheme::CoapsTcp => "CoAP over TLS",
        };
        let scheme = scheme.name();
        let uri = json!({
            "full": format!("{scheme}://{address}"),
            "scheme": scheme,
            "host": address.ip().to_string(),
            "port": address.port(),
        });
        json!({"uri": uri, "description": description})
    });
    json(&endpoints.collect::<Vec<_>>())
}
