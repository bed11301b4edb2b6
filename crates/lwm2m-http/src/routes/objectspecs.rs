//! `/api/objectspecs/{ep}`: the definitions of the objects that a device has.

use super::answer::json;
use super::target::Endpoint;
use crate::error::ApiError;
use crate::json::objectspec::ObjectSpecJson;
use crate::state::ApiState;
use axum::extract::State;
use axum::response::Response;

/// The definitions of the objects that the device registered, in the versions it registered,
/// ordered by id; those that are unknown here are left out.
pub(crate) async fn list(
    State(state): State<ApiState>,
    Endpoint(endpoint): Endpoint,
) -> Result<Response, ApiError> {
    let device = state.device(&endpoint)?;
    let model = device.model();
    let objects = device.registration.list.objects.keys();
    let specs: Vec<_> =
        objects.filter_map(|id| model.object(*id)).map(ObjectSpecJson::from).collect();
    Ok(json(&specs))
}
