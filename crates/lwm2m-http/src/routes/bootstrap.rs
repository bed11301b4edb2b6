//! `/api/bootstrap`: what devices are told at a bootstrap, the credentials that they come with, and how
//! bootstraps went. Secrets are written and not read: an admin sees them by `?reveal`.

use super::access::finish;
use super::answer::json;
use super::body::Body;
use super::operations::Answer;
use super::pages::{self, Pages, Piece};
use super::security::{Clients, shows_keys, written};
use super::target::Endpoint;
use crate::access::Principal;
use crate::access::guard::Change;
use crate::bootstrap::{Bootstrap, MAX_CONFIGURATION, MAX_DEVICES, credential_record, record};
use crate::error::ApiError;
use crate::json::bootstrap::{read_configuration, without_secrets};
use crate::json::security::read_client;
use crate::query::Parameters;
use crate::state::ApiState;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use lwm2m_credentials::{StoreError, is_endpoint_name};
use lwm2m_server::security::MAX_PAGE;
use serde_json::{Value as Json, json};
use std::sync::Arc;

pub(super) fn bootstrap(state: &ApiState) -> Result<&Bootstrap, ApiError> {
    state.config().bootstrap.as_ref().ok_or(ApiError::NoBootstrap)
}

/// GET: all configurations, as an object by endpoint names.
pub(crate) async fn list(
    State(state): State<ApiState>,
    principal: Principal,
    parameters: Parameters,
) -> Answer {
    let with_keys = shows_keys(&state, &principal, &parameters)?;
    let bootstrap = bootstrap(&state)?.clone();
    let all = Configurations { bootstrap, principal, with_keys, last: None };
    Ok(pages::list(state, all).await)
}

/// All configurations, while they are sent.
struct Configurations {
    bootstrap: Bootstrap,
    /// The user or token that the request comes from.
    principal: Principal,
    with_keys: bool,
    last: Option<String>,
}

impl Pages for Configurations {
    const BRACKETS: [u8; 2] = *b"{}";

    async fn write(&mut self, _: &ApiState, piece: &mut Piece) -> bool {
        let names = self.bootstrap.names_after(self.last.as_deref(), MAX_PAGE);
        let is_last = names.len() < MAX_PAGE;
        for name in names {
            if piece.is_full() {
                return true;
            }
            let is_seen = self.principal.sees(&name);
            if let Some(it) = self.bootstrap.configuration(&name).filter(|_| is_seen) {
                piece.push_member(&name, &shown(&it, self.with_keys));
            }
            self.last = Some(name);
        }
        !is_last
    }
}

fn shown(configuration: &Json, with_keys: bool) -> Json {
    if with_keys { configuration.clone() } else { without_secrets(configuration) }
}

/// GET `/api/bootstrap/{ep}`: what one device is told.
pub(crate) async fn one(
    State(state): State<ApiState>,
    Endpoint(endpoint): Endpoint,
    principal: Principal,
    parameters: Parameters,
) -> Answer {
    let with_keys = shows_keys(&state, &principal, &parameters)?;
    let configuration = bootstrap(&state)?.configuration(&endpoint);
    let configuration = configuration.ok_or(ApiError::NoConfiguration(endpoint))?;
    Ok(json(&shown(&configuration, with_keys)))
}

/// GET `/api/bootstrap/{ep}/history`: how the bootstraps of a device went.
pub(crate) async fn history(State(state): State<ApiState>, Endpoint(endpoint): Endpoint) -> Answer {
    Ok(json(&bootstrap(&state)?.attempts(&endpoint)))
}

/// POST `/api/bootstrap/{ep}`: sets what a device is told from now on.
pub(crate) async fn put(
    State(state): State<ApiState>,
    Endpoint(endpoint): Endpoint,
    body: Body,
) -> Answer {
    let (configuration, bytes) = read(&endpoint, &body)?;
    finish(async move {
        let bootstrap = bootstrap(&state)?;
        let _turn = bootstrap.begin_change().await;
        if !bootstrap.has_room_for(&endpoint, bytes.len()) {
            return Err(ApiError::TooManyBootstraps(MAX_DEVICES));
        }
        let before = bootstrap.configuration(&endpoint).map(|it| without_secrets(&it));
        state.keep(vec![record(&endpoint, Some(bytes.clone()))]).await?;
        bootstrap.set(&endpoint, Some(bytes)).await?;
        let change = json!({"before": before, "after": without_secrets(&configuration)});
        Ok(Extension(Change(change)).into_response())
    })
    .await
}

