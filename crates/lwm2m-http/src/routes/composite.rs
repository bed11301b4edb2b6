//! `/api/clients/{ep}/composite`: operations on several paths at once.
//!
//! `paths` names them; `pathformat` is the format of the list on the wire and `nodeformat` that of
//! the values. A Write-Composite has its paths in the body, each with its node.

use super::body::Body;
use super::operations::perform;
use super::target::Endpoint;
use crate::error::ApiError;
use crate::json::response::RequestKind;
use crate::query::Parameters;
use crate::state::ApiState;
use axum::extract::State;
use axum::response::Response;
use lwm2m_core::{ContentFormat, Path};
use lwm2m_server::{Operation, Target};
use std::sync::Arc;

type Answer = Result<Response, ApiError>;

/// GET: Read-Composite.
pub(crate) async fn read(
    State(state): State<ApiState>,
    Endpoint(endpoint): Endpoint,
    parameters: Parameters,
) -> Answer {
    let make = |paths, path_format, format| Operation::ReadComposite { paths, path_format, format };
    ask(&state, &endpoint, &parameters, make).await
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
    perform(&state, &endpoint, &parameters, operation, RequestKind::Nothing).await
}

/// POST: Observe-Composite.
pub(crate) async fn observe(
    State(state): State<ApiState>,
    Endpoint(endpoint): Endpoint,
    parameters: Parameters,
) -> Answer {
    let make =
        |paths, path_format, format| Operation::ObserveComposite { paths, path_format, format };
    ask(&state, &endpoint, &parameters, make).await
}

/// DELETE: its end; with `?active` the device is told.
pub(crate) async fn cancel(
    State(state): State<ApiState>,
    Endpoint(endpoint): Endpoint,
    parameters: Parameters,
) -> Answer {
    let paths = parameters.paths()?;
    let target = Target::Composite(paths.clone());
    if parameters.flag("active") {
        let operation = Operation::CancelObservation { target };
        let kind = RequestKind::Composite(paths);
        return perform(&state, &endpoint, &parameters, operation, kind).await;
    }
    super::observe::forget(&state, endpoint, target).await
}

/// Asks for what lives at the paths of the query.
async fn ask(
    state: &ApiState,
    endpoint: &str,
    parameters: &Parameters,
    make: impl FnOnce(Arc<[Path]>, Option<ContentFormat>, Option<ContentFormat>) -> Operation,
) -> Answer {
    let paths = parameters.paths()?;
    parameters.refuse_attributes()?;
    let path_format = parameters.format_in("pathformat")?;
    let format = parameters.accept_in("nodeformat")?;
    let operation = make(paths.clone(), path_format, format);
    perform(state, endpoint, parameters, operation, RequestKind::Composite(paths)).await
}
