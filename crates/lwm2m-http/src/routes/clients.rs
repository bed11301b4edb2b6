//! `/api/clients`: the registrations; `/api/server/endpoint`: where the server listens.

use super::target::Endpoint;
use crate::error::ApiError;
use crate::json::registration::RegistrationJson;
use crate::state::ApiState;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// All registrations, ordered by endpoint name.
pub(crate) async fn list(State(state): State<ApiState>) -> Result<Response, ApiError> {
    let registrations = state.server().registrations().await?;
    let clock = state.server().clock();
    let list: Vec<_> = registrations.iter().map(|it| RegistrationJson::new(it, clock)).collect();
    Ok(Json(list).into_response())
}

/// One registration.
pub(crate) async fn one(
    State(state): State<ApiState>,
    Endpoint(endpoint): Endpoint,
) -> Result<Response, ApiError> {
    let registration = state.server().registration(&endpoint).await?;
    let registration = registration.ok_or(ApiError::UnknownEndpoint(endpoint))?;
    Ok(Json(RegistrationJson::new(&registration, state.server().clock())).into_response())
}

/// The addresses that devices can register at.
pub(crate) async fn endpoints(State(state): State<ApiState>) -> Response {
    let server = state.server();
    let all = [
        ("coap", Some(server.local_addr()), "CoAP over UDP without security"),
        ("coaps", server.local_dtls_addr(), "CoAP over DTLS"),
        ("coap+tcp", server.local_tcp_addr(), "CoAP over TCP without security"),
        ("coaps+tcp", server.local_tls_addr(), "CoAP over TLS"),
    ];
    let endpoints = all.into_iter().filter_map(|(scheme, address, description)| {
        let address = address?;
        let uri = json!({
            "full": format!("{scheme}://{address}"),
            "scheme": scheme,
            "host": address.ip().to_string(),
            "port": address.port(),
        });
        Some(json!({"uri": uri, "description": description}))
    });
    Json(endpoints.collect::<Vec<_>>()).into_response()
}
