//! `/api/security`: the credentials of clients, and the server's own public parts.
//!
//! Everyone who may use the API sees keys, as in the dialect. A change ends the registration and the
//! sessions that used the old credential; see `lwm2m_server::Server::put_credential`.

use super::body::Body;
use super::pages::{self, Pages, Piece};
use super::target::Endpoint;
use crate::error::ApiError;
use crate::json::security::{read_client, write_client, write_own};
use crate::state::ApiState;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use lwm2m_server::Server;
use lwm2m_server::security::MAX_PAGE;
use std::io;
use std::sync::Arc;

/// All credentials of clients, ordered by endpoint name.
pub(crate) async fn list(State(state): State<ApiState>) -> Response {
    pages::list(state, Clients::default()).await
}

/// A list of credentials that is being sent.
#[derive(Default)]
struct Clients {
    last: Option<Arc<str>>,
}

impl Pages for Clients {
    async fn write(&mut self, state: &ApiState, piece: &mut Piece) -> bool {
        let page = state.server().security().page(self.last.as_deref());
        let is_last = page.len() < MAX_PAGE;
        for (endpoint, credential) in page {
            if piece.is_full() {
                return true;
            }
            piece.push(&write_client(&endpoint, &credential));
            self.last = Some(endpoint);
        }
        !is_last
    }
}

/// The credential of one client.
pub(crate) async fn one(
    State(state): State<ApiState>,
    Endpoint(endpoint): Endpoint,
) -> Result<Response, ApiError> {
    match state.server().security().get(&endpoint) {
        Some(credential) => Ok(Json(write_client(&endpoint, &credential)).into_response()),
        None => Err(ApiError::NoCredentials(endpoint)),
    }
}

/// PUT: sets the credential of the client that the body names.
pub(crate) async fn put(State(state): State<ApiState>, body: Body) -> Result<(), ApiError> {
    let (endpoint, credential) = read_client(&body.any_json()?)?;
    state.may_change_credentials(&endpoint)?;
    let listening = state.server().local();
    if listening.dtls.or(listening.tls).is_none() {
        return Err(ApiError::NoSecurePort(endpoint));
    }
    finish(async move {
        let put = move |server: &mut Server, now| server.put_credential(now, &endpoint, credential);
        state.server().with(put).await??;
        save(&state).await
    })
    .await
}

/// DELETE: forgets the credential of a client.
pub(crate) async fn remove(
    State(state): State<ApiState>,
    Endpoint(endpoint): Endpoint,
) -> Result<(), ApiError> {
    state.may_change_credentials(&endpoint)?;
    finish(async move {
        let name = endpoint.clone();
        let removed = state.server().with(move |server, now| server.remove_credential(now, &name));
        match removed.await? {
            true => save(&state).await,
            false => Err(ApiError::NoCredentials(endpoint)),
        }
    })
    .await
}

/// Carries a change out to its end, even if the caller goes away meanwhile.
async fn finish(
    change: impl Future<Output = Result<(), ApiError>> + Send + 'static,
) -> Result<(), ApiError> {
    tokio::spawn(change).await.map_err(|error| ApiError::NotSaved(io::Error::other(error)))?
}

/// The server's public key and certificate.
pub(crate) async fn own(State(state): State<ApiState>) -> Response {
    Json(write_own(state.server().security().own())).into_response()
}

/// Writes what came by the API to its file, if there is one. Changes that come meanwhile share the
/// next write.
async fn save(state: &ApiState) -> Result<(), ApiError> {
    if state.server().store().is_some() {
        let promised = state.server().with(|server, _| server.promised()).await?;
        let written = state.server().written(promised).await;
        return written.map_err(|error| ApiError::NotSaved(io::Error::other(error)));
    }
    let Some(file) = state.config().credentials_file.clone() else { return Ok(()) };
    let write = async {
        let state = state.clone();
        let saving = move || {
            let mut clients = state.server().security().list();
            clients.retain(|(endpoint, _)| !state.config().fixed_credentials.contains(&**endpoint));
            file.save(clients.iter().map(|(name, it)| (&**name, it)))
        };
        let saved = tokio::task::spawn_blocking(saving).await;
        saved.map_err(io::Error::other).flatten().map_err(ApiError::NotSaved)
    };
    state.credentials_changes().commit(write).await
}
