//! `…/observe`: Observe and its end.

use super::answer::json;
use super::operations::perform;
use super::target::{Endpoint, Target};
use crate::error::ApiError;
use crate::json::response::{ObservationJson, RequestKind};
use crate::query::Parameters;
use crate::state::ApiState;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use lwm2m_server::Operation;

/// GET `/api/clients/{ep}/observations`: what is observed.
pub(crate) async fn list(
    State(state): State<ApiState>,
    Endpoint(endpoint): Endpoint,
) -> Result<Response, ApiError> {
    state.device(&endpoint)?;
    let observations =
        state.server().with(move |server, _| server.observations(&endpoint).collect::<Vec<_>>());
    let observations = observations.await?;
    Ok(json(&observations.iter().map(ObservationJson::from).collect::<Vec<_>>()))
}

/// POST: the first value is the answer, later ones are events NOTIFICATION.
pub(crate) async fn start(
    state: &ApiState,
    target: Target,
    parameters: &Parameters,
) -> Result<Response, ApiError> {
    let path = target.path;
    parameters.refuse_attributes()?;
    let operation = Operation::Observe { path, format: parameters.accept_in("format")? };
    perform(state, &target.endpoint, parameters, operation, RequestKind::Node(path)).await
}

/// DELETE: with `?active` the device is told and answers; without, the server forgets the
/// observation, rejects the next notification, and answers with an empty body at once.
pub(crate) async fn cancel(
    state: &ApiState,
    target: Target,
    parameters: &Parameters,
) -> Result<Response, ApiError> {
    let Target { endpoint, path, .. } = target;
    if parameters.flag("active") {
        let operation = Operation::CancelObservation { target: path.into() };
        return perform(state, &endpoint, parameters, operation, RequestKind::Node(path)).await;
    }
    forget(state, endpoint, path.into()).await
}

/// Forgets an observation without telling the device.
pub(crate) async fn forget(
    state: &ApiState,
    endpoint: String,
    target: lwm2m_server::Target,
) -> Result<Response, ApiError> {
    state.device(&endpoint)?;
    state.server().forget_observation(&endpoint, target).await?;
    Ok(().into_response())
}
