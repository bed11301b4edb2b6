//! `/api/clients/{ep}/composite`: operations on several paths at once.
//!
//! `paths` names them; `pathformat` is the format of the list on the wire and `nodeformat` that of
//! the values. A Write-Composite has its paths in the body, each with its node.

use super::body::Body;
use super::observe;
use super::operations::{Answer, perform};
use super::target::Endpoint;
use crate::query::Parameters;
use crate::state::ApiState;
use axum::extract::State;
use lwm2m_server::{Operation, Target};

/// GET: Read-Composite.
pub(crate) async fn read(
    State(state): State<ApiState>,
    Endpoint(endpoint): Endpoint,
    parameters: Parameters,
) -> Answer {
    let operation = Operation::ReadComposite {
        paths: parameters.paths()?,
        path_format: parameters.format_in("pathformat")?,
        format: parameters.accept_in("nodeformat")?,
    };
    perform(&state, &endpoint, &parameters, operation).await
}

/// PUT: Write-Composite of a body `{path: node}`.
pub(crate) async fn write(
    State(state): State<ApiState>,
    Endpoint(endpoint): Endpoint,
    parameters: Parameters,
    body: Body,
) -> Answer {
    let format = parameters.format_in("nodeformat")?;
    let changes = body.changes(&state.device(&endpoint)?.model())?;
    let operation = Operation::WriteComposite { changes, format };
    perform(&state, &endpoint, &parameters, operation).await
}

/// POST: Observe-Composite.
pub(crate) async fn observe(
    State(state): State<ApiState>,
    Endpoint(endpoint): Endpoint,
    parameters: Parameters,
) -> Answer {
    observe::start_composite(&state, &endpoint, &parameters).await
}

/// DELETE: its end; with `?active` the device is told.
pub(crate) async fn cancel(
    State(state): State<ApiState>,
    Endpoint(endpoint): Endpoint,
    parameters: Parameters,
) -> Answer {
    let target = Target::Composite(parameters.paths()?);
    observe::cancel(&state, &endpoint, &parameters, target).await
}