/// Reads the configuration of a device, and what is kept of it.
pub(super) fn read(endpoint: &str, body: &Body) -> Result<(Json, Bytes), ApiError> {
    if !is_endpoint_name(endpoint) {
        return Err(StoreError::Endpoint.into());
    }
    let configuration = body.any_json()?;
    read_configuration(&configuration)?;
    let bytes = Bytes::from(configuration.to_string());
    if bytes.len() > MAX_CONFIGURATION {
        return Err(ApiError::BodyTooLarge(MAX_CONFIGURATION));
    }
    Ok((configuration, bytes))
}

/// DELETE `/api/bootstrap/{ep}`: the device is refused from now on.
pub(crate) async fn remove(State(state): State<ApiState>, Endpoint(endpoint): Endpoint) -> Answer {
    finish(async move {
        let bootstrap = bootstrap(&state)?;
        let _turn = bootstrap.begin_change().await;
        let Some(before) = bootstrap.configuration(&endpoint) else {
            return Err(ApiError::NoConfiguration(endpoint));
        };
        state.keep(vec![record(&endpoint, None)]).await?;
        bootstrap.set(&endpoint, None).await?;
        let change = Change(json!({"before": without_secrets(&before)}));
        Ok((StatusCode::NO_CONTENT, Extension(change)).into_response())
    })
    .await
}

/// GET `/api/bootstrap/security/clients`: the credentials that devices come with.
pub(crate) async fn credentials(
    State(state): State<ApiState>,
    principal: Principal,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    let with_keys = shows_keys(&state, &principal, &parameters)?;
    let store = Arc::clone(bootstrap(&state)?.security());
    Ok(pages::list(state, Clients { store, principal, with_keys, last: None }).await)
}

/// PUT: sets the credential of the device that the body names.
pub(crate) async fn put_credential(
    State(state): State<ApiState>,
    principal: Principal,
    body: Body,
) -> Answer {
    let (endpoint, credential) = read_client(&body.any_json()?)?;
    if !principal.sees(&endpoint) {
        return Err(ApiError::Forbidden { name: principal.name, needed: "admin of that prefix" });
    }
    finish(async move {
        let bootstrap = bootstrap(&state)?;
        let _turn = bootstrap.begin_change().await;
        let listening = bootstrap.local();
        if listening.and_then(|it| it.dtls.or(it.tls)).is_none() {
            return Err(ApiError::NoSecureBootstrapPort(endpoint));
        }
        let before = bootstrap.security().get(&endpoint);
        if before.is_none() && bootstrap.security().len() >= MAX_DEVICES {
            return Err(ApiError::TooManyBootstraps(MAX_DEVICES));
        }
        let before = before.map(|it| written(&endpoint, &it, false));
        let after = written(&endpoint, &credential, false);
        let kept = credential_record(&endpoint, Some(&credential));
        let name = endpoint.clone();
        let put =
            bootstrap.engine(move |it, now| it.put_credential(now, &name, credential)).await?;
        put.map_err(|error| super::security::known_to(&principal, error))?;
        state.keep(vec![kept]).await?;
        let change = Change(json!({"before": before, "after": after}));
        Ok(Extension(change).into_response())
    })
    .await
}

/// DELETE `/api/bootstrap/security/clients/{ep}`: forgets the credential of a device.
pub(crate) async fn remove_credential(
    State(state): State<ApiState>,
    Endpoint(endpoint): Endpoint,
) -> Answer {
    finish(async move {
        let bootstrap = bootstrap(&state)?;
        let _turn = bootstrap.begin_change().await;
        let before = bootstrap.security().get(&endpoint);
        let before = before.map(|it| written(&endpoint, &it, false));
        let name = endpoint.clone();
        let is_gone = bootstrap.engine(move |it, now| it.remove_credential(now, &name)).await?;
        if !is_gone {
            return Err(ApiError::NoCredentials(endpoint));
        }
        state.keep(vec![credential_record(&endpoint, None)]).await?;
        let change = Change(json!({"before": before}));
        Ok(Extension(change).into_response())
    })
    .await
}
