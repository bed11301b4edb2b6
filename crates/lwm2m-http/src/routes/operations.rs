//! `/api/clients/{ep}/{path…}`: the operations of device management.

use super::answer::json;
use super::body::Body;
use super::target::{Aspect, Target};
use crate::error::ApiError;
use crate::json::response::{RequestKind, ResponseJson};
use crate::query::Parameters;
use crate::state::ApiState;
use axum::extract::State;
use axum::response::Response;
use lwm2m_core::{AttributeName, Attributes, Node, Path, Resource};
use lwm2m_server::{Operation, Server, WriteMode};
use lwm2m_time::Instant;
use std::time::Duration;

type Answer = Result<Response, ApiError>;

/// GET: Read and Discover.
pub(crate) async fn get(
    State(state): State<ApiState>,
    target: Target,
    parameters: Parameters,
) -> Answer {
    let path = target.path;
    match target.aspect {
        Aspect::Value => {
            let format = parameters.accept_in("format")?;
            let operation = Operation::Read { path, format };
            perform(&state, &target.endpoint, &parameters, operation, RequestKind::Node(path)).await
        }
        Aspect::Discover => {
            let target = target.at_depth(1..=3, "Discover", "an object, instance or resource")?;
            let operation = Operation::Discover { path };
            perform(&state, &target.endpoint, &parameters, operation, RequestKind::Links).await
        }
        Aspect::Attributes => Err(ApiError::Method(Some("PUT"))),
        Aspect::Observe => Err(ApiError::Method(Some("POST, DELETE"))),
    }
}

/// PUT: Write and Write-Attributes.
pub(crate) async fn put(
    State(state): State<ApiState>,
    target: Target,
    parameters: Parameters,
    body: Body,
) -> Answer {
    match target.aspect {
        Aspect::Value => write(&state, target, &parameters, &body).await,
        Aspect::Attributes => write_attributes(&state, target, &parameters).await,
        Aspect::Discover => Err(ApiError::Method(Some("GET, HEAD"))),
        Aspect::Observe => Err(ApiError::Method(Some("POST, DELETE"))),
    }
}

/// POST: Create, Execute and Observe.
pub(crate) async fn post(
    State(state): State<ApiState>,
    target: Target,
    parameters: Parameters,
    body: Body,
) -> Answer {
    match (target.aspect, target.path.depth()) {
        (Aspect::Value, 3) => {
            let arguments = body.text()?.to_owned();
            let operation = Operation::Execute { path: target.path, arguments };
            perform(&state, &target.endpoint, &parameters, operation, RequestKind::Nothing).await
        }
        (Aspect::Value, _) => create(&state, target, &parameters, &body).await,
        (Aspect::Observe, _) => super::observe::start(&state, target, &parameters).await,
        (Aspect::Discover, _) => Err(ApiError::Method(Some("GET, HEAD"))),
        (Aspect::Attributes, _) => Err(ApiError::Method(Some("PUT"))),
    }
}

/// DELETE: Delete and the two ways to end an observation.
pub(crate) async fn delete(
    State(state): State<ApiState>,
    target: Target,
    parameters: Parameters,
) -> Answer {
    match target.aspect {
        Aspect::Value => {
            let target = target.at_depth(2..=4, "Delete", "an instance or resource instance")?;
            let operation = Operation::Delete { path: target.path };
            perform(&state, &target.endpoint, &parameters, operation, RequestKind::Nothing).await
        }
        Aspect::Observe => super::observe::cancel(&state, target, &parameters).await,
        Aspect::Discover => Err(ApiError::Method(Some("GET, HEAD"))),
        Aspect::Attributes => Err(ApiError::Method(Some("PUT"))),
    }
}

async fn write(state: &ApiState, target: Target, parameters: &Parameters, body: &Body) -> Answer {
    let target = target.at_depth(2..=4, "Write", "an instance, resource or resource instance")?;
    let format = parameters.format()?;
    let replace = parameters.replace()?;
    let path = target.path;
    let node = body.node(&path, &state.device(&target.endpoint)?.model())?;
    // Of a single value nothing can stay, and devices accept it as a replacement alone.
    let single = matches!(node, Node::Resource(Resource::Single(_)) | Node::ResourceInstance(_));
    let mode = if replace || single { WriteMode::Replace } else { WriteMode::Partial };
    let operation = Operation::Write { path, node, format, mode };
    perform(state, &target.endpoint, parameters, operation, RequestKind::Nothing).await
}

async fn create(state: &ApiState, target: Target, parameters: &Parameters, body: &Body) -> Answer {
    let target = target.at_depth(1..=2, "Create", "an object or instance")?;
    let format = parameters.format()?;
    let device = state.device(&target.endpoint)?;
    let model = device.model();
    let object = target.path.object_id().unwrap_or_default();
    let (instance, node) = match target.path.instance_id() {
        Some(id) => (Some(id), body.node(&target.path, &model)?),
        None => {
            let (id, instance) = body.new_instance(object, &model)?;
            (id, Node::ObjectInstance(instance))
        }
    };
    let operation = Operation::Create { path: Path::object(object), instance, node, format };
    perform(state, &target.endpoint, parameters, operation, RequestKind::Location).await
}

async fn write_attributes(state: &ApiState, target: Target, parameters: &Parameters) -> Answer {
    let target = target.at_depth(1..=4, "Write-Attributes", "an object or anything below one")?;
    let attributes = parameters.attributes()?;
    if attributes.is_empty() {
        return Err(ApiError::NoAttribute);
    }
    let set: Attributes = attributes.iter().copied().collect();
    if let (Some(pmin), Some(pmax)) = (set.get(AttributeName::Pmin), set.get(AttributeName::Pmax))
        && pmax < pmin
    {
        return Err(ApiError::Periods);
    }
    let operation = Operation::WriteAttributes { path: target.path, attributes };
    perform(state, &target.endpoint, parameters, operation, RequestKind::Nothing).await
}

/// Sends an operation to a device and answers with its answer.
pub(crate) async fn perform(
    state: &ApiState,
    endpoint: &str,
    parameters: &Parameters,
    operation: Operation,
    kind: RequestKind,
) -> Answer {
    let config = state.config();
    let timeout = parameters.timeout(config.timeout, config.max_timeout)?;
    match state.server().request(endpoint, operation, timeout).await {
        Ok(response) => Ok(json(&ResponseJson::new(&kind, &response))),
        Err(error) => Err(ApiError::request(endpoint, silent_for(state, endpoint).await, error)),
    }
}

/// How long a device with queue mode has said nothing.
async fn silent_for(state: &ApiState, endpoint: &str) -> Option<Duration> {
    state.device(endpoint).ok().filter(|it| it.registration.queue_mode)?;
    let name = endpoint.to_owned();
    let since = move |server: &mut Server, now: Instant| {
        server.heard_at(&name).map(|at| now.saturating_since(at))
    };
    state.server().with(since).await.ok()?
}
