//! `/api/security`: the credentials of clients, and the server's own public parts.
//!
//! Pre-shared keys are written and not read: an admin sees them by `?reveal`. A change ends the registration and the
//! sessions that used the old credential; see `lwm2m_server::Server::put_credential`.

use super::body::Body;
use super::pages::{self, Pages, Piece};
use super::target::Endpoint;
use crate::access::guard::Change;
use crate::access::{Principal, Scope};
use crate::error::ApiError;
use crate::json::security::{read_client, write_client, write_own};
use crate::query::Parameters;
use crate::state::ApiState;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json as JsonBody};
use lwm2m_credentials::{Credential, SecurityStore, StoreError};
use lwm2m_server::Server;
use lwm2m_server::security::MAX_PAGE;
use serde_json::{Value as Json, json};
use std::io;
use std::sync::Arc;

/// All credentials of clients, ordered by endpoint name.
pub(crate) async fn list(
    State(state): State<ApiState>,
    principal: Principal,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    let with_keys = shows_keys(&state, &principal, &parameters)?;
    let store = Arc::clone(state.server().security());
    Ok(pages::list(state, Clients { store, principal, with_keys, last: None }).await)
}

/// A list of credentials that is being sent.
pub(super) struct Clients {
    pub(super) store: Arc<SecurityStore>,
    /// The user or token that the request comes from.
    pub(super) principal: Principal,
    pub(super) with_keys: bool,
    pub(super) last: Option<Arc<str>>,
}

impl Pages for Clients {
    async fn write(&mut self, _: &ApiState, piece: &mut Piece) -> bool {
        let page = self.store.page(self.last.as_deref());
        let is_last = page.len() < MAX_PAGE;
        for (endpoint, credential) in page {
            if piece.is_full() {
                return true;
            }
            if self.principal.sees(&endpoint) {
                piece.push(&written(&endpoint, &credential, self.with_keys));
            }
            self.last = Some(endpoint);
        }
        !is_last
    }
}

/// The credential of one client.
pub(crate) async fn one(
    State(state): State<ApiState>,
    Endpoint(endpoint): Endpoint,
    principal: Principal,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    let with_keys = shows_keys(&state, &principal, &parameters)?;
    match state.server().security().get(&endpoint) {
        Some(credential) => {
            Ok(JsonBody(written(&endpoint, &credential, with_keys)).into_response())
        }
        None => Err(ApiError::NoCredentials(endpoint)),
    }
}

/// Whether keys are to be in the answer: an admin asks for them by `?reveal`, or the API is set to give
/// them out as the dialect does.
pub(super) fn shows_keys(
    state: &ApiState,
    principal: &Principal,
    parameters: &Parameters,
) -> Result<bool, ApiError> {
    let Some(access) = &state.config().access else { return Ok(true) };
    let is_admin = principal.scope == Scope::Admin;
    match parameters.flag("reveal") {
        true if !is_admin => {
            Err(ApiError::Forbidden { name: principal.name.clone(), needed: Scope::Admin.name() })
        }
        reveal => Ok(is_admin && (reveal || access.config().reveal_keys)),
    }
}

/// The JSON of a credential. A pre-shared key is secret; a raw public key is not.
pub(super) fn written(endpoint: &str, credential: &Credential, with_keys: bool) -> Json {
    let mut json = write_client(endpoint, credential);
    if let (Credential::Psk { .. }, false) = (credential, with_keys)
        && let Some(details) = json["tls"]["details"].as_object_mut()
    {
        details.remove("key");
    }
    json
}

/// PUT: sets the credential of the client that the body names.
pub(crate) async fn put(
    State(state): State<ApiState>,
    principal: Principal,
    body: Body,
) -> Result<Extension<Change>, ApiError> {
    let (endpoint, credential) = read_client(&body.any_json()?)?;
    if !principal.sees(&endpoint) {
        return Err(ApiError::Forbidden { name: principal.name, needed: "admin of that prefix" });
    }
    state.may_change_credentials(&endpoint)?;
    let listening = state.server().local();
    if listening.dtls.or(listening.tls).is_none() {
        return Err(ApiError::NoSecurePort(endpoint));
    }
    let before = state.server().security().get(&endpoint);
    let before = before.map(|it| written(&endpoint, &it, false));
    let after = written(&endpoint, &credential, false);
    finish(async move {
        let put = move |server: &mut Server, now| server.put_credential(now, &endpoint, credential);
        let put = state.server().with(put).await?;
        put.map_err(|error| known_to(&principal, error))?;
        save(&state).await
    })
    .await?;
    Ok(Extension(Change(json!({"before": before, "after": after}))))
}

/// The error as somebody may see it, for whom other devices may not exist.
pub(super) fn known_to(principal: &Principal, error: StoreError) -> ApiError {
    match error {
        StoreError::Taken(endpoint) if !principal.sees(&endpoint) => ApiError::TakenElsewhere,
        error => error.into(),
    }
}

/// DELETE: forgets the credential of a client.
pub(crate) async fn remove(
    State(state): State<ApiState>,
    Endpoint(endpoint): Endpoint,
) -> Result<Extension<Change>, ApiError> {
    let before = state.server().security().get(&endpoint);
    let before = before.map(|it| written(&endpoint, &it, false));
    state.may_change_credentials(&endpoint)?;
    finish(async move {
        let name = endpoint.clone();
        let removed = state.server().with(move |server, now| server.remove_credential(now, &name));
        match removed.await? {
            true => save(&state).await,
            false => Err(ApiError::NoCredentials(endpoint)),
        }
    })
    .await?;
    Ok(Extension(Change(json!({"before": before}))))
}

/// Carries a change out to its end, even if the caller goes away meanwhile.
async fn finish(
    change: impl Future<Output = Result<(), ApiError>> + Send + 'static,
) -> Result<(), ApiError> {
    tokio::spawn(change).await.map_err(|error| ApiError::NotSaved(io::Error::other(error)))?
}

/// The server's public key and certificate.
pub(crate) async fn own(State(state): State<ApiState>) -> Response {
    JsonBody(write_own(state.server().security().own())).into_response()
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
